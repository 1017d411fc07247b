/** Bringing pods up: those that make way for others, those that are started again, and waiting until they are ready. */
import type { Bundle, PodSpec } from '../../model.ts'
import type { EngineContext } from '../context.ts'
import { tendNamed } from '../jobs/index.ts'
import { startLate } from '../late.ts'
import { operatePods } from '../operate/index.ts'
import { placeOf, play, tellsReady } from '../play/index.ts'
import { awaitReady, READY_MS, readinessOf } from '../probe/index.ts'
import type { PodRecord } from '../state/index.ts'
import type { PodView } from '../types/index.ts'
import type { Work } from './execute.ts'
import { refuseNewcomers } from './newcomers.ts'
import { playOptions } from './play-options.ts'
import type { PodPlan } from './world.ts'

/** The pods that a pod starts after. */
export const leadersOf = ({ name, spec }: { name: string; spec?: PodSpec }): readonly string[] =>
  placeOf({ name, ...(spec && { spec }) }).startAfter

/** Starts what is there and was stopped. */
export async function startAll(work: Work, pods: readonly PodPlan[]): Promise<void> {
  const { context, ledger, signal } = work
  const able = await withReadyLeaders(work, pods)
  const ids = able.flatMap(({ standing }) => standing?.record.id ?? [])
  if (ids.length === 0) return
  for (const { name, error } of await operatePods(context, ids, { do: 'start' }, signal))
    if (error !== undefined) ledger.fail(name, error.message)
}

/** Makes the pods of a bundle, in the place of those of their names; nobody waits for `known` to be ready. */
export async function playAll(work: Work, whole: Bundle, known: ReadonlySet<string> = new Set()): Promise<void> {
  const { context, request, prepared, ledger, progress, signal } = work
  const pods = await withReadyLeaders(work, whole.pods, known)
  const bundle = { ...whole, pods: [...pods] }
  if (pods.length === 0) return
  for (const { name } of pods) work.reached.add(name)
  const watch = { replacing: (found: readonly PodRecord[]) => refuseNewcomers(work, found) }
  try {
    const report = await play(context, bundle, playOptions(request), progress, signal, watch, prepared.imageOf)
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
async function withReadyLeaders<Of extends { name: string }>(
  work: Work,
  pods: readonly Of[],
  known: ReadonlySet<string> = new Set(),
): Promise<readonly Of[]> {
  const { context, request, prepared, ledger, signal } = work
  const own = new Set([...pods.map(({ name }) => name), ...known])
  const specOf = (pod: Of): PodSpec | undefined => ('spec' in pod ? pod.spec : pod) as PodSpec | undefined
  const wanted = (pod: Of): readonly string[] => {
    const spec = specOf(pod)
    return leadersOf({ name: pod.name, ...(spec && { spec }) }).filter(name => !own.has(name))
  }
  const leaders = new Set(pods.flatMap(wanted))
  if (leaders.size === 0) return pods
  const tells = new Set<string>(request.bundle.pods.filter(tellsReady).map(({ name }) => name))
  const telling = [...leaders].filter(name => {
    const standing = prepared.world.pods.get(name)
    return tells.has(name) || (standing !== undefined && tellsReady(standing.spec))
  })
  const ids = await idsOf(context, telling)
  const states = await awaitReady(context, [...ids.keys()], READY_MS, signal)
  const unready = new Set([...states].flatMap(([id, state]) => (isWell(state) ? [] : (ids.get(id) ?? []))))
  return pods.filter(pod => {
    const missing = wanted(pod).find(name => unready.has(name) || ledger.failed(name) !== undefined)
    if (missing !== undefined) ledger.fail(pod.name, `it was left alone, because ${missing} is not ready`)
    return missing === undefined
  })
}

/** It serves, or has done what it was for. */
export const isWell = (state: string): boolean => state === 'ready' || state === 'done'

/** Names of pods by their ids, as far as there are such pods. */
async function idsOf({ store }: EngineContext, names: readonly string[]): Promise<Map<string, string>> {
  const rows = await store.all("SELECT id, name FROM pod WHERE kind = 'pod'")
  const found = rows.filter(row => names.includes(String(row.name)))
  return new Map(found.map(row => [String(row.id), String(row.name)]))
}

/** A pod that is not ready in time has failed. */
export async function untilReady(work: Work, pods: readonly PodPlan[], waitMs: number): Promise<void> {
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
    const stuck = loaded.find(({ view }) => troubleOf(view) !== undefined)
    if (stuck !== undefined) progress({ object: stuck.pod.name, text: `not ready yet: ${troubleOf(stuck.view)}` })
  })
  for (const [id, state] of found) {
    const name = ids.get(id) ?? ''
    const view = work.seen.get(name)?.view
    const trouble = view && troubleOf(view)
    if (state === 'failed') ledger.fail(name, 'it has ended')
    if (state === 'waiting')
      ledger.fail(name, `it was not ready after ${Math.round(waitMs / 1000)} s${trouble ? `: ${trouble}` : ''}`)
  }
}

/** What keeps a pod from being ready, where its containers tell: the same as `tspod ps` says of them. */
function troubleOf({ containers }: PodView): string | undefined {
  const [stuck] = containers.filter(({ state, reason }) => state === 'exited' && reason !== 'Completed')
  if (stuck === undefined) return undefined
  const { name, reason, exitCode, restarts } = stuck
  const facts = [
    ...(exitCode === undefined ? [] : [`exit code ${exitCode}`]),
    ...(restarts > 0 ? [`restarts: ${restarts}`] : []),
  ]
  return `container ${name}: ${reason}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}`
}
