/**
 * Archives of checkpoints: a strict reader and writer of the few things that are in one.
 *
 *   tspod-checkpoint.json     facts, and size and SHA-256 of every image
 *   tspod-checkpoint.hmac     over that file, with the key of this installation
 *   checkpoint/NAME           CRIU's images, regular files without any directory below
 *
 * What CRIU restores runs as the images say: with any user, capability and mount, and without the seccomp filter that
 * is not in them. No look at an image tells a good one from a bad one, so an archive counts only when it was made by
 * an installation with the same key. Everything else is checked all the same, before a byte is written: names, types,
 * sizes, number. No mount, hook, device, annotation, runtime or image name is taken from an archive.
 */
import type * as Crypto from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../errors.ts'

/** Which container of which pod was checkpointed; only compared with what the store says, never used as it is. */
export type CheckpointFacts = { pod: string; container: string; imageId: string; createdMs: number }

type Member = { name: string; size: number; sha256: string }
type Manifest = { version: 1; facts: CheckpointFacts; members: Member[] }

const BLOCK = 512
const MANIFEST = 'tspod-checkpoint.json'
const SEAL = 'tspod-checkpoint.hmac'
const IMAGES = 'checkpoint/'
const IMAGE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/
const MAX_MEMBERS = 10_000
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024
/** The largest size that the plain form of a header can say. */
const MAX_MEMBER_BYTES = 8 * 1024 ** 3 - 1
const MAX_TOTAL_BYTES = 64 * 1024 ** 3
const CHUNK_BYTES = 1024 * 1024
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants

/** One member of a tar archive. */
export type Header = { name: string; size: number }

/**
 * The header in one block of 512 bytes; undefined for a block of zeros, which ends an archive.
 * Throws UNSAFE_PATH for anything but a plain file of the expected form: no link, device, directory, long name or
 * extension of the format, no bad checksum. Pure.
 */
export function readHeader(block: Buffer): Header | undefined {
  if (block.every(byte => byte === 0)) return undefined
  const field = (from: number, length: number): string => {
    const bytes = block.subarray(from, from + length)
    const end = bytes.indexOf(0)
    return bytes.subarray(0, end < 0 ? length : end).toString('latin1')
  }
  const octal = (from: number, length: number): number => {
    const text = field(from, length).trim()
    return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN
  }
  if (field(257, 5) !== 'ustar') throw hostile('it is not in the ustar format')
  if (octal(148, 8) !== checksum(block)) throw hostile('the checksum of a header is wrong')
  if (field(345, 155) !== '') throw hostile('a name is too long')
  const name = field(0, 100)
  const type = field(156, 1)
  if (type !== '0') throw hostile(`${JSON.stringify(name)} is not a plain file`)
  const size = octal(124, 12)
  if (!Number.isSafeInteger(size) || size > MAX_MEMBER_BYTES) throw hostile(`${JSON.stringify(name)} is too large`)
  const image = name.startsWith(IMAGES) ? name.slice(IMAGES.length) : undefined
  const known = image === undefined ? name === MANIFEST || name === SEAL : IMAGE_NAME.test(image)
  if (!known) throw hostile(`${JSON.stringify(name)} does not belong in one`)
  return { name, size }
}

/** The sum of all bytes, with that of the checksum itself taken as blanks. */
function checksum(block: Buffer): number {
  return block.reduce((sum, byte, index) => sum + (index >= 148 && index < 156 ? 32 : byte), 0)
}

/** The block that `readHeader` reads. Pure. */
export function writeHeader({ name, size }: Header): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, from: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, from, 'latin1')
  }
  block.write(name, 0, 'latin1')
  octal(0o600, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(0, 136, 12)
  block.write('0', 156, 'latin1')
  block.write('ustar\u000000', 257, 'latin1')
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** Costs 8 ms of every command that does not need it. */
const loadCrypto = (): Promise<typeof Crypto> => import('node:crypto')

const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK

/**
 * Writes the images in `directory` to the new file `file`, sealed with `key`.
 * Throws UNSAFE_PATH when the file exists, and for an image that no archive may hold.
 */
export async function writeArchive(
  directory: string,
  file: string,
  facts: CheckpointFacts,
  key: Buffer,
): Promise<void> {
  const crypto = await loadCrypto()
  const names = (await readdir(directory)).sort()
  const members: Member[] = []
  for (const name of names) members.push(await measure(directory, name, crypto))
  const manifest = Buffer.from(JSON.stringify({ version: 1, facts, members } satisfies Manifest))
  const target = await open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    const put = async (name: string, data: Buffer): Promise<void> => {
      await target.appendFile(Buffer.concat([writeHeader({ name, size: data.length }), data]))
      await target.appendFile(Buffer.alloc(padding(data.length)))
    }
    await put(MANIFEST, manifest)
    await put(SEAL, seal(manifest, key, crypto))
    for (const { name, size } of members) {
      await target.appendFile(writeHeader({ name: `${IMAGES}${name}`, size }))
      const source = await openImage(directory, name)
      try {
        await pump(source, size, chunk => target.appendFile(chunk))
      } finally {
        await source.close()
      }
      await target.appendFile(Buffer.alloc(padding(size)))
    }
    await target.appendFile(Buffer.alloc(2 * BLOCK))
    await target.sync()
  } finally {
    await target.close()
  }
}

const openImage = (directory: string, name: string): Promise<FileHandle> =>
  open(join(directory, name), O_RDONLY | O_NOFOLLOW)

async function measure(directory: string, name: string, crypto: typeof Crypto): Promise<Member> {
  if (!IMAGE_NAME.test(name)) throw hostile(`an image is called ${JSON.stringify(name)}`)
  const source = await openImage(directory, name)
  try {
    const found = await source.stat()
    if (!found.isFile() || found.size > MAX_MEMBER_BYTES)
      throw hostile(`the image ${name} is no plain file of its size`)
    const hash = crypto.createHash('sha256')
    await pump(source, found.size, chunk => hash.update(chunk))
    return { name, size: found.size, sha256: hash.digest('hex') }
  } finally {
    await source.close()
  }
}

const seal = (manifest: Buffer, key: Buffer, crypto: typeof Crypto): Buffer =>
  crypto.createHmac('sha256', key).update(manifest).digest()

/** Hands the next `size` bytes over in pieces; throws when there are fewer. */
async function pump(source: FileHandle, size: number, take: (chunk: Buffer) => unknown): Promise<void> {
  const buffer = Buffer.alloc(Math.min(size, CHUNK_BYTES))
  for (let left = size; left > 0; ) {
    const { bytesRead } = await source.read(buffer, 0, Math.min(left, buffer.length), null)
    if (bytesRead === 0) throw hostile('it ends too early')
    await take(buffer.subarray(0, bytesRead))
    left -= bytesRead
  }
}

/**
 * Unpacks `file` into the fresh private directory `into`, which is empty, and answers what it says it is. Nothing is
 * written before its list of members has been found to be sealed with `key`, and each image is compared with that.
 * Throws UNSAFE_PATH for an archive that is not exactly as `writeArchive` makes them; `into` is then to be removed.
 */
export async function readArchive(file: string, into: string, key: Buffer): Promise<CheckpointFacts> {
  const crypto = await loadCrypto()
  const source = await open(file, O_RDONLY)
  try {
    const { facts, members } = await readManifest(source, key, crypto)
    for (const member of members) {
      const header = await nextHeader(source)
      if (header?.name !== `${IMAGES}${member.name}` || header.size !== member.size) {
        throw hostile(`${member.name} is not where its list has it`)
      }
      await unpack(source, member, into, crypto)
    }
    if ((await nextHeader(source)) !== undefined) throw hostile('it holds more than its list')
    return facts
  } finally {
    await source.close()
  }
}

async function nextHeader(source: FileHandle): Promise<Header | undefined> {
  return readHeader(await take(source, BLOCK))
}

async function take(source: FileHandle, size: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  await pump(source, size, chunk => pieces.push(Buffer.from(chunk)))
  return Buffer.concat(pieces)
}

async function readManifest(source: FileHandle, key: Buffer, crypto: typeof Crypto): Promise<Manifest> {
  const member = async (name: string, maxBytes: number): Promise<Buffer> => {
    const header = await nextHeader(source)
    if (header?.name !== name || header.size > maxBytes) throw hostile(`it does not begin with ${name}`)
    const data = await take(source, header.size)
    await take(source, padding(header.size))
    return data
  }
  const text = await member(MANIFEST, MAX_MANIFEST_BYTES)
  const sealed = await member(SEAL, 32)
  const wanted = seal(text, key, crypto)
  if (sealed.length !== wanted.length || !crypto.timingSafeEqual(sealed, wanted)) throw foreign()
  return checkManifest(text.toString('utf8'))
}

/** The list of an archive, as strictly as if it were not sealed. Throws UNSAFE_PATH. Pure. */
export function checkManifest(text: string): Manifest {
  let manifest: Manifest | null
  try {
    manifest = JSON.parse(text) as Manifest | null
  } catch {
    throw hostile('its list cannot be read')
  }
  if (typeof manifest !== 'object' || manifest === null) throw hostile('its list cannot be read')
  const { version, facts, members } = manifest
  if (version !== 1) throw hostile(`its version is ${JSON.stringify(version)}`)
  const words = [facts?.pod, facts?.container, facts?.imageId]
  if (words.some(word => typeof word !== 'string' || word.length > 300)) throw hostile('its facts are incomplete')
  if (!Array.isArray(members) || members.length > MAX_MEMBERS) throw hostile('it holds too many images')
  let total = 0
  for (const { name, size, sha256 } of members) {
    if (!IMAGE_NAME.test(name) || !/^[0-9a-f]{64}$/.test(sha256)) throw hostile('its list cannot be read')
    if (!Number.isSafeInteger(size) || size < 0 || size > MAX_MEMBER_BYTES) throw hostile(`${name} is too large`)
    total += size
  }
  if (total > MAX_TOTAL_BYTES) throw hostile('it is too large')
  if (new Set(members.map(({ name }) => name)).size !== members.length) throw hostile('it holds something twice')
  return manifest
}

async function unpack(
  source: FileHandle,
  { name, size, sha256 }: Member,
  into: string,
  crypto: typeof Crypto,
): Promise<void> {
  const target = await open(join(into, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  const hash = crypto.createHash('sha256')
  try {
    await pump(source, size, async chunk => {
      hash.update(chunk)
      await target.appendFile(chunk)
    })
  } finally {
    await target.close()
  }
  await take(source, padding(size))
  if (hash.digest('hex') !== sha256) throw hostile(`${name} is not what was exported`)
}

const hostile = (why: string): TspodError =>
  new TspodError('UNSAFE_PATH', `refusing the checkpoint archive: ${why}`, {
    remedy: 'use an archive that `tspod checkpoint --export` wrote, as it is',
  })

const foreign = (): TspodError =>
  new TspodError('UNSAFE_PATH', 'refusing the checkpoint archive: another installation made it, or it was changed', {
    remedy: 'restore it where it was made: whoever makes an archive decides what runs as root',
  })
