/** What a new database gets of the damaged one that it takes the place of, and of the last backup. */
import { isMissing } from '../../errors.ts'
import { backupsOf } from './backup.ts'
import { cutRow, insertRows } from './rows.ts'
import { type Salvaged, salvage } from './salvage.ts'
import { openStore, type Row, type Transaction } from './store.ts'

/** What is nowhere else. Rows of these stand alone: those that can be read are worth having. */
const LONE_TABLES = ['job', 'volume', 'secret', 'event', 'app', 'app_object', 'app_before'] as const
/** Of pods there are copies: only all of it is better than those. */
const POD_TABLES = ['pod', 'container', 'sandbox', 'lease', 'manifest'] as const

/**
 * Makes a database at `draft` from what can be read of the damaged one at `path`. What is missing of a table that
 * stands alone is made up from the last backup. Returns what could not be read to its end, one sentence each.
 * @throws STORE_UNUSABLE without room for it.
 */
export async function refill(path: string, draft: string): Promise<string[]> {
  const tables = [...LONE_TABLES, ...POD_TABLES]
  const found = await salvage(path, tables)
  const isWhole = (table: string): boolean => found.get(table)?.whole === true
  const backup = LONE_TABLES.every(isWhole) ? undefined : await lastBackup(path)
  const rowsOf = (table: string): Row[] => [
    ...(found.get(table)?.rows ?? []),
    ...(isWhole(table) ? [] : (backup?.tables.get(table)?.rows ?? [])),
  ]
  const store = await openStore(draft)
  try {
    await store.write(async tx => {
      await tx.run('PRAGMA defer_foreign_keys = ON')
      for (const table of LONE_TABLES) await insertRows(tx, table, rowsOf(table))
      if (POD_TABLES.every(isWhole)) for (const table of POD_TABLES) await insertRows(tx, table, rowsOf(table))
      await cutDangling(tx)
    })
  } finally {
    // The last one to close it writes its log back: the file is complete.
    await store.close()
  }
  const instead = backup === undefined ? 'there is no backup' : `the rest is from ${backup.path}`
  return LONE_TABLES.filter(table => !isWhole(table)).map(table => `${table}: not to be read to its end, ${instead}`)
}

/** What names something that could not be read cannot stay: foreign keys are checked at the end of the transaction. */
async function cutDangling(tx: Transaction): Promise<void> {
  for (;;) {
    const dangling = await tx.all('PRAGMA foreign_key_check')
    if (dangling.length === 0) return
    for (const { table, rowid } of dangling) await cutRow(tx, String(table), Number(rowid))
  }
}

/** The newest backup that can be read to its end. */
async function lastBackup(path: string): Promise<{ path: string; tables: Map<string, Salvaged> } | undefined> {
  for (const backup of backupsOf(path)) {
    try {
      const tables = await salvage(backup, LONE_TABLES)
      if ([...tables.values()].every(({ whole }) => whole)) return { path: backup, tables }
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return undefined
}
