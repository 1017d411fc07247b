/** `mount`, `unmount`, `export` and `diff`: a container's root file system on the host. */
import { open } from 'node:fs/promises'
import { posix } from 'node:path'
import { TspodError } from '../../errors.ts'
import type { Id } from '../../model.ts'
import type { OciConfig, RootChange } from '../../oci/index.ts'
import type { EngineContext } from '../context.ts'
import { tellOf } from '../events/index.ts'
import { configOf } from '../play/index.ts'
import type { ContainerView } from '../types/index.ts'
import { loadAll } from '../view/index.ts'
import { packTree } from './archive.ts'
import { hasOwnDirectory, mapsIn, mountedPath, processOf, subjectOf } from './subject.ts'
import type { Changes, MountedContainer } from './types.ts'

/**
 * Mounts the container's root file system once more and returns where it is.
 * @throws NO_SUCH_OBJECT, WRONG_STATE when it has none.
 */
export async function mount(context: EngineContext, nameOrId: string): Promise<MountedContainer> {
  const { container } = await subjectOf(context, nameOrId)
  const { path } = await mountedPath(context, container, await configOf(context, container.id))
  await tellOf(context, container, { action: 'mount', reason: '' })
  return { id: container.id, name: container.name, path }
}

/** What is mounted now, in the order of `ps`; spawns no process. */
export async function mounts(context: EngineContext): Promise<MountedContainer[]> {
  const mounted = await (await context.rootfs()).mounted()
  return (await allContainers(context)).flatMap(({ id, name }) => {
    const path = mounted.get(id)?.path
    return path === undefined ? [] : [{ id, name, path }]
  })
}

const allContainers = async (context: EngineContext): Promise<ContainerView[]> =>
  (await loadAll(context)).flatMap(({ view }) => view.containers)

/**
 * Takes one `mount` of a container back, with `force` all of them, and returns its id. The one mount that a container
 * with a process stands on always stays.
 * @throws NO_SUCH_OBJECT, WRONG_STATE in Podman's words when only that one is left.
 */
export async function unmount(context: EngineContext, nameOrId: string, how: { force: boolean }): Promise<Id> {
  const { container } = await subjectOf(context, nameOrId)
  await unmountOne(context, container, how.force)
  return container.id
}

/** Takes the mounts of all containers back, as far as they may be; returns the ids of those that were mounted. */
export async function unmountAll(context: EngineContext, how: { force: boolean }): Promise<Id[]> {
  const mounted = await (await context.rootfs()).mounted()
  const done: Id[] = []
  for (const container of await allContainers(context)) {
    const spare = (mounted.get(container.id)?.count ?? 0) - (processOf(container) === undefined ? 0 : 1)
    if (spare <= 0) continue
    await unmountOne(context, container, how.force)
    done.push(container.id)
  }
  return done
}

async function unmountOne(context: EngineContext, container: ContainerView, force: boolean): Promise<void> {
  const rootfs = await context.rootfs()
  const count = (await rootfs.mounted()).get(container.id)?.count ?? 0
  if (processOf(container) === undefined) {
    await (force ? rootfs.unmount(container.id) : rootfs.release(container.id))
  } else {
    if (count <= 1) throw stillNeeded(container)
    for (let left = count; left > (force ? 1 : count - 1); left--) await rootfs.release(container.id)
  }
  await tellOf(context, container, { action: 'unmount', reason: '' })
}

const stillNeeded = ({ id, name, state }: ContainerView): TspodError =>
  new TspodError(
    'WRONG_STATE',
    `cannot unmount storage for container ${id} as it is running or paused: container state improper`,
    { remedy: `${name} is ${state}: what it runs on goes when it has stopped` },
  )

/**
 * Writes the root file system of a container as an archive to the file `output`, or to standard output; volumes are
 * not part of it.
 * @throws NO_SUCH_OBJECT, WRONG_STATE, COMMAND_FAILED when tar could not.
 */
export async function exportRoot(
  context: EngineContext,
  nameOrId: string,
  output: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { container } = await subjectOf(context, nameOrId)
  const config = await configOf(context, container.id)
  const { path, release } = await mountedPath(context, container, config)
  try {
    if (output !== undefined) await makePrivate(output)
    await packTree(context, path, output, signal, config && mapsIn(config))
    await tellOf(context, container, { action: 'export', reason: '' })
  } finally {
    await release()
  }
}

/** A root file system may hold secrets: a file that is not there yet is made for its owner alone. */
export async function makePrivate(path: string): Promise<void> {
  try {
    await (await open(path, 'w', 0o600)).close()
  } catch (cause) {
    throw new TspodError('USAGE', `cannot write ${path}: ${(cause as Error).message}`, {
      remedy: 'name a file in a directory that exists',
      cause,
    })
  }
}

/**
 * How the root file system of a container differs from its image, by path; places that only serve as mount points
 * are left out.
 * @throws NO_SUCH_OBJECT, WRONG_STATE, COMMAND_FAILED.
 */
export async function diff(context: EngineContext, nameOrId: string): Promise<Changes> {
  const { container } = await subjectOf(context, nameOrId)
  const config = await configOf(context, container.id)
  // Only to have it say that there is no root file system, in the same words as the others.
  const { release } = await mountedPath(context, container, config)
  try {
    const changes = hasOwnDirectory(container) ? [] : await (await context.rootfs()).changes(container.id)
    return visibleChanges(changes, config)
  } finally {
    await release()
  }
}

/** Where runtimes mount something, or write what holds for the pod, whatever the configuration says. */
const ALWAYS_OURS = ['/dev', '/proc', '/sys', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf']

/** Leaves out mount points with everything below, and directories that changed only because of them. Pure. */
export function visibleChanges(changes: readonly RootChange[], config: Pick<OciConfig, 'mounts'> | undefined): Changes {
  const ours = new Set([
    ...ALWAYS_OURS,
    ...(config?.mounts ?? []).map(({ destination }) => posix.resolve('/', destination)),
  ])
  const isOurs = (path: string): boolean => {
    for (let at = path; at !== '/' && at !== '.'; at = posix.dirname(at)) if (ours.has(at)) return true
    return false
  }
  const aboveOurs = new Set([...ours].flatMap(ancestors))
  const theirs = changes.filter(({ path }) => !isOurs(path))
  const busy = new Set(theirs.filter(({ path }) => !aboveOurs.has(path)).flatMap(({ path }) => ancestors(path)))
  const shown = theirs.filter(({ path }) => !aboveOurs.has(path) || busy.has(path))
  const of = (kind: RootChange['kind']): string[] => shown.filter(one => one.kind === kind).map(({ path }) => path)
  return { changed: of('changed'), added: of('added'), deleted: of('deleted') }
}

function ancestors(path: string): string[] {
  const parent = posix.dirname(path)
  return parent === '/' || parent === '.' ? [] : [parent, ...ancestors(parent)]
}
