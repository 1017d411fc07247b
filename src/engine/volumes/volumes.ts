/**
 * The sources of a pod's volumes: made, checked and given to the pod's group before its containers are created.
 *
 *   <root>/pods/ID/volumes/NAME       disk emptyDirs
 *   <runRoot>/pods/ID/volumes/NAME    memory emptyDirs (a tmpfs each), ConfigMaps and Secrets
 *   <runRoot>/pods/ID/shm             /dev/shm of a pod with several containers
 *   <runRoot>/pods/ID/subpaths/C/N    bind mounts of what a subPath led to; in a pod with a user namespace all mounts
 *   <root>/volumes/NAME/_data         claims; they outlive their pods
 *
 * The directories above are for root alone, so modes inside are a matter between containers.
 * As in Kubernetes, and unlike Podman and Docker, nothing of the image is ever copied into an empty volume.
 */
import { chmod, lstat, mkdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { removeTree, writeAtomic } from '../../files.ts'
import type { ContainerSpec, Id, MountSpec, PodSpec, VolumeSpec } from '../../model.ts'
import { outsideOf } from '../../namespaces.ts'
import type { ResolvedMount, UserNamespace } from '../../oci/index.ts'
import { type Paths, podDirectory, podRootsDirectory, podRunDirectory } from '../../paths.ts'
import type { Run } from '../../process.ts'
import { claimData, makeClaim, makeShared } from './directories.ts'
import { giveToGroup } from './fs-group.ts'
import { checkHostPath, isForPod, type VolumeSource } from './host-path.ts'
import { type EmptyDir, emptyDirMode, memoryDir } from './memory.ts'
import { mountMemory, mountOf, readMountPoints, unmountBelow } from './mounts.ts'
import { projectFiles } from './projection.ts'
import type { Owner } from './records.ts'
import { type Bound, bindSubPaths } from './subpaths.ts'

/** What the containers of one pod can mount; handed to `mountsOf` as it is. */
export type PreparedVolumes = {
  sources: Map<string, VolumeSource>
  /** Directory of a tmpfs that the pod's containers share as /dev/shm; absent when there is one container only. */
  shm?: string
  runDirectory: string
  run: Run
  /** Of the pod's own: containers get volumes with the owners that it maps. */
  userns?: UserNamespace
}

/** As in Podman; memory used there counts against the container that touched it. */
const SHM_OPTIONS = 'size=64000k,mode=1777,nosuid,nodev,noexec'
/** f_type of tmpfs and ramfs, which keep nothing on a disk (see statfs(2)). */
const MEMORY_FILE_SYSTEMS = [0x01021994, 0x858458f6]

/** What volumes need of the rest of the engine. */
export type VolumeDoors = {
  /** Gives the path at which an image volume is mounted. */
  mountImage: (volume: VolumeSpec & { kind: 'image' }) => Promise<string>
  /** Whom a named volume is given to when its directory is made; undefined: everybody may write to it. */
  ownerOf: (claim: string) => Promise<Owner | undefined>
  /** Mounts what a named volume is made of; undefined for a plain directory. */
  mountClaim: (claim: string) => Promise<VolumeSource | undefined>
}

type Context = {
  pod: PodSpec
  disk: string
  memory: string
  paths: Paths
  run: Run
  doors: VolumeDoors
  userns: UserNamespace | undefined
}

/**
 * Makes the sources of all volumes of a pod, or finds them as an earlier call left them: emptyDirs keep their
 * content, projected files change only when their content did.
 * Throws VOLUME_INVALID when a hostPath is not what its type says, UNSAFE_PATH when something has been planted.
 */
export async function prepareVolumes(
  pod: PodSpec,
  podId: Id,
  paths: Paths,
  run: Run,
  doors: VolumeDoors,
  userns?: UserNamespace,
): Promise<PreparedVolumes> {
  const runDirectory = podRunDirectory(paths, podId)
  const [disk, memory] = [join(podDirectory(paths, podId), 'volumes'), join(runDirectory, 'volumes')]
  await Promise.all([disk, memory].map(path => mkdir(path, { recursive: true, mode: 0o700 })))
  const context = { pod, disk, memory, paths, run, doors, userns }
  const [shm, sources] = await Promise.all([
    sharedMemory(context, runDirectory),
    Promise.all(pod.volumes.map(async volume => [volume.name, await prepareOne(volume, context)] as const)),
  ])
  await giveClaims(context)
  return {
    sources: new Map(sources),
    runDirectory,
    run,
    ...(shm !== undefined && { shm }),
    ...(userns !== undefined && { userns }),
  }
}

function prepareOne(volume: VolumeSpec, context: Context): Promise<VolumeSource> {
  switch (volume.kind) {
    case 'hostPath':
      return checkHostPath(volume)
    case 'emptyDir':
      return volume.medium === 'disk' ? diskDir(volume, context) : memoryDir(volume, context)
    case 'files':
      return files(volume, context)
    case 'claim':
      return claim(volume, context)
    case 'image':
      return image(volume, context)
  }
}

async function diskDir(volume: EmptyDir, { disk, pod }: Context): Promise<VolumeSource> {
  const path = join(disk, volume.name)
  await makeShared(path, emptyDirMode(volume, pod), pod.security.fsGroup)
  return { path, readOnly: false, directory: true, trust: 'container' }
}

async function files(
  volume: VolumeSpec & { kind: 'files' },
  { memory, pod, run, userns }: Context,
): Promise<VolumeSource> {
  const path = join(memory, volume.name)
  await mkdir(path, { recursive: true, mode: 0o700 })
  // A secret must not reach a disk, and a custom run root may be on one.
  const secret = volume.source === 'secret' || volume.files.some(file => 'secret' in file)
  if (secret && !(await inMemory(memory))) {
    await mountMemory('tmpfs', path, 'mode=0755,nosuid,nodev,noexec', run)
  }
  await chmod(path, 0o755)
  const ready = volume.files.map(file => {
    if ('runtime' in file) throw new Error(`volume ${volume.name}: ${file.path} has no content yet`)
    return file
  })
  const content = await projectFiles(path, ready, pod.security.fsGroup, userns?.maps)
  return { path, readOnly: true, directory: true, trust: 'ours', content }
}

/** Nothing of it is ours, and nothing in it is run from there: the kubelet mounts it so too. */
async function image(volume: VolumeSpec & { kind: 'image' }, { doors }: Context): Promise<VolumeSource> {
  return { path: await doors.mountImage(volume), readOnly: true, directory: true, trust: 'image' }
}

async function inMemory(path: string): Promise<boolean> {
  return MEMORY_FILE_SYSTEMS.includes((await statfs(path)).type)
}

async function claim(volume: VolumeSpec & { kind: 'claim' }, { paths, doors }: Context): Promise<VolumeSource> {
  const mounted = await doors.mountClaim(volume.claim)
  if (mounted !== undefined) return { ...mounted, readOnly: mounted.readOnly || volume.readOnly }
  const path = await makeClaim(paths, volume.claim, await doors.ownerOf(volume.claim))
  return { path, readOnly: volume.readOnly, directory: true, trust: 'container' }
}

/** Containers of one pod share POSIX shared memory along with the IPC namespace; it lives as long as the pod. */
async function sharedMemory({ pod, run, userns }: Context, runDirectory: string): Promise<string | undefined> {
  if (pod.hostIpc || pod.containers.length + pod.initContainers.length < 2) return undefined
  const path = join(runDirectory, 'shm')
  await mkdir(path, { recursive: true, mode: 0o700 })
  // It lives as long as the namespace does: it may belong to its root, and needs no mapping.
  const owner = userns && `,uid=${outsideOf(userns.maps.uids, 0)},gid=${outsideOf(userns.maps.gids, 0)}`
  await mountMemory('tmpfs', path, `${SHM_OPTIONS}${owner ?? ''}`, run)
  return path
}

/**
 * Gives claims to the pod's fsGroup, once in the pod's life on this boot: a kubelet does it when it mounts a volume,
 * not at each container restart. hostPaths are never touched; emptyDirs and projected files got it when made.
 */
async function giveClaims({ pod, memory, paths, doors }: Context): Promise<void> {
  const group = pod.security.fsGroup
  const claims = pod.volumes.filter(volume => volume.kind === 'claim' && !volume.readOnly)
  if (group === undefined || claims.length === 0) return
  const done = join(memory, '.claims-given')
  if (await lstat(done).catch(() => undefined)) return
  for (const volume of claims) {
    // What is mounted there may be of others.
    if (volume.kind !== 'claim' || (await doors.mountClaim(volume.claim)) !== undefined) continue
    await giveToGroup(claimData(paths, volume.claim), group)
  }
  await writeAtomic(done, '', 0o600, { durable: false })
}

/**
 * The mounts of one container, in the order of the manifest, and the pod's shared /dev/shm. Called anew for every
 * start of a container: subPaths are looked up at that moment, so an init container may have made them.
 * Throws UNSAFE_PATH for a subPath over a link, VOLUME_INVALID for one that leads nowhere or for propagation where
 * the host does not share its mounts, SECURITY_REFUSED for Bidirectional without privileges.
 */
export async function mountsOf(container: ContainerSpec, prepared: PreparedVolumes): Promise<ResolvedMount[]> {
  const wanted = container.mounts.map(mount => ({ mount, source: sourceOf(mount, prepared) }))
  const { userns, run } = prepared
  for (const { mount, source } of wanted) checkPropagation(mount, source, container, userns)
  const bindable = wanted.filter(({ mount, source }) => mount.subPath || (userns && !isForPod(source)))
  const directory = join(prepared.runDirectory, 'subpaths', container.name)
  const bound = bindable.length === 0 ? [] : await bindSubPaths(directory, bindable, run, userns?.path)
  const mounts = wanted.map(item => toMount(item.mount, item.source, bound[bindable.indexOf(item)]))
  if (prepared.shm === undefined) return mounts
  const shm: ResolvedMount = {
    source: prepared.shm,
    target: '/dev/shm',
    readOnly: false,
    propagation: 'private',
    kind: 'bind',
  }
  return [{ ...shm, options: ['noexec'] }, ...mounts]
}

function sourceOf(mount: MountSpec, prepared: PreparedVolumes): VolumeSource {
  const source = prepared.sources.get(mount.volume)
  if (source === undefined) throw new Error(`volume ${mount.volume} was not prepared`)
  return source
}

function toMount(mount: MountSpec, source: VolumeSource, bound: Bound | undefined): ResolvedMount {
  const propagation = { None: 'private', HostToContainer: 'rslave', Bidirectional: 'rshared' } as const
  const readOnly = mount.readOnly || source.readOnly
  return {
    source: bound?.path ?? source.path,
    target: mount.path,
    readOnly,
    propagation: propagation[mount.propagation],
    kind: 'bind',
    // A file has nothing mounted below it, and crun 1.8 opens the target of `rro` as a directory.
    ...optionsOf(source, readOnly && (bound ?? source).directory),
    ...(mount.recursiveReadOnly && { recursive: true }),
    ...(source.device !== undefined && { device: source.device }),
  }
}

function optionsOf(source: VolumeSource, recursive: boolean): { options?: string[] } {
  const options = [...(recursive ? ['rro'] : []), ...(source.noexec || source.trust === 'image' ? ['noexec'] : [])]
  return options.length === 0 ? {} : { options }
}

function checkPropagation(
  mount: MountSpec,
  source: VolumeSource,
  container: ContainerSpec,
  userns: UserNamespace | undefined,
): void {
  if (mount.propagation === 'None') return
  const both = mount.propagation === 'Bidirectional'
  if (both && userns !== undefined) throw needsHostUsers(mount)
  if (both && !container.security.privileged) throw needsPrivileges(mount)
  const on = mountOf(source.path, readMountPoints())
  if (on?.shared || (on?.slave && !both)) return
  throw new TspodError(
    'VOLUME_INVALID',
    `mountPropagation of ${mount.path} cannot work: ${on?.path} shares no mounts`,
    {
      remedy: `share them first: mount --make-rshared ${on?.path}`,
    },
  )
}

/** The kernel lets mounts into namespaces of less privileged users, and none out. */
function needsHostUsers(mount: MountSpec): TspodError {
  return new TspodError(
    'SECURITY_REFUSED',
    `mountPropagation: Bidirectional of ${mount.path} cannot work in a user namespace of the pod's own`,
    { remedy: 'leave out hostUsers: false, or use HostToContainer' },
  )
}

function needsPrivileges(mount: MountSpec): TspodError {
  return new TspodError(
    'SECURITY_REFUSED',
    `mountPropagation: Bidirectional of ${mount.path} needs a privileged container`,
    {
      remedy: 'set securityContext.privileged, or use HostToContainer',
    },
  )
}

/**
 * Unmounts and removes emptyDirs, projected files, shared memory and subPath binds of a pod; claims stay.
 * Idempotent. Throws PARTIAL_FAILURE naming what is still in use.
 */
export async function removeVolumes(podId: Id, paths: Paths, run: Run): Promise<void> {
  const runDirectory = podRunDirectory(paths, podId)
  const inRun = ['volumes', 'shm', 'subpaths'].map(name => join(runDirectory, name))
  const temporary = [...inRun, podRootsDirectory(paths, podId)]
  await unmountBelow(temporary, run)
  await Promise.all([...temporary, join(podDirectory(paths, podId), 'volumes')].map(removeTree))
}
