/**
 * Root file systems of pods that have a user namespace, where its root can reach them: the image store is closed to
 * everybody but the host's root, and a runtime enters the root of a container as the root of its pod.
 *
 *   <runRoot>                  0711 from the first such pod on
 *   <runRoot>/roots            0711
 *   <runRoot>/roots/POD        0700, the pod's root's
 *   <runRoot>/roots/POD/CTR    the root file system, bound
 */
import { chmod, chown, mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TspodError } from '../../errors.ts'
import type { Id } from '../../model.ts'
import { bind, outsideOf } from '../../namespaces.ts'
import { podRootsDirectory } from '../../paths.ts'
import type { PodWork } from '../context.ts'
import { unmountBelow } from '../volumes/index.ts'

export type Owner = { uid: number; gid: number }

/** Who root of the pod is on the host; undefined for a pod without a user namespace of its own. */
export function rootOf({ settings }: PodWork['pod']): Owner | undefined {
  if (settings.userns === undefined) return undefined
  const { uids, gids } = settings.userns
  return { uid: outsideOf(uids, 0) ?? 0, gid: outsideOf(gids, 0) ?? 0 }
}

/**
 * The path by which the runtime is to know a root file system: as it is, or where the pod's root can reach it.
 * @throws HOST_LACKS when the way to the run root is closed.
 */
export async function reachableRoot(work: PodWork, id: Id, rootfs: string): Promise<string> {
  const owner = rootOf(work.pod)
  if (owner === undefined) return rootfs
  const { paths } = work.context
  const roots = podRootsDirectory(paths, work.pod.id)
  const path = join(roots, id)
  await requireWay(dirname(paths.runRoot))
  await mkdir(dirname(roots), { recursive: true, mode: 0o700 })
  for (const open of [paths.runRoot, dirname(roots)]) await chmod(open, 0o711)
  await releaseRoot(work, id)
  await mkdir(path, { recursive: true, mode: 0o700 })
  await chown(roots, owner.uid, owner.gid)
  bind(rootfs, path)
  return path
}

async function requireWay(directory: string): Promise<void> {
  for (let path = directory; path !== '/'; path = dirname(path)) {
    if (((await stat(path)).mode & 0o001) !== 0) continue
    throw new TspodError('HOST_LACKS', `a pod with a user namespace cannot reach its files: ${path} is closed to it`, {
      remedy: `chmod o+x ${path}, or name another --runroot`,
    })
  }
}

/** Takes the bind of one container back; nothing there is success. */
export async function releaseRoot({ context, pod }: PodWork, id: Id): Promise<void> {
  if (pod.settings.userns === undefined) return
  await unmountBelow([join(podRootsDirectory(context.paths, pod.id), id)], context.run)
}
