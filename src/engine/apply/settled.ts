/**
 * An apply that has nothing to do, told without reading a manifest: the same input as last time, and everything that
 * came of it stands as it was left. Translating thirty pods takes longer than all the rest of such an apply.
 */
import type { Id } from '../../model.ts'
import { findImageIds } from '../../oci/index.ts'
import type { EngineContext } from '../context.ts'
import { pullsAnyway, type Wanted } from '../play/index.ts'
import { readinessOf } from '../probe/index.ts'
import { type AppObjectRecord, dropBefore, readAppObjects } from '../state/index.ts'
import type { ApplyReport, ApplyRequest, ApplyResult, PlannedObject } from '../types/index.ts'
import { loadAll } from '../view/index.ts'
import { same } from './differences.ts'
import { lazyHasher } from './hash.ts'
import { startReason } from './standing-pod.ts'
import { keyOf, type Look, lookOf } from './world.ts'

/** What an apply has left: ids, which are others as soon as anybody makes the thing anew. */
type Settled = {
  /** Of the input, see `ApplyRequest.inputs`. */
  digest: string
  objects: PlannedObject[]
  results: ApplyResult[]
  standing: Standing
}

type Standing = {
  pods: Record<string, Id>
  jobs: Record<string, Id>
  /** All there are: a manifest may refer to one of another play. */
  secrets: Record<string, string>
  volumes: string[]
  owned: string[]
}

/** What an apply has come to: pods as they are now, and the names of those whose predecessors have not to come back. */
type Ended = { looks: () => Promise<Look[]>; replaced: readonly string[] }

/**
 * Remembers that nothing is left to do, and forgets what was replaced; an app for which a registry has to be asked is
 * never settled.
 */
export async function settle(
  context: EngineContext,
  request: ApplyRequest,
  report: ApplyReport,
  { looks, replaced }: Ended,
): Promise<void> {
  const settled = await settledBy(context, request, report, looks)
  const text = settled === undefined ? null : JSON.stringify(settled)
  const [row] = await context.store.all('SELECT settled FROM app WHERE name = ?', [request.app])
  const isNew = row !== undefined && row.settled !== text
  if (!isNew && replaced.length === 0) return
  await context.store.write(async tx => {
    await dropBefore(tx, replaced)
    if (isNew) await tx.run('UPDATE app SET settled = ? WHERE name = ?', [text, request.app])
  })
}

async function settledBy(
  context: EngineContext,
  { app, inputs, bundle }: ApplyRequest,
  { plan, results }: ApplyReport,
  looks: () => Promise<Look[]>,
): Promise<Settled | undefined> {
  if (inputs === undefined || results.some(({ outcome }) => ['failed', 'rolled back', 'skipped'].includes(outcome)))
    return
  // Pods that are held back differ from their templates, and whoever asks is told so.
  if (plan.objects.some(({ pods = [] }) => pods.some(isHeld))) return
  const isAsked = bundle.pods.some(({ initContainers, containers, volumes }) =>
    [...initContainers, ...containers, ...volumes.filter(volume => volume.kind === 'image')].some((one: Wanted) =>
      pullsAnyway(one),
    ),
  )
  if (isAsked) return undefined
  const stays = plan.objects.filter(({ action }) => action !== 'prune')
  const unchanged = (object: PlannedObject): PlannedObject => {
    const { pods, outageMs, atOnce, ...rest } = object
    return object.action === 'keep'
      ? object
      : { ...rest, action: 'unchanged', effect: 'none', because: [], changes: [] }
  }
  return {
    digest: lazyHasher(context)(inputs),
    objects: stays.map(unchanged),
    results: stays.map(({ kind, name, action }) => ({ kind, name, outcome: action === 'keep' ? 'kept' : 'unchanged' })),
    standing: await standingOf(
      context,
      app,
      new Set(bundle.claims.map(({ name }) => name)),
      await podsOf(context, app, looks()),
    ),
  }
}

/** It is not replaced, for a reason. */
const isHeld = ({ action, because }: Omit<PlannedObject, 'pods' | 'wave'>): boolean =>
  (action === 'unchanged' && because.length > 0) || (action === 'start' && because.length > 1)

/** The report of an apply of this input, when all that it would do is to find nothing to do; undefined otherwise. */
export async function settled(context: EngineContext, inputs: string): Promise<ApplyReport | undefined> {
  const known = await context.store.all('SELECT name, settled FROM app WHERE settled IS NOT NULL')
  if (known.length === 0) return undefined
  const digest = lazyHasher(context)(inputs)
  for (const row of known) {
    const app = String(row.name)
    const { standing, objects, results, ...kept } = JSON.parse(String(row.settled)) as Settled
    if (kept.digest !== digest) continue
    const pods = await podsOf(
      context,
      app,
      loadAll(context).then(all => all.map(lookOf)),
    )
    const now = await standingOf(context, app, new Set(standing.volumes), pods)
    if (!same(standing, now) || !(await areWell(context, pods))) return undefined
    const ready = pods.every(({ view }) => ['ready', 'done'].includes(readinessOf(view, view.containers)))
    return { plan: { app, objects }, results, ready }
  }
  return undefined
}

async function podsOf(context: EngineContext, app: string, looking: Promise<readonly Look[]>): Promise<Look[]> {
  const [looks, owners] = await Promise.all([looking, readAppObjects(context.store)])
  const own = new Set(owners.filter(owner => owner.app === app).map(keyOf))
  return looks.filter(({ record }) => record.kind === 'pod' && own.has(keyOf(record.spec.origin)))
}

async function standingOf(
  context: EngineContext,
  app: string,
  claims: ReadonlySet<string>,
  pods: readonly Look[],
): Promise<Standing> {
  const { store } = context
  const [secrets, volumes, owners] = await Promise.all([
    store.all('SELECT name, id FROM secret ORDER BY name'),
    store.all('SELECT name FROM volume ORDER BY name'),
    readAppObjects(store),
  ])
  // Pods of a Job come and go; the Job itself is one thing for as long as it is there.
  const lasting = pods.filter(({ record }) => record.job === undefined)
  const ofJobs = pods.flatMap(({ record }) =>
    record.job === undefined ? [] : [[record.spec.origin.name, record.job] as const],
  )
  return {
    pods: Object.fromEntries(lasting.map(({ record }) => [record.name, record.id])),
    jobs: Object.fromEntries(ofJobs),
    secrets: Object.fromEntries(secrets.map(row => [String(row.name), String(row.id)])),
    volumes: volumes.map(row => String(row.name)).filter(name => claims.has(name)),
    owned: owners.filter(owner => owner.app === app).map(ownedText),
  }
}

const ownedText = ({ kind, name, hash, wave, protection }: AppObjectRecord): string =>
  [kind, name, hash, wave, protection ?? ''].join(' ')

/** Nothing has to be started, nobody has changed limits, and the names of images mean what they did. */
async function areWell(context: EngineContext, pods: readonly Look[]): Promise<boolean> {
  const lasting = pods.filter(({ record }) => record.job === undefined)
  const isWell = (pod: Look): boolean => {
    const { complete, settings, goal } = pod.record
    return complete && goal === 'running' && settings.limits === undefined && startReason(pod) === undefined
  }
  if (!lasting.every(isWell)) return false
  const wanted = lasting.flatMap(({ record: { spec }, containers }) =>
    [...spec.initContainers, ...spec.containers].map(({ name, image }) => ({
      image,
      id: containers.find(({ shortName }) => shortName === name)?.imageId ?? '',
    })),
  )
  const ids = await findImageIds(
    await context.storage(),
    wanted.map(({ image }) => image),
  )
  return wanted.every(({ image, id }) => id === '' || (ids.get(image) ?? id) === id)
}
