/** What is kept of an app: its objects with their hashes, written before anything is made. */
import type { Bundle, ManifestObject, PodSpec } from '../../model.ts'
import { type AppObjectRecord, type Transaction, writeApp, writeAppObject } from '../state/index.ts'
import type { ApplyRequest } from '../types/index.ts'
import type { Hasher } from './hash.ts'
import { belongsTo, hadByOthers, objectsOf } from './plan.ts'
import { jobContent } from './plan-data.ts'
import { keyOf, type Planned, type WantedOf, type World } from './world.ts'

/**
 * The rows that are not yet as they should be. What is unchanged keeps its hash: most of all applies find nothing to
 * write.
 */
export function staleObjects(
  request: ApplyRequest,
  {
    world,
    planned,
    wantedOf,
    hasher,
  }: { world: World; planned: readonly Planned[]; wantedOf: WantedOf; hasher: Hasher },
): AppObjectRecord[] {
  const changed = new Set(
    planned.filter(({ object }) => object.action !== 'unchanged').map(({ object }) => keyOf(object)),
  )
  return objectsOf(request).flatMap((object): AppObjectRecord[] => {
    const old = world.owners.get(keyOf(object))
    const isSame = old?.app === request.app && old.wave === (object.wave ?? 0) && old.protection === object.prune
    if (isSame && !changed.has(keyOf(object))) return []
    const content = contentOf(object, request.bundle)
    return [
      {
        app: request.app,
        kind: object.kind,
        name: object.name,
        hash: hasher(identityOf(object, request.bundle, wantedOf)),
        wave: object.wave ?? 0,
        pods: object.kind === 'Job' ? 0 : podsOf(object, request.bundle).length,
        ...(object.prune !== undefined && { protection: object.prune }),
        ...(content !== undefined && { content }),
      },
    ]
  })
}

const podsOf = (object: ManifestObject, { pods }: Bundle): PodSpec[] =>
  pods.filter(({ origin }) => origin.kind === object.kind && origin.name === object.name)

/** Claims are made by name: those of pods that are no longer there would be forgotten. */
function contentOf(object: ManifestObject, bundle: Bundle): AppObjectRecord['content'] {
  if (object.content !== undefined) return object.content
  const claims = podsOf(object, bundle).flatMap(({ volumes }) =>
    volumes.flatMap(volume => (volume.kind === 'claim' ? volume.claim : [])),
  )
  return claims.length === 0 ? undefined : { claims: [...new Set(claims)] }
}

/** All that decides what an object is: the same data means the same object. */
function identityOf(object: ManifestObject, bundle: Bundle, wantedOf: WantedOf): unknown {
  const { kind, name, content } = object
  if (content !== undefined) return content
  if (kind === 'Secret') return bundle.secrets.find(secret => secret.name === name)
  if (kind === 'PersistentVolumeClaim') return bundle.claims.find(claim => claim.name === name)
  const job = kind === 'Job' ? bundle.jobs?.find(one => one.name === name) : undefined
  if (job !== undefined) return jobContent(job)
  return podsOf(object, bundle).map(spec => ({ ...spec, origin: { kind, name }, images: [...wantedOf(spec).images] }))
}

/**
 * Writes who owns what, and where it is from. Throws NAME_IN_USE for what another app has come to own since the plan was
 * made: images may have been fetched in between, or both have begun at the same moment.
 */
export async function writeInventory(
  tx: Transaction,
  request: ApplyRequest,
  objects: readonly AppObjectRecord[],
  nowMs: number,
): Promise<void> {
  const { app, source } = request
  if (!request.forceConflicts) {
    const rows = await tx.all('SELECT kind, name, app FROM app_object WHERE app <> ?', [app])
    const owners = new Map(rows.map(row => [`${row.kind}/${row.name}`, String(row.app)]))
    const complaints = objects.flatMap(object => {
      const owner = owners.get(keyOf(object))
      return owner === undefined ? [] : [belongsTo(object, owner)]
    })
    if (complaints.length > 0) throw hadByOthers(app, complaints)
  }
  const { path, revision } = source
  await writeApp(tx, { name: app, source: path, appliedMs: nowMs, ...(revision !== undefined && { revision }) })
  for (const object of objects) await writeAppObject(tx, object)
}
