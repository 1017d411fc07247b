/** One wave of an apply: everything of it begins side by side, but for what waits for something else of it. */
import type { Bundle, PodSpec } from '../../model.ts'
import type { EngineContext } from '../context.ts'
import { tendNamed } from '../jobs/index.ts'
import { startLate } from '../late.ts'
import { operatePods } from '../operate/index.ts'
import { down, placeOf, play, tellsReady } from '../play/index.ts'
import { awaitReady, READY_MS, readinessOf } from '../probe/index.ts'
import { prune, type Work } from './execute.ts'
import { changeLive } from './live.ts'
import { playOptions } from './play-options.ts'
import { isInTheWay, madeBy } from './prepare.ts'
import type { Planned, PodPlan } from './world.ts'

/** Brings the objects of one wave to what they should be; with another one behind it, until they are ready. */
export async function bringWave(work: Work, planned: readonly Planned[], isFollowed: boolean): Promise<void> {
  const { request, prepared, ledger } = work
  const pods = planned.flatMap(({ pods: own }) => own)
  for (const pod of pods) if (pod.do !== 'nothing' || pod.start === true) work.seen.delete(pod.name)
  await changeAll(work, pods)
  await takeDown(
    work,
    pods.filter(pod => pod.do === 'remove').map(({ name }) => name),
  )
  const bundle = madeBy(planned, request)
  const inTheWay = prepared.planned.filter(
    one => one.object.action === 'prune' && isInTheWay(one, bundle, prepared.world),
  )
  await prune(work, inTheWay)
  const starting = pods.filter(pod => pod.do === 'start' || pod.start === true)
  const later = followersOf(bundle.pods, starting)
  await startAll(
    work,
    starting.filter(({ name }) => !later.has(name)),
  )
  await playAll(work, bundle)
  await startAll(
    work,
    starting.filter(({ name }) => later.has(name)),
  )
  const isBusy = pods.some(pod => pod.do !== 'nothing' && pod.do !== 'remove')
  const waitMs = request.waitMs ?? (isFollowed && isBusy ? READY_MS : undefined)
  if (waitMs !== undefined && !ledger.hasFailed) await untilReady(work, pods, waitMs)
}

const leadersOf = ({ name, spec }: { name: string; spec?: PodSpec }): readonly string[] =>
  placeOf({ name, ...(spec && { spec }) }).startAfter

/** Those among `starting` that start after a pod of `made`, or after one of these. */
function followersOf(made: readonly PodSpec[], starting: readonly PodPlan[]): Set<string> {
  const leaders = new Set<string>(made.map(({ name }) => name))
  const found = new Set<string>()
  for (let size = -1; size < found.size; ) {
    size = found.size
    for (const pod of starting) {
      const plan = { name: pod.name, ...(pod.spec && { spec: pod.spec }) }
      if (leadersOf(plan).some(name => leaders.has(name) || found.has(name))) found.add(pod.name)
    }
  }
  return found
}

async function changeAll({ context, request, ledger, signal }: Work, pods: readonly PodPlan[]): Promise<void> {
  for (const pod of pods) {
    if (pod.do !== 'change') continue
    await changeLive(context, pod, request.bundle.manifests[pod.name], signal).catch(error =>
      ledger.fail(pod.name, (error as Error).message),
    )
  }
}

async function takeDown({ context, ledger, signal }: Work, pods: string[]): Promise<void> {
  if (pods.length === 0) return
  const request = { pods, workloads: [], secrets: [], claims: [], podClaims: [], claimsOf: [] }
  const { failures } = await down(context, request, { force: false }, signal)
  for (const { object, message } of failures) ledger.fail(object.replace(/^pod /, ''), message)
}

async function startAll(work: Work, pods: readonly PodPlan[]): Promise<void> {
  const { context, ledger, signal } = work
  const able = await withReadyLeaders(work, pods)
  const ids = able.flatMap(({ standing }) => standing?.record.id ?? [])
  if (ids.length === 0) return
  for (const { name, error } of await operatePods(context, ids, { do: 'start' }, signal))
    if (error !== undefined) ledger.fail(name, error.message)
}

async function playAll(work: Work, whole: Bundle): Promise<void> {
  const { context, request, prepared, ledger, progress, signal } = work
  const pods = await withReadyLeaders(work, whole.pods)
  const bundle = { ...whole, pods: [...pods] }
  if (pods.length === 0) return
  try {
    const report = await play(context, bundle, playOptions(request), progress, signal, {}, prepared.imageOf)
    await startLate(context, bundle.pods, report, progress, signal)
    for (const { name, failures } of report.pods)
      if (failures.length > 0) ledger.fail(name, failures.map(({ message }) => message).join('; '))
    await tendNamed(context, bundle.jobs?.map(({ name }) => name) ?? [])
  } catch (error) {
    for (const { name } of bundle.pods) ledger.fail(name, (error as Error).message)
  }
}

/**
 * Those whose leaders are ready, as far as they stand already and tell. Whoever cannot begin has failed, and what is
 * there of it goes on.
 */
async function withReadyLeaders<Of extends { name: string }>(work: Work, pods: readonly Of[]): Promise<readonly Of[]> {
  const { context, prepared, ledger, signal } = work
  const own = new Set(pods.map(({ name }) => name))
  const specOf = (pod: Of): PodSpec | undefined => ('spec' in pod ? pod.spec : pod) as PodSpec | undefined
  const wanted = (pod: Of): readonly string[] => {
    const spec = specOf(pod)
    return leadersOf({ name: pod.name, ...(spec && { spec }) }).filter(name => !own.has(name))
  }
  const leaders = new Set(pods.flatMap(wanted))
  const telling = [...leaders].filter(name => {
    const standing = prepared.world.pods.get(name)
    return standing !== undefined && tellsReady(standing.spec)
  })
  if (telling.length === 0) return pods
  const ids = await idsOf(context, telling)
  const states = await awaitReady(context, [...ids.keys()], READY_MS, signal)
  const unready = new Set([...states].flatMap(([id, state]) => (isWell(state) ? [] : (ids.get(id) ?? []))))
  return pods.filter(pod => {
    const missing = wanted(pod).find(name => unready.has(name))
    if (missing !== undefined) ledger.fail(pod.name, `it was left alone, because ${missing} is not ready`)
    return missing === undefined
  })
}

const isWell = (state: string): boolean => state === 'ready' || state === 'done'

/** Names of pods by their ids, as far as there are such pods. */
async function idsOf({ store }: EngineContext, names: readonly string[]): Promise<Map<string, string>> {
  const rows = await store.all("SELECT id, name FROM pod WHERE kind = 'pod'")
  const found = rows.filter(row => names.includes(String(row.name)))
  return new Map(found.map(row => [String(row.id), String(row.name)]))
}

/** A pod that is not ready in time has failed. */
async function untilReady(work: Work, pods: readonly PodPlan[], waitMs: number): Promise<void> {
  const { context, ledger, progress, signal } = work
  const isAwaited = ({ name, do: what }: PodPlan): boolean => {
    const view = work.seen.get(name)?.view
    return what !== 'remove' && (view === undefined || !isWell(readinessOf(view, view.containers)))
  }
  const ids = await idsOf(
    context,
    pods.filter(isAwaited).map(({ name }) => name),
  )
  if (ids.size === 0) return
  progress({ object: '', text: `waiting until ${ids.size === 1 ? '1 pod is' : `${ids.size} pods are`} ready` })
  const found = await awaitReady(context, [...ids.keys()], waitMs, signal, loaded => {
    for (const { pod, ...look } of loaded) work.seen.set(pod.name, { record: pod, ...look })
  })
  for (const [id, state] of found) {
    const name = ids.get(id) ?? ''
    if (state === 'failed') ledger.fail(name, 'it has ended')
    if (state === 'waiting') ledger.fail(name, `it was not ready after ${Math.round(waitMs / 1000)} s`)
  }
}
