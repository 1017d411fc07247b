/**
 * Processes that outlive a tspod that was killed: a conmon that was about to fork, a containers-storage or netavark
 * that was about to finish. What they do would come after the clean-up and stay for ever.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { processStart } from '../../files.ts'

/** Helpers end by themselves within this time; then they are killed. */
const PATIENCE_MS = 3_000
const POLL_MS = 10
/** The programs tspod starts with an id of the pod among their arguments; nobody else's process is touched. */
const OURS = ['conmon', 'netavark', 'containers-storage', 'crun', 'runc', 'mount', 'umount']

/**
 * Waits until no process is left whose arguments name one of `ids`, and kills those that take too long. With
 * `endMonitors`, monitors of containers are killed at once: those of a play that was interrupted would wait for ever.
 * Without it they are left to report how their containers end.
 */
export async function endStrays(ids: readonly string[], endMonitors: boolean, clock: Clock): Promise<void> {
  const deadline = clock.monotonicMs() + PATIENCE_MS
  for (;;) {
    const strays = findStrays(ids).filter(stray => endMonitors || !stray.monitor)
    if (strays.length === 0) return
    const late = clock.monotonicMs() > deadline
    for (const stray of strays) {
      if (late || stray.monitor) kill(stray.pid)
    }
    if (late && clock.monotonicMs() > deadline + PATIENCE_MS) return
    await clock.sleep(POLL_MS)
  }
}

/**
 * Kills the monitor that a container's run directory names when it has not told of an end, and waits until it is gone.
 * One that has told only waits for its exit hook. The pid may be another program's by now: its arguments say whose it is.
 */
export async function endSilentMonitor(runDir: string, exitDir: string, id: string, clock: Clock): Promise<void> {
  if (existsSync(join(exitDir, id))) return
  const pid = pidIn(join(runDir, 'conmon.pid'))
  const start = pid === undefined ? undefined : processStart(pid)
  if (pid === undefined || start === undefined || !findStrays([id], [String(pid)]).some(({ monitor }) => monitor))
    return
  kill(pid)
  const deadline = clock.monotonicMs() + PATIENCE_MS
  while (processStart(pid) === start && clock.monotonicMs() < deadline) await clock.sleep(POLL_MS)
}

function pidIn(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
    return pid > 1 ? pid : undefined
  } catch {
    // It had not come so far.
    return undefined
  }
}

function findStrays(
  ids: readonly string[],
  among: readonly string[] = readdirSync('/proc'),
): { pid: number; monitor: boolean }[] {
  const strays: { pid: number; monitor: boolean }[] = []
  for (const name of among) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid || pid === process.ppid) continue
    const argv = argumentsOf(pid)
    const program = argv.slice(0, argv.indexOf('\0')).split('/').at(-1) ?? ''
    if (!OURS.includes(program) || !ids.some(id => argv.includes(id)) || processStart(pid) === undefined) continue
    strays.push({ pid, monitor: program === 'conmon' })
  }
  return strays
}

/** The NUL-separated argv; empty for a process that is gone. */
function argumentsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended meanwhile.
  }
}
