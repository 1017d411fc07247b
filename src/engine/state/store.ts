/**
 * The door to SQLite: opens the state database, migrates it, and runs reads and transactions on it.
 * Rules: reliability of many short-lived processes on one file (WAL, FULL, BEGIN IMMEDIATE, refuse what is newer).
 */
import { constants, statSync } from 'node:fs'
import { access, link, mkdir, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Database } from 'sqlite3'
import { hostTrouble, isTspodError, TspodError } from '../../errors.ts'
import { randomHex } from '../../random.ts'
import { writerOf } from './holder.ts'
import { MIGRATIONS } from './migrations.ts'
import { checkReserve } from './reserve.ts'

/** 'tspo' as a number: marks the file as ours. */
const APPLICATION_ID = 0x7473706f
/** How long a statement waits for another process's transaction. */
const BUSY_TIMEOUT_MS = 30_000
/** Each one waits for somebody's transaction. */
const WAL_ATTEMPTS = 1000

export type Value = string | number | null
export type Row = Record<string, Value>

/** A transaction in progress. */
export type Transaction = {
  run(sql: string, params?: readonly Value[]): Promise<void>
  all(sql: string, params?: readonly Value[]): Promise<Row[]>
}

export type Store = {
  all(sql: string, params?: readonly Value[]): Promise<Row[]>
  /**
   * Runs `work` inside BEGIN IMMEDIATE … COMMIT; one at a time in this process. An exception rolls back.
   * Never start a process or wait for anything but the store inside.
   */
  write<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>
  /** Writes a copy of the whole database into the empty file at `path`; between this process's transactions. */
  copyInto(path: string): Promise<void>
  /** Why there is room for reading and for taking away at best, and for nothing new; undefined when all is well. */
  readonly trouble: TspodError | undefined
  close(): Promise<void>
}

/**
 * Opens (and creates or migrates) the database at `path`. Where nothing can be written at all, what is there can
 * still be read.
 * @throws STORE_NEWER when it was written by a newer tspod (the file stays untouched), STORE_CORRUPT when it is no
 * database or fails its checks, STORE_UNUSABLE when it cannot be opened.
 */
export async function openStore(path: string): Promise<Store> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const directory = dirname(path)
  const trouble = checkReserve(directory) ? noRoom(directory) : undefined
  try {
    return storeOver(await connect(path), path, trouble)
  } catch (error) {
    if (!isTspodError(error, 'STORE_UNUSABLE')) throw error
    const readable = await connectToRead(path)
    if (readable === undefined) throw error
    return storeOver(readable, path, (await unwritable(directory)) ?? error)
  }
}

/** What little room is left is kept for taking pods down. */
const noRoom = (directory: string): TspodError =>
  new TspodError('HOST_EXHAUSTED', `no space left below ${directory}: nothing new is started`, {
    remedy: `free some space: df -h ${directory}`,
  })

async function unwritable(directory: string): Promise<TspodError | undefined> {
  return access(directory, constants.W_OK).then(() => undefined, hostTrouble)
}

async function connect(path: string): Promise<Connection> {
  const connection = promised(await openDatabase(path))
  try {
    await connection.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    // Read before anything of the file is set: switching the journal mode would write to a file we may not touch.
    const version = Number((await connection.all('PRAGMA user_version'))[0]?.user_version ?? 0)
    if (version > MIGRATIONS.length) throw storeNewer(path, version)
    await useWal(connection)
    await connection.exec(
      `PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON`,
    )
    if (version < MIGRATIONS.length) await migrate(connection, path)
  } catch (error) {
    await connection.close().catch(() => undefined)
    throw asStoreError(error, path)
  }
  return connection
}

/**
 * A read-only disk has no room for the files beside the database, without which SQLite opens it only when it is told
 * that nobody writes. True of such a disk; but a log that was not written back yet would be missed.
 */
async function connectToRead(path: string): Promise<Connection | undefined> {
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return undefined
  try {
    const connection = promised(await openDatabase(`file:${encodeURI(path)}?immutable=1`, 'read'))
    const version = Number((await connection.all('PRAGMA user_version'))[0]?.user_version ?? 0)
    if (version === MIGRATIONS.length) return connection
    await connection.close()
  } catch {
    // The first failure says more.
  }
  return undefined
}

/** Others that open a new database at the same moment are in each other's way: the switch waits for no lock, a transaction does. */
async function useWal(connection: Connection): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connection.exec('PRAGMA journal_mode = WAL')
    } catch (error) {
      if ((error as { code?: string }).code !== 'SQLITE_BUSY' || attempt === WAL_ATTEMPTS) throw error
    }
    await connection.exec('BEGIN IMMEDIATE; COMMIT')
  }
}

function storeOver(connection: Connection, path: string, trouble: TspodError | undefined): Store {
  let queue: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work)
    queue = turn.catch(() => undefined)
    return turn.catch(error => Promise.reject(asStoreError(error, path)))
  }
  return {
    trouble,
    all: (sql, params) => connection.all(sql, params).catch(error => Promise.reject(asStoreError(error, path))),
    write: work => inTurn(() => inTransaction(connection, work)),
    copyInto: file => inTurn(() => connection.run('VACUUM INTO ?', [file])),
    close: async () => {
      await queue
      await connection.close()
    },
  }
}

async function inTransaction<T>(connection: Connection, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  await connection.exec('BEGIN IMMEDIATE')
  try {
    const result = await work(connection)
    await connection.exec('COMMIT')
    return result
  } catch (error) {
    await connection.exec('ROLLBACK').catch(() => undefined)
    throw error
  }
}

async function migrate(connection: Connection, path: string): Promise<void> {
  const before = await connection.all('PRAGMA user_version')
  const from = Number(before[0]?.user_version ?? 0)
  if (from === MIGRATIONS.length) return
  if (from > 0) await backUp(connection, `${path}.v${from}`)
  await inTransaction(connection, async () => {
    // Another process may have migrated while this one waited for the lock.
    const now = Number((await connection.all('PRAGMA user_version'))[0]?.user_version ?? 0)
    for (const sql of MIGRATIONS.slice(now)) await connection.exec(sql)
    await connection.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}`)
  })
}

/** Whoever migrates has made the copy before: one that is there is from before, and is never replaced. */
async function backUp(connection: Connection, copy: string): Promise<void> {
  const exists = await stat(copy).then(
    () => true,
    () => false,
  )
  if (exists) return
  const draft = `${copy}.${randomHex(8)}`
  try {
    await connection.run('VACUUM INTO ?', [draft])
    await link(draft, copy).catch(error => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    })
  } finally {
    await rm(draft, { force: true })
  }
}

type Connection = Transaction & {
  exec(sql: string): Promise<void>
  close(): Promise<void>
}

function promised(database: Database): Connection {
  return {
    exec: sql => new Promise((resolve, reject) => database.exec(sql, error => (error ? reject(error) : resolve()))),
    run: (sql, params = []) =>
      new Promise((resolve, reject) => database.run(sql, [...params], error => (error ? reject(error) : resolve()))),
    all: (sql, params = []) =>
      new Promise((resolve, reject) =>
        database.all(sql, [...params], (error, rows) => (error ? reject(error) : resolve(rows as Row[]))),
      ),
    close: () => new Promise((resolve, reject) => database.close(error => (error ? reject(error) : resolve()))),
  }
}

/** Opens a database file, or to `read` one that a file: URI names; the only place that loads the native add-on. */
export async function openDatabase(path: string, how: 'write' | 'read' = 'write'): Promise<Database> {
  const { default: sqlite } = await import('sqlite3')
  const mode = how === 'read' ? sqlite.OPEN_READONLY | sqlite.OPEN_URI : sqlite.OPEN_READWRITE | sqlite.OPEN_CREATE
  return new Promise((resolve, reject) => {
    const database = new sqlite.Database(path, mode, error =>
      error ? reject(asStoreError(error, path)) : resolve(database),
    )
  })
}

const storeNewer = (path: string, version: number): TspodError =>
  new TspodError(
    'STORE_NEWER',
    `${path} was written by a newer tspod (schema ${version}, this one knows ${MIGRATIONS.length})`,
    {
      remedy: 'use the newer tspod, or give this one its own --root',
    },
  )

/** SQLite's failure of the file at `path` as STORE_CORRUPT or STORE_UNUSABLE; any other error as it is. */
export function asStoreError(error: unknown, path: string): unknown {
  const code = (error as { code?: string } | null)?.code ?? ''
  if (code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB') {
    return new TspodError('STORE_CORRUPT', `${path} is damaged: ${(error as Error).message}`, {
      remedy:
        'what runs goes on running: `tspod system fsck --rebuild` makes a new one from the records kept beside it',
      cause: error,
    })
  }
  if (code === 'SQLITE_BUSY') {
    return new TspodError(
      'STORE_UNUSABLE',
      `${writerOf(path) ?? 'another process'} kept ${path} locked for ${BUSY_TIMEOUT_MS / 1000} s`,
      {
        remedy: 'wait until it is done, or stop that process: the lock is free as soon as it ends',
        cause: error,
      },
    )
  }
  if (['SQLITE_CANTOPEN', 'SQLITE_READONLY', 'SQLITE_FULL', 'SQLITE_IOERR', 'SQLITE_PERM'].includes(code)) {
    return new TspodError('STORE_UNUSABLE', `cannot use ${path}: ${(error as Error).message}`, {
      remedy: 'check that the directory is writable, and that neither the disk is full nor a quota used up',
      cause: error,
    })
  }
  return error
}
