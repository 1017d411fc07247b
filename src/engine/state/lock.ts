/**
 * One lock per pod: a tiny SQLite file held by BEGIN EXCLUSIVE, free at once when its holder dies.
 * A side file names the holder for whoever waits; it is information, never the lock.
 *
 * The small files are made and removed synchronously: a microsecond each, where a dozen turns of the event loop, in
 * the middle of a play that keeps it busy, come to milliseconds before the first useful step.
 */
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { isDiskTrouble, TspodError } from '../../errors.ts'
import { processStart } from '../../files.ts'
import { lockDirectory, type Paths } from '../../paths.ts'
import { asStoreError, openDatabase } from './store.ts'

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
      const lock = await tryLock(file)
      if (lock !== undefined) {
        note(holderFile, `${process.pid} ${request.command}`)
        return {
          removeFile: async () => {
            for (const one of [holderFile, file]) rmSync(one, { force: true })
          },
          [Symbol.asyncDispose]: async () => {
            // A file that is gone was removed with its pod; another may have a new one under the same name.
            await lock.release()
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

type Held = { release(): Promise<void> }

/** The lock, or undefined when somebody else has it or the file was removed while it was being taken. */
async function tryLock(file: string): Promise<Held | undefined> {
  const before = made(file)
  if (before === undefined) return undefined
  const database = await openDatabase(file)
  const exec = (sql: string): Promise<Error | null> => new Promise(resolve => database.exec(sql, resolve))
  const close = (): Promise<void> => new Promise(resolve => database.close(() => resolve()))
  const error = await exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE')
  if (error !== null) {
    await close()
    // SQLite calls a file that was unlinked under it an I/O error.
    if (identity(file) !== before || (error as { code?: string }).code === 'SQLITE_BUSY') return undefined
    throw asStoreError(error, file)
  }
  // The path may have been unlinked between open and lock: then this is the lock of a file nobody else will see.
  if (identity(file) !== before) {
    await close()
    return undefined
  }
  return {
    release: async () => {
      await exec('ROLLBACK')
      await close()
    },
  }
}

/**
 * The identity of the lock file, created when it is not there. O_EXCL, because closing any descriptor of a file
 * drops every lock this process has on it: only a file that nobody can have locked yet may be opened and closed.
 */
function made(file: string): string | undefined {
  try {
    writeFileSync(file, '', { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return identity(file)
}

/** Inode and time of birth: the number of a file that is gone is soon that of the next one. */
function identity(file: string): string | undefined {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false })
  return found && `${found.ino} ${found.birthtimeNs}`
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
