/** What the exit hook calls when a container ended by itself: the whole pod is looked at, not only this container. */
import { isShuttingDown } from '../systemd/index.ts'
import type { EngineContext } from './context.ts'
import { lookAfter } from './look-after.ts'
import { readPodOf } from './state/index.ts'
import { wakeTimekeeper } from './timekeeper.ts'

/** Brings the container's pod to its goal. A pod that is gone, or that somebody is taking away, needs nothing. */
export async function cleanup(context: EngineContext, containerId: string): Promise<void> {
  const pod = await readPodOf(context.store, containerId)
  if (pod === undefined) return
  // systemd is ending all containers: what was to run comes back with the next boot, and not a moment before.
  if (context.cgroupPlace.manager === 'systemd' && (await isShuttingDown(context.run))) return
  const wakeMs = await lookAfter(context, pod.id, 'tspod container cleanup')
  if (wakeMs !== undefined) await wakeTimekeeper(context)
}
