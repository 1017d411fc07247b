import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { projectFiles } from '../../../../src/engine/volumes/projection.ts'

let directory: string
let umask: number
beforeEach(() => {
  directory = fs.mkdtempSync('/tmp/tspod-projection-')
  umask = process.umask(0o077)
})
afterEach(() => {
  process.umask(umask)
  fs.rmSync(directory, { recursive: true, force: true })
})

const file = (path: string, text: string, mode = 0o644) => ({
  path,
  mode,
  base64: Buffer.from(text).toString('base64'),
})
const read = (path: string): string => fs.readFileSync(join(directory, path), 'utf8')
const modeOf = (path: string): string => (fs.statSync(join(directory, path)).mode & 0o7777).toString(8)
const generations = (): string[] => fs.readdirSync(directory).filter(name => /^\.\.[0-9a-f]{32}$/.test(name))

describe('projected files', () => {
  test('are real files in a generation, reached over ..data', async () => {
    const path = await projectFiles(directory, [file('app.conf', 'a=1'), file('sub/dir/key', 'k', 0o400)], undefined)
    expect(read('app.conf')).toBe('a=1')
    expect(read('sub/dir/key')).toBe('k')
    expect(fs.readlinkSync(join(directory, 'app.conf'))).toBe('..data/app.conf')
    expect(fs.readlinkSync(join(directory, 'sub'))).toBe('..data/sub')
    expect(join(directory, fs.readlinkSync(join(directory, '..data')))).toBe(path)
    expect(['app.conf', 'sub', 'sub/dir', 'sub/dir/key'].map(modeOf)).toEqual(['644', '755', '755', '400'])
  })

  test('the same content again changes nothing', async () => {
    const files = [file('a', '1')]
    await projectFiles(directory, files, undefined)
    const inode = fs.statSync(join(directory, 'a')).ino
    await projectFiles(directory, files, undefined)
    expect(fs.statSync(join(directory, 'a')).ino).toBe(inode)
    expect(generations()).toHaveLength(1)
  })

  test('new content swaps the generation and drops what is gone', async () => {
    await projectFiles(directory, [file('a', '1'), file('b', '2')], undefined)
    await projectFiles(directory, [file('a', '3')], undefined)
    expect(read('a')).toBe('3')
    expect(fs.readdirSync(directory).filter(name => !name.startsWith('..'))).toEqual(['a'])
    expect(generations()).toHaveLength(1)
  })

  test('a run that was killed in the middle is completed', async () => {
    const files = [file('a', '1')]
    const path = await projectFiles(directory, files, undefined)
    fs.unlinkSync(join(directory, 'a'))
    fs.unlinkSync(join(directory, '..data'))
    fs.writeFileSync(join(path, 'a'), 'half')
    fs.mkdirSync(join(directory, '..new-dead'))
    await projectFiles(directory, files, undefined)
    expect(read('a')).toBe('1')
    expect(fs.readdirSync(directory).sort()).toEqual(['..data', ...generations(), 'a'].sort())
  })

  test('a group may read, whatever the mode says', async () => {
    await projectFiles(directory, [file('key', 'k', 0o400)], 4242)
    expect(modeOf('key')).toBe('440')
    expect(fs.statSync(join(directory, 'key')).gid).toBe(4242)
  })

  test('an empty volume is an empty directory', async () => {
    await projectFiles(directory, [], undefined)
    expect(fs.readdirSync(join(directory, '..data'))).toEqual([])
  })

  for (const path of ['../x', '/x', 'a/../../x', '..data', '..', 'a//b', './a', '', 'a\0b']) {
    test(`refuses the path ${JSON.stringify(path)}`, async () => {
      const refusal = expect.objectContaining({ code: 'VOLUME_INVALID' })
      await expect(projectFiles(directory, [file(path, '')], undefined)).rejects.toThrow(refusal)
      expect(fs.readdirSync(directory)).toEqual([])
    })
  }
})
