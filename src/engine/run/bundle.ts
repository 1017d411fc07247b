/** The OCI bundle of one container: its root file system, environment, argv, mounts and config.json. */
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import type { ContainerSpec, FileKey, LocalImage } from '../../model.ts'
import { outsideOf } from '../../namespaces.ts'
import {
  appArmorProfile,
  baseEnv,
  buildPauseSpec,
  buildSpec,
  containerCgroup,
  findProgram,
  type Identity,
  type OciConfig,
  type ResolvedMount,
  readHostDevices,
  resolveIdentity,
  type SpecInput,
  secureRootfs,
  withLimits,
} from '../../oci/index.ts'
import { notifyDirectory } from '../../paths.ts'
import { type PodWork, placesOf } from '../context.ts'
import { visibleCommand } from '../redact.ts'
import { type ContainerRecord, specNamed } from '../state/index.ts'
import { mountsOf } from '../volumes/index.ts'
import { reachableRoot, rootOf } from './roots.ts'
import { podHostname, type SandboxFiles, usernsOf } from './sandbox.ts'
import { envFileValue, runtimeFact, withSubPaths } from './self.ts'

export type ReadyBundle = {
  imageId: string
  command: string[]
  stopSignal: string
}

/**
 * Writes the bundle of `record`.
 * @throws SECURITY_REFUSED, VOLUME_INVALID, TOOL_MISSING and what mounting the image may throw.
 */
export async function bundleFor(work: PodWork, record: ContainerRecord, files: SandboxFiles): Promise<ReadyBundle> {
  const { run } = placesOf(work, record.id)
  await mkdir(run, { recursive: true, mode: 0o700 })
  const { config, ...ready } =
    record.kind === 'infra' || record.kind === 'service'
      ? await pauseBundle(work, record, run)
      : await workloadBundle(work, record, run, files)
  await writeFile(join(run, 'config.json'), JSON.stringify(config), { mode: 0o600 })
  return ready
}

type Built = ReadyBundle & { config: OciConfig }

async function workloadBundle(
  work: PodWork,
  record: ContainerRecord,
  run: string,
  files: SandboxFiles,
): Promise<Built> {
  const { spec } = work.pod
  const container = specOf(work, record)
  const image = await imageOf(work, record)
  const rootfs = work.rootfs.get(record.id)
  if (rootfs === undefined) throw new Error(`${record.name} has no root file system yet`)
  secureRootfs(rootfs, rootOf(work.pod))
  const identity = resolveIdentity(rootfs, image.config.user, container.security, spec.security)
  refuseUnmapped(work, record, identity)
  // Only a start needs it of the translator: queries and most exits get along without loading YAML.
  const { expandEnv, expandText, expandWords, findInEnvFile } = await import('../../kube/index.ts')
  const base = baseEnv(image.config, { home: identity.home, hostname: podHostname(work), tty: container.tty })
  const fileValue = (key: FileKey): string | undefined => envFileValue(key, files.volumes.sources, findInEnvFile)
  if (container.sdnotify === 'container') base.NOTIFY_SOCKET = NOTIFY_SOCKET
  const env = { ...base, ...expandEnv(container.env, base, field => runtimeFact(work, field), fileValue) }
  const args = argvOf(container, image, words => expandWords(words, env))
  const mounted = withSubPaths(container, (text, lookup) => expandText(text, lookup), env)
  const { config, notices } = buildSpec(
    {
      container,
      pod: spec,
      image: image.config,
      env,
      args,
      identity,
      rootfs: await reachableRoot(work, record.id, rootfs),
      mounts: [
        ...(container.sdnotify === 'container' ? [await notifyMount(work, record)] : []),
        ...(await allMounts(work, mounted, run, files)),
      ],
      namespaces: namespacesOf(work),
      cgroupPath: containerCgroup(work.cgroup, record.shortName),
      seccompProfile: await seccompOf(work, container),
      ...(await appArmorOf(work, container)),
      ...(work.pod.settings.network !== 'host' && { hostname: podHostname(work) }),
      ids: { pod: work.pod.id, container: record.id },
      ...(container.security.privileged && { hostDevices: await readHostDevices() }),
    },
    work.context.host,
  )
  for (const notice of notices) work.context.note(`${record.name}: ${notice}`)
  const changed = work.pod.settings.limits?.[record.shortName]
  if (changed !== undefined) config.linux.resources = withLimits(config.linux.resources, changed)
  return {
    config,
    imageId: image.id,
    // What is kept for people to look at: a secret stands there as the manifest has it, `$(PASSWORD)`.
    command: visibleCommand(args, container),
    stopSignal: container.stopSignal ?? (image.config.stopSignal || 'SIGTERM'),
  }
}

function specOf(work: PodWork, record: ContainerRecord): ContainerSpec {
  const container = specNamed(work.pod.spec, record.shortName)
  if (container === undefined) throw new Error(`pod ${work.pod.name} has no container ${record.shortName}`)
  return container
}

/** A runtime would only say that it cannot. */
function refuseUnmapped({ pod }: PodWork, record: ContainerRecord, { uid, gid, groups }: Identity): void {
  const maps = pod.settings.userns
  if (maps === undefined) return
  const user = outsideOf(maps.uids, uid) === undefined ? uid : undefined
  const group = [gid, ...groups].find(one => outsideOf(maps.gids, one) === undefined)
  if (user === undefined && group === undefined) return
  const who = user === undefined ? `group ${group}` : `user ${user}`
  throw new TspodError('SECURITY_REFUSED', `container ${record.name}: the pod's user namespace has no ${who}`, {
    remedy: 'use an id below 65536, or --userns auto:size=NUMBER for more',
  })
}

/** The image the play resolved; at a restart the one the container had, as long as it is there. */
export async function imageOf(work: PodWork, record: ContainerRecord): Promise<LocalImage> {
  const { findImage } = work.context
  const container = specOf(work, record)
  const image =
    work.images.get(record.id) ??
    (record.imageId === '' ? undefined : await findImage(record.imageId)) ??
    (await findImage(container.image))
  if (image) return image
  throw new TspodError(
    'IMAGE_NOT_FOUND',
    `image ${container.image} of container ${record.name} is not on this host any more`,
    {
      remedy: `pull it: tspod image pull ${container.image}`,
    },
  )
}

/** Throws IMAGE_NOT_FOUND when a container could not be made again; those that have no image always can. */
export async function requireImage(work: PodWork, record: ContainerRecord): Promise<void> {
  if (record.kind !== 'infra' && record.kind !== 'service') await imageOf(work, record)
}

/** The owner of a shared PID namespace, or the stand-in for a whole service: catatonit alone in an empty root. */
async function pauseBundle(work: PodWork, record: ContainerRecord, run: string): Promise<Built> {
  const catatonit = findProgram('catatonit')
  if (catatonit === undefined) {
    throw new TspodError(
      'TOOL_MISSING',
      'catatonit is not installed: service containers and shareProcessNamespace need it',
      {
        remedy: 'install it: apt install catatonit',
      },
    )
  }
  const rootfs = join(run, 'rootfs')
  await mkdir(rootfs, { recursive: true, mode: 0o755 })
  const owner = rootOf(work.pod)
  if (owner !== undefined) await chown(rootfs, owner.uid, owner.gid)
  const config = buildPauseSpec(
    {
      pod: work.pod.spec,
      ids: { pod: work.pod.id, container: record.id },
      namespaces: namespacesOf(work),
      cgroupPath: containerCgroup(work.cgroup, record.shortName),
      seccompProfile: await work.context.seccompProfile(),
      ...(work.pod.settings.network !== 'host' && { hostname: podHostname(work) }),
      rootfs: await reachableRoot(work, record.id, rootfs),
      catatonit,
    },
    work.context.host,
  )
  return { config, imageId: '', command: ['/catatonit', '-P'], stopSignal: 'SIGTERM' }
}

function namespacesOf(work: PodWork): SpecInput['namespaces'] {
  const { spec, settings } = work.pod
  if (work.pod.kind === 'service') return { net: 'private', uts: 'private', ipc: 'private' }
  const pinned = (kind: string): string => join(work.sandbox.namespaces, kind)
  const infra = work.containers.find(container => container.kind === 'infra')
  const user = usernsOf(work)
  return {
    ...(user !== undefined && { user }),
    ...(settings.network !== 'host' && { net: pinned('net'), uts: pinned('uts') }),
    ...(!spec.hostIpc && { ipc: pinned('ipc') }),
    ...(spec.hostPid && { pid: 'host' }),
    ...(infra?.pid !== undefined && { pid: `/proc/${infra.pid}/ns/pid` }),
  }
}

function argvOf(container: ContainerSpec, image: LocalImage, expand: (words: string[]) => string[]): string[] {
  const { entrypoint, cmd } = image.config
  const start = container.command ? expand(container.command) : entrypoint
  const rest = container.args ? expand(container.args) : container.command ? [] : cmd
  const argv = [...start, ...rest]
  if (argv.length > 0) return argv
  throw new TspodError(
    'IMAGE_BAD_CONFIG',
    `container ${container.name}: image ${container.image} names no program to run`,
    {
      remedy: 'set command in the manifest',
    },
  )
}

/** Managed files first: a volume that is mounted on the same path wins. */
async function allMounts(
  work: PodWork,
  container: ContainerSpec,
  run: string,
  files: SandboxFiles,
): Promise<ResolvedMount[]> {
  const taken = new Set(container.mounts.map(mount => mount.path))
  const managed = [...files.managed, [container.terminationMessagePath, await terminationLog(work, run)] as const]
    .filter(([target]) => !taken.has(target))
    .map(
      ([target, source]): ResolvedMount => ({ source, target, readOnly: false, propagation: 'private', kind: 'bind' }),
    )
  return [...managed, ...(await mountsOf(container, files.volumes))]
}

/** Where a container that says itself when it is ready finds who listens: as Podman has it. */
const NOTIFY_DIRECTORY = '/run/notify'
const NOTIFY_SOCKET = `${NOTIFY_DIRECTORY}/notify.sock`

/** Read-only: a socket can be written to all the same, and nothing else can be left there. */
async function notifyMount(work: PodWork, record: ContainerRecord): Promise<ResolvedMount> {
  const source = notifyDirectory(work.context.paths, record.id)
  await mkdir(source, { recursive: true })
  await chmod(source, 0o755)
  return { source, target: NOTIFY_DIRECTORY, readOnly: true, propagation: 'private', kind: 'bind' }
}

/** A file of its own for each instance of a container, writable for whoever it runs as. */
async function terminationLog(work: PodWork, run: string): Promise<string> {
  const file = join(run, 'termination-log')
  await writeFile(file, '', { mode: 0o666 })
  await chmod(file, 0o666)
  const owner = rootOf(work.pod)
  if (owner !== undefined) await chown(file, owner.uid, owner.gid)
  return file
}

/** Containers that start at once may load the default profile twice, which comes to the same. */
async function appArmorOf(
  { context }: PodWork,
  { security }: ContainerSpec,
): Promise<Pick<SpecInput, 'appArmorProfile'>> {
  if (!context.host.apparmor) return {}
  const name = await appArmorProfile(security, context.appArmorProfile, context.run)
  return name === undefined ? {} : { appArmorProfile: name }
}

async function seccompOf(work: PodWork, container: ContainerSpec): Promise<unknown> {
  const { seccomp } = container.security
  if (seccomp.type === 'Unconfined') return undefined
  return work.context.seccompProfile(seccomp.type === 'Localhost' ? seccomp.profile : undefined)
}
