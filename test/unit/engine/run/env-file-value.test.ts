/** Where fileKeyRef reads: files that containers write. */
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { envFileValue } from '../../../../src/engine/run/self.ts'
import { findInEnvFile } from '../../../../src/kube/index.ts'

let root: string
let volume: string
beforeEach(() => {
  root = fs.mkdtempSync('/tmp/tspod-env-file-')
  volume = join(root, 'volume')
  fs.mkdirSync(join(volume, 'sub'), { recursive: true })
  fs.writeFileSync(join(root, 'secret'), "KEY='canary'\n")
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const sources = () =>
  new Map([['own', { path: volume, readOnly: false, directory: true, trust: 'container' as const }]])
const read = (path: string, optional = false, key = 'KEY') =>
  envFileValue({ volume: 'own', path, key, optional }, sources(), findInEnvFile)

test('a file and its key are found, or may be missing where that is said', () => {
  fs.writeFileSync(join(volume, 'sub/a.env'), "KEY='one'\n")
  expect(read('sub/a.env')).toBe('one')
  expect(read('sub/a.env', true, 'OTHER')).toBeUndefined()
  expect(read('sub/b.env', true)).toBeUndefined()
  expect(read('sub/a.env/b', true)).toBeUndefined()
  expect(() => read('sub/b.env')).toThrow('the file sub/b.env of volume own does not exist')
  expect(() => read('sub/a.env', false, 'OTHER')).toThrow('the file sub/a.env of volume own does not set OTHER')
})

const planted: Record<string, () => void> = {
  'a link to a file of the host': () => fs.symlinkSync(join(root, 'secret'), join(volume, 'a.env')),
  'a link within the volume': () => fs.symlinkSync('sub/b.env', join(volume, 'a.env')),
  'a link that leads nowhere': () => fs.symlinkSync('/nowhere', join(volume, 'a.env')),
  'a FIFO that nobody writes to': () => execFileSync('mkfifo', [join(volume, 'a.env')]),
  'a device': () => execFileSync('mknod', [join(volume, 'a.env'), 'c', '1', '5']),
  'a directory': () => fs.mkdirSync(join(volume, 'a.env')),
  'a terabyte of nothing': () => {
    fs.writeFileSync(join(volume, 'a.env'), '')
    fs.truncateSync(join(volume, 'a.env'), 2 ** 40)
  },
}
for (const [name, plant] of Object.entries(planted)) {
  test(`${name} is refused, even where nothing need be there`, () => {
    plant()
    expect(() => read('a.env', true)).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH' }))
  })
}

test('a link on the way is refused', () => {
  fs.mkdirSync(join(root, 'elsewhere'))
  fs.writeFileSync(join(root, 'elsewhere/a.env'), "KEY='canary'\n")
  fs.symlinkSync(join(root, 'elsewhere'), join(volume, 'link'))
  expect(() => read('link/a.env')).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH' }))
})

test('what is no env file is refused without a word of what is in it', () => {
  for (const content of ['KEY=canary', "A='\0canary'\nKEY='x'", Buffer.from([0x41, 0x3d, 0x27, 0xff, 0x27])]) {
    fs.writeFileSync(join(volume, 'a.env'), content)
    expect(() => read('a.env', true)).toThrow(
      expect.objectContaining({ code: 'VOLUME_INVALID', message: expect.not.stringContaining('canary') }),
    )
  }
})
