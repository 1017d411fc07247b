/**
 * The door to files that somebody else may be changing while we look: image roots, volumes, state directories.
 *
 * Node has no openat2, so a path is walked one component at a time through /proc/self/fd/N/component with
 * O_NOFOLLOW. Every step is pinned by its descriptor, so swapping a directory for a link changes nothing.
 */
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
} from 'node:fs'
import { type FileHandle, open, readdir, rename, rmdir, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isMissing } from './errors.ts'
import { O_PATH, plainRoot, unsafePath, walkInside } from './inside.ts'
import { randomHex } from './random.ts'

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

/** Deeper trees are taken apart from the top, so that a hostile one cannot use up our descriptors. */
const MAX_REMOVE_DEPTH = 32
/** Somebody who keeps adding files while we remove them does not keep us for ever: the last rmdir then fails. */
const MAX_REMOVE_ROUNDS = 100_000

/** Read at once, whatever a file says of its size. */
const LEAST_READ_BYTES = 4096

export type WriteOptions = {
  /** False below a run directory: a reboot forgets those files anyway, so nothing is synced. */
  durable?: boolean
}

/**
 * Replaces the file at `path` as a whole: a reader sees the old or the new content, a crash leaves one of the two.
 * `mode` is set exactly, whatever the umask. The directory must be one that only root writes to.
 */
export async function writeAtomic(
  path: string,
  data: string | Uint8Array,
  mode: number,
  options: WriteOptions = {},
): Promise<void> {
  const durable = options.durable ?? true
  const temporary = join(dirname(path), `.${basename(path)}.${randomHex(6)}`)
  const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    try {
      await file.writeFile(data)
      await file.chmod(mode)
      if (durable) await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
  if (durable) await syncDirectory(dirname(path))
}

/** Makes what was done to the entries of a directory last. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, O_RDONLY | O_DIRECTORY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

export type Opened = {
  /** An O_PATH descriptor: it names the file, reads nothing. */
  fd: number
  /** A path other processes can use while `fd` is open; it leads to the very file that was checked. */
  procPath: string
  /** What it is: never a link. */
  stat: BigIntStats
  close(): void
}

export type OpenHow = {
  /** What to make of the last component when it is missing; missing directories above it are made too. */
  create?: 'file' | 'directory'
  /** Permission bits of what is made (default 0o755 for directories, 0o644 for a file). */
  mode?: number
  /** Accept mount points on the way: for trees an administrator named, never for those a container fills. */
  acrossMounts?: boolean
}

/**
 * Opens `relative` below `rootDir` without following any link. `rootDir` itself is trusted and may be a link.
 * Throws UNSAFE_PATH for an absolute path, `..`, a link, or (without `acrossMounts`) another mount on the way;
 * the plain file-system error (ENOENT, ENOTDIR) when it is not there and not to be made.
 */
export function openBeneath(rootDir: string, relative: string, how: OpenHow = {}): Opened {
  const parts = safeParts(relative)
  let fd = openSync(rootDir, O_PATH | O_DIRECTORY)
  try {
    const mount = mountId(fd)
    for (const [index, part] of parts.entries()) {
      const last = index === parts.length - 1
      const next = openStep(fd, part, last ? how.create : how.create && 'directory', how.mode)
      closeSync(fd)
      fd = next
      const stat = fstatSync(fd)
      if (stat.isSymbolicLink()) throw unsafePath(relative, `${part} is a symbolic link`)
      if (!how.acrossMounts && mountId(fd) !== mount) throw unsafePath(relative, `something is mounted at ${part}`)
      if (!last && !stat.isDirectory())
        throw Object.assign(new Error(`${part} is not a directory`), { code: 'ENOTDIR' })
    }
    const opened = fd
    return {
      fd: opened,
      procPath: `/proc/${process.pid}/fd/${opened}`,
      stat: fstatSync(opened, { bigint: true }),
      close: () => closeSync(opened),
    }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** The components of a relative path; throws UNSAFE_PATH when it could leave its root by itself. */
function safeParts(relative: string): string[] {
  if (relative.startsWith('/')) throw unsafePath(relative, 'it is absolute')
  if (relative.includes('\0')) throw unsafePath(relative, 'it holds a NUL character')
  const parts = relative.split('/').filter(part => part !== '' && part !== '.')
  if (parts.includes('..')) throw unsafePath(relative, 'it holds ".."')
  return parts
}

function openStep(directory: number, part: string, create: OpenHow['create'], mode: number | undefined): number {
  const path = `/proc/self/fd/${directory}/${part}`
  if (create === undefined) return openSync(path, O_PATH | O_NOFOLLOW)
  try {
    return openSync(path, O_PATH | O_NOFOLLOW)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const exactMode = mode ?? (create === 'file' ? 0o644 : 0o755)
  const made = makeOne(path, create, exactMode)
  const fd = openSync(path, O_PATH | O_NOFOLLOW)
  // The umask took bits away; what is pinned by now is what gets them back. A planted link stays untouched.
  if (made && !fstatSync(fd).isSymbolicLink()) chmodSync(`/proc/self/fd/${fd}`, exactMode)
  return fd
}

/** Returns false when somebody else made it first. */
function makeOne(path: string, create: 'file' | 'directory', mode: number): boolean {
  try {
    if (create === 'directory') mkdirSync(path, mode)
    else closeSync(openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** The mount a descriptor belongs to: a bind mount of the same device differs only here. Throws when it is closed. */
export function mountId(fd: number): string {
  return /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? 'unknown'
}

/**
 * Reads the regular file `relative` below `rootDir`, following links the way a process with that root would:
 * an absolute link starts again at `rootDir`, and `..` never goes above it. Returns undefined when there is none.
 * Throws UNSAFE_PATH for anything but a regular file (a FIFO is not waited for), for a loop of links, and for more than
 * `maxBytes`; of which `end` gives the last ones instead.
 */
export function readBeneath(
  rootDir: string,
  relative: string,
  maxBytes: number,
  part: 'whole' | 'end' = 'whole',
): Buffer | undefined {
  const root = plainRoot(rootDir)
  const held = [root.fd]
  try {
    const fd = walkInside(root, relative, held).found?.fd
    if (fd === undefined) return undefined
    if (!fstatSync(fd).isFile()) throw unsafePath(relative, 'it is not a regular file')
    const file = openSync(`/proc/self/fd/${fd}`, O_RDONLY | O_NONBLOCK)
    held.push(file)
    return part === 'end' ? readEnd(file, maxBytes) : readBounded(file, relative, maxBytes)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  } finally {
    for (const fd of held) closeSync(fd)
  }
}

/**
 * Reads the regular file `relative` below `rootDir` without following any link. Returns undefined when there is none.
 * Throws UNSAFE_PATH for a link or a mount on the way, for anything but a regular file, and for more than `maxBytes`.
 */
export function readPlain(rootDir: string, relative: string, maxBytes: number): Buffer | undefined {
  let opened: Opened
  try {
    opened = openBeneath(rootDir, relative)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    if (!opened.stat.isFile()) throw unsafePath(relative, 'it is not a regular file')
    const file = openSync(`/proc/self/fd/${opened.fd}`, O_RDONLY | O_NONBLOCK)
    try {
      return readBounded(file, relative, maxBytes)
    } finally {
      closeSync(file)
    }
  } finally {
    opened.close()
  }
}

function readEnd(fd: number, maxBytes: number): Buffer {
  const buffer = Buffer.alloc(maxBytes)
  const length = readSync(fd, buffer, 0, maxBytes, Math.max(0, fstatSync(fd).size - maxBytes))
  return buffer.subarray(0, length)
}

function readBounded(fd: number, name: string, maxBytes: number): Buffer {
  const size = fstatSync(fd).size
  if (size > maxBytes) throw unsafePath(name, `it holds more than ${maxBytes} bytes`)
  // A file of the kernel says that it is empty, and one that is being written may grow meanwhile.
  let buffer = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(size, LEAST_READ_BYTES)) + 1)
  let length = 0
  for (;;) {
    const count = readSync(fd, buffer, length, buffer.length - length, null)
    if (count === 0) return buffer.subarray(0, length)
    length += count
    if (length > maxBytes) throw unsafePath(name, `it holds more than ${maxBytes} bytes`)
    if (length === buffer.length) {
      buffer = Buffer.concat([buffer], Math.min(2 * length, maxBytes + 1))
    }
  }
}

/**
 * Removes a file or a whole tree; what is already gone is success. Links are removed, never followed.
 * Throws UNSAFE_PATH when something is still mounted inside: what lies behind a mount is not ours to delete.
 */
export async function removeTree(path: string): Promise<void> {
  const parent = await openIfThere(dirname(path), O_RDONLY | O_DIRECTORY)
  if (parent === undefined) return
  try {
    await removeEntry(parent, Buffer.from(basename(path)), {
      path,
      top: undefined,
      mount: mountId(parent.fd),
      depth: 0,
    })
  } finally {
    await parent.close()
  }
}

type Removal = { path: string; top: FileHandle | undefined; mount: string; depth: number }

async function removeEntry(parent: FileHandle, name: Buffer, removal: Removal): Promise<void> {
  const path = Buffer.concat([Buffer.from(`/proc/self/fd/${parent.fd}/`), name])
  if (await unlinked(path, removal.path)) return
  const directory = await openIfThere(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  if (directory === undefined) return
  try {
    if (mountId(directory.fd) !== removal.mount) throw unsafePath(removal.path, `something is still mounted at ${name}`)
    await emptyDirectory(directory, path, removal)
  } finally {
    await directory.close()
  }
}

async function emptyDirectory(directory: FileHandle, path: Buffer, removal: Removal): Promise<void> {
  if (removal.top !== undefined && removal.depth >= MAX_REMOVE_DEPTH) {
    await rename(path, `/proc/self/fd/${removal.top.fd}/.gone-${randomHex(8)}`)
    return
  }
  const inner = { ...removal, top: removal.top ?? directory, depth: removal.depth + 1 }
  // More than one round only for the outermost directory, where deep branches of the tree have been moved to.
  for (let round = 0; round < MAX_REMOVE_ROUNDS; round++) {
    const names = await namesIn(directory)
    if (names.length === 0) break
    for (const name of names) await removeEntry(directory, name, inner)
  }
  await rmdir(path).catch(ignoreMissing)
}

const namesIn = (directory: FileHandle): Promise<Buffer[]> =>
  readdir(`/proc/self/fd/${directory.fd}`, { encoding: 'buffer' })

/** True when it was no directory and is gone now. */
async function unlinked(path: Buffer, within: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (error) {
    if (isMissing(error)) return true
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EISDIR') return false
    throw code === 'EBUSY' ? unsafePath(within, 'something is still mounted inside') : error
  }
}

async function openIfThere(path: string | Buffer, flags: number): Promise<FileHandle | undefined> {
  return await open(path, flags).catch(ignoreMissing)
}

function ignoreMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined
  throw error
}

/**
 * When process `pid` started, in clock ticks since boot (field 22 of /proc/PID/stat, see proc(5)): with the pid it
 * names one process. Returns undefined when there is none, or only a zombie that nobody reaped.
 */
export function processStart(pid: number): string | undefined {
  let text: string
  try {
    // Whatever a process calls itself: Node reads UTF-8 in one call, and anything else in five.
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The command name may hold spaces and brackets, so fields are counted from the last bracket.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, start] = [fields[0], fields[19]]
  return state === 'Z' || state === 'X' ? undefined : start
}

/** The names in a directory; none when it is not there. */
export function entryNames(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
