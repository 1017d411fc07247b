/** What the exit hook calls when a container ended by itself: the whole pod is looked at, not only this container. */
import type { EngineContext } from './context.ts'
import { reconcile } from './reconcile.ts'
import { readPodOf } from './records.ts'
import { loadWork, lockPod } from './work.ts'

/**
 * Brings the container's pod to its goal. Returns how long to wait before the next look, when a restart is in
 * back-off. A pod that is gone, or that somebody is taking away, needs nothing.
 */
export async function cleanup(context: EngineContext, containerId: string): Promise<{ retryAfterMs?: number }> {
  const before = await readPodOf(context.store, containerId)
  if (before === undefined) return {}
  const lock = await lockPod(context, before.name, 'tspod container cleanup')
  try {
    const pod = await readPodOf(context.store, containerId)
    // It went while this waited, and its lock file with it: the new one made by waiting goes as well.
    if (pod === undefined) {
      await lock.removeFile()
      return {}
    }
    // An interrupted play is the next play's to clean up: its containers are killed there.
    if (!pod.complete || pod.goal !== 'running') return {}
    const outcome = await reconcile(await loadWork(context, pod), false)
    const failure = outcome.failures[0]
    if (failure !== undefined) throw failure.error
    if (outcome.againAtMs === undefined) return {}
    return { retryAfterMs: Math.max(0, outcome.againAtMs - context.clock.nowMs()) }
  } finally {
    await lock[Symbol.asyncDispose]()
  }
}
