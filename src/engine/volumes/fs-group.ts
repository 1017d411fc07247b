/** fsGroup: the files of a volume made usable for a group, whatever containers have put there. */
import { constants } from 'node:fs'
import { chmod, chown, type FileHandle, open, readdir } from 'node:fs/promises'
import { isMissing, TspodError } from '../../errors.ts'

/** Opens without touching: a FIFO does not wait, a device is not started. */
const O_PATH = 0o10000000
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants
const MAX_DEPTH = 512

/**
 * Gives the directory and all it holds to `group` with the kubelet's bits: group may read and write, directories pass
 * the group on to what is made in them. Links are left alone and never followed; every step is pinned by a
 * descriptor, because containers of other pods may be changing the tree. Set-user-id bits are not restored.
 * Throws VOLUME_INVALID for a tree deeper than 512 levels.
 */
export async function giveToGroup(path: string, group: number): Promise<void> {
  const root = await open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW)
  try {
    await giveOpened(root, group, 0)
  } finally {
    await root.close()
  }
}

async function giveOpened(file: FileHandle, group: number, depth: number): Promise<void> {
  const stat = await file.stat()
  if (stat.isSymbolicLink()) return
  // The descriptor is O_PATH: fchown and fchmod refuse it, its /proc path leads to the same file.
  const path = `/proc/self/fd/${file.fd}`
  const bits = stat.isDirectory() ? 0o2770 : 0o660
  if (stat.gid !== group) await chown(path, stat.uid, group)
  if ((stat.mode & bits) !== bits || stat.gid !== group) await chmod(path, (stat.mode & 0o1777) | bits)
  if (stat.isDirectory()) await giveChildren(path, group, depth + 1)
}

async function giveChildren(path: string, group: number, depth: number): Promise<void> {
  if (depth > MAX_DEPTH) throw tooDeep()
  for (const name of await readdir(path, { encoding: 'buffer' })) {
    const child = await openChild(Buffer.concat([Buffer.from(`${path}/`), name]))
    if (child === undefined) continue
    try {
      await giveOpened(child, group, depth)
    } finally {
      await child.close()
    }
  }
}

/** Undefined when it has been removed meanwhile. */
async function openChild(path: Buffer): Promise<FileHandle | undefined> {
  try {
    return await open(path, O_RDONLY | O_PATH | O_NOFOLLOW)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function tooDeep(): TspodError {
  return new TspodError('VOLUME_INVALID', `fsGroup cannot be applied: the volume is deeper than ${MAX_DEPTH} levels`, {
    remedy: 'remove fsGroup from the manifest, or the deep directories from the volume',
  })
}
