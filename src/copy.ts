/**
 * Copying trees that somebody else may be changing meanwhile. Both ends are walked by pinned directories, so a
 * source that is swapped for a link reads nothing outside, and a destination that is swapped writes nothing outside.
 * Only regular files are opened, and only after it is certain that they are: no FIFO is waited for, no device touched.
 * Hard links become files of their own; extended attributes and access control lists stay behind.
 */
import {
  chmodSync,
  chownSync,
  constants,
  fstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  type Stats,
  statfsSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs'
import { type FileHandle, open, opendir } from 'node:fs/promises'
import { posix } from 'node:path'
import { isMissing, TspodError } from './errors.ts'
import { mountId, removeTree } from './files.ts'
import { entryPath, holding, O_PATH, type Root, type Step, stepInto, unsafePath } from './inside.ts'
import { insideOf, outsideOf } from './namespaces.ts'
import { randomHex } from './random.ts'

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants

/** Two descriptors for each level. */
const MAX_DEPTH = 300
/** Somebody who keeps adding files while we copy does not keep us for ever. */
const MAX_ENTRIES = 5_000_000
const CHUNK_BYTES = 256 * 1024
const ZEROS = Buffer.alloc(CHUNK_BYTES)
/** proc, sysfs, cgroup (both), devpts, mqueue, securityfs, debugfs, tracefs and bpf, by statfs(2): views of the kernel. */
const KERNEL_FILE_SYSTEMS: readonly number[] = [
  0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x1cd1, 0x19800202, 0x73636673, 0x64626720, 0x74726163, 0xcafe4a11,
]
/** Files of the kernel say that they are empty and hold more. */
const MAX_UNSAID_BYTES = 1024 * 1024

const SET_ID = 0o6000
/** What the kernel shows in place of ids that a user namespace does not have. */
const NOBODY = 65_534

export type CopyHow = {
  /** Everything that is copied gets this owner, by the ids of the target's root; without it that of its source. */
  owner?: { uid: number; gid: number }
  /** Keep set-user-id and set-group-id where the owner stays the same. They never survive a change of owner. */
  keepSetId: boolean
  /** A directory may replace something else, and something else a directory. */
  overwrite: boolean
  /** Sum of the sizes files claim to have; without it as much as there is. */
  maxBytes?: number
  /** Told what is left out: FIFOs, sockets, devices, and file systems of the kernel below what is copied. */
  note(text: string): void
  signal: AbortSignal
}

/** One side of a copy: the root it lies in and the directory. */
export type Side = { root: Root; at: Step }

type Job = CopyHow & { entries: number; bytes: number; temporary: string; destination: Set<string> }

/**
 * Copies the file or directory that `from.at` names to the entry `name` of the directory `to.at`. What exists there is
 * replaced file by file, each as a whole; a directory is merged into one that exists.
 * Throws WRONG_STATE when one is a directory and the other is not, UNSAFE_PATH for a tree without end and when the
 * very thing that is named is no file, directory or link, COMMAND_ABORTED by the signal.
 */
export async function copyTo(from: Side, to: Side, name: string, how: CopyHow): Promise<void> {
  const stat = fstatSync(from.at.fd)
  if (!stat.isFile() && !stat.isDirectory()) throw unsafePath(from.at.path, `it is ${kindOf(stat)}`)
  await copyEntry(newJob(how), from, undefined, to, name, 0)
}

/** Copies everything in the directory `from.at` into the directory `to.at`. Throws as `copyTo`. */
export async function copyInto(from: Side, to: Side, how: CopyHow): Promise<void> {
  const job = newJob(how)
  const destination = keyOf(fstatSync(to.at.fd))
  if (keyOf(fstatSync(from.at.fd)) === destination) return
  job.destination.add(destination)
  await copyChildren(job, from, to, 0)
}

/** Writes one file's bytes over what is there, for a file that is a mount point and cannot be replaced. */
export async function copyOver(from: Side, target: Step, how: CopyHow): Promise<void> {
  const stat = fstatSync(from.at.fd)
  if (!stat.isFile()) throw unsafePath(from.at.path, `it is ${kindOf(stat)}`)
  refuseReadOnly(target)
  const file = await open(`/proc/self/fd/${target.fd}`, O_WRONLY | O_TRUNC | O_NONBLOCK)
  try {
    await copyBytes(from.at.fd, stat, file, how.signal)
  } finally {
    await file.close()
  }
}

const newJob = (how: CopyHow): Job => ({
  ...how,
  entries: 0,
  bytes: 0,
  temporary: `.tspod-cp-${randomHex(6)}`,
  destination: new Set(),
})

const keyOf = (stat: Stats): string => `${stat.dev}:${stat.ino}`

/** `parent` is the directory that a link is read from. */
async function copyEntry(
  job: Job,
  from: Side,
  parent: { at: Step; name: Buffer } | undefined,
  to: Side,
  name: string | Buffer,
  depth: number,
): Promise<void> {
  job.signal.throwIfAborted()
  if (++job.entries > MAX_ENTRIES) throw unsafePath(from.at.path, `it holds more than ${MAX_ENTRIES} entries`)
  if (depth > MAX_DEPTH) throw unsafePath(from.at.path, `it is more than ${MAX_DEPTH} directories deep`)
  const stat = fstatSync(from.at.fd)
  if (stat.isDirectory()) {
    // The copy of a directory into itself does not contain itself.
    if (job.destination.has(keyOf(stat))) return
    if (parent !== undefined && isKernelMount(from.at.fd, stat, parent.at.fd)) {
      job.note(`${from.at.path} is a file system of the kernel and was left out`)
      return
    }
    await copyDirectory(job, from, stat, to, name, depth)
    return
  }
  refuseReadOnly(to.at)
  job.bytes += stat.isFile() ? stat.size : 0
  if (job.bytes > (job.maxBytes ?? Number.POSITIVE_INFINITY)) {
    throw unsafePath(from.at.path, `with it there would be more than ${job.maxBytes} bytes`)
  }
  if (stat.isFile()) await copyFile(job, from.at, stat, to, name)
  else if (stat.isSymbolicLink() && parent !== undefined) await copyLink(job, parent, stat, to, name)
  else job.note(`${from.at.path} is ${kindOf(stat)} and was left out`)
}

/** A mount of what is made up by the kernel on the way: who copies a root does not mean it, and much of it reads badly. */
const isKernelMount = (fd: number, stat: Stats, parent: number): boolean =>
  stat.dev !== fstatSync(parent).dev && KERNEL_FILE_SYSTEMS.includes(statfsSync(`/proc/self/fd/${fd}`).type)

async function copyDirectory(
  job: Job,
  from: Side,
  stat: Stats,
  to: Side,
  name: string | Buffer,
  depth: number,
): Promise<void> {
  await holding(async held => {
    const { step, made } = await directoryAt(job, to, name, held)
    if (depth === 0) job.destination.add(keyOf(fstatSync(step.fd)))
    await copyChildren(job, from, { root: to.root, at: step }, depth)
    // A directory that was there keeps its owner and mode. Ours gets its times last: they change with its content.
    if (made) dress(job, step.fd, from.at, stat, step)
  })
}

async function copyChildren(job: Job, from: Side, to: Side, depth: number): Promise<void> {
  // Node gives names as bytes here as it does in readdir, which its types do not know.
  const directory = await opendir(`/proc/self/fd/${from.at.fd}`, { encoding: 'buffer' as BufferEncoding })
  for await (const entry of directory) {
    const name = entry.name as unknown as Buffer
    await holding(async held => {
      const at = ifThere(() => stepInto(from.root, from.at, name, held))
      if (at === undefined) return
      await copyEntry(job, { root: from.root, at }, { at: from.at, name }, to, name, depth + 1)
    })
  }
}

/** Opens the directory `name` of `to`, and makes it when nothing is there. */
async function directoryAt(
  job: Job,
  to: Side,
  name: string | Buffer,
  held: number[],
): Promise<{ step: Step; made: boolean }> {
  const existing = ifThere(() => stepInto(to.root, to.at, name, held))
  if (existing !== undefined && fstatSync(existing.fd).isDirectory()) return { step: existing, made: false }
  refuseReadOnly(to.at)
  const path = entryPath(to.at.fd, name)
  if (existing !== undefined) {
    if (!job.overwrite) throw cannotReplace(posix.join(to.at.path, name.toString()), 'a directory', 'something else')
    unlinkSync(path)
  }
  mkdirSync(path, 0o700)
  const fd = openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW)
  held.push(fd)
  return { step: { ...to.at, fd, path: posix.join(to.at.path, name.toString()) }, made: true }
}

async function copyFile(job: Job, from: Step, stat: Stats, to: Side, name: string | Buffer): Promise<void> {
  await holding(async held => {
    const existing = ifThere(() => stepInto(to.root, to.at, name, held))
    if (existing !== undefined && mountId(existing.fd) !== mountId(to.at.fd) && fstatSync(existing.fd).isFile()) {
      await copyOver({ root: to.root, at: from }, existing, job)
      return
    }
    const temporary = entryPath(to.at.fd, job.temporary)
    const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      await copyBytes(from.fd, stat, file, job.signal)
      dress(job, file.fd, from, stat, to.at)
    } catch (error) {
      dropIfThere(temporary)
      throw error
    } finally {
      await file.close()
    }
    await moveTo(job, to, temporary, name)
  })
}

/** At most as much as the file held when it was looked at; blocks of zeros become holes. */
async function copyBytes(from: number, stat: Stats, target: FileHandle, signal: AbortSignal): Promise<void> {
  const source = await openToRead(from)
  try {
    const limit = stat.size === 0 ? MAX_UNSAID_BYTES : stat.size
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    let length = 0
    while (length < limit) {
      signal.throwIfAborted()
      const { bytesRead } = await source.read(buffer, 0, Math.min(CHUNK_BYTES, limit - length), length)
      if (bytesRead === 0) break
      const chunk = buffer.subarray(0, bytesRead)
      if (!chunk.equals(ZEROS.subarray(0, bytesRead))) await writeAll(target, chunk, length)
      length += bytesRead
    }
    await target.truncate(length)
  } finally {
    await source.close()
  }
}

/** @throws UNSAFE_PATH for a file of the kernel that nobody may read, root neither. */
async function openToRead(fd: number): Promise<FileHandle> {
  try {
    return await open(`/proc/self/fd/${fd}`, O_RDONLY | O_NONBLOCK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    throw unsafePath(readlinkSync(`/proc/self/fd/${fd}`), 'it may be written and not read')
  }
}

async function writeAll(target: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await target.write(chunk, done, chunk.length - done, position + done)
    done += bytesWritten
  }
}

async function copyLink(
  job: Job,
  from: { at: Step; name: Buffer },
  stat: Stats,
  to: Side,
  name: string | Buffer,
): Promise<void> {
  const target = readlinkSync(entryPath(from.at.fd, from.name), { encoding: 'buffer' })
  const temporary = entryPath(to.at.fd, job.temporary)
  symlinkSync(target, temporary)
  await holding(async held => {
    const fd = openSync(temporary, O_PATH | O_NOFOLLOW)
    held.push(fd)
    const owner = ownerIn(job, from.at, stat, to.at)
    // By its descriptor: what was put in its place meanwhile keeps its owner.
    chownSync(`/proc/self/fd/${fd}`, owner.uid, owner.gid)
    lutimesSync(temporary, stat.atime, stat.mtime)
  })
  await moveTo(job, to, temporary, name)
}

/** Gives an open file or directory of ours its owner, mode and times. */
function dress(job: Job, fd: number, from: Step, stat: Stats, to: Step): void {
  const path = `/proc/self/fd/${fd}`
  const { uid, gid, same } = ownerIn(job, from, stat, to)
  chownSync(path, uid, gid)
  chmodSync(path, stat.mode & (job.keepSetId && same ? 0o7777 : 0o7777 & ~SET_ID))
  utimesSync(path, stat.atime, stat.mtime)
}

/** Whom a copy is to belong to, as it is written where it goes, and whether that is who has the original. */
function ownerIn(job: Job, from: Step, stat: Stats, to: Step): { uid: number; gid: number; same: boolean } {
  const had = {
    uid: from.ids === undefined ? stat.uid : (insideOf(from.ids.uids, stat.uid) ?? NOBODY),
    gid: from.ids === undefined ? stat.gid : (insideOf(from.ids.gids, stat.gid) ?? NOBODY),
  }
  const { uid, gid } = job.owner ?? had
  const same = uid === had.uid && gid === had.gid
  if (to.ids === undefined) return { uid, gid, same }
  // An id that its namespace does not have becomes what it would be seen as there.
  const { uids, gids } = to.ids
  return {
    uid: outsideOf(uids, uid) ?? outsideOf(uids, NOBODY) ?? stat.uid,
    gid: outsideOf(gids, gid) ?? outsideOf(gids, NOBODY) ?? stat.gid,
    same,
  }
}

/** Replaces the entry `name` by what was made next to it. */
async function moveTo(job: Job, to: Side, temporary: Buffer, name: string | Buffer): Promise<void> {
  const path = entryPath(to.at.fd, name)
  try {
    renameSync(temporary, path)
  } catch (error) {
    if (job.overwrite && (error as NodeJS.ErrnoException).code === 'EISDIR') {
      await removeTree(path.toString())
      renameSync(temporary, path)
      return
    }
    dropIfThere(temporary)
    if ((error as NodeJS.ErrnoException).code !== 'EISDIR') throw error
    throw cannotReplace(posix.join(to.at.path, name.toString()), 'something else', 'a directory')
  }
}

/** What the container would be told by the kernel. Throws WRONG_STATE below a mount that may only be read. */
export function refuseReadOnly(step: Step): void {
  if (!step.readOnly) return
  throw new TspodError('WRONG_STATE', `${step.path} is read-only in the container: read-only file system`, {
    remedy: 'copy to a place where the container itself may write',
  })
}

const cannotReplace = (path: string, what: string, by: string): TspodError =>
  new TspodError('WRONG_STATE', `cannot put ${what} where ${by} is: ${path}`, {
    remedy: 'remove it first, or use --overwrite',
  })

function dropIfThere(path: Buffer): void {
  ifThere(() => unlinkSync(path))
}

function ifThere<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function kindOf(stat: Stats): string {
  if (stat.isFIFO()) return 'a FIFO'
  if (stat.isSocket()) return 'a socket'
  if (stat.isBlockDevice() || stat.isCharacterDevice()) return 'a device'
  return stat.isSymbolicLink() ? 'a symbolic link' : 'neither a file nor a directory'
}
