import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { backUp, backupsOf } from '../../../../src/engine/state/backup.ts'
import { insertRows } from '../../../../src/engine/state/rows.ts'
import { salvage } from '../../../../src/engine/state/salvage.ts'
import { openStore, type Store } from '../../../../src/engine/state/store.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tspod-salvage-'))
  path = join(directory, 'state.db')
})
afterEach(() => rmSync(directory, { recursive: true }))

const volume = (name: string) => ({
  name,
  labels: '{}',
  annotations: JSON.stringify({ is: 'x'.repeat(500) }),
  created_ms: 1,
})
const VOLUMES = Array.from({ length: 100 }, (_, index) => volume(`volume-${index}`))

/** A database with a hundred volumes, on many pages. */
async function filled(): Promise<void> {
  const store = await openStore(path)
  await store.write(tx => insertRows(tx, 'volume', VOLUMES))
  await store.close()
}

const namesIn = async (file: string) => {
  const found = (await salvage(file, ['volume', 'secret'])).get('volume')!
  return { whole: found.whole, names: found.rows.map(({ name }) => String(name)) }
}

describe('what is read of a database', () => {
  test('is everything, with a log that was not written back; the file stays as it was', async () => {
    const store = await openStore(path)
    await store.write(tx => insertRows(tx, 'volume', VOLUMES))
    const before = readFileSync(path)
    expect(await namesIn(path)).toEqual({ whole: true, names: VOLUMES.map(({ name }) => name) })
    expect(readFileSync(path)).toEqual(before)
    await store.close()
    expect(readdirSync(directory).filter(name => name.startsWith('salvage'))).toEqual([])
  })

  test('is all but what was on a page that is damaged', async () => {
    await filled()
    const bytes = readFileSync(path)
    const at = bytes.indexOf('volume-50{}')
    const page = at - (at % 4096)
    bytes.fill(0xff, page, page + 4096)
    writeFileSync(path, bytes)
    const { whole, names } = await namesIn(path)
    expect(whole).toBe(false)
    expect(names).toContain('volume-0')
    expect(names).toContain('volume-99')
    expect(names.length).toBeGreaterThan(80)
    expect(new Set(names).size).toBe(names.length)
  })

  for (const [what, text] of [
    ['that is empty', ''],
    ['that is something else', 'hello\n'.repeat(1000)],
  ] as const) {
    test(`is nothing of a file ${what}`, async () => {
      writeFileSync(path, text)
      expect(await namesIn(path)).toEqual({ whole: false, names: [] })
    })
  }
})

test('rows of another schema, twice or refused are passed over one by one', async () => {
  const store = await openStore(path)
  const rows = [
    { ...volume('good'), colour: 'red' },
    volume('good'),
    { ...volume('no-json'), labels: '{' },
    { ...volume('no-number'), created_ms: 'soon' },
    { name: 'half' },
    volume('another'),
  ]
  expect(await store.write(tx => insertRows(tx, 'volume', rows))).toBe(2)
  expect(await store.all('SELECT name FROM volume ORDER BY name')).toEqual([{ name: 'another' }, { name: 'good' }])
  await store.close()
})

describe('backups', () => {
  const DAY_MS = 24 * 3_600_000
  let store: Store
  beforeEach(async () => {
    await filled()
    store = await openStore(path)
  })
  afterEach(() => store.close())
  const age = (days: number): void => utimesSync(`${path}.backup`, new Date(), new Date(Date.now() - days * DAY_MS))

  test('there is one a day, of everything, for root alone', async () => {
    await backUp(store, path, Date.now())
    expect(statSync(`${path}.backup`).mode & 0o777).toBe(0o600)
    expect(await namesIn(`${path}.backup`)).toMatchObject({ whole: true, names: { length: 100 } })
    await store.write(tx => tx.run("DELETE FROM volume WHERE name <> 'volume-7'"))
    await backUp(store, path, Date.now())
    expect((await namesIn(`${path}.backup`)).names).toHaveLength(100)
    age(1.1)
    await backUp(store, path, Date.now())
    expect((await namesIn(`${path}.backup`)).names).toEqual(['volume-7'])
    expect((await namesIn(`${path}.backup.1`)).names).toHaveLength(100)
  })

  test('three are kept, and nothing else is left', async () => {
    for (let day = 0; day < 5; day++) {
      await backUp(store, path, Date.now())
      age(2)
    }
    const found = readdirSync(directory).filter(name => name.includes('backup'))
    expect(found.sort()).toEqual(backupsOf('state.db').sort())
  })

  test('a clock that was set back does not keep one from being made', async () => {
    await backUp(store, path, Date.now())
    age(-300)
    await backUp(store, path, Date.now())
    expect(existsSync(`${path}.backup.1`)).toBe(true)
  })

  test('plays side by side make one between them, in the middle of no transaction', async () => {
    const write = store.write(async tx => {
      await new Promise(resolve => setTimeout(resolve, 20))
      await tx.all('SELECT 1')
    })
    await Promise.all([write, backUp(store, path, Date.now()), backUp(store, path, Date.now())])
    expect([existsSync(`${path}.backup`), existsSync(`${path}.backup.1`)]).toEqual([true, false])
  })

  test('one that cannot be made leaves the others alone', async () => {
    await backUp(store, path, Date.now())
    copyFileSync(`${path}.backup`, join(directory, 'copy'))
    age(2)
    const failing = { copyInto: () => Promise.reject(new Error('disk full')) }
    await expect(backUp(failing, path, Date.now())).rejects.toThrow('disk full')
    expect(readFileSync(`${path}.backup`)).toEqual(readFileSync(join(directory, 'copy')))
  })
})
