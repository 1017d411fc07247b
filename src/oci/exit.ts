/**
 * What became of a process: alive, ended with a code, or lost. The kernel and conmon's exit files are the truth;
 * a pid alone never is, because pids are used again.
 */
import { type FSWatcher, readdirSync, readFileSync, statSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { isMissing } from '../errors.ts'
import { processStart } from '../files.ts'
import type { Id } from '../model.ts'

/** A process named so that a later one with the same pid is not mistaken for it. */
export type ProcessId = { pid: number /** Start time, field 22 of /proc/PID/stat. */; start: string }

export type Exit = {
  /** 128 + signal number when a signal ended it. */
  code: number
  finishedMs: number
}

/** True when exactly this process is there and not a zombie. */
export function isAlive(process: ProcessId): boolean {
  return processStart(process.pid) === process.start
}

/**
 * Sends `signal` to exactly this process; false when it is gone. The start time is compared right before the signal:
 * Node cannot hold a pidfd, and what remains is the time between two system calls.
 */
export function signalContainer(pid: number, start: string, signal: NodeJS.Signals | number): boolean {
  if (pid <= 1 || processStart(pid) !== start) return false
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** The exit conmon recorded for a container, undefined when there is none (yet). */
export function readExit(exitDir: string, id: Id): Exit | undefined {
  const path = join(exitDir, id)
  // Most containers run: an exception for each of hundreds is what `ps` would spend its time on.
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return undefined
  try {
    const code = Number.parseInt(readFileSync(path, 'utf8'), 10)
    if (!Number.isInteger(code)) return undefined
    return { code: code < 0 ? 255 : code & 255, finishedMs: Math.floor(found.mtimeMs) }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** True when the kernel's OOM killer struck in this container: conmon leaves a file in the bundle. */
export function wasOomKilled(bundle: string): boolean {
  return readdirSync(bundle).includes('oom')
}

/** What tspod knows about a started container, to judge what became of it. */
export type Watched = { id: Id; container: ProcessId; monitor: ProcessId }

/**
 * - `running`: it runs, or it just ended and its monitor is about to say how
 * - `exited`: its monitor recorded how it ended
 * - `monitor-lost`: it runs, but conmon is gone, so that its end will never be recorded
 * - `lost`: both are gone without a record; the exit code cannot be known and is not 0
 */
export type Verdict = { is: 'running' } | { is: 'exited'; exit: Exit } | { is: 'monitor-lost' } | { is: 'lost' }

/** Judges one container by its exit file, its own process and its monitor's. */
export function judgeProcess(exitDir: string, watched: Watched): Verdict {
  const monitorAlive = isAlive(watched.monitor)
  // The monitor writes the exit file before it ends: once it is seen dead, the file is there or never will be.
  const exit = readExit(exitDir, watched.id)
  if (exit !== undefined) return { is: 'exited', exit }
  if (monitorAlive) return { is: 'running' }
  return isAlive(watched.container) ? { is: 'monitor-lost' } : { is: 'lost' }
}

/** A missed notification costs at most this long. */
const POLL_MS = 500

/**
 * Waits until none of the containers is `running` any more, at most `timeoutMs`. Returns the verdict of every
 * container that is not, so a missing one has outlived the time. Rejects with the reason of `signal` when aborted.
 * `warn` is told when the host has no inotify watch left, so that an end is noticed some time later.
 */
export async function waitExit(
  exitDir: string,
  containers: readonly Watched[],
  timeoutMs: number,
  clock: Clock,
  signal?: AbortSignal,
  warn?: (text: string) => void,
): Promise<Map<Id, Verdict>> {
  const ended = new Map<Id, Verdict>()
  const waiting = new Map(containers.map(one => [one.id as string, one]))
  const look = (one: Watched): void => {
    const verdict = judgeProcess(exitDir, one)
    if (verdict.is === 'running') return
    waiting.delete(one.id)
    ended.set(one.id, verdict)
  }
  const deadline = clock.monotonicMs() + timeoutMs
  let news = (): void => undefined
  // Watching the directory, not files in it: conmon writes a temporary file and renames it.
  const watcher = watchNames(exitDir, name => {
    const one = waiting.get(name)
    if (one === undefined) return
    look(one)
    if (waiting.size === 0) news()
  })
  if (watcher === undefined) warn?.(UNWATCHED)
  try {
    for (;;) {
      signal?.throwIfAborted()
      for (const one of waiting.values()) look(one)
      const leftMs = deadline - clock.monotonicMs()
      if (waiting.size === 0 || leftMs <= 0) return ended
      const pause = new AbortController()
      const told = new Promise<void>(resolve => {
        news = resolve
      })
      const stop = signal === undefined ? pause.signal : AbortSignal.any([pause.signal, signal])
      await Promise.race([told, clock.sleep(Math.min(POLL_MS, leftMs), stop).catch(() => undefined)])
      pause.abort()
    }
  } finally {
    watcher?.close()
  }
}

/** Nobody tells of the end of a process without a monitor: it is looked for. */
const GONE_POLL_MS = 50

/**
 * Waits until exactly this process is gone, at most `timeoutMs`; true when it is. Rejects with the reason of `signal`
 * when aborted.
 */
export async function waitGone(
  process: ProcessId,
  timeoutMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = clock.monotonicMs() + timeoutMs
  while (isAlive(process)) {
    const leftMs = deadline - clock.monotonicMs()
    if (leftMs <= 0) return false
    await clock.sleep(Math.min(GONE_POLL_MS, leftMs), signal)
  }
  return true
}

/** Without a watcher (the host is out of inotify watches, or the directory vanishes) the poll goes on alone. */
function watchNames(directory: string, changed: (name: string) => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, (_, name) => {
      if (name !== null) changed(name)
    })
    return watcher.on('error', () => undefined)
  } catch (error) {
    if (NO_WATCH.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

const UNWATCHED = `the host has no inotify watch left: ends of containers are noticed up to ${POLL_MS} ms late; raise fs.inotify.max_user_watches and max_user_instances`

const NO_WATCH = ['ENOSPC', 'EMFILE', 'ENFILE', 'ENOMEM']
