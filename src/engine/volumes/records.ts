/** Named volumes as rows: written by plays, removed by `kube down --force`, never with a pod. */
import { TspodError } from '../../errors.ts'
import { removeTree } from '../../files.ts'
import type { Bundle, ClaimSpec, PodSpec } from '../../model.ts'
import { volumeDirectory } from '../../paths.ts'
import type { EngineContext } from '../context.ts'
import { eventAbout, insertEvents, type NewEvent } from '../events/index.ts'
import type { Transaction } from '../state/index.ts'
import { readPods } from '../state/index.ts'
import { unmountBelow } from './mounts.ts'

/**
 * Writes a row for each claim of the bundle, and for each one that a pod uses without defining it.
 * Throws NAME_IN_USE when there is a volume already with the name of a claim that is to be the pod's own.
 */
export async function writeVolumes(tx: Transaction, context: EngineContext, bundle: Bundle): Promise<void> {
  for (const claim of bundle.claims) await insertVolume(tx, context, claim)
  for (const volume of bundle.pods.flatMap(pod => pod.volumes)) {
    if (volume.kind !== 'claim') continue
    const { claim, ephemeral } = volume
    const { labels = {}, annotations = {} } = ephemeral ?? {}
    const made = await insertVolume(tx, context, { name: claim, labels, annotations })
    if (ephemeral !== undefined && !made) throw taken(claim)
  }
}

/** Writes the row of one volume; false when there is one already. */
export async function insertVolume(
  tx: Transaction,
  { clock }: Pick<EngineContext, 'clock'>,
  { name, labels, annotations }: ClaimSpec,
): Promise<boolean> {
  const nowMs = clock.nowMs()
  const made = await tx.all(
    'INSERT OR IGNORE INTO volume (name, labels, annotations, created_ms) VALUES (?, ?, ?, ?) RETURNING name',
    [name, JSON.stringify(labels), JSON.stringify(annotations), nowMs],
  )
  if (made.length > 0) await insertEvents(tx, [volumeEvent(nowMs, name, labels, 'create')])
  return made.length > 0
}

/** True when there is a volume with this name. */
export const isVolume = async (store: EngineContext['store'], name: string): Promise<boolean> =>
  (await store.all('SELECT 1 FROM volume WHERE name = ?', [name])).length > 0

export type Owner = { uid: number; gid: number }

/** The annotations of a volume; none where there is no such volume. */
export async function annotationsOf({ store }: EngineContext, name: string): Promise<Record<string, string>> {
  const [row] = await store.all('SELECT annotations FROM volume WHERE name = ?', [name])
  return JSON.parse(String(row?.annotations ?? '{}')) as Record<string, string>
}

/** Whom Podman's annotations give a named volume to; undefined where they say nothing. */
export const ownerOf = async (context: EngineContext, name: string): Promise<Owner | undefined> =>
  ownerIn(await annotationsOf(context, name))

/** The same of the annotations themselves. */
export function ownerIn(annotations: Record<string, string>): Owner | undefined {
  const id = (key: string): string | undefined => annotations[`volume.podman.io/${key}`]
  const [uid, gid] = [id('uid'), id('gid')]
  return uid === undefined && gid === undefined ? undefined : { uid: Number(uid ?? 0), gid: Number(gid ?? 0) }
}

const taken = (claim: string): TspodError =>
  new TspodError('NAME_IN_USE', `a volume with the name ${claim} exists already, and it is not the pod's own`, {
    remedy: 'remove it, or give the pod or its volume another name',
  })

/** Removes the claims that are a pod's own, with what is in them; gone already is success. */
export async function removeEphemeral(context: EngineContext, pod: PodSpec): Promise<void> {
  for (const volume of pod.volumes) {
    if (volume.kind !== 'claim' || volume.ephemeral === undefined) continue
    // One of a Job's later pods has no record of its claim.
    if (!(await removeRecorded(context, volume.claim))) await removeTree(volumeDirectory(context.paths, volume.claim))
  }
}

const volumeEvent = (
  nowMs: number,
  name: string,
  labels: Record<string, string>,
  action: 'create' | 'remove',
): NewEvent => eventAbout(nowMs, { kind: 'volume', object: name, name, labels }, { action, reason: '' })

/**
 * Removes a named volume and what is in it; false when there is none.
 * @throws WRONG_STATE when a pod still uses it.
 */
export async function removeVolume(context: EngineContext, name: string): Promise<boolean> {
  const user = (await readPods(context.store)).find(pod =>
    pod.spec.volumes.some(volume => volume.kind === 'claim' && volume.claim === name),
  )
  if (user !== undefined) {
    throw new TspodError('WRONG_STATE', `volume ${name} is being used by pod ${user.name}`, {
      remedy: 'remove that pod first',
    })
  }
  return removeRecorded(context, name)
}

async function removeRecorded(context: EngineContext, name: string): Promise<boolean> {
  const [row] = await context.store.all('SELECT labels FROM volume WHERE name = ?', [name])
  if (row === undefined) return false
  await unmountBelow([volumeDirectory(context.paths, name)], context.run)
  await removeTree(volumeDirectory(context.paths, name))
  const labels = JSON.parse(String(row.labels)) as Record<string, string>
  await context.store.write(async tx => {
    await tx.run('DELETE FROM volume WHERE name = ?', [name])
    await insertEvents(tx, [volumeEvent(context.clock.nowMs(), name, labels, 'remove')])
  })
  return true
}
