/**
 * Many operations under one lock and one look at the truth: everything asked of one pod's containers is done with
 * that pod locked once, looked at once and brought to its new goals once. Pods are worked on side by side, and one
 * that fails holds up no other.
 */
import { TspodError } from '../../errors.ts'
import type { Id } from '../../model.ts'
import type { EngineContext, PodWork } from '../context.ts'
import { observeEnds, type Reconciled, removeIdleServices, settleService } from '../run/index.ts'
import type { Lock } from '../state/index.ts'
import { type ContainerRecord, readPodById, updatePod } from '../state/index.ts'
import { wakeTimekeeper } from '../timekeeper.ts'
import type { Outcome } from '../types/index.ts'
import { loadWork, lockPod, writePatches } from '../work.ts'

/** Who stops or removes something waits for no init container, nor until somebody else has waited for one. */
export function haste(action: string): { insist: boolean; patient: boolean } {
  const ends = /^(stop|kill|remove)/.test(action)
  return { insist: ends || action === 'restart', patient: !ends }
}

/** Errors by container, collected while one pod is worked on. */
export type Failures = Map<Id, unknown>

/**
 * Locks one pod, notes what ended meanwhile, and hands it to `act`. Afterwards its service is brought to where the pod
 * leaves it, and a clock is set when one is needed. Throws NO_SUCH_OBJECT when the pod is gone, LOCK_TIMEOUT,
 * WRONG_STATE for one that is half made or, unless `act` goes on with its removal, half removed.
 */
export async function withPod<T>(
  context: EngineContext,
  podId: Id,
  command: string,
  how: { signal: AbortSignal; insist?: boolean; patient?: boolean; removes?: boolean },
  act: (work: PodWork, lock: Lock) => Promise<T>,
): Promise<T> {
  const before = await readPodById(context.store, podId)
  if (before === undefined) throw podGone(podId)
  const lock = await lockPod(context, before.name, command, how)
  let looked: PodWork | undefined
  try {
    const pod = await readPodById(context.store, podId)
    if (pod === undefined) {
      await lock.removeFile()
      throw podGone(podId)
    }
    if (!pod.complete) throw unfinished(pod.name)
    if (pod.goal === 'removed' && !how.removes) throw halfRemoved(pod.name)
    const work = await loadWork(context, pod, how.signal)
    work.patient = how.patient ?? true
    observeEnds(work)
    looked = work
    return await act(work, lock)
  } finally {
    await lock[Symbol.asyncDispose]()
    // Whatever failed: what goes on by itself has to, and a back-off is waited for (seed 61151).
    if (looked !== undefined) await afterwards(looked)
  }
}

async function afterwards({ context, pod, forgotten }: PodWork): Promise<void> {
  if (!forgotten && pod.wakeMs !== undefined) await wakeTimekeeper(context)
  if (pod.service === undefined) return
  await settleService(context, pod.service)
  await removeIdleServices(context)
}

const podGone = (id: string): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `no such pod ${id.slice(0, 12)}`, { remedy: 'it was removed meanwhile' })

const unfinished = (name: string): TspodError =>
  new TspodError('WRONG_STATE', `pod ${name} was left half made by a play that was interrupted`, {
    remedy: 'play its manifest again, or take it down with `tspod kube down`',
  })

/** Its volumes may be gone and its layers with them: there is nothing to go back to. */
const halfRemoved = (name: string): TspodError =>
  new TspodError(
    'WRONG_STATE',
    `pod ${name} is being removed; a removal that failed or was interrupted is not undone`,
    {
      remedy: `finish it: tspod pod rm --force ${name}`,
    },
  )

/** Commits what is wanted before anything is done about it. */
export async function commitGoals(work: PodWork): Promise<void> {
  await work.context.store.write(async tx => {
    await updatePod(tx, work.pod.id, { goal: work.pod.goal })
    await writePatches(tx, work)
  })
}

/** Adds what reconciling failed with, by the container it was for; what was for the whole pod is every one's failure. */
export function addFailures(
  failures: Failures,
  targets: readonly ContainerRecord[],
  { failures: failed }: Reconciled,
): void {
  for (const { step, error } of failed) {
    if ('container' in step) {
      if (!failures.has(step.container)) failures.set(step.container, error)
      continue
    }
    for (const { id } of targets) if (!failures.has(id)) failures.set(id, error)
  }
}

/** Runs `act` for each target, remembering which failed; none stops the others. */
export async function each(
  targets: readonly ContainerRecord[],
  failures: Failures,
  act: (record: ContainerRecord) => void | Promise<void>,
): Promise<void> {
  await Promise.all(
    targets.map(async record => {
      try {
        await act(record)
      } catch (error) {
        failures.set(record.id, error)
      }
    }),
  )
}

/** The answer for one container or pod. */
export const outcome = (id: Id, name: string, error: unknown): Outcome => ({
  id,
  name,
  ...(error !== undefined && { error: error as Error }),
})
