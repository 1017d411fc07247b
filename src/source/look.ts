/**
 * One look at a plain directory that somebody may be changing. Nothing is followed that leads out of it, nothing is
 * opened but regular files, and what changed while it was read is told.
 */
import { closeSync, constants, fstatSync, opendirSync, openSync, readlinkSync, readSync, type Stats } from 'node:fs'
import { posix } from 'node:path'
import { isMissing, isTspodError } from '../errors.ts'
import { entryPath, O_PATH, type Root, walkInside } from '../inside.ts'
import { isBeingWritten } from '../syscalls.ts'
import type { Refusal } from './failure.ts'
import { LIMITS, nameProblem, type TreeEntry, tooLarge } from './tree.ts'

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants
const WORLD_WRITABLE = 0o002

/** What of a directory is looked at. */
export type Wanted = {
  /** Directories below it too. */
  recursive: boolean
  /** Whether an entry counts: others are not even opened. */
  counts(path: string): boolean
  /** Links are entries of their own; without it one is what it leads to, inside. */
  keepLinks: boolean
}

export type Look = {
  entries: TreeEntry[]
  contents: Map<string, Buffer>
  refusals: Refusal[]
  /** Files that changed while they were read, or that somebody is writing. */
  unsettled: string[]
  /** Two looks with the same one saw the same. */
  fingerprint: string
  /** Time of the last change of anything in it. */
  youngestMs: number
}

type Looking = Look & { wanted: Wanted; root: Root; owner: number; marks: string[]; bytes: number }

/** Looks at everything that counts below `root`. Throws the plain file-system error when the top cannot be listed. */
export function lookAt(root: Root, wanted: Wanted): Look {
  const top = fstatSync(root.fd)
  const looking: Looking = {
    ...{ wanted, root, owner: top.uid, marks: [], bytes: 0 },
    ...{ entries: [], contents: new Map(), refusals: [], unsettled: [], fingerprint: '', youngestMs: 0 },
  }
  lookInto(looking, root.fd, '', 0)
  const { entries, contents, refusals, unsettled, youngestMs } = looking
  return { entries, contents, refusals, unsettled, youngestMs, fingerprint: looking.marks.join('\n') }
}

function lookInto(looking: Looking, directory: number, path: string, depth: number): void {
  const before = fstatSync(directory)
  mark(looking, path, before)
  const why = ownerProblem(looking, before)
  if (why !== undefined) looking.refusals.push({ file: path === '' ? 'the directory' : path, why })
  for (const name of namesIn(directory)) {
    const file = posix.join(path, name.toString())
    if (looking.entries.length > LIMITS.entries || looking.bytes > LIMITS.totalBytes) return
    lookAtEntry(looking, directory, name, file, depth)
  }
  if (!sameMoment(before, fstatSync(directory))) looking.unsettled.push(path === '' ? '.' : path)
}

/** The names as bytes, sorted, as many as there may be and one more. */
function namesIn(directory: number): Buffer[] {
  // Node gives names as bytes here as it does in readdir, which its types do not know.
  const listing = opendirSync(`/proc/self/fd/${directory}`, { encoding: 'buffer' as BufferEncoding })
  const names: Buffer[] = []
  try {
    for (let entry = listing.readSync(); entry !== null; entry = listing.readSync()) {
      names.push(entry.name as unknown as Buffer)
      if (names.length > MAX_NAMES) break
    }
  } finally {
    listing.closeSync()
  }
  return names.sort(Buffer.compare)
}

/** In one directory, counting or not: listing it has to end. */
const MAX_NAMES = 100_000

function lookAtEntry(looking: Looking, directory: number, name: Buffer, file: string, depth: number): void {
  const { wanted } = looking
  if (!wanted.recursive && !wanted.counts(file)) return
  const fd = openEntry(directory, name)
  if (fd === undefined) {
    looking.unsettled.push(file)
    return
  }
  try {
    const stat = fstatSync(fd)
    if (stat.isDirectory()) {
      if (wanted.recursive && depth < LIMITS.depth && posix.basename(file) !== '.git') {
        withDirectory(fd, opened => lookInto(looking, opened, file, depth + 1))
      }
      return
    }
    if (!wanted.counts(file)) return
    const problem = nameProblem(file)
    if (problem !== undefined) looking.refusals.push({ file, why: problem })
    else if (stat.isSymbolicLink()) lookAtLink(looking, directory, name, file, stat)
    else lookAtFile(looking, fd, file, stat)
  } finally {
    closeSync(fd)
  }
}

function withDirectory(fd: number, use: (opened: number) => void): void {
  const opened = openSync(`/proc/self/fd/${fd}`, O_RDONLY | O_DIRECTORY)
  try {
    use(opened)
  } finally {
    closeSync(opened)
  }
}

function openEntry(directory: number, name: Buffer): number | undefined {
  try {
    return openSync(entryPath(directory, name), O_PATH | O_NOFOLLOW)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function lookAtLink(looking: Looking, directory: number, name: Buffer, file: string, stat: Stats): void {
  if (looking.wanted.keepLinks) {
    const target = readlinkSync(entryPath(directory, name), { encoding: 'buffer' })
    mark(looking, file, stat)
    add(looking, { path: file, kind: 'link', bytes: target.length }, target)
    return
  }
  const held: number[] = []
  try {
    const { found } = walkInside(looking.root, file, held)
    if (found === undefined) looking.refusals.push({ file, why: 'is a link that leads nowhere' })
    else if (!fstatSync(found.fd).isDirectory()) lookAtFile(looking, found.fd, file, fstatSync(found.fd))
  } catch (error) {
    if (isMissing(error)) looking.refusals.push({ file, why: 'is a link that leads nowhere' })
    else if (!isTspodError(error, 'UNSAFE_PATH')) throw error
    else looking.refusals.push({ file, why: 'is a link that leads out of the directory, or in a circle' })
  } finally {
    for (const fd of held) closeSync(fd)
  }
}

function lookAtFile(looking: Looking, fd: number, file: string, stat: Stats): void {
  const why = fileProblem(looking, stat)
  if (why !== undefined) {
    looking.refusals.push({ file, why })
    return
  }
  const readable = openSync(`/proc/self/fd/${fd}`, O_RDONLY | O_NONBLOCK)
  try {
    const before = fstatSync(readable)
    const bytes = readWhole(readable, before.size)
    mark(looking, file, before)
    const settled = bytes.length === before.size && sameMoment(before, fstatSync(readable))
    if (!settled || isBeingWritten(readable)) looking.unsettled.push(file)
    const executable = (before.mode & 0o100) !== 0
    add(looking, { path: file, kind: executable ? 'executable' : 'file', bytes: bytes.length }, bytes)
  } finally {
    closeSync(readable)
  }
}

function add(looking: Looking, entry: TreeEntry, bytes: Buffer): void {
  looking.entries.push(entry)
  looking.contents.set(entry.path, bytes)
  looking.bytes += entry.bytes
}

function fileProblem(looking: Looking, stat: Stats): string | undefined {
  if (!stat.isFile()) return `is ${whatItIs(stat)}`
  const limit = looking.wanted.keepLinks ? LIMITS.fileBytes : LIMITS.manifestBytes
  if (stat.size > limit) return tooLarge(limit)
  // Whoever may write to the directory can give it another name of a file that only root may read.
  if (stat.nlink > 1 && stat.uid !== looking.owner) return 'is another name of a file that is not theirs'
  return ownerProblem(looking, stat)
}

/** Whom the directory belongs to is trusted with it, and so is root: nobody else. */
function ownerProblem({ owner }: Looking, stat: Stats): string | undefined {
  if ((stat.mode & WORLD_WRITABLE) !== 0) return 'may be written by everybody'
  if (stat.uid === 0 || stat.uid === owner) return undefined
  return `belongs to user ${stat.uid}, and the directory to user ${owner}`
}

function whatItIs(stat: Stats): string {
  if (stat.isFIFO()) return 'a FIFO'
  if (stat.isSocket()) return 'a socket'
  return stat.isBlockDevice() || stat.isCharacterDevice() ? 'a device' : 'no regular file'
}

/** At most one byte more than it said: a file that grows is looked at again. */
function readWhole(fd: number, size: number): Buffer {
  const buffer = Buffer.allocUnsafe(size + 1)
  let length = 0
  while (length < buffer.length) {
    const count = readSync(fd, buffer, length, buffer.length - length, length)
    if (count === 0) break
    length += count
  }
  return buffer.subarray(0, length)
}

const sameMoment = (a: Stats, b: Stats): boolean => stamp(a) === stamp(b)
const stamp = (stat: Stats): string => `${stat.dev}:${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`

function mark(looking: Looking, file: string, stat: Stats): void {
  looking.marks.push(`${file} ${stamp(stat)}`)
  looking.youngestMs = Math.max(looking.youngestMs, stat.ctimeMs, stat.mtimeMs)
}
