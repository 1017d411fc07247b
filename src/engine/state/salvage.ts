/** What a damaged database, or a backup of one, still gives. */
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMissing } from '../../errors.ts'
import { openDatabase, type Row } from './store.ts'

type Database = Awaited<ReturnType<typeof openDatabase>>

/** The rows of one table that could be read; not `whole` when there may have been more. */
export type Salvaged = { rows: Row[]; whole: boolean }

/**
 * Reads what can be read of some tables of the database at `path`, from a copy: the file itself, with a log that was
 * not written back yet, stays as it is. Of a file that is no database at all nothing is.
 */
export async function salvage(path: string, tables: readonly string[]): Promise<Map<string, Salvaged>> {
  const found = new Map<string, Salvaged>(tables.map(table => [table, { rows: [], whole: false }]))
  const directory = await mkdtemp(join(dirname(path), 'salvage-'))
  const copy = join(directory, 'state.db')
  let database: Database | undefined
  try {
    await copyFile(path, copy)
    await copyFile(`${path}-wal`, `${copy}-wal`).catch(error => {
      if (!isMissing(error)) throw error
    })
    database = await openDatabase(copy)
    for (const table of tables) found.set(table, await readTable(database, table))
  } catch (error) {
    if (!isDatabaseTrouble(error)) throw error
  } finally {
    await closed(database)
    await rm(directory, { recursive: true, force: true })
  }
  return found
}

/** Row by row from both ends: one page that cannot be read hides no more than what is on it. */
async function readTable(database: Database, table: string): Promise<Salvaged> {
  const forward: Row[] = []
  const backward: Row[] = []
  let [low, high] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]
  try {
    for (;;) {
      const [row] = await next(
        database,
        `SELECT rowid AS "@", * FROM ${table} WHERE rowid > ? ORDER BY rowid LIMIT 1`,
        low,
      )
      if (row === undefined) return { rows: forward.map(plain), whole: true }
      low = Number(row['@'])
      forward.push(row)
    }
  } catch (error) {
    if (!isDatabaseTrouble(error)) throw error
  }
  try {
    for (;;) {
      const sql = `SELECT rowid AS "@", * FROM ${table} WHERE rowid < ? ORDER BY rowid DESC LIMIT 1`
      const [row] = await next(database, sql, high)
      if (row === undefined || Number(row['@']) <= low) break
      high = Number(row['@'])
      backward.push(row)
    }
  } catch (error) {
    if (!isDatabaseTrouble(error)) throw error
  }
  return { rows: [...forward, ...backward.reverse()].map(plain), whole: false }
}

const next = (database: Database, sql: string, from: number): Promise<Row[]> =>
  new Promise((resolve, reject) =>
    database.all(sql, [from], (error, rows) => (error ? reject(error) : resolve(rows as Row[]))),
  )

const plain = (row: Row): Row => Object.fromEntries(Object.entries(row).filter(([name]) => name !== '@')) as Row

/** SQLite's own complaint, or the one that the store makes of it. */
const isDatabaseTrouble = (error: unknown): boolean =>
  /^(SQLITE|STORE)_/.test(String((error as { code?: string } | null)?.code))

async function closed(database: Database | undefined): Promise<void> {
  if (database === undefined) return
  await new Promise<void>(resolve => database.close(() => resolve()))
}
