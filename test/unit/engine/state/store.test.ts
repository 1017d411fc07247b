import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { MIGRATIONS } from '../../../../src/engine/state/migrations.ts'
import { openDatabase, openStore } from '../../../../src/engine/state/store.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tspod-store-'))
  path = join(directory, 'state.db')
})
afterEach(() => rmSync(directory, { recursive: true }))

const id = (digit: string): string => digit.repeat(64)
const POD = `INSERT INTO pod (id, name, spec, settings, goal, created_ms) VALUES ('${id('a')}', 'web', '{}', '{}', 'running', 1)`
const containerRow = (state: string, more = ''): string =>
  `INSERT INTO container (id, pod, name, short_name, kind, ordinal, state, created_ms${more && ', exit_code, pid, boot'})
   VALUES ('${id('b')}', '${id('a')}', 'web-a', 'a', 'regular', 0, '${state}', 1${more})`

describe('a new database', () => {
  test('is durable, strict about references, and at the newest version', async () => {
    const store = await openStore(path)
    const pragma = async (name: string): Promise<unknown> =>
      Object.values((await store.all(`PRAGMA ${name}`))[0] ?? {})[0]
    expect(await pragma('journal_mode')).toBe('wal')
    expect(await pragma('synchronous')).toBe(2)
    expect(await pragma('foreign_keys')).toBe(1)
    expect(await pragma('user_version')).toBe(MIGRATIONS.length)
    await store.close()
  })

  test('opened twice at once it is made once', async () => {
    const stores = await Promise.all([openStore(path), openStore(path), openStore(path)])
    await stores[0]?.write(tx => tx.run(POD))
    expect(await stores[2]?.all('SELECT name FROM pod')).toEqual([{ name: 'web' }])
    await Promise.all(stores.map(store => store.close()))
  })
})

describe('what the database refuses', () => {
  const bad: [string, string][] = [
    ['a state that does not exist', containerRow('dancing')],
    ['running without a process', containerRow('running')],
    ['exited without a code', containerRow('exited')],
    ['an exit code beyond a byte', containerRow('exited', ', 256, NULL, NULL')],
    ['a container of no pod', containerRow('configured').replace(id('a'), id('c'))],
    ['a pod whose spec is no JSON', POD.replace("'{}'", "'{'")],
  ]
  for (const [name, sql] of bad) {
    test(name, async () => {
      const store = await openStore(path)
      if (!sql.startsWith('INSERT INTO pod')) await store.write(tx => tx.run(POD))
      await expect(store.write(tx => tx.run(sql))).rejects.toThrow(/CONSTRAINT/)
      await store.close()
    })
  }
})

describe('transactions', () => {
  test('an exception leaves nothing behind', async () => {
    const store = await openStore(path)
    const failed = store.write(async tx => {
      await tx.run(POD)
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    expect(await store.all('SELECT * FROM pod')).toEqual([])
    await store.close()
  })

  test('of this process never mix, whatever their order of arrival', async () => {
    const store = await openStore(path)
    await store.write(tx => tx.run(POD))
    await store.write(tx => tx.run(containerRow('configured')))
    const increments = Array.from({ length: 20 }, () =>
      store.write(async tx => {
        const [row] = await tx.all('SELECT restarts FROM container')
        await tx.run('UPDATE container SET restarts = ?', [Number(row?.restarts) + 1])
      }),
    )
    await Promise.all(increments)
    expect(await store.all('SELECT restarts FROM container')).toEqual([{ restarts: 20 }])
    await store.close()
  })

  test('a pod takes its containers, sandbox and leases with it', async () => {
    const store = await openStore(path)
    await store.write(async tx => {
      await tx.run(POD)
      await tx.run(containerRow('configured'))
      await tx.run(`INSERT INTO lease VALUES ('tspod', '10.91.0.2', '${id('a')}')`)
      await tx.run(`INSERT INTO sandbox (pod, boot, facts) VALUES ('${id('a')}', 'boot', '{}')`)
      await tx.run('DELETE FROM pod')
    })
    for (const table of ['container', 'lease', 'sandbox']) expect(await store.all(`SELECT * FROM ${table}`)).toEqual([])
    await store.close()
  })
})

describe('a database that is not ours to use', () => {
  test('of a newer tspod is refused and not touched', async () => {
    const database = await openDatabase(path)
    await new Promise(resolve => database.exec('CREATE TABLE x (y); PRAGMA user_version = 99', resolve))
    await new Promise(resolve => database.close(resolve))
    const before = { bytes: readFileSync(path), mtime: statSync(path).mtimeMs }
    await expect(openStore(path)).rejects.toThrow(expect.objectContaining({ code: 'STORE_NEWER' }))
    expect(readFileSync(path).equals(before.bytes)).toBe(true)
    expect(statSync(path).mtimeMs).toBe(before.mtime)
  })

  test('that is no database is refused and not touched', async () => {
    writeFileSync(path, 'not a database, but long enough to be taken for one'.repeat(40))
    await expect(openStore(path)).rejects.toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }))
    expect(readFileSync(path, 'utf8')).toContain('not a database')
  })
})
