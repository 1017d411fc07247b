/**
 * Paths inside a root that somebody else fills and may be changing: walked the way a process with that root would.
 *
 * Every component is opened by itself with O_NOFOLLOW below the descriptor of the one before, and links are read as
 * text and followed by us, so that neither a link nor a swapped directory leads out of the root.
 */
import { closeSync, constants, fstatSync, openSync, readlinkSync } from 'node:fs'
import { posix } from 'node:path'
import { TspodError } from './errors.ts'
import type { IdMaps } from './model.ts'

/** Names a file without opening it: no device is touched, no FIFO waits. Node does not list this Linux flag. */
export const O_PATH = 0o10000000
const { O_DIRECTORY, O_NOFOLLOW } = constants

const MAX_LINKS = 40
/** PATH_MAX allows half of it; with links in between a hostile tree could make a walk much longer. */
const MAX_STEPS = 4096

/** A directory tree as one sees it who has it as root. */
export type Root = {
  /** Descriptor of the top directory. */
  fd: number
  /** What is to be seen in place of what is there, by absolute path: mounts that exist in no mount namespace now. */
  mounts: ReadonlyMap<string, { source: string; readOnly: boolean; ids?: IdMaps | undefined }>
  readOnly: boolean
  /** A link or path that leads above the top is refused; without it, it ends there, as for a process with that root. */
  strict?: true
  /** How ids of the root's users are written in it; absent: as they are. Of each of `mounts` likewise. */
  ids?: IdMaps | undefined
}

/** One directory on the way of a walk. */
export type Step = { fd: number; path: string; readOnly: boolean; ids?: IdMaps | undefined }

/** Where a path has led to. */
export type Place = {
  /** The directory it is in: the root itself for `/`. */
  directory: Step
  /** Its name there, `.` for the root. */
  name: string
  /** What is there; a link only when the walk was not to follow the last one. Undefined when there is nothing. */
  found: Step | undefined
}

/**
 * Walks `path` (absolute or relative to the root) below `root`: an absolute link starts again at the root, and `..`
 * never goes above it. A missing last component is an answer, a missing one before it ENOENT.
 * Every descriptor it opens is put in `held` for the caller to close. Throws UNSAFE_PATH for a loop of links.
 */
export function walkInside(root: Root, path: string, held: number[]): Place {
  const top = topOf(root)
  let trail: Step[] = [top]
  const todo = path.split('/').reverse()
  let links = 0
  for (let steps = 0, part = todo.pop(); part !== undefined; part = todo.pop()) {
    if (++steps > MAX_STEPS) throw unsafePath(path, 'it is too long')
    const directory = trail.at(-1) ?? top
    if (part === '' || part === '.') continue
    if (part === '..') {
      if (trail.length > 1) trail.pop()
      else if (root.strict) throw unsafePath(path, 'it leads out')
      continue
    }
    const next = stepIfThere(root, directory, part, held)
    if (next === undefined) {
      if (todo.every(rest => rest === '' || rest === '.')) return { directory, name: part, found: undefined }
      throw Object.assign(new Error(`${posix.join(directory.path, part)} does not exist`), { code: 'ENOENT' })
    }
    if (!fstatSync(next.fd).isSymbolicLink()) {
      trail.push(next)
      continue
    }
    if (++links > MAX_LINKS) throw unsafePath(path, 'it is a loop of links')
    const target = readlinkSync(`/proc/self/fd/${directory.fd}/${part}`)
    if (root.strict && target.startsWith('/')) throw unsafePath(path, 'it leads out')
    if (target.startsWith('/')) trail = [top]
    todo.push(...target.split('/').reverse())
  }
  const found = trail.at(-1) ?? top
  return { directory: trail.at(-2) ?? top, name: posix.basename(found.path) || '.', found }
}

/** The root itself as the first step of a walk. */
export const topOf = ({ fd, readOnly, ids }: Root): Step => ({ fd, path: '/', readOnly, ids })

function stepIfThere(root: Root, directory: Step, part: string, held: number[]): Step | undefined {
  try {
    return stepInto(root, directory, part, held)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Opens one entry of a directory of the walk by O_PATH, without following it when it is a link; its descriptor is put
 * in `held`. Throws the plain file-system error.
 */
export function stepInto(root: Root, directory: Step, name: string | Buffer, held: number[]): Step {
  const path = posix.join(directory.path, name.toString())
  const mount = root.mounts.get(path)
  const fd =
    mount === undefined
      ? openSync(entryPath(directory.fd, name), O_PATH | O_NOFOLLOW)
      : // The source was checked when the container was made, in a place that is not the container's.
        openSync(mount.source, O_PATH)
  held.push(fd)
  const { readOnly, ids } = mount ?? directory
  return { fd, path, readOnly, ids }
}

/** Path of the entry `name` of an open directory, whatever bytes the name consists of. */
export const entryPath = (directory: number, name: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), typeof name === 'string' ? Buffer.from(name) : name])

/** A root on a plain directory, to be closed by the caller. The directory itself is trusted and may be a link. */
export function plainRoot(directory: string): Root {
  return { fd: openSync(directory, O_PATH | O_DIRECTORY), mounts: new Map(), readOnly: false }
}

/** Runs `use` and closes every descriptor that was put in the list meanwhile. */
export async function holding<T>(use: (held: number[]) => Promise<T>): Promise<T> {
  const held: number[] = []
  try {
    return await use(held)
  } finally {
    for (const fd of held) closeSync(fd)
  }
}

/** A refusal of a path, with the reason. */
export function unsafePath(path: string, why: string): TspodError {
  return new TspodError('UNSAFE_PATH', `refusing to use the path "${path}": ${why}`, {
    remedy: 'look at what put it there; tspod follows no link out of a volume or an image',
  })
}
