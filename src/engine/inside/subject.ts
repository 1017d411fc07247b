/** The container an operation looks into, and its root file system as the container itself sees it. */
import { closeSync, existsSync, constants as fsConstants, fstatSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isMissing, isTspodError, TspodError } from '../../errors.ts'
import { processStart } from '../../files.ts'
import { plainRoot, type Root, walkInside } from '../../inside.ts'
import type { IdMaps } from '../../model.ts'
import type { OciConfig } from '../../oci/index.ts'
import { podRunDirectory } from '../../paths.ts'
import type { EngineContext } from '../context.ts'
import { configOf } from '../play/index.ts'
import type { ContainerState, ContainerView, PodView } from '../types/index.ts'
import { find } from '../view/index.ts'
import { plainPath } from '../volumes/index.ts'

export type Subject = { pod: PodView; container: ContainerView }

/**
 * The container that is meant; of a pod the first regular one, as `exec` has it.
 * @throws NO_SUCH_OBJECT in Podman's words.
 */
export async function subjectOf(context: EngineContext, nameOrId: string): Promise<Subject> {
  const found = await find(context, nameOrId).catch(error => {
    throw isTspodError(error, 'NO_SUCH_OBJECT') ? noSuchContainer(nameOrId, error) : error
  })
  if (found.kind === 'container') return found
  const container = found.pod.containers.find(({ kind }) => kind === 'regular')
  if (container === undefined) throw noSuchContainer(nameOrId, undefined)
  return { pod: found.pod, container }
}

const noSuchContainer = (nameOrId: string, cause: unknown): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `no container with name or ID "${nameOrId}" found: no such container`, {
    remedy: 'see what there is: tspod ps -a',
    cause,
  })

const HAS_PROCESS: readonly ContainerState[] = ['created', 'running', 'paused', 'stopping']

/** The main process, as long as the container has one that is not known to have ended. */
export const processOf = ({ pid, state }: ContainerView): number | undefined =>
  HAS_PROCESS.includes(state) ? pid : undefined

export type OpenedRoot = Root & { config: OciConfig; close(): Promise<void> }

/**
 * Opens the root of a container. One with a process is seen through it, with all that is mounted there; of another one
 * the root file system is mounted meanwhile, and its volumes are put in place by `mounts`.
 * @throws WRONG_STATE when it has no root file system (yet).
 */
export async function openRoot(context: EngineContext, { pod, container }: Subject): Promise<OpenedRoot> {
  const config = await configOf(context, container.id)
  if (config === undefined) throw noRoot(container)
  const ids = mapsIn(config)
  const mapped = `${join(podRunDirectory(context.paths, pod.id), 'subpaths')}/`
  const fd = liveRoot(container, config.root.path)
  if (fd !== undefined) {
    const root: Root = { fd, mounts: new Map(), readOnly: false, ids }
    // Where owners are mapped, the host's root cannot write: those volumes are taken as they are.
    if (ids !== undefined) root.mounts = volumesOf(root, config, mapped, true)
    return { ...root, config, close: async () => closeSync(fd) }
  }
  const { path, release } = await mountedPath(context, container, config)
  try {
    const root = plainRoot(path)
    root.readOnly = config.root.readonly === true
    root.ids = ids
    root.mounts = volumesOf(root, config, mapped, false)
    return {
      ...root,
      config,
      close: async () => {
        closeSync(root.fd)
        await release()
      },
    }
  } catch (error) {
    await release()
    throw error
  }
}

/**
 * The path of a container's root file system on the host, mounted until `release` is called.
 * @throws WRONG_STATE when there is none.
 */
export async function mountedPath(
  context: EngineContext,
  container: ContainerView,
  config: OciConfig | undefined,
): Promise<{ path: string; release(): Promise<void> }> {
  if (hasOwnDirectory(container) && config !== undefined)
    return { path: config.root.path, release: async () => undefined }
  const rootfs = await context.rootfs()
  if (!(await rootfs.list()).includes(container.id)) throw noRoot(container)
  const path = await rootfs.remount(container.id)
  return { path, release: () => rootfs.release(container.id) }
}

/** Pause containers stand on an empty directory of ours, not on an image. */
export const hasOwnDirectory = ({ kind }: ContainerView): boolean => kind === 'infra' || kind === 'service'

const noRoot = (container: ContainerView): TspodError =>
  new TspodError('WRONG_STATE', `container ${container.name} has no root file system: container state improper`, {
    remedy: `it is ${container.state}: start its pod first`,
  })

/**
 * A descriptor of the root of the container's own process. Undefined when the process is gone, or when it has made
 * something else its root: CAP_SYS_CHROOT is among the default capabilities.
 */
function liveRoot(container: ContainerView, expected: string): number | undefined {
  const pid = processOf(container)
  if (pid === undefined) return undefined
  const start = processStart(pid)
  let fd: number
  try {
    fd = openSync(`/proc/${pid}/root`, fsConstants.O_RDONLY | fsConstants.O_DIRECTORY)
  } catch {
    return undefined
  }
  const [own, wanted] = [fstatSync(fd), statSync(expected, { throwIfNoEntry: false })]
  const genuine = own.dev === wanted?.dev && own.ino === wanted.ino
  // It was this process all along, and no later one with its pid.
  if (genuine && start !== undefined && processStart(pid) === start) return fd
  closeSync(fd)
  return undefined
}

/** The user namespace of a container, as its runtime was told of it. */
export function mapsIn({ linux: { uidMappings, gidMappings } }: OciConfig): IdMaps | undefined {
  if (uidMappings === undefined || gidMappings === undefined) return undefined
  const ranges = (mappings: typeof uidMappings): IdMaps['uids'] =>
    mappings.map(({ containerID, hostID, size }) => ({ inside: containerID, outside: hostID, count: size }))
  return { uids: ranges(uidMappings), gids: ranges(gidMappings) }
}

/**
 * Bind mounts by the place where a runtime would mount them, links of the image followed.
 * @param mapped where sources begin that have mapped owners, in a container with a user namespace.
 * @param only those, and no others.
 */
function volumesOf(root: Root, config: OciConfig, mapped: string, only: boolean): Root['mounts'] {
  const mounts = new Map<string, { source: string; readOnly: boolean; ids: IdMaps | undefined }>()
  for (const mount of config.mounts) {
    if (mount.type !== 'bind' || mount.source === undefined) continue
    const isMapped = root.ids !== undefined && mount.source.startsWith(mapped) && existsSync(plainPath(mount.source))
    if (only && !isMapped) continue
    const entry = {
      source: isMapped ? plainPath(mount.source) : mount.source,
      readOnly: mount.options?.includes('ro') ?? false,
      ids: isMapped ? undefined : root.ids,
    }
    const held: number[] = []
    try {
      const { directory, name, found } = walkInside({ ...root, mounts }, mount.destination, held)
      const path = found?.path ?? join(directory.path, name)
      mounts.set(path, entry)
    } catch (error) {
      if (!isMissing(error)) throw error
      mounts.set(mount.destination, entry)
    } finally {
      for (const fd of held) closeSync(fd)
    }
  }
  return mounts
}
