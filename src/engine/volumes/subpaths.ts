/**
 * subPath mounts without races: what a subPath leads to is opened without following links, and that very file is
 * bound to a place of tspod's own, which the runtime then mounts (as the kubelet after CVE-2021-25741).
 */
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, TspodError } from '../../errors.ts'
import { type Opened, openBeneath, removeTree } from '../../files.ts'
import type { MountSpec } from '../../model.ts'
import type { Run } from '../../process.ts'
import type { VolumeSource } from './host-path.ts'
import { bindOpened, unmountBelow } from './mounts.ts'

export type Bound = { path: string; directory: boolean }

/**
 * Binds each subPath of one container below `directory` and returns where they are, in order. What an earlier
 * instance of the container had there is released first, so that a subPath is looked up anew at every start.
 * A missing directory is made inside the volume with the volume's own mode.
 * Throws UNSAFE_PATH when the way leads over a link, VOLUME_INVALID when there is nothing and nothing can be made.
 */
export async function bindSubPaths(
  directory: string,
  wanted: readonly { mount: MountSpec; source: VolumeSource }[],
  run: Run,
): Promise<Bound[]> {
  await releaseSubPaths(directory, run)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return await Promise.all(
    wanted.map(async ({ mount, source }, index) => {
      const opened = await openSubPath(mount, source)
      try {
        return await bindOne(opened, join(directory, String(index)), run)
      } finally {
        opened.close()
      }
    }),
  )
}

async function bindOne(opened: Opened, path: string, run: Run): Promise<Bound> {
  const directory = opened.stat.isDirectory()
  if (directory) await mkdir(path, { mode: 0o700 })
  else await writeFile(path, '', { mode: 0o600, flag: 'wx' })
  await bindOpened(opened.procPath, path, run)
  return { path, directory }
}

async function openSubPath(mount: MountSpec, source: VolumeSource): Promise<Opened> {
  const root = source.content ?? source.path
  const subPath = mount.subPath ?? ''
  try {
    const acrossMounts = source.trust === 'host'
    if (source.trust === 'ours') return openBeneath(root, subPath)
    const { mode } = await stat(root)
    return openBeneath(root, subPath, { create: 'directory', mode: mode & 0o7777, acrossMounts })
  } catch (error) {
    throw isMissing(error) ? noSubPath(mount) : error
  }
}

/** Removes the binds of one container; nothing there is success. */
export async function releaseSubPaths(directory: string, run: Run): Promise<void> {
  await unmountBelow([directory], run)
  await removeTree(directory)
}

function noSubPath(mount: MountSpec): TspodError {
  return new TspodError(
    'VOLUME_INVALID',
    `volume ${mount.volume} has no "${mount.subPath}" to mount on ${mount.path}`,
    {
      remedy: 'correct subPath: it names a key of a ConfigMap or Secret, or a path in the volume',
    },
  )
}
