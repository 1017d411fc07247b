/** Bringing one pod to its goal, whoever noticed that it may not be there. */
import type { EngineContext, PodWork } from './context.ts'
import { noteJobWish, tendJob } from './jobs/index.ts'
import { reconcile, reviveService, settleService } from './run/index.ts'
import { type PodRecord, readPodById } from './state/index.ts'
import { loadWork, lockPod } from './work.ts'

/**
 * Brings one pod to its goal under its lock, and its service to where that leaves it. Returns when a clock has to look
 * again. `judge` may find before that what the pod has failed of. Throws LOCK_TIMEOUT, or what a step that nobody will repeat failed with.
 */
export async function lookAfter(
  context: EngineContext,
  podId: string,
  command: string,
  judge?: (work: PodWork) => Promise<void>,
): Promise<number | undefined> {
  const before = await readPodById(context.store, podId)
  if (before === undefined) return undefined
  // Whoever is killed on the way has left a wish for the Job to be looked after.
  if (before.job !== undefined) await noteJobWish(context, before.job)
  const lock = await lockPod(context, before.name, command)
  let settled: PodRecord | undefined
  try {
    const pod = await readPodById(context.store, podId)
    // It went while this waited, and its lock file with it: the new one made by waiting goes as well.
    if (pod === undefined) {
      await lock.removeFile()
      return undefined
    }
    // An interrupted play is the next play's to clean up: its containers are killed there.
    if (!pod.complete || pod.goal === 'removed') return undefined
    await reviveService(context, pod)
    const work = await loadWork(context, pod)
    // An init container may take hours; whoever looks after one pod here may have others to look after.
    work.patient = false
    await judge?.(work)
    const outcome = await reconcile(work, false)
    settled = pod
    const failure = outcome.failures.find(({ step }) => !('container' in step))
    if (failure !== undefined && outcome.againAtMs === undefined) throw failure.error
    return outcome.againAtMs
  } finally {
    await lock[Symbol.asyncDispose]()
    if (before.job !== undefined) await tendJob(context, before.job, command)
    if (settled?.service !== undefined) await settleService(context, settled.service)
  }
}
