import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type Bundle, openBundle } from '../../src/bytecode.ts'

const MAIN = `exports.double = n => n * 2
exports.other = () => require('./other.cjs').name
exports.base = () => require('node:path').basename(__filename)
exports.here = __dirname`

let home: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tspod-bytecode-'))
  writeFileSync(join(home, 'main.cjs'), MAIN)
  writeFileSync(join(home, 'other.cjs'), "exports.name = 'other'")
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

type Main = { double(n: number): number; other(): string; base(): string; here: string }

const open = (command: string | undefined, build = 'b1'): { bundle: Bundle; main: Main } => {
  const bundle = openBundle({ home, build, command })
  return { bundle, main: bundle.load('main.cjs') as Main }
}
const kept = (): string[] => readdirSync(join(home, 'cache')).sort()
const inode = (name: string): number => statSync(join(home, 'cache', name)).ino

describe('the bundle', () => {
  test('runs as any other CommonJS does, and each file once', () => {
    const { bundle, main } = open('play')
    expect([main.double(4), main.other(), main.base(), main.here]).toEqual([8, 'other', 'main.cjs', home])
    expect(bundle.load('main.cjs')).toBe(main)
  })

  test('keeps the bytecode of every file that was loaded, for root alone, with what was called in it', () => {
    const idle = open('idle')
    idle.bundle.keep()
    const busy = open('busy')
    busy.main.double(1)
    busy.main.other()
    busy.bundle.keep()
    expect(kept()).toEqual(['busy-main.cjs-b1', 'busy-other.cjs-b1', 'idle-main.cjs-b1'])
    const size = (name: string): number => statSync(join(home, 'cache', name)).size
    expect(size('busy-main.cjs-b1')).toBeGreaterThan(size('idle-main.cjs-b1'))
    expect(statSync(join(home, 'cache', 'busy-main.cjs-b1')).mode & 0o777).toBe(0o600)
  })

  test('begins with nothing of what the build has left, so that it keeps no more than it calls', () => {
    const build = open(undefined)
    build.main.double(1)
    build.bundle.write(name => join(home, `${name}.bytecode`))
    // In another folder: this process remembers what it has compiled in this one.
    const other = join(home, 'installed')
    mkdirSync(other)
    for (const name of ['main.cjs', 'main.cjs.bytecode']) copyFileSync(join(home, name), join(other, name))
    const idle = openBundle({ home: other, build: 'b1', command: 'idle' })
    idle.load('main.cjs')
    idle.keep()
    const size = (file: string): number => statSync(join(other, file)).size
    expect(size('cache/idle-main.cjs-b1')).toBeLessThan(size('main.cjs.bytecode'))
  })

  test('does not write again what the next run of the same command of the same build has used', () => {
    open('play').bundle.keep()
    const first = inode('play-main.cjs-b1')
    const again = open('play')
    again.main.double(2)
    again.bundle.keep()
    expect([kept(), inode('play-main.cjs-b1')]).toEqual([['play-main.cjs-b1'], first])
  })

  test('does not believe the bytecode of another build, and nothing is left of one by another V8', () => {
    open('play').bundle.keep()
    open('play', 'b2').bundle.keep()
    expect(kept()).toEqual(['play-main.cjs-b1', 'play-main.cjs-b2'])
    const file = join(home, 'cache', 'play-main.cjs-b1')
    writeFileSync(file, 'not of this V8')
    // This process would remember what it has compiled already.
    writeFileSync(join(home, 'main.cjs'), `${MAIN} // once more`)
    const { bundle, main } = open('play')
    expect(main.double(5)).toBe(10)
    bundle.keep()
    expect(readFileSync(file).length).toBeGreaterThan(100)
  })

  test('works where nothing can be kept', () => {
    writeFileSync(join(home, 'cache'), 'a file where the folder should be')
    const { bundle, main } = open('play')
    expect(main.double(3)).toBe(6)
    bundle.keep()
    expect(readdirSync(home).sort()).toEqual(['cache', 'main.cjs', 'other.cjs'])
  })

  test('a command that is not called often keeps nothing', () => {
    const { bundle } = open(undefined)
    bundle.keep()
    expect(readdirSync(home).sort()).toEqual(['main.cjs', 'other.cjs'])
  })

  test('leaves no half of a file behind when a rename fails', () => {
    mkdirSync(join(home, 'cache', 'play-main.cjs-b1', 'x'), { recursive: true })
    open('play').bundle.keep()
    expect(kept()).toEqual(['play-main.cjs-b1'])
  })
})
