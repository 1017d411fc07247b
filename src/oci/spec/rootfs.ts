/** The root file system of an image, before a runtime mounts into it. */
import { chownSync } from 'node:fs'
import { openBeneath } from '../../files.ts'

/** Where the sandbox mounts file systems of the kernel; runtimes also make links and nodes in /dev. */
const MOUNT_POINTS = ['dev', 'proc', 'sys']

/**
 * Makes sure that /dev, /proc and /sys of a root file system are directories of its own, and makes those that are
 * missing. runc 1.1.5 mounts our /dev where an image's link leads inside the root, but then makes `ptmx` and the
 * links to standard streams where that link leads on the *host* (measured; the class of CVE-2026-41579).
 * With `owner`, the root of a user namespace on the host, they and the root directory become its, as they are of what
 * the image store knows nothing of. Call it before every start. Throws UNSAFE_PATH when one of them is a link; a plain file there is for the runtime to
 * refuse.
 */
export function secureRootfs(rootfs: string, owner?: { uid: number; gid: number }): void {
  if (owner !== undefined) chownSync(rootfs, owner.uid, owner.gid)
  for (const name of MOUNT_POINTS) {
    const opened = openBeneath(rootfs, name, { create: 'directory', mode: 0o755 })
    try {
      if (owner !== undefined) chownSync(opened.procPath, owner.uid, owner.gid)
    } finally {
      opened.close()
    }
  }
}
