/** Copying and walking trees that somebody else fills: what is kept, and what is never followed. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type CopyHow, copyInto, copyTo, type Side } from '../../../src/copy.ts'
import { plainRoot, type Root, walkInside } from '../../../src/inside.ts'

let area: string
let notes: string[]
let roots: Root[]
beforeEach(() => {
  area = fs.mkdtempSync('/tmp/tspod-copy-')
  for (const name of ['from', 'to', 'outside']) fs.mkdirSync(join(area, name))
  fs.writeFileSync(at('outside/canary'), 'canary')
  notes = []
  roots = []
})
afterEach(() => {
  for (const { fd } of roots) fs.closeSync(fd)
  fs.rmSync(area, { recursive: true, force: true })
})

const at = (path: string): string => join(area, path)
const canary = (): string => fs.readFileSync(at('outside/canary'), 'utf8')
/** Of ours: the test runner opens files of its own meanwhile. */
const openFiles = (): number =>
  fs.readdirSync('/proc/self/fd').filter(fd => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(area)
    } catch {
      return false
    }
  }).length
const stat = (path: string): fs.Stats => fs.lstatSync(at(path))
const side = (path: string): Side => {
  const root = plainRoot(at(path))
  roots.push(root)
  return { root, at: { fd: root.fd, path: '/', readOnly: root.readOnly } }
}
const how = (more: Partial<CopyHow> = {}): CopyHow => ({
  keepSetId: true,
  overwrite: false,
  note: text => notes.push(text),
  signal: new AbortController().signal,
  ...more,
})
/** Copies the content of `from` into `to`. */
const copyAll = (more?: Partial<CopyHow>): Promise<void> => copyInto(side('from'), side('to'), how(more))

describe('what a copy keeps', () => {
  test('owner, mode, time and links as links, however deep', async () => {
    fs.mkdirSync(at('from/a/b'), { recursive: true })
    fs.chmodSync(at('from/a/b'), 0o1711)
    fs.writeFileSync(at('from/a/b/f'), 'text')
    fs.chmodSync(at('from/a/b/f'), 0o640)
    fs.chownSync(at('from/a/b/f'), 12, 34)
    fs.symlinkSync('../../../outside/canary', at('from/a/l'))
    fs.lchownSync(at('from/a/l'), 56, 78)
    for (const path of ['from/a/b/f', 'from/a/b']) fs.utimesSync(at(path), 1000, 2000)
    const before = openFiles()
    const [from, to] = [side('from'), side('to')]
    await copyInto(from, to, how())
    expect(openFiles()).toBe(before + 2)
    expect(fs.readFileSync(at('to/a/b/f'), 'utf8')).toBe('text')
    expect(stat('to/a/b/f')).toMatchObject({ mode: 0o100640, uid: 12, gid: 34, mtimeMs: 2_000_000 })
    expect(stat('to/a/b')).toMatchObject({ mode: 0o41711, mtimeMs: 2_000_000 })
    expect(fs.readlinkSync(at('to/a/l'))).toBe('../../../outside/canary')
    expect(stat('to/a/l')).toMatchObject({ uid: 56, gid: 78 })
    expect(fs.readdirSync(at('to/a')).sort()).toEqual(['b', 'l'])
  })

  test('names that are no UTF-8', async () => {
    const name = Buffer.from([0x66, 0xff, 0xfe])
    fs.writeFileSync(Buffer.concat([Buffer.from(at('from/')), name]), 'x')
    await copyAll()
    expect(fs.readdirSync(at('to'), { encoding: 'buffer' })).toEqual([name])
  })

  test('holes stay holes', async () => {
    fs.writeFileSync(at('from/sparse'), 'end')
    fs.truncateSync(at('from/sparse'), 64 * 1024 * 1024)
    await copyAll()
    expect(stat('to/sparse').size).toBe(64 * 1024 * 1024)
    expect(stat('to/sparse').blocks * 512).toBeLessThan(1024 * 1024)
  })

  test.each<[name: string, more: Partial<CopyHow>, mode: number]>([
    ['set-user-id stays with the owner', {}, 0o104755],
    ['not where it is not wanted', { keepSetId: false }, 0o100755],
    ['and not with another owner', { owner: { uid: 7, gid: 7 } }, 0o100755],
  ])('%s', async (_name, more, mode) => {
    fs.writeFileSync(at('from/su'), '')
    fs.chmodSync(at('from/su'), 0o4755)
    await copyAll(more)
    expect(stat('to/su').mode).toBe(mode)
  })

  test('FIFOs, sockets and devices are not opened but noted', async () => {
    execFileSync('mkfifo', [at('from/fifo')])
    execFileSync('mknod', [at('from/null'), 'c', '1', '3'])
    await copyAll()
    expect(fs.readdirSync(at('to'))).toEqual([])
    expect(notes.sort()).toEqual(['/fifo is a FIFO and was left out', '/null is a device and was left out'])
    const from = side('from')
    const held: number[] = []
    const fifo = walkInside(from.root, 'fifo', held).found!
    await expect(copyTo({ root: from.root, at: fifo }, side('to'), 'x', how())).rejects.toMatchObject({
      code: 'UNSAFE_PATH',
    })
    for (const fd of held) fs.closeSync(fd)
  })
})

describe('what is at the destination', () => {
  test('a link to a file is replaced, not written through', async () => {
    fs.writeFileSync(at('from/x'), 'new')
    fs.symlinkSync(at('outside/canary'), at('to/x'))
    await copyAll()
    expect(canary()).toBe('canary')
    expect(stat('to/x').isFile()).toBe(true)
  })

  test('a link to a directory is not entered, and replaced only when wanted', async () => {
    fs.mkdirSync(at('from/d'))
    fs.writeFileSync(at('from/d/planted'), '')
    fs.symlinkSync(at('outside'), at('to/d'))
    await expect(copyAll()).rejects.toMatchObject({ code: 'WRONG_STATE' })
    await copyAll({ overwrite: true })
    expect(fs.readdirSync(at('outside'))).toEqual(['canary'])
    expect(fs.readdirSync(at('to/d'))).toEqual(['planted'])
  })

  test('a directory gives way to a file only when wanted, and nothing is left behind', async () => {
    fs.writeFileSync(at('from/x'), 'file')
    fs.mkdirSync(at('to/x/full'), { recursive: true })
    await expect(copyAll()).rejects.toMatchObject({ code: 'WRONG_STATE' })
    expect(fs.readdirSync(at('to'))).toEqual(['x'])
    await copyAll({ overwrite: true })
    expect(fs.readFileSync(at('to/x'), 'utf8')).toBe('file')
  })

  test('a directory that is there is merged into and keeps its mode', async () => {
    fs.mkdirSync(at('from/d'), { mode: 0o700 })
    fs.writeFileSync(at('from/d/new'), '')
    fs.mkdirSync(at('to/d'))
    fs.chmodSync(at('to/d'), 0o755)
    fs.writeFileSync(at('to/d/old'), '')
    await copyAll()
    expect(fs.readdirSync(at('to/d')).sort()).toEqual(['new', 'old'])
    expect(stat('to/d').mode).toBe(0o40755)
  })

  test('a place that may only be read refuses', async () => {
    fs.writeFileSync(at('from/x'), '')
    const to = side('to')
    to.at.readOnly = true
    await expect(copyInto(side('from'), to, how())).rejects.toMatchObject({ code: 'WRONG_STATE' })
  })
})

describe('limits', () => {
  test('a directory copied into itself does not contain itself', async () => {
    fs.writeFileSync(at('from/x'), '')
    const from = side('from')
    await copyTo(from, side('from'), 'copy', how())
    expect(fs.readdirSync(at('from/copy'))).toEqual(['x'])
    await copyInto(from, side('from'), how())
    expect(fs.readdirSync(at('from')).sort()).toEqual(['copy', 'x'])
  })

  test('more bytes than allowed are refused before they are copied', async () => {
    fs.writeFileSync(at('from/x'), '')
    fs.truncateSync(at('from/x'), 2 ** 40)
    await expect(copyAll({ maxBytes: 2 ** 30 })).rejects.toMatchObject({ code: 'UNSAFE_PATH' })
    expect(fs.readdirSync(at('to'))).toEqual([])
  })

  test('a tree that is too deep is refused', async () => {
    fs.mkdirSync(at(`from/${'d/'.repeat(400)}`), { recursive: true })
    await expect(copyAll()).rejects.toMatchObject({ code: 'UNSAFE_PATH' })
  })

  test('the signal ends it and takes the unfinished file away', async () => {
    fs.writeFileSync(at('from/x'), 'x')
    await expect(copyAll({ signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop')
    expect(fs.readdirSync(at('to'))).toEqual([])
  })
})

describe('walkInside', () => {
  const find = (path: string, mounts: Root['mounts'] = new Map()) => {
    const held: number[] = []
    const { root } = side('from')
    try {
      const { directory, name, found } = walkInside({ ...root, mounts }, path, held)
      return { directory: directory.path, name, found: found?.path, readOnly: (found ?? directory).readOnly }
    } finally {
      for (const fd of held) fs.closeSync(fd)
    }
  }
  beforeEach(() => {
    fs.mkdirSync(at('from/a/b'), { recursive: true })
    fs.symlinkSync('/a/b', at('from/abs'))
    fs.symlinkSync('../../../../../a', at('from/a/up'))
    fs.symlinkSync(at('outside/canary'), at('from/out'))
    fs.symlinkSync('loop', at('from/loop'))
  })

  test.each<[path: string, directory: string, name: string, found: string | undefined]>([
    ['/', '/', '.', '/'],
    ['/a/./b/', '/a', 'b', '/a/b'],
    ['a/b/../..', '/', '.', '/'],
    ['../../a', '/', 'a', '/a'],
    ['/abs', '/a', 'b', '/a/b'],
    ['/a/up/b', '/a', 'b', '/a/b'],
    ['/abs/new', '/a/b', 'new', undefined],
    ['/a/new/', '/a', 'new', undefined],
  ])('%s', (path, directory, name, found) => {
    expect(find(path)).toMatchObject({ directory, name, found })
  })

  test('a link out of the root leads to nothing', () => {
    expect(() => find('/out')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })
  test('a directory that is missing on the way is an error', () => {
    expect(() => find('/nope/x')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })
  test('a loop of links is refused', () => {
    expect(() => find('/loop')).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH' }))
  })
  test('a mount is seen in place of what is there, through links too', () => {
    const mounts = new Map([['/a/b', { source: at('outside'), readOnly: true }]])
    expect(find('/abs/canary', mounts)).toMatchObject({ directory: '/a/b', found: '/a/b/canary', readOnly: true })
    expect(find('/a', mounts)).toMatchObject({ readOnly: false })
  })
})
