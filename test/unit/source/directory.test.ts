/** A plain directory as a source: what is read of it, and what it may hold that is refused. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { systemClock } from '../../../src/clock.ts'
import { TspodError } from '../../../src/errors.ts'
import { run } from '../../../src/process.ts'
import { readSnapshot, type SourceWish } from '../../../src/source/index.ts'

let area: string
const at = (path: string): string => join(area, path)
const put = (path: string, text = `kind: ${path}\n`): void => {
  fs.mkdirSync(join(at('app'), path, '..'), { recursive: true })
  fs.writeFileSync(join(at('app'), path), text)
}

beforeEach(() => {
  area = fs.mkdtempSync('/tmp/tspod-source-')
  fs.mkdirSync(at('app'))
})
afterEach(() => fs.rmSync(area, { recursive: true, force: true }))

const read = (wish: Partial<SourceWish> = {}) =>
  readSnapshot(
    { name: 'shop', from: { kind: 'directory', dir: at('app') }, ...wish },
    { run, clock: systemClock, directory: at('state'), env: {} },
  )
const failureOf = async (wish: Partial<SourceWish> = {}): Promise<TspodError> => {
  const error = await read(wish).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof TspodError)) throw error ?? new Error('it was read')
  return error
}
const namesOf = async (wish: Partial<SourceWish> = {}): Promise<string[]> =>
  (await read(wish)).files.map(({ file }) => file.slice(at('app/').length))

describe('a plain directory', () => {
  test('is read in the order of names, and has a revision of its content', async () => {
    put('b.yaml', 'b: ü\n')
    put('a.json', '{}')
    const first = await read()
    expect(first.files).toEqual([
      { file: at('app/a.json'), text: '{}' },
      { file: at('app/b.yaml'), text: 'b: ü\n' },
    ])
    expect(first).toMatchObject({ kind: 'directory', root: at('app'), notes: [] })
    expect(first.revision).toMatch(/^sha256:[0-9a-f]{64}$/)
    fs.renameSync(at('app/b.yaml'), at('b'))
    put('b.yaml', 'b: ü\n')
    expect((await read()).revision).toBe(first.revision)
    fs.renameSync(at('app/b.yaml'), at('app/c.yaml'))
    expect((await read()).revision).not.toBe(first.revision)
  })

  test('is read again as it was, from its snapshot, when it has changed and when it has gone', async () => {
    put('a.yaml', 'first\n')
    const first = await read()
    put('a.yaml', 'second\n')
    expect((await read()).revision).not.toBe(first.revision)
    fs.rmSync(at('app'), { recursive: true })
    expect(await read({ revision: first.revision })).toEqual(first)
    expect(await failureOf({ revision: 'sha256:unknown' })).toMatchObject({ code: 'SOURCE_VANISHED' })
    expect(fs.statSync(at('state/shop/snapshots')).mode & 0o777).toBe(0o700)
  })

  test('holds no manifest that is hidden, that values a chart, or that it says is none', async () => {
    for (const name of ['web.yaml', '.hidden.yaml', 'values.yaml', 'values-prod.yaml', 'notes.md', 'ci.yml']) put(name)
    put('sub/deep.yaml')
    expect(await namesOf()).toEqual(['ci.yml', 'web.yaml'])
    put('.tspodignore', '# ours\nci.y*l\n/sub/d*p.yaml\n')
    expect(await namesOf({ recursive: true })).toEqual(['web.yaml'])
  })

  test('with recursive, its subdirectories count, unless they are hidden, a chart, or a kustomization', async () => {
    for (const name of ['z.yaml', 'db/a.yaml', 'db/x/b.yml', '.git/c.yaml', '.x/d.yaml']) put(name)
    for (const name of ['chart/Chart.yaml', 'chart/templates/e.yaml', 'prod/kustomization.yaml', 'prod/f.yaml'])
      put(name)
    expect(await namesOf({ recursive: true })).toEqual(['db/a.yaml', 'db/x/b.yml', 'z.yaml'])
    expect((await read({ recursive: true })).notes).toEqual([
      'chart is a Helm chart and was left out',
      'prod has a kustomization of its own and was left out: make it the path of a source',
    ])
    for (const path of ['db', './db/', 'db//']) expect(await namesOf({ path })).toEqual(['db/a.yaml'])
    expect(await namesOf({ path: '.' })).toEqual(['z.yaml'])
  })

  test('a link to a manifest inside is one', async () => {
    put('all/web.yaml', 'web\n')
    fs.symlinkSync('all/web.yaml', at('app/web.yaml'))
    expect((await read()).files).toEqual([{ file: at('app/web.yaml'), text: 'web\n' }])
  })

  test('without a manifest is empty, and is not there when it is not', async () => {
    put('readme.md')
    expect(await failureOf()).toMatchObject({ code: 'SOURCE_EMPTY' })
    expect(await failureOf({ path: 'prod' })).toMatchObject({ code: 'SOURCE_VANISHED' })
    fs.rmSync(at('app'), { recursive: true })
    expect(await failureOf()).toMatchObject({ code: 'SOURCE_VANISHED' })
  })

  test.each(['../x', '/etc', 'a/../../b'])('has no path %s', async path => {
    expect(await failureOf({ path })).toMatchObject({ code: 'USAGE' })
  })

  test('text that is not UTF-8 is told with its file', async () => {
    fs.writeFileSync(at('app/a.yaml'), Buffer.from([0x61, 0xff]))
    const error = await failureOf()
    expect(error).toMatchObject({ code: 'MANIFEST_UNREADABLE' })
    expect(error.message).toContain('a.yaml')
  })
})

describe('S42 a hostile directory', () => {
  const plant: Record<string, { make(): unknown; names?: string; why: RegExp }> = {
    'a link to a file of the host': { make: () => fs.symlinkSync('/etc/shadow', at('app/x.yaml')), why: /leads out/ },
    'a relative link out': {
      make: () => {
        fs.writeFileSync(at('secret'), 'canary')
        fs.symlinkSync('../secret', at('app/x.yaml'))
      },
      why: /leads out/,
    },
    'links in a circle': {
      make: () => {
        fs.symlinkSync('y.yaml', at('app/x.yaml'))
        fs.symlinkSync('x.yaml', at('app/y.yaml'))
      },
      names: 'y.yaml',
      why: /circle/,
    },
    'a link to nothing': { make: () => fs.symlinkSync('nothing', at('app/x.yaml')), why: /leads nowhere/ },
    'a FIFO': { make: () => execFileSync('mkfifo', [at('app/x.yaml')]), why: /FIFO/ },
    'a link to a FIFO inside': {
      make: () => {
        execFileSync('mkfifo', [at('app/fifo')])
        fs.symlinkSync('fifo', at('app/x.yaml'))
      },
      why: /FIFO/,
    },
    'a device': { make: () => execFileSync('mknod', [at('app/x.yaml'), 'c', '1', '5']), why: /device/ },
    'a socket': {
      make: () => new Promise<void>(resolve => createServer().listen(at('app/x.yaml'), resolve).unref()),
      why: /socket/,
    },
    'a file that everybody may write': {
      make: () => {
        put('x.yaml')
        fs.chmodSync(at('app/x.yaml'), 0o666)
      },
      why: /by everybody/,
    },
    'a directory that everybody may write': {
      make: () => fs.chmodSync(at('app'), 0o1777),
      names: 'the directory',
      why: /by everybody/,
    },
    'a file of somebody else': {
      make: () => {
        put('x.yaml')
        fs.chownSync(at('app/x.yaml'), 1234, 1234)
      },
      why: /user 1234/,
    },
    'another name of a file of root in a directory of somebody': {
      make: () => {
        fs.writeFileSync(at('shadow'), 'canary', { mode: 0o600 })
        fs.linkSync(at('shadow'), at('app/x.yaml'))
        fs.chownSync(at('app'), 1234, 1234)
      },
      why: /another name/,
    },
    'a name with a line in it': {
      make: () => put('x\nUser=root.yaml'),
      names: 'x\\u{a}User=root.yaml',
      why: /cannot be seen/,
    },
    'a name that turns its writing round': {
      make: () => put('x\u202elmay.yaml'),
      names: 'x\\u{202e}lmay',
      why: /seen/,
    },
    'a name that is not UTF-8': {
      make: () =>
        fs.writeFileSync(
          Buffer.concat([Buffer.from(`${at('app')}/x`), Buffer.from([0xff]), Buffer.from('.yaml')]),
          'x',
        ),
      names: 'x',
      why: /not UTF-8/,
    },
    'a manifest of 17 MiB': {
      make: () => {
        put('x.yaml')
        fs.truncateSync(at('app/x.yaml'), 17 * 1024 * 1024)
      },
      why: /larger than 16 MiB/,
    },
  }

  test.each(Object.entries(plant))('S42 %s: refused with its name', async (_, { make, names = 'x.yaml', why }) => {
    put('a.yaml')
    await make()
    const error = await failureOf()
    expect(error).toMatchObject({ code: 'SOURCE_HOSTILE' })
    const told = `${error.message} ${error.details ?? ''}`
    expect(told).toMatch(why)
    expect(told).toContain(names)
    expect(told).not.toContain('canary')
  })

  test('S42 all that is refused is told at once', async () => {
    put('a.yaml')
    fs.symlinkSync('/etc/passwd', at('app/b.yaml'))
    execFileSync('mkfifo', [at('app/c.yaml')])
    expect((await failureOf()).details?.split('\n')).toEqual([
      'b.yaml is a link that leads out of the directory, or in a circle',
      'c.yaml is a FIFO',
    ])
  })

  test('S42 what is no manifest is not opened, whatever it is', async () => {
    put('a.yaml')
    execFileSync('mkfifo', [at('app/data')])
    fs.mkdirSync(at('app/volume'), { mode: 0o777 })
    fs.symlinkSync('/etc/shadow', at('app/volume/b.yaml'))
    fs.symlinkSync('..', at('app/volume/loop'))
    expect(await namesOf()).toEqual(['a.yaml'])
  })

  test('S42 directories in a circle of links end', async () => {
    put('sub/a.yaml')
    fs.symlinkSync('..', at('app/sub/up'))
    fs.symlinkSync('sub', at('app/again'))
    expect(await namesOf({ recursive: true })).toEqual(['sub/a.yaml'])
  })
})

describe('S42 a file that is being written', () => {
  test('is waited for and read whole', async () => {
    put('a.yaml', 'half')
    const fd = fs.openSync(at('app/a.yaml'), 'a')
    const finish = systemClock.sleep(400).then(() => {
      fs.writeSync(fd, ' and whole\n')
      fs.closeSync(fd)
    })
    expect((await read()).files[0]?.text).toBe('half and whole\n')
    await finish
  })

  test('for too long is left to the next run', async () => {
    put('a.yaml', 'half')
    const fd = fs.openSync(at('app/a.yaml'), 'a')
    try {
      const error = await failureOf()
      expect(error).toMatchObject({ code: 'SOURCE_UNSTABLE' })
      expect(error.message).toContain('a.yaml')
    } finally {
      fs.closeSync(fd)
    }
  })

  test('and was cut to nothing is no manifest', async () => {
    put('a.yaml')
    put('b.yaml', '')
    expect(await failureOf()).toMatchObject({ code: 'SOURCE_UNSTABLE' })
  })

  test('files that come one after the other are read when the last has come', async () => {
    put('a.yaml')
    const coming = ['b.yaml', 'c.yaml', 'd.yaml', 'e.yaml']
    // Time passes while somebody waits, and then there is the next file.
    const clock = {
      ...systemClock,
      nowMs: () => fs.statSync(at('app')).ctimeMs + 10,
      sleep: async () => {
        for (const name of coming.splice(0, 1)) put(name)
      },
    }
    const wish = { name: 'shop', from: { kind: 'directory', dir: at('app') } } as const
    const { files } = await readSnapshot(wish, { run, clock, directory: at('state'), env: {} })
    expect(files).toHaveLength(5)
  })
})
