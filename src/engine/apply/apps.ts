/** Apps as people see them: their objects, and how these are. */
import type { EngineContext } from '../context.ts'
import { isPodReady, readinessOf } from '../probe/index.ts'
import { type AppObjectRecord, readAppObjects, readApps } from '../state/index.ts'
import type { AppObject, AppView, ListedPod, PodPhase } from '../types/index.ts'
import { loadAll } from '../view/index.ts'
import { keyOf } from './world.ts'

/** All apps by name; spawns no process. */
export async function listApps(context: EngineContext): Promise<AppView[]> {
  const [apps, objects, loaded] = await Promise.all([
    readApps(context.store),
    readAppObjects(context.store),
    loadAll(context),
  ])
  const pods = Map.groupBy(
    loaded.filter(({ pod }) => pod.kind === 'pod'),
    ({ pod }) => keyOf(pod.spec.origin),
  )
  return apps.map(({ name, source, revision, appliedMs }) => {
    const own = objects.filter(({ app }) => app === name)
    const views = own.flatMap(object => (pods.get(keyOf(object)) ?? []).map(({ view }) => view))
    const missing = own.some(object => (pods.get(keyOf(object))?.length ?? 0) < object.pods)
    return {
      name,
      source: { path: source, ...(revision !== undefined && { revision }) },
      appliedMs,
      health: missing ? 'Degraded' : healthOf(views),
      objects: own.map(object => viewObject(object, pods.get(keyOf(object))?.map(({ view }) => view) ?? [])),
    }
  })
}

function viewObject(
  { kind, name, hash, wave, protection, pods: wanted }: AppObjectRecord,
  pods: readonly ListedPod[],
): AppObject {
  const base = { kind, name, hash, wave, ...(protection !== undefined && { protection }) }
  if (pods.length === 0) return wanted > 0 ? { ...base, phase: 'Missing', ready: 0, total: wanted } : base
  const good = pods.filter(pod => isPodReady(pod, pod.containers) || pod.phase === 'Succeeded')
  return { ...base, phase: worst(pods), ready: good.length, total: Math.max(wanted, pods.length) }
}

const WORST_FIRST: readonly PodPhase[] = ['Unknown', 'Failed', 'Pending', 'Running', 'Succeeded']

const worst = (pods: readonly ListedPod[]): PodPhase =>
  WORST_FIRST.find(phase => pods.some(pod => pod.phase === phase)) ?? 'Running'

/** A pod that starts is no trouble yet; one that has crashed, or was stopped by hand, is. */
function healthOf(pods: readonly ListedPod[]): AppView['health'] {
  const waiting = pods.filter(pod => !['ready', 'done'].includes(readinessOf(pod, pod.containers)))
  if (waiting.length === 0) return 'Healthy'
  const isStarting = (pod: ListedPod): boolean =>
    pod.phase === 'Pending' ||
    (pod.phase === 'Running' && pod.containers.every(({ state }) => state === 'running' || state === 'created'))
  return waiting.every(isStarting) ? 'Progressing' : 'Degraded'
}
