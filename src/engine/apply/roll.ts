/** Replacing the pods of a workload some at a time: the next ones when these are ready, and none after one that is not. */
import type { Bundle, Id } from '../../model.ts'
import { READY_MS, readinessOf } from '../probe/index.ts'
import { loadAll } from '../view/index.ts'
import { isWell, playAll, untilReady } from './bring.ts'
import type { Work } from './execute.ts'
import { partOf } from './prepare.ts'
import { nextBatch } from './rolling.ts'
import { lookOf, type Planned, type PodPlan, type Rolling } from './world.ts'

/** A workload, and the pods of it that serve and are still to be replaced, in their order. */
export type Roll = { pods: readonly PodPlan[]; rolling: Rolling; left: readonly string[] }

/** What of these is replaced some at a time. Pods that do not serve now are not: nobody would miss them meanwhile. */
export async function rollsOf(work: Work, planned: readonly Planned[]): Promise<Roll[]> {
  const rolling = planned.filter(one => one.rolling !== undefined)
  if (rolling.length === 0) return []
  const serving = await servingOf(
    work,
    rolling.flatMap(({ pods }) => pods),
  )
  return rolling.flatMap(({ pods, rolling: how }) => {
    const left = how?.pods.filter(name => serving.has(name)) ?? []
    return how === undefined || left.length === 0 ? [] : { pods, rolling: how, left }
  })
}

/** Names of those that serve as they were before. */
async function servingOf({ context }: Work, pods: readonly PodPlan[]): Promise<Set<string>> {
  const ids = pods.flatMap(({ standing }) => standing?.record.id ?? [])
  const loaded = await loadAll(context, ids)
  const serving = loaded.filter(({ view }) => isWell(readinessOf(view, view.containers)))
  return new Set(serving.map(({ pod }) => pod.name))
}

/** Replaces the pods of several workloads side by side. */
export async function rollAll(work: Work, rolls: readonly Roll[], bundle: Bundle): Promise<void> {
  const ends = await Promise.allSettled(rolls.map(one => roll(work, one, bundle)))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

async function roll(work: Work, { pods, rolling, left: all }: Roll, bundle: Bundle): Promise<void> {
  const { ledger, signal } = work
  const own = new Set(pods.map(({ name }) => name))
  let left = all
  const isLeft = ({ name }: PodPlan): boolean => left.includes(name)
  const others = (): PodPlan[] => pods.filter(pod => !isLeft(pod))
  try {
    while (await areUp(work, others(), rolling)) {
      if (left.length === 0) return
      const batch = new Set(nextBatch(left, await servingOf(work, pods.filter(isLeft)), rolling))
      left = left.filter(name => !batch.has(name))
      // Those of its own that these start after have just been found to be up.
      await playAll(work, partOf(bundle, batch), own)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  ledger.leave(left)
}

/** Waits until all of a workload is ready that has been replaced, or stays; false when it is not, or need not go on. */
async function areUp(work: Work, pods: readonly PodPlan[], { deadlineMs }: Rolling): Promise<boolean> {
  const { request, ledger, seen, signal } = work
  signal.throwIfAborted()
  const staying = pods.filter(({ do: what }) => what !== 'remove')
  await lookAtKnown(
    work,
    staying.flatMap(({ name }) => seen.get(name)?.record.id ?? []),
  )
  const mayGoOn = (): boolean =>
    // Of what is undone as a whole nothing more is begun.
    !(request.onFailure === 'rollback' && ledger.hasFailed) &&
    staying.every(({ name }) => ledger.failed(name) === undefined)
  if (mayGoOn()) await untilReady(work, staying, request.waitMs ?? deadlineMs ?? READY_MS)
  return mayGoOn()
}

/** What has been ready may not be any more. */
async function lookAtKnown({ context, seen, ledger }: Work, ids: readonly Id[]): Promise<void> {
  const loaded = new Map((await loadAll(context, ids)).map(one => [one.pod.id, lookOf(one)]))
  for (const [name, { record }] of seen) {
    if (!ids.includes(record.id)) continue
    const now = loaded.get(record.id)
    if (now === undefined) ledger.fail(name, 'somebody has removed it')
    else seen.set(name, now)
  }
}
