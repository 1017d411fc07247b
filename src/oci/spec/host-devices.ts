/** Device nodes of the host: what one is, and the list a privileged container gets. */
import { lstat, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../../errors.ts'
import type { DeviceNumber, HostDevice } from './types.ts'

/** File systems of their own, or terminals that belong to the host's sessions. As in Podman. */
const NOT_PASSED_ON = new Set(['console', 'fd', 'mqueue', 'pts', 'shm'])
/** /dev of a large machine has some thousand nodes, three levels deep. */
const MAX_DEVICES = 16_384
const MAX_DEPTH = 8

/** Type and number of the device node at `path`; undefined when it is something else. Follows links. */
export async function deviceNumber(path: string): Promise<DeviceNumber | undefined> {
  const found = await stat(path, { bigint: true })
  if (found.isBlockDevice()) return { type: 'b', ...splitDevice(found.rdev) }
  return found.isCharacterDevice() ? { type: 'c', ...splitDevice(found.rdev) } : undefined
}

/** Major and minor number in the kernel's encoding of st_rdev (see makedev(3)). */
export function splitDevice(rdev: bigint): { major: number; minor: number } {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)
  return { major: Number(major), minor: Number(minor) }
}

/** All device nodes below `root`, without links, pseudo terminals and shared memory. */
export async function readHostDevices(root = '/dev'): Promise<HostDevice[]> {
  const found: HostDevice[] = []
  await collect(root, root, 0, found)
  return found
}

async function collect(root: string, directory: string, depth: number, found: HostDevice[]): Promise<void> {
  for (const name of await readdir(directory)) {
    if (directory === root && NOT_PASSED_ON.has(name)) continue
    const path = join(directory, name)
    const node = await lstat(path, { bigint: true }).catch(ignoreMissing)
    if (node === undefined || found.length >= MAX_DEVICES) continue
    if (node.isDirectory() && depth < MAX_DEPTH) await collect(root, path, depth + 1, found)
    if (!node.isBlockDevice() && !node.isCharacterDevice()) continue
    const type = node.isBlockDevice() ? 'b' : 'c'
    const owner = { uid: Number(node.uid), gid: Number(node.gid), mode: Number(node.mode & 0o777n) }
    found.push({ path, type, ...splitDevice(node.rdev), ...owner })
  }
}

function ignoreMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined
  throw error
}
