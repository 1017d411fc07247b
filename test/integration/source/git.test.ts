/** Commits as sources: of a checkout, of a repository on this host, and over loopback. */
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { collectSnapshots, type GitRef, kindOfDirectory } from '../../../src/source/index.ts'
import { Repository, serveDaemon, serveHttp } from '../../support/repository.ts'
import { SourceArea } from '../../support/source.ts'

let area: SourceArea
let app: Repository
beforeEach(() => {
  area = new SourceArea()
  app = new Repository(area.at('app'))
})
afterEach(() => area.remove())

const url = (path = area.at('app'), ref: GitRef = {}) => ({ from: { kind: 'git', url: path, ref } as const })

describe('a checkout', () => {
  test('is read as it was committed, whatever its working tree holds', async () => {
    const commit = app.commit({ 'b.yaml': 'b\n', 'a.yaml': 'a: ü\n', 'sub/c.yaml': 'c\n', 'note.txt': 'x' })
    expect(await kindOfDirectory(area.at('app'))).toBe('checkout')
    app.write('a.yaml', 'edited')
    app.write('new.yaml', 'new')
    fs.rmSync(area.at('app/b.yaml'))
    const snapshot = await area.read()
    expect(snapshot).toMatchObject({ revision: commit, kind: 'git' })
    expect(snapshot.files).toEqual([
      { file: 'a.yaml', text: 'a: ü\n' },
      { file: 'b.yaml', text: 'b\n' },
    ])
    expect(snapshot.dirty).toBe(
      'a.yaml differs from the commit, b.yaml is not in the working tree, new.yaml is not committed',
    )
    app.git('reset', '--quiet', '--hard')
    fs.rmSync(area.at('app/new.yaml'))
    expect((await area.read()).dirty).toBeUndefined()
  })

  test('that has not changed is not asked of git again, and a new commit takes three programs', async () => {
    app.commit({ 'a.yaml': 'a\n' })
    const first = await area.read()
    area.ran.length = 0
    expect(await area.read()).toEqual(first)
    expect(area.ran).toEqual([])
    app.commit({ 'a.yaml': 'other\n' })
    expect((await area.read()).files[0]?.text).toBe('other\n')
    expect(area.ran.map(argv => argv.find((_, index) => argv[index - 1] === 'git'))).toEqual([
      'fetch',
      'ls-tree',
      'cat-file',
    ])
  })

  test('an older commit is read again when its .git is gone, and nothing takes its place', async () => {
    const one = app.commit({ 'a.yaml': 'one\n' })
    await area.read()
    app.commit({ 'a.yaml': 'two\n' })
    await area.read()
    fs.rmSync(area.at('app/.git'), { recursive: true })
    expect(await area.failure()).toMatchObject({ code: 'SOURCE_VANISHED' })
    expect((await area.read({ revision: one })).files[0]?.text).toBe('one\n')
    fs.rmSync(area.at('app'), { recursive: true })
    expect(await area.failure()).toMatchObject({ code: 'SOURCE_VANISHED' })
    await expect(kindOfDirectory(area.at('app'))).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
  })

  test('is of a branch, a packed branch or a commit, and of one directory', async () => {
    const one = app.commit({ 'prod/a.yaml': 'one\n' })
    app.git('checkout', '--quiet', '-b', 'team/next')
    const two = app.commit({ 'prod/a.yaml': 'two\n' })
    expect((await area.read({ path: 'prod' })).files).toEqual([{ file: 'prod/a.yaml', text: 'two\n' }])
    app.git('pack-refs', '--all')
    app.git('gc', '--quiet')
    fs.rmSync(area.at('state'), { recursive: true })
    expect((await area.read({ path: 'prod' })).revision).toBe(two)
    app.git('checkout', '--quiet', '--detach', one)
    expect((await area.read({ path: 'prod' })).revision).toBe(one)
    expect(await area.failure({ path: 'test' })).toMatchObject({ code: 'SOURCE_VANISHED' })
    expect(await area.failure()).toMatchObject({ code: 'SOURCE_EMPTY' })
  })

  const underWay: Record<string, { make(): void; code: string; says: RegExp }> = {
    'a rebase stopped': {
      make: () => {
        app.git('checkout', '--quiet', '-b', 'side', 'HEAD~1')
        app.commit({ 'a.yaml': 'side\n' })
        expect(() => app.git('rebase', 'main')).toThrow()
      },
      code: 'SOURCE_UNSTABLE',
      says: /rebase/,
    },
    'a merge stopped': {
      make: () => {
        app.git('checkout', '--quiet', '-b', 'side', 'HEAD~1')
        app.commit({ 'a.yaml': 'side\n' })
        expect(() => app.git('merge', 'main')).toThrow()
      },
      code: 'SOURCE_UNSTABLE',
      says: /merge/,
    },
    'a branch is half written': {
      make: () => fs.writeFileSync(area.at('app/.git/refs/heads/main'), 'abc'),
      code: 'SOURCE_UNSTABLE',
      says: /refs\/heads\/main/,
    },
    'a branch is empty after a crash': {
      make: () => fs.writeFileSync(area.at('app/.git/refs/heads/main'), ''),
      code: 'SOURCE_UNSTABLE',
      says: /refs\/heads\/main/,
    },
    'HEAD is missing': {
      make: () => fs.rmSync(area.at('app/.git/HEAD')),
      code: 'SOURCE_UNSTABLE',
      says: /HEAD/,
    },
    'the branch has no commit yet': {
      make: () => app.git('checkout', '--quiet', '--orphan', 'new'),
      code: 'SOURCE_EMPTY',
      says: /no commit/,
    },
    'the commit is empty': {
      make: () => {
        app.git('rm', '--quiet', '-r', '.')
        app.commit({})
      },
      code: 'SOURCE_EMPTY',
      says: /no manifest/,
    },
    'an object is missing': {
      make: () => {
        const commit = app.git('rev-parse', 'HEAD')
        fs.rmSync(area.at(`app/.git/objects/${commit.slice(0, 2)}/${commit.slice(2)}`))
      },
      code: 'SOURCE_VANISHED',
      says: /commit/,
    },
  }

  test.each(Object.entries(underWay))('%s: nothing is read, and it says so', async (_, { make, code, says }) => {
    app.commit({ 'a.yaml': 'one\n' })
    app.commit({ 'a.yaml': 'two\n' })
    make()
    const error = await area.failure()
    expect(error).toMatchObject({ code })
    expect(error.message).toMatch(says)
  })
})

describe('a repository by its URL', () => {
  test('gives its branch, its tag or a commit, over each way to it', async () => {
    const one = app.commit({ 'a.yaml': 'one\n' })
    app.git('tag', '--annotate', '--message=v1', 'v1')
    app.git('branch', 'old')
    const two = app.commit({ 'a.yaml': 'two\n' })
    const [http, daemon] = [await serveHttp(area.path), await serveDaemon(area.path)]
    try {
      for (const way of [area.at('app'), `file://${area.at('app')}`, `${http.url}/app/.git`, `${daemon.url}/app`]) {
        expect([way, (await area.read(url(way))).revision]).toEqual([way, two])
        expect((await area.read(url(way, { branch: 'old' }))).revision).toBe(one)
        expect((await area.read(url(way, { tag: 'v1' }))).files[0]?.text).toBe('one\n')
        expect((await area.read(url(way, { commit: one }))).revision).toBe(one)
        expect(await area.failure(url(way, { branch: 'gone' }))).toMatchObject({ code: 'SOURCE_VANISHED' })
        expect(await area.failure(url(way, { commit: '1'.repeat(40) }))).toMatchObject({ code: 'SOURCE_VANISHED' })
        fs.rmSync(area.at('state'), { recursive: true })
      }
    } finally {
      await http.close()
      await daemon.close()
    }
  })

  test('that cannot be reached, is not there, or does not answer, is told apart', async () => {
    app.commit({ 'a.yaml': 'one\n' })
    expect(await area.failure(url(area.at('nothing')))).toMatchObject({ code: 'SOURCE_VANISHED' })
    expect(await area.failure(url('http://127.0.0.1:1/x.git'))).toMatchObject({ code: 'SOURCE_FETCH' })
    const silent = createServer(() => undefined)
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const error = await area.failure({ ...url(`git://127.0.0.1:${port}/x`), timeoutMs: 1000 })
    expect(error).toMatchObject({ code: 'SOURCE_FETCH' })
    expect(error.message).toContain('within 1 s')
    silent.close()
  })

  test('is shallow, and grows by what is new', async () => {
    for (const text of ['1', '2', '3', '4']) app.commit({ 'a.yaml': text })
    await area.read(url())
    const count = () => Number(execFileSync('git', ['rev-list', '--count', 'refs/tspod/head'], { env: mirror() }))
    expect(count()).toBe(1)
    app.commit({ 'a.yaml': '5' })
    app.commit({ 'a.yaml': '6' })
    await area.read(url())
    expect(count()).toBe(3)
  })

  const mirror = () => ({ ...process.env, GIT_DIR: area.at('state/shop/mirror.git') })

  test('whose history was rewritten is refused, unless that is allowed', async () => {
    const one = app.commit({ 'a.yaml': 'one\n' })
    const two = app.commit({ 'a.yaml': 'two\n' })
    await area.read(url())
    app.git('reset', '--quiet', '--hard', one)
    const other = app.commit({ 'a.yaml': 'other\n' })
    const wish = { ...url(), applied: two }
    for (const state of ['as it is', 'without the mirror']) {
      if (state !== 'as it is') fs.rmSync(area.at('state/shop/mirror.git'), { recursive: true })
      const error = await area.failure(wish)
      expect([state, error.code]).toEqual([state, 'SOURCE_REWOUND'])
    }
    expect((await area.read({ ...wish, allowRewind: true })).revision).toBe(other)
    // It is kept by now, and still does not come after the other.
    expect(await area.failure(wish)).toMatchObject({ code: 'SOURCE_REWOUND' })
    app.git('reset', '--quiet', '--hard', one)
    expect(await area.failure(wish)).toMatchObject({ code: 'SOURCE_REWOUND' })
    app.git('reset', '--quiet', '--hard', two)
    const three = app.commit({ 'a.yaml': 'three\n' })
    expect((await area.read(wish)).revision).toBe(three)
    // Of a checkout somebody has decided it who may.
    app.git('reset', '--quiet', '--hard', one)
    expect((await area.read({ applied: three })).revision).toBe(one)
  })

  test('a mirror that a killed run or a full disk has damaged is made again', async () => {
    app.commit({ 'a.yaml': 'one\n' })
    const damage: Record<string, () => void> = {
      'a lock is left': () => fs.writeFileSync(area.at('state/shop/mirror.git/shallow.lock'), ''),
      'a ref is locked': () => fs.writeFileSync(area.at('state/shop/mirror.git/refs/tspod/head.lock'), ''),
      'objects are empty': () => {
        const objects = area.at('state/shop/mirror.git/objects')
        for (const file of fs.readdirSync(objects, { recursive: true, encoding: 'utf8' })) {
          const path = join(objects, file)
          if (fs.statSync(path).isFile()) fs.chmodSync(path, 0o600)
          if (fs.statSync(path).isFile()) fs.truncateSync(path)
        }
      },
      'half of it is missing': () => fs.rmSync(area.at('state/shop/mirror.git/objects'), { recursive: true }),
      'HEAD is empty': () => fs.writeFileSync(area.at('state/shop/mirror.git/HEAD'), ''),
      'its configuration is broken': () => fs.writeFileSync(area.at('state/shop/mirror.git/config'), '[core'),
    }
    await area.read()
    for (const [name, act] of Object.entries(damage)) {
      for (const wish of [{}, url()]) {
        const commit = app.commit({ 'a.yaml': name })
        act()
        const outcome = await area.read(wish).then(
          ({ revision }) => revision,
          (error: Error) => error,
        )
        expect([name, outcome]).toEqual([name, commit])
      }
    }
  })

  test.each([
    ['ext::sh -c touch% /tmp/tspod-canary', 'USAGE'],
    ['--upload-pack=touch /tmp/tspod-canary', 'USAGE'],
    ['ssh://-oProxyCommand=touch/x', 'USAGE'],
    ['https://ada:secret@example.com/a.git', 'USAGE'],
    ['https://token@example.com/a.git', 'USAGE'],
    ['ftp://example.com/a.git', 'USAGE'],
    ['example', 'USAGE'],
  ])('S42 %s is no URL that is used', async (bad, code) => {
    const error = await area.failure(url(bad))
    expect(error).toMatchObject({ code })
    expect(`${error.message}${error.remedy}`).not.toContain('secret')
    expect(area.ran).toEqual([])
    expect(fs.existsSync('/tmp/tspod-canary')).toBe(false)
  })
})

describe('a full disk', () => {
  afterEach(() => void spawnSync('umount', [area.at('state')]))

  test('ends a read with its reason, wherever it gets full, and the next one with room is as any other', async () => {
    app.write('html/noise', randomBytes(400_000))
    const commit = app.commit({ 'a.yaml': 'hostPath: {path: ./html}\n' })
    fs.mkdirSync(area.at('state'), { mode: 0o700 })
    const reached = new Set<string>()
    // From no room for a repository to none for the copy of what is in it.
    for (const size of ['16k', '64k', '300k', '500k', '800k']) {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'none', area.at('state')])
      const error = await area.failure()
      expect([size, error.code]).toEqual([size, 'HOST_EXHAUSTED'])
      reached.add(error.message.startsWith('cannot fetch') ? 'git' : 'ours')
      execFileSync('mount', ['-o', 'remount,size=64m', area.at('state')])
      expect((await area.read()).revision).toBe(commit)
      execFileSync('umount', [area.at('state')])
    }
    expect(reached).toEqual(new Set(['git', 'ours']))
  })
})

describe('files beside the manifests', () => {
  const withFiles = { 'web/pod.yaml': 'hostPath: {path: html}\n', 'web/html/index.html': 'one', 'other/x': 'x' }

  test('are copied for mounts, with the modes of git, and without manifests', async () => {
    app.write('web/html/run.sh', '#!/bin/sh')
    fs.chmodSync(area.at('app/web/html/run.sh'), 0o755)
    fs.symlinkSync('index.html', area.at('app/web/html/start'))
    app.commit(withFiles)
    const { root } = await area.read({ path: 'web' })
    const modeOf = (path: string): string => (fs.lstatSync(join(root, path)).mode & 0o777).toString(8)
    expect(['.', 'html', 'html/index.html', 'html/run.sh'].map(modeOf)).toEqual(['755', '755', '644', '755'])
    expect(fs.readlinkSync(join(root, 'html/start'))).toBe('index.html')
    expect(fs.readdirSync(root)).toEqual(['html'])
    expect(fs.existsSync(join(root, '../other'))).toBe(false)
  })

  test('are another copy only for a commit that changes one of them: mounts of the old one stay as they are', async () => {
    app.commit(withFiles)
    const first = await area.read({ path: 'web' })
    app.commit({ 'web/pod.yaml': 'hostPath: {path: html} # changed\n', 'other/x': 'y' })
    expect((await area.read({ path: 'web' })).root).toBe(first.root)
    app.commit({ 'web/html/index.html': 'two' })
    const second = await area.read({ path: 'web' })
    expect(fs.readFileSync(join(first.root, 'html/index.html'), 'utf8')).toBe('one')
    expect(fs.readFileSync(join(second.root, 'html/index.html'), 'utf8')).toBe('two')
  })

  test('stay while something has them mounted, or their revision is kept', async () => {
    const read = async (text: string): Promise<string> => {
      app.commit({ ...withFiles, 'web/html/index.html': text })
      return (await area.read({ path: 'web' })).root
    }
    const [one, two, three] = [await read('one'), await read('two'), await read('three')]
    const left = (): boolean[] => [one, two, three].map(root => fs.existsSync(root))
    const state = area.at('state/shop')
    await collectSnapshots(state, { inUse: async () => [join(one, 'html')], keep: 1 })
    expect(left()).toEqual([true, false, true])
    await collectSnapshots(state, { inUse: async () => [], keep: 1 })
    expect(left()).toEqual([false, false, true])
  })

  test('S42 what a container writes there is not read again', async () => {
    app.commit(withFiles)
    const first = await area.read({ path: 'web' })
    fs.writeFileSync(join(first.root, 'pod.yaml'), 'hostile')
    fs.writeFileSync(join(first.root, 'more.yaml'), 'hostile')
    expect(await area.read({ path: 'web' })).toEqual(first)
  })

  test('are not copied where no manifest could name them', async () => {
    app.commit({ 'pod.yaml': 'kind: Pod\n', 'html/index.html': 'one' })
    expect(fs.existsSync((await area.read()).root)).toBe(false)
  })
})
