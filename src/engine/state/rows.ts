/** Rows as they are, without a look at what they mean: for copies, backups and what a damaged file still gives. */
import type { Row, Transaction } from './store.ts'

/**
 * Inserts rows that may come from another schema or be damaged: columns that are not known are left out, and rows that
 * the table refuses, or has already, are passed over. Returns how many went in.
 */
export async function insertRows(tx: Transaction, table: string, rows: readonly Row[]): Promise<number> {
  const columns = (await tx.all(`PRAGMA table_info(${table})`)).map(({ name }) => String(name))
  let inserted = 0
  for (const row of rows) {
    const known = columns.filter(column => column in row)
    const sql = `INSERT OR IGNORE INTO ${table} (${known.join(', ')}) VALUES (${known.map(() => '?').join(', ')}) RETURNING 1`
    const values = known.map(column => row[column] ?? null)
    // A value of the wrong type is refused by more than IGNORE ignores.
    inserted += await tx.all(sql, values).then(
      made => made.length,
      error => ((error as { code?: string }).code === 'SQLITE_CONSTRAINT' ? 0 : Promise.reject(error)),
    )
  }
  return inserted
}

/** What a pod may name beside itself, and goes on without. */
const POD_NAMES: readonly { column: string; table: string }[] = [
  { column: 'service', table: 'pod' },
  { column: 'job', table: 'job' },
]

/** Tables whose rows may be forgotten alone. */
const CUTTABLE: readonly string[] = ['container', 'sandbox', 'lease', 'exec_session', 'manifest']

/** Takes away a row that names something that is not there; a pod stays, and forgets what it names. */
export async function cutRow(tx: Transaction, table: string, rowid: number): Promise<void> {
  if (table !== 'pod') {
    if (!CUTTABLE.includes(table)) throw new Error(`rows of ${table} are not forgotten`)
    return tx.run(`DELETE FROM ${table} WHERE rowid = ?`, [rowid])
  }
  for (const { column, table: named } of POD_NAMES) {
    const gone = `${column} NOT IN (SELECT id FROM ${named})`
    await tx.run(`UPDATE pod SET ${column} = NULL WHERE rowid = ? AND ${gone}`, [rowid])
  }
}
