/** The real schema in a database in memory, and the engine's door to it. */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { MIGRATIONS } from '../../src/engine/state/migrations.ts'
import type { Row, Store, Transaction, Value } from '../../src/engine/state/store.ts'
import type { Scheduler } from './scheduler.ts'

export class Database {
  readonly #database = new DatabaseSync(':memory:')
  readonly #statements = new Map<string, StatementSync>()
  readonly #tables: string[]
  #queue: Promise<unknown> = Promise.resolve()

  constructor() {
    for (const sql of MIGRATIONS) this.#database.exec(sql)
    this.#database.exec('PRAGMA foreign_keys = ON')
    this.#tables = this.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").map(
      row => String(row.name),
    )
  }

  /** Forgets everything: the next history begins. */
  clear(): void {
    this.#queue = Promise.resolve()
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
    this.#database.exec('PRAGMA foreign_keys = OFF')
    for (const table of this.#tables) this.#database.exec(`DELETE FROM "${table}"`)
    this.#database.exec('PRAGMA foreign_keys = ON')
  }

  all(sql: string, params: readonly Value[] = []): Row[] {
    return this.#statement(sql).all(...params) as Row[]
  }

  /** Rows of every table that has some, but for history. */
  rest(): string[] {
    return this.#tables
      .filter(table => table !== 'event')
      .flatMap(table => {
        const count = Number(this.all(`SELECT count(*) AS n FROM "${table}"`)[0]?.n)
        return count === 0 ? [] : [`${count} rows of ${table}`]
      })
  }

  /** The engine's door, as the process that runs right now has it. */
  door(scheduler: Scheduler): Store {
    const transaction: Transaction = {
      run: async (sql, params = []) => {
        this.#statement(sql).run(...params)
      },
      all: async (sql, params = []) => this.all(sql, params),
    }
    return {
      trouble: undefined,
      all: async (sql, params = []) => {
        await this.#queue
        return this.all(sql, params)
      },
      copyInto: async file => {
        await this.#queue
        this.all('VACUUM INTO ?', [file])
      },
      write: async work => {
        await scheduler.effect('commit', () => undefined)
        const turn = this.#queue.then(() => this.#inTransaction(() => work(transaction)))
        this.#queue = turn.catch(() => undefined)
        return turn
      },
      close: async () => undefined,
    }
  }

  async #inTransaction<T>(work: () => Promise<T>): Promise<T> {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      const result = await work()
      this.#database.exec('COMMIT')
      return result
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}
