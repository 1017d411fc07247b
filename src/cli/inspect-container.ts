/**
 * `inspect` of a container: the record of `podman inspect` (libpod/define, InspectContainerData), filled in from what
 * the engine knows, and our own names after it. Pure.
 */
import { basename, dirname, join } from 'node:path'
import type { InspectedContainer } from '../engine/index.ts'
import type { EnvEntry, IdRange, MountSpec, VolumeSpec } from '../model.ts'
import { dependencies, networkSettings, portBindings } from './inspect-network.ts'
import { containerState, restartPolicyName } from './podman-words.ts'
import { type Struct, type Value, ZERO_TIME } from './template/index.ts'

/** The record for JSON and for templates. */
export function containerInspection(inspected: InspectedContainer): Struct {
  const { view, pod, image, config, directory, podDirectory } = inspected
  const [path = '', ...args] = view.command
  return {
    Id: view.id,
    Created: new Date(view.createdMs),
    Path: path,
    Args: args,
    State: stateOf(inspected),
    Image: view.imageId,
    ImageDigest: image?.digest ?? '',
    ImageName: view.image,
    Rootfs: '',
    Pod: pod.view.kind === 'pod' ? view.podId : '',
    ResolvConfPath: join(podDirectory, 'etc-resolv.conf'),
    HostnamePath: pod.settings.noHostname ? '' : join(podDirectory, 'etc-hostname'),
    HostsPath: pod.settings.noHosts ? '' : join(podDirectory, 'etc-hosts'),
    StaticDir: directory,
    OCIConfigPath: config === undefined ? '' : join(directory, 'config.json'),
    OCIRuntime: pod.view.runtime,
    LogPath: view.logPath,
    LogTag: '',
    ConmonPidFile: join(directory, 'conmon.pid'),
    PidFile: join(directory, 'container.pid'),
    Name: view.name,
    RestartCount: view.restarts,
    ...storageOf(inspected),
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: config?.process.apparmorProfile ?? '',
    EffectiveCaps: config?.process.capabilities.effective ?? [],
    BoundingCaps: config?.process.capabilities.bounding ?? [],
    ExecIDs: inspected.execSessions.filter(({ running }) => running).map(({ id }) => id),
    Mounts: mountsOf(inspected),
    Dependencies: dependencies(inspected),
    NetworkSettings: networkSettings(pod),
    Namespace: '',
    IsInfra: view.kind === 'infra',
    IsService: view.kind === 'service',
    KubeExitCodePropagation: pod.settings.propagation ?? 'invalid',
    Config: configOf(inspected),
    HostConfig: hostConfigOf(inspected),
    ...ours(inspected),
  }
}

/** What `tspod inspect` has called things from its beginning. */
const ours = ({ view, spec, execSessions }: InspectedContainer): Struct =>
  ({ ...view, spec: spec ?? null, execSessions }) as unknown as Struct

const timeOr = (ms: number | undefined): Date => (ms === undefined ? ZERO_TIME : new Date(ms))

function stateOf({ view, config, oomKilled }: InspectedContainer): Struct {
  const status = containerState(view)
  return {
    OciVersion: config?.ociVersion ?? '',
    Status: status,
    Running: status === 'running',
    Paused: status === 'paused',
    Restarting: view.nextStartMs !== undefined,
    OOMKilled: oomKilled,
    Dead: false,
    Pid: view.pid ?? 0,
    ConmonPid: view.pid === undefined ? 0 : (view.conmonPid ?? 0),
    ExitCode: view.exitCode ?? 0,
    Error: status === 'running' ? '' : view.message,
    StartedAt: timeOr(view.startedMs),
    FinishedAt: timeOr(view.finishedMs),
    // As in Podman only where there is something that tells.
    Health: view.health === undefined ? null : { Status: view.health },
    CgroupPath: config?.linux.cgroupsPath ?? '',
    CheckpointedAt: ZERO_TIME,
    RestoredAt: ZERO_TIME,
    StoppedByUser: view.goal === 'stopped' && status === 'exited',
  }
}

/** The storage driver is in the path of the root file system. */
function storageOf({ config }: InspectedContainer): Struct {
  const root = config?.root.path ?? ''
  const driver = /\/(overlay|vfs|btrfs|zfs)\//.exec(root)?.[1] ?? 'overlay'
  const data: [string, Value][] = root === '' ? [] : [['MergedDir', root]]
  if (driver === 'overlay' && basename(root) === 'merged')
    data.push(['UpperDir', join(dirname(root), 'diff')], ['WorkDir', join(dirname(root), 'work')])
  return { Driver: driver, GraphDriver: { Name: driver, Data: new Map(data) } }
}

const PROPAGATION: { readonly [P in MountSpec['propagation']]: string } = {
  None: 'rprivate',
  HostToContainer: 'rslave',
  Bidirectional: 'rshared',
}

function mountsOf({ spec, pod, config }: InspectedContainer): Struct[] {
  return (spec?.mounts ?? []).map(mount => {
    const volume = pod.spec.volumes.find(({ name }) => name === mount.volume)
    const given = config?.mounts.find(({ destination }) => destination === mount.path)
    return {
      Type: volume?.kind === 'hostPath' ? 'bind' : 'volume',
      Name: volumeName(volume),
      Source: given?.source ?? (volume?.kind === 'hostPath' ? volume.path : ''),
      Destination: mount.path,
      Driver: volume?.kind === 'hostPath' ? '' : 'local',
      Mode: '',
      Options: (given?.options ?? []).filter(option => !/^(ro|rw|r?private|r?slave|r?shared)$/.test(option)),
      RW: !mount.readOnly,
      Propagation: PROPAGATION[mount.propagation],
      SubPath: mount.subPath ?? '',
    }
  })
}

function volumeName(volume: VolumeSpec | undefined): string {
  if (volume === undefined || volume.kind === 'hostPath') return ''
  return volume.kind === 'claim' ? volume.claim : volume.name
}

function configOf({ view, pod, spec, config, image }: InspectedContainer): Struct {
  const entrypoint = spec?.command ?? image?.config.entrypoint ?? []
  return {
    Hostname: config?.hostname ?? pod.spec.hostname,
    Domainname: '',
    User: userOf(spec?.security.runAsUser, spec?.security.runAsGroup) || (image?.config.user ?? ''),
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: spec?.tty ?? false,
    OpenStdin: spec?.stdin ?? false,
    StdinOnce: spec?.stdinOnce ?? false,
    Env: config?.process.env ?? (spec?.env ?? []).flatMap(envLine),
    Cmd: view.command.length > 0 ? view.command.slice(entrypoint.length) : (spec?.args ?? []),
    Image: view.image,
    Volumes: null,
    WorkingDir: config?.process.cwd ?? spec?.workingDir ?? (image?.config.workingDir || '/'),
    Entrypoint: entrypoint,
    OnBuild: null,
    Labels: new Map(Object.entries({ ...image?.config.labels, ...pod.spec.labels })),
    Annotations: new Map(Object.entries({ ...config?.annotations, ...pod.spec.annotations })),
    StopSignal: view.stopSignal,
    StopTimeout: Math.ceil(pod.spec.graceMs / 1000),
    Timeout: 0,
    Umask: '0022',
  }
}

/** The manifest's variables, for a container that has not been created yet. */
const envLine = (entry: EnvEntry): string[] => ('text' in entry ? [`${entry.name}=${entry.text}`] : [])

const userOf = (uid: number | undefined, gid: number | undefined): string =>
  uid === undefined ? '' : gid === undefined ? String(uid) : `${uid}:${gid}`

const capability = (name: string): string => (name.startsWith('CAP_') ? name : `CAP_${name}`)

function hostConfigOf(inspected: InspectedContainer): Struct {
  const { view, pod, spec, config } = inspected
  const { settings, spec: podSpec } = pod
  return {
    Binds: mountsOf(inspected).map(bindLine),
    CgroupManager: pod.cgroupManager,
    CgroupMode: 'private',
    ContainerIDFile: '',
    LogConfig: {
      Type: settings.log.driver,
      Config: null,
      Path: view.logPath,
      Tag: '',
      Size: `${settings.log.maxBytes}B`,
    },
    NetworkMode: settings.network,
    PortBindings: portBindings(pod.view.ports),
    RestartPolicy: { Name: restartPolicyName(view.restartPolicy ?? podSpec.restartPolicy), MaximumRetryCount: 0 },
    AutoRemove: false,
    VolumeDriver: '',
    VolumesFrom: null,
    CapAdd: (spec?.security.capabilities.add ?? []).map(capability),
    CapDrop: (spec?.security.capabilities.drop ?? []).map(capability),
    Dns: podSpec.dns.nameservers,
    DnsOptions: podSpec.dns.options.map(({ name, value }) => (value === undefined ? name : `${name}:${value}`)),
    DnsSearch: podSpec.dns.searches,
    ExtraHosts: podSpec.hostAliases.flatMap(({ ip, hostnames }) => hostnames.map(name => `${name}:${ip}`)),
    GroupAdd: podSpec.security.supplementalGroups.map(String),
    IpcMode: podSpec.hostIpc ? 'host' : 'private',
    Cgroup: '',
    Cgroups: 'default',
    Links: null,
    OomScoreAdj: config?.process.oomScoreAdj ?? 0,
    PidMode: podSpec.hostPid ? 'host' : 'private',
    Privileged: spec?.security.privileged ?? false,
    PublishAllPorts: false,
    ReadonlyRootfs: spec?.security.readOnlyRootFilesystem ?? config?.root.readonly ?? false,
    SecurityOpt: securityOptions(inspected),
    Tmpfs: new Map(),
    UTSMode: settings.network === 'host' ? 'host' : 'private',
    UsernsMode: settings.userns === undefined ? '' : 'private',
    ...(settings.userns !== undefined && {
      IDMappings: { UidMap: settings.userns.uids.map(mappingText), GidMap: settings.userns.gids.map(mappingText) },
    }),
    ShmSize: shmSize(inspected),
    Runtime: 'oci',
    ...limitsOf(inspected),
    ...UNSET,
  }
}

const mappingText = ({ inside, outside, count }: IdRange): string => `${inside}:${outside}:${count}`

/** What Podman's record has and nothing here sets. */
const UNSET: Struct = {
  ConsoleSize: [0, 0],
  Isolation: '',
  BlkioWeight: 0,
  BlkioWeightDevice: null,
  BlkioDeviceReadBps: null,
  BlkioDeviceWriteBps: null,
  BlkioDeviceReadIOps: null,
  BlkioDeviceWriteIOps: null,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  DiskQuota: 0,
  KernelMemory: 0,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
  CgroupConf: null,
}

/** In bytes, as it is mounted; 0 where the host's is used. */
function shmSize({ config }: InspectedContainer): number {
  const options = config?.mounts.find(
    ({ destination, type }) => destination === '/dev/shm' && type === 'tmpfs',
  )?.options
  const [, amount, unit = ''] = /^size=(\d+)([kmg]?)$/i.exec(options?.find(one => one.startsWith('size=')) ?? '') ?? []
  return Number(amount ?? 0) * ({ k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[unit.toLowerCase()] ?? 1)
}

function bindLine(mount: Struct): string {
  const options = [mount.RW ? 'rw' : 'ro', mount.Propagation, ...(mount.Options as string[])]
  return `${mount.Name || mount.Source}:${mount.Destination}:${options.join(',')}`
}

function securityOptions({ spec }: InspectedContainer): string[] {
  const { security } = spec ?? {}
  if (security === undefined) return []
  return [
    ...(security.seccomp.type === 'Unconfined' ? ['seccomp=unconfined'] : []),
    ...(security.seccomp.type === 'Localhost' ? [`seccomp=${security.seccomp.profile}`] : []),
    ...(security.allowPrivilegeEscalation ? [] : ['no-new-privileges']),
  ]
}

function limitsOf({ spec, config, pod }: InspectedContainer): Struct {
  const { memory, cpu, pids } = config?.linux.resources ?? {}
  return {
    CgroupParent: pod.view.cgroup,
    CpuShares: cpu?.shares ?? 0,
    Memory: memory?.limit ?? spec?.resources.memoryLimitBytes ?? 0,
    MemoryReservation: spec?.resources.memoryRequestBytes ?? 0,
    MemorySwap: memory?.swap ?? 0,
    MemorySwappiness: 0,
    NanoCpus: (spec?.resources.cpuLimitMilli ?? 0) * 1_000_000,
    CpuPeriod: cpu?.period ?? 0,
    CpuQuota: cpu?.quota ?? 0,
    CpusetCpus: '',
    CpusetMems: '',
    PidsLimit: pids?.limit ?? 0,
    OomKillDisable: false,
    Devices: (config?.linux.devices ?? []).map(({ path }) => ({
      PathOnHost: path,
      PathInContainer: path,
      CgroupPermissions: '',
    })),
    Ulimits: (config?.process.rlimits ?? []).map(({ type, soft, hard }) => ({ Name: type, Soft: soft, Hard: hard })),
  }
}
