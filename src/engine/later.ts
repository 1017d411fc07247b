/**
 * A pod that has to be looked at later, when no exit hook will do it: the hook itself is started, which waits in a
 * shell's sleep and costs no Node process meanwhile.
 */
import type { PodWork } from './context.ts'
import type { ContainerRecord } from './records.ts'
import { exitHookOf } from './start.ts'

/** Starts the exit hook of `container` as if it had ended just now. */
export async function scheduleCleanup(work: PodWork, container: ContainerRecord): Promise<void> {
  const [program, ...args] = exitHookOf(work, container)
  if (program !== undefined) await work.context.detach([program, ...args])
}
