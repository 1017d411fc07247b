/**
 * Taking a pod away. What could not be freed is reported while the pod's row stays, so that the next attempt goes on
 * where this one ended.
 */
import type { PodWork } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import type { Lock } from '../state/index.ts'
import { updatePod } from '../state/index.ts'
import { nudgeTimekeeper } from '../timekeeper.ts'
import { look } from '../work.ts'
import { holdPod } from './hold.ts'
import { reconcile } from './reconcile.ts'
import { endStrays } from './strays.ts'

export type Teardown = {
  /** True when at least one container had to be stopped. */
  stopped: boolean
  /** What could not be freed, one sentence each; empty when the pod is gone. */
  failures: string[]
}

/** Stops and removes the pod. Its lock has to be held; the lock file goes with the pod. */
export async function tearDown(work: PodWork, lock: Lock): Promise<Teardown> {
  const { context, pod } = work
  holdPod(context.paths, pod.id)
  const interrupted = !pod.complete || pod.goal === 'removed'
  pod.goal = 'removed'
  await context.store.write(tx => updatePod(tx, pod.id, { goal: 'removed', wakeMs: null }))
  // A play or an earlier removal was killed: its helpers may still be at work on the same things.
  if (interrupted) {
    await endStrays([pod.id, ...work.containers.map(container => container.id)], !pod.complete, context.clock)
  }
  const stopped = work.containers.some(record => record.kind !== 'infra' && look(work, record).at === 'running')
  if (stopped) noteEvent(work, undefined, { action: 'stop', reason: '' })
  const { failures } = await reconcile(work, false)
  if (work.forgotten) await lock.removeFile()
  if (pod.wakeMs !== undefined) nudgeTimekeeper(context)
  return {
    stopped,
    failures: failures.map(({ step, error }) => `${WHAT[step.do] ?? step.do}: ${(error as Error).message}`),
  }
}

/** What a step frees, in words for a person. */
const WHAT: Record<string, string> = {
  stop: 'containers',
  delete: 'containers',
  erase: 'root file system',
  disconnect: 'network',
  unpin: 'namespaces',
}
