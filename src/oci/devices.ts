/** Devices of this host, for privileged containers. */
import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import type { HostDevice } from './spec/index.ts'

/** Made anew for each container; the host's own must not be shared. */
const NOT_SHARED = new Set(['/dev/pts', '/dev/shm', '/dev/mqueue', '/dev/hugepages', '/dev/console', '/dev/ptmx'])
/** /dev is shallow; what is deeper is not a device tree. */
const MAX_DEPTH = 4

/** All character and block devices below /dev, as `mknod` would need them. Links and other files are left out. */
export function readHostDevices(directory = '/dev', depth = 0): HostDevice[] {
  if (depth > MAX_DEPTH) return []
  return readdirSync(directory).flatMap(name => {
    const path = join(directory, name)
    if (NOT_SHARED.has(path)) return []
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined) return []
    if (found.isDirectory()) return readHostDevices(path, depth + 1)
    return found.isCharacterDevice() || found.isBlockDevice() ? [deviceOf(path, found)] : []
  })
}

function deviceOf(path: string, found: Stats): HostDevice {
  return {
    path,
    type: found.isCharacterDevice() ? 'c' : 'b',
    // The split of a device number that glibc's major() and minor() make.
    major: ((found.rdev >>> 8) & 0xfff) | (Math.floor(found.rdev / 2 ** 32) & ~0xfff),
    minor: (found.rdev & 0xff) | ((found.rdev >>> 12) & ~0xff & 0xfffff),
    mode: found.mode & 0o777,
    uid: found.uid,
    gid: found.gid,
  }
}
