/** What the exit hook calls when a container ended by itself: the whole pod is looked at, not only this container. */
import { isShuttingDown } from '../systemd/index.ts'
import type { EngineContext } from './context.ts'
import { settleSessions } from './exec/index.ts'
import { lookAfter } from './look-after.ts'
import { missProber } from './prober.ts'
import { readPodOf } from './state/index.ts'
import { wakeTimekeeper } from './timekeeper.ts'
import { oneContainer } from './view/index.ts'

/** Brings the container's pod to its goal. A pod that is gone, or that somebody is taking away, needs nothing. */
export async function cleanup(context: EngineContext, containerId: string): Promise<void> {
  const pod = await readPodOf(context.store, containerId)
  if (pod === undefined) return
  // systemd is ending all containers: what was to run comes back with the next boot, and not a moment before.
  if (context.cgroupPlace.manager === 'systemd' && (await isShuttingDown(context.run))) return
  const wakeMs = await lookAfter(context, pod.id, 'tspod container cleanup')
  if (wakeMs !== undefined) await wakeTimekeeper(context)
  await missProber(context)
}

/**
 * What conmon calls when a command that ran under it has ended: nobody else may be there to tell of it.
 * @throws NO_SUCH_OBJECT when its container is gone.
 */
export async function cleanupExec(context: EngineContext, containerId: string): Promise<void> {
  await settleSessions(context, await oneContainer(context, containerId))
}
