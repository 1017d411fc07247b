/** The end of the systemd scope that a pod's processes were in. */
import { cgroupExists, cgroupProcesses, removeCgroup } from '../../oci/index.ts'
import type { PodWork } from '../context.ts'

/** How often systemd is given time to notice that a scope has become empty, which it does within a few milliseconds. */
const LOOKS = 5
const PAUSE_MS = 10

/**
 * Sees that the scope of a pod that is going is gone, and its cgroup with it. systemd ends a scope that has become empty
 * by itself. Where it finds something in it busy at that moment, because we are removing it as well, it forgets the
 * scope and leaves the cgroup for ever: seen once in a hundred times with twenty pods on a busy machine. What cannot be
 * removed is noted: it holds nothing.
 */
export async function endScope({ context, cgroup }: PodWork): Promise<void> {
  const { scope, path } = cgroup
  if (scope === undefined) return
  const { hierarchies, manager, clock, note } = context
  const isThere = (): boolean => cgroupExists(hierarchies, path)
  for (let look = 0; isThere() && look < LOOKS; look++) await clock.sleep(PAUSE_MS)
  // An exit hook is in its pod's scope itself: that ends with it.
  if (!isThere() || cgroupProcesses(hierarchies, path).includes(process.pid)) return
  try {
    await manager.stopUnit(scope.unit)
    await removeCgroup(hierarchies, path, { force: false, clock })
  } catch (error) {
    note(`${scope.unit} has not ended: ${(error as Error).message}`)
  }
}
