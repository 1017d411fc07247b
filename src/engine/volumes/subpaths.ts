/**
 * subPath mounts without races: what a subPath leads to is opened without following links, and that very file is
 * bound to a place of tspod's own, which the runtime then mounts (as the kubelet after CVE-2021-25741). For a pod with
 * a user namespace that goes for whole volumes as well: there they are mounted with mapped owners, and once more as
 * they are, for `cp`.
 */
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, TspodError } from '../../errors.ts'
import { type Opened, openBeneath, removeTree } from '../../files.ts'
import type { MountSpec } from '../../model.ts'
import { bind, bindMapped } from '../../namespaces.ts'
import type { Run } from '../../process.ts'
import { isForPod, type VolumeSource } from './host-path.ts'
import { bindOpened, mountOf, readMountPoints, unmountBelow } from './mounts.ts'

export type Bound = { path: string; directory: boolean }

/**
 * Binds each subPath of one container below `directory` and returns where they are, in order. What an earlier
 * instance of the container had there is released first, so that a subPath is looked up anew at every start.
 * A missing directory is made inside the volume with the volume's own mode. With `userns`, the file of the pod's user
 * namespace, owners are mapped by it.
 * Throws UNSAFE_PATH when the way leads over a link, VOLUME_INVALID when there is nothing and nothing can be made.
 */
export async function bindSubPaths(
  directory: string,
  wanted: readonly Wanted[],
  run: Run,
  userns?: string,
): Promise<Bound[]> {
  await releaseSubPaths(directory, run)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return await Promise.all(
    wanted.map(async (item, index) => {
      const { mount, source } = item
      const path = join(directory, String(index))
      if (!mount.subPath) return bindOwned(item, source.path, source.directory, path, userns)
      const opened = await openSubPath(mount, source)
      try {
        const isDirectory = opened.stat.isDirectory()
        if (userns !== undefined && !isForPod(source))
          return await bindOwned(item, opened.procPath, isDirectory, path, userns)
        await makeTarget(path, isDirectory)
        await bindOpened(opened.procPath, path, run)
        return { path, directory: isDirectory }
      } finally {
        opened.close()
      }
    }),
  )
}

type Wanted = { mount: MountSpec; source: VolumeSource }

async function makeTarget(path: string, directory: boolean): Promise<void> {
  if (directory) await mkdir(path, { mode: 0o700 })
  else await writeFile(path, '', { mode: 0o600, flag: 'wx' })
}

/** Where what is mounted at `path` with mapped owners is mounted as it is. */
export const plainPath = (path: string): string => `${path}.plain`

/** A whole volume comes with what is mounted below it, a subPath without, as without a user namespace. */
async function bindOwned(
  { mount, source }: Wanted,
  from: string,
  directory: boolean,
  path: string,
  userns = '',
): Promise<Bound> {
  for (const target of [path, plainPath(path)]) await makeTarget(target, directory)
  bind(from, plainPath(path))
  if (bindMapped(from, path, userns, !mount.subPath)) return { path, directory }
  if (source.trust === 'image') {
    // Kernels do not map the owners of an overlay. Nobody may write to it anyway: its owners are nobody.
    bind(from, path)
    return { path, directory }
  }
  throw new TspodError('VOLUME_INVALID', `volume ${mount.volume}: ${cannotMap(source.path)}`, {
    remedy: 'use another directory for the volume, or leave out hostUsers: false',
  })
}

/** The owners of some file systems cannot be mapped: those of the kernel, of older kernels tmpfs as well. */
function cannotMap(path: string): string {
  const mounts = readMountPoints()
  const types = new Set(
    [mountOf(path, mounts), ...mounts.filter(mount => mount.path.startsWith(`${path}/`))].map(mount => mount?.type),
  )
  return `the owners of ${path} cannot be mapped into a user namespace (file systems there: ${[...types].join(', ')})`
}

async function openSubPath(mount: MountSpec, source: VolumeSource): Promise<Opened> {
  const root = source.content ?? source.path
  const subPath = mount.subPath ?? ''
  try {
    const acrossMounts = source.trust === 'host'
    if (source.trust === 'ours' || source.trust === 'image') return openBeneath(root, subPath)
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
