import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  checkManifest,
  readArchive,
  readHeader,
  writeArchive,
  writeHeader,
} from '../../../src/oci/checkpoint-archive.ts'

const KEY = Buffer.alloc(32, 1)
const FACTS = { pod: 'web', container: 'nginx', imageId: 'i'.repeat(64), createdMs: 1 }

let directory: string
let images: string
let into: string
let file: string
beforeEach(() => {
  directory = mkdtempSync('/tmp/tspod-archive-unit-')
  images = join(directory, 'images')
  into = join(directory, 'into')
  file = join(directory, 'a.tar')
  mkdirSync(images)
  mkdirSync(into)
  writeFileSync(join(images, 'core-1.img'), 'registers')
  writeFileSync(join(images, 'pages-1.img'), Buffer.alloc(3_000_000, 7))
  writeFileSync(join(images, 'empty.img'), '')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const refused = { code: 'UNSAFE_PATH', message: expect.stringContaining('refusing the checkpoint archive') }

describe('an archive', () => {
  test('gives back what was exported, byte by byte, for root alone', async () => {
    await writeArchive(images, file, FACTS, KEY)
    expect(await readArchive(file, into, KEY)).toEqual(FACTS)
    expect(readdirSync(into).sort()).toEqual(['core-1.img', 'empty.img', 'pages-1.img'])
    for (const name of readdirSync(into)) {
      expect(readFileSync(join(into, name)).equals(readFileSync(join(images, name)))).toBe(true)
    }
  })

  test('replaces no file', async () => {
    writeFileSync(file, 'mine')
    await expect(writeArchive(images, file, FACTS, KEY)).rejects.toMatchObject({ code: 'EEXIST' })
    expect(readFileSync(file, 'utf8')).toBe('mine')
  })

  test('follows no link among the images', async () => {
    symlinkSync('/etc/shadow', join(images, 'link.img'))
    await expect(writeArchive(images, file, FACTS, KEY)).rejects.toMatchObject({ code: 'ELOOP' })
  })

  const changes: Record<string, (whole: Buffer) => Buffer> = {
    'a byte of the list': whole => flip(whole, 600),
    'a byte of the seal': whole => flip(whole, whole.indexOf('tspod-checkpoint.hmac') + 520),
    'a byte of an image': whole => flip(whole, whole.length - 5000),
    'an image less': whole =>
      Buffer.concat([whole.subarray(0, whole.indexOf('checkpoint/core-1.img')), Buffer.alloc(1024)]),
    'a member more': whole =>
      Buffer.concat([
        whole.subarray(0, -1024),
        writeHeader({ name: 'checkpoint/more.img', size: 0 }),
        Buffer.alloc(1024),
      ]),
    'cut off': whole => whole.subarray(0, 100_000),
    empty: () => Buffer.alloc(0),
    'not an archive': () => Buffer.from('hello'.repeat(1000)),
  }
  for (const [name, change] of Object.entries(changes)) {
    test(`changed on its way (${name}) is refused`, async () => {
      await writeArchive(images, file, FACTS, KEY)
      writeFileSync(file, change(readFileSync(file)))
      await expect(readArchive(file, into, KEY)).rejects.toMatchObject(refused)
    })
  }

  test('of another installation is refused before anything is written', async () => {
    await writeArchive(images, file, FACTS, Buffer.alloc(32, 2))
    await expect(readArchive(file, into, KEY)).rejects.toMatchObject(refused)
    expect(readdirSync(into)).toEqual([])
  })

  test('writes through no link that waits where it goes', async () => {
    await writeArchive(images, file, FACTS, KEY)
    symlinkSync(join(directory, 'canary'), join(into, 'core-1.img'))
    await expect(readArchive(file, into, KEY)).rejects.toMatchObject({ code: 'EEXIST' })
    expect(existsSync(join(directory, 'canary'))).toBe(false)
  })
})

function flip(whole: Buffer, at: number): Buffer {
  const changed = Buffer.from(whole)
  changed[at] = (changed[at] ?? 0) ^ 1
  return changed
}

describe('headers', () => {
  /** A header with some of its fields changed and a checksum that fits again. */
  const header = (name: string, edit: (block: Buffer) => void = () => undefined): Buffer => {
    const block = writeHeader({ name, size: 10 })
    edit(block)
    block.write('        ', 148, 'latin1')
    const sum = block.reduce((total, byte) => total + byte, 0)
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    return block
  }
  const type = (letter: string) => (block: Buffer) => void block.write(letter, 156, 'latin1')

  test('of a plain image', () => {
    expect(readHeader(header('checkpoint/core-1.img'))).toEqual({ name: 'checkpoint/core-1.img', size: 10 })
  })
  test('the end', () => expect(readHeader(Buffer.alloc(512))).toBeUndefined())

  const hostile: Record<string, Buffer> = {
    'an absolute name': header('/etc/passwd'),
    'a way out': header('checkpoint/../../etc/passwd'),
    'a name of dots': header('checkpoint/..'),
    'a directory below': header('checkpoint/a/b'),
    'another directory': header('rootfs/a'),
    'no name': header(''),
    'a control character': header('checkpoint/a\u001b[2J'),
    'a symbolic link': header('checkpoint/a', type('2')),
    'a hard link': header('checkpoint/a', type('1')),
    'a character device': header('checkpoint/a', type('3')),
    'a block device': header('checkpoint/a', type('4')),
    'a directory': header('checkpoint/a', type('5')),
    'a FIFO': header('checkpoint/a', type('6')),
    'a pax header': header('checkpoint/a', type('x')),
    'a long name of GNU': header('checkpoint/a', type('L')),
    'a sparse file of GNU': header('checkpoint/a', type('S')),
    'a file of the old type': header('checkpoint/a', type('\0')),
    'a prefix': header('checkpoint/a', block => void block.write('/etc', 345, 'latin1')),
    'a size in base 256': header('checkpoint/a', block => void block.writeUInt8(0x80, 124)),
    'no size': header('checkpoint/a', block => void block.fill(0, 124, 136)),
    'another format': header('checkpoint/a', block => void block.write('xstar', 257, 'latin1')),
    'a wrong checksum': flip(header('checkpoint/a'), 3),
  }
  for (const [name, block] of Object.entries(hostile)) {
    test(`${name} is refused`, () => expect(() => readHeader(block)).toThrow(expect.objectContaining(refused)))
  }
})

describe('the list', () => {
  const member = { name: 'a.img', size: 1, sha256: '0'.repeat(64) }
  const good = { version: 1, facts: FACTS, members: [member] }
  test('as it is written', () => expect(checkManifest(JSON.stringify(good))).toEqual(good))

  const hostile: Record<string, string> = {
    'no JSON': '{',
    nothing: 'null',
    'another version': JSON.stringify({ ...good, version: 2 }),
    'no facts': JSON.stringify({ ...good, facts: undefined }),
    'a pod that is no text': JSON.stringify({ ...good, facts: { ...FACTS, pod: {} } }),
    'a way out': JSON.stringify({ ...good, members: [{ ...member, name: '../a' }] }),
    'the same twice': JSON.stringify({ ...good, members: [member, member] }),
    'a negative size': JSON.stringify({ ...good, members: [{ ...member, size: -1 }] }),
    'a huge size': JSON.stringify({ ...good, members: [{ ...member, size: 2 ** 40 }] }),
    'a huge sum': JSON.stringify({
      ...good,
      members: Array.from({ length: 10 }, (_, index) => ({ ...member, name: `${index}.img`, size: 8 * 1024 ** 3 - 1 })),
    }),
    'too many': JSON.stringify({
      ...good,
      members: Array.from({ length: 10_001 }, (_, index) => ({ ...member, name: `${index}.img` })),
    }),
  }
  for (const [name, text] of Object.entries(hostile)) {
    test(`${name} is refused`, () => expect(() => checkManifest(text)).toThrow(expect.objectContaining(refused)))
  }
})
