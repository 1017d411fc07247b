/** Commits as sources: of a checkout, of a repository on this host, and over loopback. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { systemClock } from '../../../src/clock.ts'
import { TspodError } from '../../../src/errors.ts'
import { run } from '../../../src/process.ts'
import { kindOfDirectory, readSnapshot, type SourceDoors, type SourceWish } from '../../../src/source/index.ts'
import { gitIn, makeKey, Repository, serveDaemon, serveHttp, signingWith } from '../../support/repository.ts'

let area: string
let ran: string[][]
const at = (path: string): string => join(area, path)
beforeEach(() => {
  // Somebody else's repositories are read as them: they have to get there.
  area = fs.mkdtempSync('/tmp/tspod-git-')
  fs.chmodSync(area, 0o755)
  ran = []
})
afterEach(() => fs.rmSync(area, { recursive: true, force: true }))

const doors = (env: SourceDoors['env'] = {}): SourceDoors => ({
  run: async (command, signal) => {
    ran.push([...command.argv])
    return run(command, signal)
  },
  ...{ clock: systemClock, directory: at('state'), env },
})
const checkout = (): SourceWish['from'] => ({ kind: 'checkout', dir: at('app') })
const read = (wish: Partial<SourceWish> = {}, env: SourceDoors['env'] = {}) =>
  readSnapshot({ name: 'shop', from: checkout(), ...wish }, doors(env))
const failureOf = async (wish: Partial<SourceWish> = {}, env: SourceDoors['env'] = {}): Promise<TspodError> => {
  const error = await read(wish, env).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof TspodError)) throw error ?? new Error('it was read')
  return error
}

describe('a checkout', () => {
  test('is read as it was committed, whatever its working tree holds', async () => {
    const app = new Repository(at('app'))
    const commit = app.commit({ 'b.yaml': 'b\n', 'a.yaml': 'a: ü\n', 'sub/c.yaml': 'c\n', 'note.txt': 'x' })
    expect(await kindOfDirectory(at('app'))).toBe('checkout')
    app.write('a.yaml', 'edited')
    app.write('new.yaml', 'new')
    fs.rmSync(at('app/b.yaml'))
    const snapshot = await read()
    expect(snapshot).toMatchObject({ revision: commit, kind: 'git' })
    expect(snapshot.files).toEqual([
      { file: 'a.yaml', text: 'a: ü\n' },
      { file: 'b.yaml', text: 'b\n' },
    ])
    expect(snapshot.dirty).toBe(
      'a.yaml differs from the commit, b.yaml is not in the working tree, new.yaml is not committed',
    )
    app.git('reset', '--quiet', '--hard')
    fs.rmSync(at('app/new.yaml'))
    expect((await read()).dirty).toBeUndefined()
  })

  test('that has not changed is not asked of git again', async () => {
    const app = new Repository(at('app'))
    app.commit({ 'a.yaml': 'a\n' })
    const first = await read()
    expect(ran.length).toBeGreaterThan(0)
    ran = []
    expect(await read()).toEqual(first)
    expect(ran).toEqual([])
    app.commit({ 'a.yaml': 'other\n' })
    expect((await read()).files[0]?.text).toBe('other\n')
    expect(ran.map(argv => argv.find((_, index) => argv[index - 1] === 'git'))).toEqual([
      'fetch',
      'ls-tree',
      'cat-file',
    ])
  })

  test('an older commit is read again when its .git is gone', async () => {
    const app = new Repository(at('app'))
    const one = app.commit({ 'a.yaml': 'one\n' })
    await read()
    app.commit({ 'a.yaml': 'two\n' })
    await read()
    fs.rmSync(at('app/.git'), { recursive: true })
    expect(await failureOf()).toMatchObject({ code: 'SOURCE_VANISHED' })
    expect((await read({ revision: one })).files[0]?.text).toBe('one\n')
  })

  test('of a branch, a packed branch, a commit by itself and a subdirectory', async () => {
    const app = new Repository(at('app'))
    const one = app.commit({ 'prod/a.yaml': 'one\n' })
    app.git('checkout', '--quiet', '-b', 'team/next')
    const two = app.commit({ 'prod/a.yaml': 'two\n' })
    expect((await read({ path: 'prod' })).files).toEqual([{ file: 'prod/a.yaml', text: 'two\n' }])
    app.git('pack-refs', '--all')
    app.git('gc', '--quiet')
    expect((await read({ path: 'prod' })).revision).toBe(two)
    app.git('checkout', '--quiet', '--detach', one)
    expect((await read({ path: 'prod' })).revision).toBe(one)
    expect(await failureOf({ path: 'test' })).toMatchObject({ code: 'SOURCE_VANISHED' })
    expect(await failureOf()).toMatchObject({ code: 'SOURCE_EMPTY' })
  })
})

describe('a repository by its URL', () => {
  test('gives its branch, its tag, a commit, over each way to it', async () => {
    const app = new Repository(at('app'))
    const one = app.commit({ 'a.yaml': 'one\n' })
    app.git('tag', '--annotate', '--message=v1', 'v1')
    app.git('branch', 'old')
    const two = app.commit({ 'a.yaml': 'two\n' })
    const [http, daemon] = [await serveHttp(area), await serveDaemon(area)]
    try {
      for (const url of [at('app'), `file://${at('app')}`, `${http.url}/app/.git`, `${daemon.url}/app`]) {
        const from = (ref: Extract<SourceWish['from'], { kind: 'git' }>['ref']) => ({ kind: 'git', url, ref }) as const
        expect([url, (await read({ from: from({}) })).revision]).toEqual([url, two])
        expect((await read({ from: from({ branch: 'old' }) })).revision).toBe(one)
        expect((await read({ from: from({ tag: 'v1' }) })).files[0]?.text).toBe('one\n')
        expect((await read({ from: from({ commit: one }) })).revision).toBe(one)
        expect(await failureOf({ from: from({ branch: 'gone' }) })).toMatchObject({ code: 'SOURCE_VANISHED' })
        fs.rmSync(at('state'), { recursive: true })
      }
    } finally {
      await http.close()
      await daemon.close()
    }
  })
})
void [gitIn, makeKey, signingWith]
