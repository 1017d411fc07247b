/** What the programs of a container do just now: whether they work, or wait for something to happen. */
import { readFileSync } from 'node:fs'
import { cgroupProcesses, type Hierarchy } from './cgroup.ts'
import { readCpuNs } from './usage.ts'

export type Activity = {
  /** What they have used of the processors so far. */
  cpuNs: number
  /** One of them runs, or waits for a processor or a disk. */
  isBusy: boolean
}

/** More are not asked one by one: so many have used a processor for longer than it takes to ask. */
const MAX_ASKED = 64
/** As in proc_pid_stat(5): running or about to, and in an uninterruptible wait, which is a disk's. */
const BUSY = new Set(['R', 'D'])

/** Reads what the programs in the cgroup `path` and below do; undefined where this host does not tell. */
export function readActivity(hierarchies: readonly Hierarchy[], path: string): Activity | undefined {
  const cpuNs = readCpuNs(hierarchies, path)
  if (cpuNs === undefined) return undefined
  const processes = cgroupProcesses(hierarchies, path).slice(0, MAX_ASKED)
  return { cpuNs, isBusy: processes.some(pid => BUSY.has(stateOf(pid))) }
}

/** The state of a process, as one letter; empty for one that has ended. */
function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Its name, in brackets, may hold anything.
    return stat.charAt(stat.lastIndexOf(')') + 2)
  } catch {
    return ''
  }
}
