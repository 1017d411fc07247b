/**
 * One lock per pod: an empty file that the kernel keeps locked, free at once when its holder dies
 * (docs/adr/0018-locks.md). A side file names the holder for whoever waits; it is information, never the lock.
 *
 * All of it is done synchronously: a few microseconds each, where a dozen turns of the event loop, in the middle of a
 * play that keeps it busy, come to milliseconds before the first useful step.
 */
import { closeSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { isDiskTrouble, TspodError } from '../../errors.ts'
import { processStart } from '../../files.ts'
import { lockDirectory, type Paths } from '../../paths.ts'
import { lockFile } from '../../syscalls.ts'

const POLL_MS = 20

export type Lock = AsyncDisposable & {
  /** Removes the lock file with the object it stood for; to be called while it is held. */
  removeFile(): Promise<void>
}

export type LockRequest = {
  paths: Paths
  clock: Clock
  /** A pod's name. */
  name: string
  /** What the holder is doing, for whoever waits: "tspod kube down". */
  command: string
  timeoutMs: number
  /** The pod is to be stopped or removed: a holder that does nothing but wait lets go, see `wantedBy`. */
  insist?: boolean
  signal?: AbortSignal
}

/**
 * Waits for the lock of `name` and takes it.
 * @throws LOCK_TIMEOUT naming the holder when it is not free within `timeoutMs`.
 */
export async function takeLock(request: LockRequest): Promise<Lock> {
  const { paths, clock, name } = request
  const directory = lockDirectory(paths)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const file = join(directory, `${name}.lock`)
  const holderFile = join(directory, `${name}.holder`)
  const wishFile = wishPath(paths, name)
  const deadline = clock.monotonicMs() + request.timeoutMs
  let wished = false
  try {
    for (;;) {
      const descriptor = lockFile(file)
      if (descriptor !== undefined) {
        note(holderFile, `${process.pid} ${request.command}`)
        let isReleased = false
        return {
          removeFile: async () => {
            for (const one of [holderFile, file]) rmSync(one, { force: true })
          },
          // A file that is gone was removed with its pod; another may have a new one under the same name.
          [Symbol.asyncDispose]: async () => {
            if (!isReleased) closeSync(descriptor)
            isReleased = true
          },
        }
      }
      if (request.insist && !wished) {
        note(wishFile, `${process.pid} ${processStart(process.pid)} ${request.command}`)
        wished = true
      }
      if (clock.monotonicMs() > deadline) throw await lockTimeout(name, holderFile, request.timeoutMs)
      await clock.sleep(POLL_MS, request.signal)
    }
  } finally {
    if (wished) rmSync(wishFile, { force: true })
  }
}

/** For others to read; a full disk keeps nobody from working. */
function note(file: string, text: string): void {
  try {
    writeFileSync(file, `${text}\n`, { mode: 0o600 })
  } catch (error) {
    if (!isDiskTrouble(error)) throw error
  }
}

const wishPath = (paths: Paths, name: string): string => join(lockDirectory(paths), `${name}.wanted`)

/** Who waits for the lock of `name` in order to stop or remove the pod: "process 12 (tspod kube down)". */
export async function wantedBy(paths: Paths, name: string): Promise<string | undefined> {
  const text = await readFile(wishPath(paths, name), 'utf8').catch(() => '')
  const [pid = '', start, ...command] = text.trim().split(' ')
  // One that was killed while it waited wants nothing any more.
  return start !== undefined && processStart(Number(pid)) === start
    ? `process ${pid} (${command.join(' ')})`
    : undefined
}

async function lockTimeout(name: string, holderFile: string, timeoutMs: number): Promise<TspodError> {
  const holder = await readFile(holderFile, 'utf8').catch(() => '')
  const [pid, ...command] = holder.trim().split(' ')
  const who = pid ? `process ${pid} (${command.join(' ')})` : 'another tspod process'
  return new TspodError(
    'LOCK_TIMEOUT',
    `pod ${name} was held by ${who} for more than ${Math.round(timeoutMs / 1000)} s`,
    {
      remedy: 'wait for it to finish, or stop that process: its lock is free as soon as it ends',
    },
  )
}
