/** What people and scripts are shown of pods and containers: plain data, shared with the command line. */
import type { PlayedManifest } from '../../kube/index.ts'
import type {
  ContainerName,
  ContainerSpec,
  Id,
  LocalImage,
  PodName,
  PodSpec,
  PortSpec,
  RestartPolicy,
} from '../../model.ts'
import type { NetworkDefinition, OciConfig } from '../../oci/index.ts'
import type { PodSettings, SandboxFacts } from '../state/index.ts'

/** `done`: it has succeeded. `failed`: it has failed, or is gone. */
export type PodReadiness = 'ready' | 'waiting' | 'done' | 'failed'

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'

/** What a pod as a whole may fail of. */
export type PodFailure = 'DeadlineExceeded' | 'Evicted'

/** The life of a container, one word per state; see lifecycle.ts for the transitions. */
export type ContainerState =
  | 'configured'
  | 'created'
  | 'running'
  | 'paused'
  | 'stopping'
  | 'stopped'
  | 'exited'
  | 'removing'
  | 'unknown'

/**
 * `sidecar`: an init container that goes on running beside the regular ones. `infra` owns a shared PID namespace.
 * `service` stands for all pods of one play before systemd.
 */
export type ContainerKind = 'init' | 'sidecar' | 'regular' | 'infra' | 'service'

/** How a container is by its liveness probe, in Podman's words. */
export type Health = 'starting' | 'healthy' | 'unhealthy'

/** A probe or hook whose failure ends the run of its container. */
export type FailedCheck = 'liveness' | 'startup' | 'postStart'

/** What somebody wants of a container; `stopped` by hand wins over every restart. */
export type ContainerGoal = 'created' | 'running' | 'stopped'

/** A named volume, which is what a PersistentVolumeClaim is here. */
export type VolumeView = {
  name: string
  labels: Record<string, string>
  annotations: Record<string, string>
  createdMs: number
  /** Where its files are on this host. */
  directory: string
  /** Pods that use it, running or not. */
  pods: PodName[]
  /** The app that it belongs to. */
  app?: string
}

/** A network, with the pods that have joined it, running or not. */
export type NetworkView = { definition: NetworkDefinition; pods: PodName[] }

/** Names that were taken from an image, and its id when it went with the last of them. */
export type RemovedImage = { untagged: string[]; deleted?: string }

/** A Secret that is on record; its values are asked for one by one. */
export type SecretView = {
  name: string
  id: string
  type: string
  immutable: boolean
  createdMs: number
  keys: string[]
  app?: string
}

export type ContainerView = {
  id: Id
  /** Full name: POD-NAME, or NAME with `--no-pod-prefix`. */
  name: string
  shortName: ContainerName
  pod: PodName
  podId: Id
  kind: ContainerKind
  goal: ContainerGoal
  /** Absent: its pod's. */
  restartPolicy?: RestartPolicy
  image: string
  imageId: string
  state: ContainerState
  /** What the STATUS column says: Running, Completed, Error, CrashLoopBackOff, ContainerCreating, … */
  reason: string
  /** One sentence of explanation, where there is one. */
  message: string
  pid?: number
  /** The monitor that holds its terminal and log. */
  conmonPid?: number
  exitCode?: number
  restarts: number
  createdMs: number
  startedMs?: number
  finishedMs?: number
  /** When a restart in back-off is due. */
  nextStartMs?: number
  stopSignal: string
  /** It runs, its postStart hook is done, and its startup probe has succeeded. */
  started: boolean
  /** It has started and its readiness probe succeeds; of an init container: it has succeeded. */
  ready: boolean
  /** Absent: it has no liveness or startup probe, or does not run. */
  health?: Health
  /** Why this run is being ended, or why its last one was. */
  failedCheck?: FailedCheck
  command: string[]
  ports: PortSpec[]
  /** Empty when the log driver keeps no file. */
  logPath: string
}

/** Podman's words for what a pod is like, capitalised as it prints them. */
export type PodState = 'Created' | 'Running' | 'Degraded' | 'Paused' | 'Stopped' | 'Exited' | 'Error'

/** A Job as its pods show it. */
export type JobView = {
  id: Id
  name: string
  status: 'Running' | 'Complete' | 'Failed'
  /** Why it ended: Completed, BackoffLimitExceeded, DeadlineExceeded, …; empty while it runs. */
  reason: string
  message: string
  /** Absent: a work queue. */
  completions?: number
  parallelism: number
  succeeded: number
  failed: number
  /** Completion index of this pod. */
  index?: number
  finishedMs?: number
}

export type PodView = {
  id: Id
  name: PodName
  /** A service is the pod of a service container: it has no other containers and is in no list of pods. */
  kind: 'pod' | 'service'
  /** Id of the service that stands for it. */
  service?: Id
  state: PodState
  namespace: string
  labels: Record<string, string>
  phase: PodPhase
  /** What the STATUS column says: the phase or, more telling, why it is not Running. */
  reason: string
  /** One sentence of explanation, where the pod as a whole has failed. */
  message?: string
  ready: number
  total: number
  restarts: number
  createdMs: number
  startedMs?: number
  /** When it is stopped, whatever it does; absent when it has ended before, or may run for ever. */
  activeUntilMs?: number
  ips: string[]
  ports: PortSpec[]
  runtime: string
  origin: string
  /** The Job that made it. */
  job?: JobView
  containers: ContainerView[]
}

/** A volume of a container, by its name in the manifest, and where it is mounted. */
export type ListedMount = { volume: string; path: string }

export type ListedContainer = ContainerView & { mounts: ListedMount[] }

/** A pod in a list: its view, and what people filter by. */
export type ListedPod = Omit<PodView, 'containers'> & {
  restartPolicy: RestartPolicy
  /** Names of the networks it is attached to; empty with the host's network or none. */
  networks: string[]
  /** Its cgroup, below the mount of each tree. */
  cgroup: string
  containers: ListedContainer[]
}

/** What a name is looked up among. */
export type ObjectKind = 'pod' | 'container'

/** What Kubernetes would say of a pod; reason and message are empty where there is nothing to say. */
export type PodCondition = {
  type: 'PodScheduled' | 'PodReadyToStartContainers' | 'Initialized' | 'ContainersReady' | 'Ready'
  status: boolean
  reason: string
  message: string
}

/** Everything known about a pod; nothing in it comes from a Secret. */
export type InspectedPod = {
  kind: 'pod'
  view: ListedPod
  conditions: PodCondition[]
  goal: string
  spec: PodSpec
  settings: PodSettings
  sandbox: SandboxFacts | undefined
  cgroupManager: 'cgroupfs' | 'systemd'
}

/** Everything known about a container; nothing in it comes from a Secret. */
export type InspectedContainer = {
  kind: 'container'
  view: ListedContainer
  pod: Omit<InspectedPod, 'kind'>
  /** Its part of the manifest; undefined for an infra container. */
  spec: ContainerSpec | undefined
  /** What the runtime was given; undefined until it is created and once that is taken away. */
  config: OciConfig | undefined
  /** Undefined when it is not on this host any more. */
  image: LocalImage | undefined
  oomKilled: boolean
  /** Those that run, and those that ended of late; oldest first. */
  execSessions: ExecSession[]
  /** The bundle, which conmon's pid files are in as well. */
  directory: string
  /** The files that are mounted below /etc. */
  podDirectory: string
}

export type Inspected = InspectedPod | InspectedContainer

export type Found = { kind: 'pod'; pod: PodView } | { kind: 'container'; pod: PodView; container: ContainerView }

/** Something run in a container besides its main process. */
export type ExecSession = {
  id: string
  command: string[]
  createdMs: number
  running: boolean
  pid?: number
  finishedMs?: number
  /** Absent while it runs, and when nobody saw it end. */
  exitCode?: number
}

/** What `kube generate` makes YAML of. */
export type Generated =
  | { kind: 'pod'; pod: PlayedManifest }
  | { kind: 'volume'; name: string; labels: Record<string, string>; annotations: Record<string, string> }
