/** What the spec builder is given, and the part of the OCI runtime configuration that it writes. */
import type { ContainerSpec, Id, IdMaps, ImageConfig, PodSpec } from '../../model.ts'

/** What this host can do, as far as a container's configuration depends on it. */
export type HostFacts = {
  cgroup: 'v1' | 'v2' | 'hybrid'
  /** tspod's own bounding set, as CAP_… names. */
  capabilities: string[]
  /** Hard limits of tspod's own process; Infinity for unlimited. */
  nofileHard: number
  nprocHard: number
  memlockHard: number
  /** True when oom_score_adj may be set below tspod's own. */
  canLowerOom: boolean
  memoryBytes: number
  cpus: number
  /** As in images: amd64, arm64. */
  arch: string
  /** As `uname -r` prints it. */
  kernel: string
  apparmor: boolean
  selinux: boolean
  /** Cgroup controllers containers can be limited by (cpu, memory, pids, …). Absent: all of them. */
  controllers?: string[]
  /** What runtimes may call the directories of the v1 trees below /sys/fs/cgroup of a container. Absent: there are none. */
  v1Trees?: string[]
  /** True when /proc/sys/net/ipv6 exists. Absent: it does not. */
  ipv6?: boolean
}

/** A mount whose source exists and has been checked: a real path of the host. */
export type ResolvedMount = {
  source: string
  target: string
  readOnly: boolean
  propagation: 'private' | 'rslave' | 'rshared'
  kind: 'bind'
  /** Further mount options. `rro`, for directories only, makes what is mounted below read-only where that works. */
  options?: string[]
  /** What is mounted below must be read-only too, or the container must not start. */
  recursive?: true
  /** Set when the source is a device node: the container is allowed to use it. */
  device?: DeviceNumber
}

export type DeviceNumber = { type: 'c' | 'b'; major: number; minor: number }

/** Whom a container runs as, resolved to numbers. */
export type Identity = { uid: number; gid: number; groups: number[]; home: string }

/** A host device that a privileged container gets as it is. */
export type HostDevice = DeviceNumber & { path: string; mode: number; uid: number; gid: number }

/** A pinned user namespace and what it maps: runtimes want both. */
export type UserNamespace = { path: string; maps: IdMaps }

export type SpecInput = {
  container: ContainerSpec
  pod: PodSpec
  image: ImageConfig
  /** Final environment. */
  env: Record<string, string>
  /** Final argv; not empty. */
  args: string[]
  identity: Identity
  /** Absolute path of the mounted root file system. */
  rootfs: string
  /** Volumes and managed files, sources checked, in the order of the manifest. */
  mounts: ResolvedMount[]
  /** Paths of pinned namespaces; an absent `net`, `ipc`, `uts` or `user` is the host's, an absent `pid` a private one. */
  namespaces: { net?: string; ipc?: string; uts?: string; pid?: string | 'private' | 'host'; user?: UserNamespace }
  /** linux.cgroupsPath. */
  cgroupPath: string
  /** A parsed profile in the format of containers-common or of OCI; unused when unconfined or privileged. */
  seccompProfile: unknown
  /** The name of a loaded AppArmor profile. */
  appArmorProfile?: string
  /** Set by the runtime; only with a UTS namespace of the pod's own. */
  hostname?: string
  ids: { pod: Id; container: Id }
  /** All host devices, for a privileged container. */
  hostDevices?: HostDevice[]
}

export type OciMount = { destination: string; type: string; source: string; options: string[] }
export type OciDevice = {
  path: string
  type: string
  major: number
  minor: number
  fileMode?: number
  uid?: number
  gid?: number
}
export type OciDeviceRule = { allow: boolean; type?: string; major?: number; minor?: number; access: string }
export type OciRlimit = { type: string; soft: number; hard: number }
export type OciUser = { uid: number; gid: number; additionalGids: number[]; umask?: number }
export type OciCapabilities = {
  bounding: string[]
  effective: string[]
  permitted: string[]
  inheritable: string[]
  ambient: string[]
}

export type OciProcess = {
  terminal: boolean
  user: OciUser
  args: string[]
  env: string[]
  cwd: string
  capabilities: OciCapabilities
  rlimits: OciRlimit[]
  noNewPrivileges: boolean
  oomScoreAdj: number
  apparmorProfile?: string
  selinuxLabel?: string
}

export type OciSeccompArg = { index: number; value: number; valueTwo?: number; op: string }
export type OciSyscall = { names: string[]; action: string; errnoRet?: number; args?: OciSeccompArg[] }
export type OciSeccomp = {
  defaultAction: string
  defaultErrnoRet?: number
  architectures?: string[]
  flags?: string[]
  syscalls: OciSyscall[]
}

export type OciResources = {
  devices: OciDeviceRule[]
  memory?: { limit?: number; reservation?: number; swap?: number }
  cpu?: { shares?: number; quota?: number; period?: number; cpus?: string; mems?: string }
  pids?: { limit: number }
  hugepageLimits?: { pageSize: string; limit: number }[]
}

export type OciIdMapping = { containerID: number; hostID: number; size: number }

export type OciLinux = {
  namespaces: { type: string; path?: string }[]
  uidMappings?: OciIdMapping[]
  gidMappings?: OciIdMapping[]
  cgroupsPath: string
  resources: OciResources
  devices: OciDevice[]
  sysctl: Record<string, string>
  maskedPaths: string[]
  readonlyPaths: string[]
  rootfsPropagation?: string
  mountLabel?: string
  seccomp?: OciSeccomp
}

/** config.json of one container. */
export type OciConfig = {
  ociVersion: string
  process: OciProcess
  root: { path: string; readonly: boolean }
  hostname?: string
  mounts: OciMount[]
  annotations: Record<string, string>
  linux: OciLinux
}
