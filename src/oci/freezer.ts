/** Pausing: the kernel's freezer keeps every process of a cgroup from running, whatever the runtime thinks of it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { TspodError } from '../errors.ts'
import type { Hierarchy } from './cgroup.ts'

/** A process in the middle of a system call is frozen when that returns. */
const FREEZE_TIMEOUT_MS = 10_000
const POLL_MS = 5

type Control = { write: string; freeze: string; thaw: string; read: string; frozen: RegExp }

/**
 * Freezes the cgroup, or lets it go on, and waits until all its processes are there.
 * Throws HOST_LACKS without a freezer, COMMAND_TIMEOUT when a process cannot be frozen; then nothing is.
 */
export async function setFrozen(
  hierarchies: readonly Hierarchy[],
  path: string,
  frozen: boolean,
  clock: Clock,
): Promise<void> {
  const control = controlOf(hierarchies, path)
  if (control === undefined) {
    throw new TspodError('HOST_LACKS', `cgroup ${path} has no freezer`, {
      remedy: 'see `tspod doctor`: pausing needs cgroup v2 or the freezer controller of v1',
    })
  }
  const deadline = clock.monotonicMs() + FREEZE_TIMEOUT_MS
  for (;;) {
    // Written again each time: on v1 a process that was just forked may have escaped the first attempt.
    writeFileSync(control.write, frozen ? control.freeze : control.thaw)
    if (control.frozen.test(readFileSync(control.read, 'utf8')) === frozen) return
    if (clock.monotonicMs() > deadline) break
    await clock.sleep(POLL_MS)
  }
  if (frozen) writeFileSync(control.write, control.thaw)
  throw new TspodError('COMMAND_TIMEOUT', `cgroup ${path} was not ${frozen ? 'frozen' : 'thawed'} in time`, {
    remedy: 'see which of its processes is in state D: ps -eo pid,stat,wchan,args',
  })
}

/** On v2 every cgroup has a freezer, on v1 a controller has it. */
function controlOf(hierarchies: readonly Hierarchy[], path: string): Control | undefined {
  for (const { version, controllers, mount } of hierarchies) {
    const directory = join(mount, path)
    if (version === 1 && controllers.includes('freezer') && existsSync(directory)) {
      const file = join(directory, 'freezer.state')
      return { write: file, read: file, freeze: 'FROZEN', thaw: 'THAWED', frozen: /^FROZEN/ }
    }
    if (version === 2 && existsSync(join(directory, 'cgroup.freeze'))) {
      const [write, read] = [join(directory, 'cgroup.freeze'), join(directory, 'cgroup.events')]
      return { write, read, freeze: '1', thaw: '0', frozen: /^frozen 1$/m }
    }
  }
  return undefined
}
