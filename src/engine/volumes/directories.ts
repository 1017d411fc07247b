/** Directories of this host that containers write to. */
import { chmod, chown, lstat, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Paths, volumeDirectory } from '../../paths.ts'
import type { Owner } from './records.ts'

/** Where the files of a named volume are. */
export const claimData = (paths: Paths, name: string): string => join(volumeDirectory(paths, name), '_data')

/** Has the directory of a named volume there, and answers where; what is in it stays as it is. */
export async function makeClaim(paths: Paths, name: string, owner: Owner | undefined): Promise<string> {
  await mkdir(volumeDirectory(paths, name), { recursive: true, mode: 0o700 })
  const path = claimData(paths, name)
  // With an owner the mode is Podman's.
  await makeShared(path, owner === undefined ? 0o777 : 0o755, undefined, owner)
  return path
}

/**
 * A directory that containers may write to, by `mode` any user; one that exists keeps what containers made of it. Only what
 * a killed run of ours left half made (root's or the owner's, closed, empty) is finished.
 */
export async function makeShared(path: string, mode: number, group: number | undefined, owner?: Owner): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const found = await lstat(path)
    const closed = found.uid === 0 || found.uid === owner?.uid
    if (!closed || (found.mode & 0o7777) !== 0o700 || (await readdir(path)).length > 0) return
  }
  if (owner !== undefined) await chown(path, owner.uid, owner.gid)
  else if (group !== undefined) await chown(path, 0, group)
  await chmod(path, mode)
}
