/** Which snapshots of a source stay on the disk. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { systemClock } from '../../../src/clock.ts'
import { run } from '../../../src/process.ts'
import { collectSnapshots, readSnapshot } from '../../../src/source/index.ts'

let area: string
const at = (path: string): string => join(area, path)
beforeEach(() => {
  area = fs.mkdtempSync('/tmp/tspod-store-')
  fs.mkdirSync(at('app'))
})
afterEach(() => fs.rmSync(area, { recursive: true, force: true }))

/** Four revisions, the newest last. */
async function revisions(): Promise<string[]> {
  const made: string[] = []
  for (const text of ['one', 'two', 'three', 'four']) {
    fs.writeFileSync(at('app/a.yaml'), text)
    const wish = { name: 'shop', from: { kind: 'directory', dir: at('app') } } as const
    const { revision } = await readSnapshot(wish, { run, clock: systemClock, directory: at('state'), env: {} })
    made.push(revision)
    const path = join(at('state/shop/snapshots'), fileOf(revision))
    fs.utimesSync(path, made.length, made.length)
  }
  return made
}
const fileOf = (revision: string): string => revision.replace(':', '-')
const left = (): string[] => fs.readdirSync(at('state/shop/snapshots'))

describe('snapshots', () => {
  test('that are applied or new stay, and the others go', async () => {
    const [one = '', two = '', three = '', four = ''] = await revisions()
    const gone = await collectSnapshots(at('state/shop'), { inUse: async () => ['/srv'], keep: 1, revisions: [two] })
    expect(gone.sort()).toEqual([one, three].map(name => `snapshots/${fileOf(name)}`).sort())
    expect(left().sort()).toEqual([two, four].map(fileOf).sort())
  })

  test('that an interrupted run began go, and of what has none nothing does', async () => {
    await revisions()
    fs.mkdirSync(at('state/shop/snapshots/.new-abc/tree'), { recursive: true })
    fs.mkdirSync(at('state/shop/.render-abc/files'), { recursive: true })
    expect(await collectSnapshots(at('state/shop'), { inUse: async () => [] })).toEqual([
      '.render-abc',
      'snapshots/.new-abc',
    ])
    expect(fs.readdirSync(at('state/shop'))).toEqual(['snapshots'])
    expect(await collectSnapshots(at('state/other'), { inUse: async () => [] })).toEqual([])
  })
})
