/**
 * The words every part of tspod shares: what a manifest means once it has been translated.
 * Everything here is plain JSON data, so that a spec can be stored, hashed and compared as it is.
 */

export type * from './bundle.ts'

type Brand<T, Name extends string> = T & { readonly __brand: Name }

/** Name of a pod: a DNS-1123 subdomain, checked by the translator. */
export type PodName = Brand<string, 'PodName'>
/** Name of a container inside its pod: a DNS-1123 label, checked by the translator. */
export type ContainerName = Brand<string, 'ContainerName'>
/** 64 hexadecimal digits, chosen before anything is created. */
export type Id = Brand<string, 'Id'>

/** Pod-wide restart policy of Kubernetes. */
export type RestartPolicy = 'Always' | 'OnFailure' | 'Never'
/** Exit codes that a container is started again after, whatever its policy says. */
export type RestartRule = { operator: 'In' | 'NotIn'; values: number[] }
/** `Newer` is what an unset policy means for the tag latest: pull, but a local image serves when no registry answers. */
export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never' | 'Newer'
export type Protocol = 'tcp' | 'udp' | 'sctp'

/** A place in an input file: line and column count from 1. */
export type Place = { file: string; line: number; column: number }

/** One pod, complete: all references to ConfigMaps and Secrets are resolved. */
export type PodSpec = {
  name: PodName
  namespace: string
  labels: Record<string, string>
  annotations: Record<string, string>
  /** The object it was made from, for messages and `inspect`. */
  origin: { kind: string; name: string; place: Place }
  /** Host name inside the pod: at most 63 characters, 64 with hostnameOverride. */
  hostname: string
  /** Domain below which Services know the pod by its host name. */
  subdomain?: string
  /** The whole of it, SUBDOMAIN.NAMESPACE.svc.cluster.local; absent without a subdomain. */
  domain?: string
  /** The kernel knows the pod by its name with the domain. */
  setHostnameAsFQDN?: true
  /** What the DNS of its networks calls it, besides its name; absent: the names of its containers. */
  dnsNames?: string[]
  /** Of a pod of a Job: its number, from 1, and its completion index. */
  job?: { name: string; number: number; index?: number }
  /** The pods that are up before this one begins, and ready where they tell; they are stopped after it. */
  startAfter?: PodName[]
  hostAliases: { ip: string; hostnames: string[] }[]
  dns: DnsSpec
  restartPolicy: RestartPolicy
  /**
   * Podman's annotation for all init containers of the pod that are not sidecars: `once` (what absent means too) is
   * for the life of the pod, `always` is at every start of the pod.
   */
  initType?: 'once' | 'always'
  /** Time between the stop signal and KILL. */
  graceMs: number
  /** How long it may be active, however often its containers start; absent: for ever. */
  deadlineMs?: number
  /** How long it has to stay ready until those who wait for it go on; absent: a moment. */
  minReadyMs?: number
  hostNetwork: boolean
  hostPid: boolean
  hostIpc: boolean
  shareProcessNamespace: boolean
  sysctls: Record<string, string>
  /** Limits and requests of all containers together; absent: each for itself. */
  resources?: ResourceSpec
  /** Name of the OCI runtime, which the host must know. */
  runtimeClass?: string
  security: PodSecurity
  /** Absent: the host's. */
  userns?: UsernsSpec
  volumes: VolumeSpec[]
  /** In the order they run; one with `restartPolicy` is a sidecar. */
  initContainers: ContainerSpec[]
  containers: ContainerSpec[]
  serviceAccountName: string
}

/** `count` ids from `inside` on are, on the host, those from `outside` on. */
export type IdRange = { inside: number; outside: number; count: number }

/** Users and groups of a user namespace, by their ids on the host. */
export type IdMaps = { uids: IdRange[]; gids: IdRange[] }

/**
 * A user namespace of the pod's own. `auto`: with the ids from 0 to `count`, whose ids on the host are chosen when the
 * pod is made, but for those that `IdMaps` gives. `path`: one that exists, by its file.
 */
export type UsernsSpec = ({ mode: 'auto'; count: number } & IdMaps) | { mode: 'path'; path: string }

export type DnsSpec = {
  /** `default`: the host's resolv.conf; `cluster`: names of other pods first; `none`: only what is given here. */
  policy: 'default' | 'cluster' | 'none'
  nameservers: string[]
  searches: string[]
  options: { name: string; value?: string }[]
}

export type PodSecurity = {
  fsGroup?: number
  supplementalGroups: number[]
  /** Only groups of the manifest, none of the image's /etc/group. */
  strictGroups?: true
}

/** One container; pod-wide settings that a container inherits are already merged in. */
export type ContainerSpec = {
  name: ContainerName
  /** Over the pod's. `Always` makes an init container a native sidecar, which goes on running beside the regular ones. */
  restartPolicy?: RestartPolicy
  /** The first that fits has it run again; where none does the policy holds. Absent: none. */
  restartRules?: RestartRule[]
  /** Regular containers of the same pod that start before this one and stop after it; without a cycle. Absent: none. */
  dependsOn?: ContainerName[]
  image: string
  pullPolicy: PullPolicy
  /** Replaces the image's entrypoint and drops its cmd. `$(VAR)` is not yet expanded. */
  command?: string[]
  /** Replaces the image's cmd. `$(VAR)` is not yet expanded. */
  args?: string[]
  workingDir?: string
  env: EnvEntry[]
  ports: PortSpec[]
  resources: ResourceSpec
  security: ContainerSecurity
  mounts: MountSpec[]
  tty: boolean
  stdin: boolean
  stdinOnce: boolean
  terminationMessagePath: string
  terminationMessagePolicy: 'File' | 'FallbackToLogsOnError'
  /** Over the usual ones, by the names of ulimit(1); -1: no limit. */
  rlimits?: Record<string, { soft: number; hard: number }>
  /**
   * Who says when it is ready: its monitor as soon as it runs, it itself by sd_notify(3), or its probes. Absent:
   * nobody.
   */
  sdnotify?: 'conmon' | 'container' | 'healthy'
  /** Absent: none. */
  probes?: ContainerProbes
  /** Absent: none. */
  hooks?: ContainerHooks
  /** Absent: the image's. */
  stopSignal?: string
}

/** The containers of a pod that run while it serves: its sidecars, then its regular containers. */
export function servingContainers(pod: Pick<PodSpec, 'initContainers' | 'containers'>): ContainerSpec[] {
  return [...pod.initContainers.filter(container => container.restartPolicy === 'Always'), ...pod.containers]
}

/** What the DNS of a pod's networks calls it besides its own name: as in Podman, the names of its containers too. */
export const dnsNamesOf = (pod: PodSpec): string[] =>
  pod.dnsNames ?? servingContainers(pod).map(container => container.name)

/**
 * One variable in the order of evaluation. `text` may hold `$(VAR)` of earlier entries when `expand` is set;
 * a runtime value is known only once the pod has an id and addresses.
 */
export type EnvEntry = { name: string; secret: boolean } & (
  | { text: string; expand: boolean }
  /** `divisor` is a quantity, for limits only. */
  | { runtime: RuntimeField; divisor?: string }
  | { file: FileKey }
)

/** A line of an env file, looked for when the container is created. `optional`: without it there is no variable. */
export type FileKey = { volume: string; path: string; key: string; optional: boolean }

/** Facts that exist only when the pod does. */
export type RuntimeField =
  | 'metadata.uid'
  | 'status.podIP'
  | 'status.podIPs'
  | 'status.hostIP'
  | 'status.hostIPs'
  | 'spec.nodeName'
  | 'limits.cpu'
  | 'limits.memory'
  | 'limits.ephemeral-storage'

export type PortSpec = {
  name?: string
  containerPort: number
  /** Absent: not published. */
  hostPort?: number
  /** Empty: all addresses. */
  hostIp: string
  protocol: Protocol
}

export type ResourceSpec = {
  cpuLimitMilli?: number
  cpuRequestMilli?: number
  memoryLimitBytes?: number
  memoryRequestBytes?: number
  /** What it may write to disks. */
  storageLimitBytes?: number
  /** -1: none. */
  pidsLimit?: number
  /** Lists such as 0-2,5. */
  cpusetCpus?: string
  cpusetMems?: string
  /** Page size as the kernel writes it (2MB) → bytes. */
  hugepages?: Record<string, number>
}

export type SeccompSpec = { type: 'RuntimeDefault' } | { type: 'Unconfined' } | { type: 'Localhost'; profile: string }

/** What a probe or a hook does. `host` absent: the pod's address. */
export type Handler =
  | { kind: 'exec'; command: string[] }
  | {
      kind: 'http'
      scheme: 'http' | 'https'
      host?: string
      port: number
      path: string
      headers: { name: string; value: string }[]
    }
  | { kind: 'tcp'; host?: string; port: number }
  | { kind: 'grpc'; port: number; service: string }
  | { kind: 'sleep'; ms: number }

/** `graceMs`: between the stop signal and KILL when the probe is why a container is stopped; absent: the pod's. */
export type ProbeSpec = {
  handler: Handler
  initialDelayMs: number
  periodMs: number
  timeoutMs: number
  successThreshold: number
  failureThreshold: number
  graceMs?: number
}

export type ContainerProbes = { liveness?: ProbeSpec; readiness?: ProbeSpec; startup?: ProbeSpec }
export type ContainerHooks = { postStart?: Handler; preStop?: Handler }

export type AppArmorSpec = { type: 'RuntimeDefault' } | { type: 'Unconfined' } | { type: 'Localhost'; profile: string }

export type ContainerSecurity = {
  runAsUser?: number
  runAsGroup?: number
  runAsNonRoot: boolean
  capabilities: { add: string[]; drop: string[] }
  privileged: boolean
  readOnlyRootFilesystem: boolean
  /** Unset in the manifest means allowed, as in Kubernetes. */
  allowPrivilegeEscalation: boolean
  seccomp: SeccompSpec
  procMount: 'Default' | 'Unmasked'
  /** Absent: what the host does by itself. */
  appArmor?: AppArmorSpec
  /** Parts of the SELinux label: user, role, type, level. Absent: what the host does by itself. */
  selinux?: Record<string, string>
}

export type MountSpec = {
  volume: string
  /** Absolute path in the container. */
  path: string
  readOnly: boolean
  /** Relative, without `..`: checked by the translator, resolved without following links by the engine. */
  subPath?: string
  /** The same with `$(VAR)` not yet expanded; never along with `subPath`. */
  subPathExpr?: string
  /** Read-only has to hold for what is mounted below as well, or the container must not start. */
  recursiveReadOnly?: true
  propagation: 'None' | 'HostToContainer' | 'Bidirectional'
}

export type HostPathType =
  | ''
  | 'DirectoryOrCreate'
  | 'Directory'
  | 'FileOrCreate'
  | 'File'
  | 'Socket'
  | 'CharDevice'
  | 'BlockDevice'

/** A file with content; `mode` is the permission bits. `secret`: its content comes from a Secret. */
export type ContentFile = { path: string; mode: number; base64: string; secret?: true }
/** A file that tells what only the pod itself knows: `runtime` and `divisor` as in `EnvEntry`. */
export type RuntimeFile = { path: string; mode: number; runtime: RuntimeField; divisor?: string }
/** A file of a volume that is made of the manifest. */
export type ProjectedFile = ContentFile | RuntimeFile

/** `mode`: permission bits, with the sticky one; absent: 0777. */
type EmptyDirLimits = { sizeBytes?: number; pageBytes?: number; mode?: number }

export type VolumeSpec = { name: string } & (
  | { kind: 'hostPath'; path: string; type: HostPathType }
  /** `pageBytes`: of huge pages, absent where the kernel's usual size of them is meant. */
  | ({ kind: 'emptyDir'; medium: 'disk' | 'memory' | 'hugepages' } & EmptyDirLimits)
  | { kind: 'files'; source: 'configMap' | 'secret' | 'downwardAPI' | 'projected'; files: ProjectedFile[] }
  /** `ephemeral`: the claim comes and goes with the pod. */
  | { kind: 'claim'; claim: string; readOnly: boolean; ephemeral?: Omit<ClaimSpec, 'name'> }
  | { kind: 'image'; image: string; pullPolicy: PullPolicy }
)

/** A Secret document: stored, so that later manifests may refer to it. */
export type SecretSpec = { name: string; type: string; immutable: boolean; data: Record<string, string> }

/** A claim becomes a named volume that outlives its pods. */
export type ClaimSpec = {
  name: string
  labels: Record<string, string>
  annotations: Record<string, string>
  /** A tar archive of this host that is unpacked when the volume is made. */
  importSource?: string
}

/** What is done about a failed pod of a Job: the first rule that fits decides. */
export type PodFailureRule = {
  action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count'
  /** Absent: no exit code fits, the rule is about conditions that no pod has here. */
  exitCodes?: { container?: string; operator: 'In' | 'NotIn'; values: number[] }
}

/** When an indexed Job is done before all its indexes are. */
export type SuccessRule = { indexes?: number[]; count?: number }

/** Pods that run to their end, until enough of them have succeeded. */
export type JobSpec = {
  name: string
  /** One pod of it, with marks where its number and its index go: see job.ts. */
  template: PodSpec
  parallelism: number
  /** Absent: a work queue, which is done when one pod has succeeded and all others have ended. */
  completions?: number
  indexed: boolean
  backoffLimit: number
  /** Failures that each index may have. */
  backoffLimitPerIndex?: number
  maxFailedIndexes?: number
  /** From its start, over all its pods. */
  deadlineMs?: number
  /** How long it is kept when it is done; absent: until it is taken down. */
  ttlMs?: number
  failureRules: PodFailureRule[]
  successRules: SuccessRule[]
}

/** What an image says about how to run it. Absent parts are empty. */
export type ImageConfig = {
  entrypoint: string[]
  cmd: string[]
  env: string[]
  workingDir: string
  user: string
  stopSignal: string
  volumes: string[]
  labels: Record<string, string>
}

/** An image that is present in containers-storage. */
export type LocalImage = {
  /** 64 hexadecimal digits. */
  id: string
  digest: string
  names: string[]
  sizeBytes: number
  createdMs: number
  config: ImageConfig
}
