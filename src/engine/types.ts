/** What the engine is asked for and what it answers: plain data, shared with the command line. */
import type { Clock } from '../clock.ts'
import type {
  Bundle,
  ContainerName,
  ContainerSpec,
  Id,
  LocalImage,
  PodName,
  PodSpec,
  PortSpec,
  RestartPolicy,
} from '../model.ts'
import type { CriuOptions, Limits, OciConfig, PullOptions } from '../oci/index.ts'
import type { Paths } from '../paths.ts'
import type { Detach, Interact, Run, RunStreaming } from '../process.ts'
import type { Terminal } from '../terminal.ts'
import type { Inside } from './inside/index.ts'
import type { PodSettings, SandboxFacts } from './records.ts'

/** The doors the engine works through, built once in main.ts. */
export type Doors = {
  run: Run
  stream: RunStreaming
  /** Runs a program with the caller's terminal and pipes. */
  interact: Interact
  /** Starts a program that lives on after this process. */
  detach: Detach
  /** Logs what people need not see: a default limit that this host cannot give, for example. */
  note(text: string): void
  clock: Clock
  paths: Paths
  /** Absolute path of the `tspod` launcher, for the exit hook. */
  launcher: string
  /** Absolute path of the exit hook script. */
  exitHook: string
  /** Absolute path of the script that waits for clocks. */
  timekeeper: string
}

export type PlayOptions = {
  replace: boolean
  /** False: create only. */
  start: boolean
  /** Raw `--network` values, in order; empty means what the manifest says. */
  networks: string[]
  /** The n-th address is for the n-th pod. */
  ips: string[]
  macs: string[]
  logDriver?: string
  /** Raw `--log-opt` values: `key=value`. */
  logOptions: string[]
  noHosts: boolean
  noHostname: boolean
  noPodPrefix: boolean
  pull: PullOptions
  runtime?: string
  /** Set when a service container is to stand for the play's pods. */
  service?: ServiceOptions
}

export type ServiceOptions = {
  /** `<first 12 digits of the manifest's SHA-256>-service`, as in Podman. */
  name: string
  /** Which exit codes of its pods make the service itself fail. */
  propagation: 'none' | 'all' | 'any'
}

export type ContainerFailure = { container: string; message: string }

export type PlayedPod = {
  name: string
  id: string
  /** Regular containers only, in manifest order. */
  containers: { name: string; id: string }[]
  /** Containers that did not start, each with one sentence. */
  failures: ContainerFailure[]
}

export type PlayReport = {
  volumes: string[]
  secrets: { name: string; id: string }[]
  pods: PlayedPod[]
  /** Id of the service's pod, where there is a service container. */
  service?: string
  /** Pods that `--replace` took down first. */
  replaced?: DownReport
}

/** What `kube down` works on: names only, so that it needs no valid manifest. */
export type DownRequest = { pods: string[]; secrets: string[]; claims: string[]; podClaims: string[] }

export type DownOptions = {
  /** Also removes named volumes. */
  force: boolean
  /** At most this between the stop signal and KILL, whatever the pods say. */
  graceMs?: number
}

export type DownReport = {
  stopped: string[]
  removed: string[]
  secrets: string[]
  volumes: string[]
  failures: { object: string; message: string }[]
}

/** What an event is about. */
export type EventKind = 'pod' | 'container' | 'image' | 'volume' | 'secret' | 'service' | 'system'

/** Something that happened. */
export type EventView = {
  atMs: number
  kind: EventKind
  /** Podman's word. */
  action: string
  /** Kubernetes' word; empty for what it does not tell of. */
  reason: string
  warning: boolean
  /** Its id; the name for a volume. */
  object: string
  name: string
  /** Empty for what belongs to no pod. */
  podId: string
  podName: string
  message: string
  /** exitCode, signal, image, … */
  facts: Record<string, string>
  labels: Record<string, string>
}

export type EventRequest = {
  /** True: what has happened already as well. */
  past: boolean
  sinceMs?: number
  untilMs?: number
  /** Goes on with what happens. */
  follow: boolean
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'

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

/** What somebody wants of a container; `stopped` by hand wins over every restart. */
export type ContainerGoal = 'created' | 'running' | 'stopped'

export type ContainerView = {
  id: Id
  /** Full name: POD-NAME, or NAME with `--no-pod-prefix`. */
  name: string
  shortName: ContainerName
  pod: PodName
  podId: Id
  kind: ContainerKind
  goal: ContainerGoal
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
  command: string[]
  ports: PortSpec[]
  /** Empty when the log driver keeps no file. */
  logPath: string
}

/** Podman's words for what a pod is like, capitalised as it prints them. */
export type PodState = 'Created' | 'Running' | 'Degraded' | 'Paused' | 'Stopped' | 'Exited' | 'Error'

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
  ready: number
  total: number
  restarts: number
  createdMs: number
  startedMs?: number
  ips: string[]
  ports: PortSpec[]
  runtime: string
  origin: string
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

/** Everything known about a pod; nothing in it comes from a Secret. */
export type InspectedPod = {
  kind: 'pod'
  view: ListedPod
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

export type ExecRequest = {
  args: string[]
  /** `KEY=value` or `KEY`, on top of the container's own environment. */
  env: string[]
  user?: string
  cwd?: string
  tty: boolean
  interactive: boolean
  /** With every capability tspod itself has. */
  privileged: boolean
}

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

export type AttachRequest = {
  /** Whether what is typed here goes there. */
  stdin: boolean
  /** Bytes that end the attachment when they are typed on a terminal; none when empty. */
  detachKeys: number[]
  /** Whether signals to this process go to the container's main process. */
  sigProxy: boolean
}

export type AttachEnd = { is: 'exited'; code: number } | { is: 'detached' }

/** What can be asked of containers. `graceMs` is between the stop signal and KILL; absent means what the pod says. */
export type ContainerAction =
  | { do: 'init' | 'start' | 'pause' | 'unpause' }
  | { do: 'kill'; signal: NodeJS.Signals }
  | { do: 'stop' | 'restart' | 'remove' | 'remove by force'; graceMs?: number }
  | ({ do: 'checkpoint' } & CheckpointWish)
  | ({ do: 'restore' } & RestoreWish)

/** How a container is let go on from a checkpoint. */
export type RestoreWish = CriuOptions & {
  /** Logs and images stay. */
  keep: boolean
}

/** How a container is written to files. */
export type CheckpointWish = RestoreWish & { leaveRunning: boolean }

/** What can be asked of pods. */
export type PodAction =
  | { do: 'start' | 'pause' | 'unpause' | 'cleanup' }
  | { do: 'kill'; signal: NodeJS.Signals }
  | { do: 'stop' | 'restart'; graceMs?: number }
  | { do: 'remove'; force: boolean; graceMs?: number }

/** What became of one container or pod; without an error it was done, or there was nothing to do. */
export type Outcome = { id: Id; name: string; error?: Error }

export type Progress = (event: { object: string; text: string }) => void

export type Engine = Inside & {
  /** Creates and starts everything in the bundle; throws before anything is created when it cannot be done. */
  play(bundle: Bundle, options: PlayOptions, progress: Progress, signal: AbortSignal): Promise<PlayReport>
  /** Stops and removes what is named; what is already gone is fine. */
  down(request: DownRequest, options: DownOptions, signal: AbortSignal): Promise<DownReport>
  /** All pods and services, oldest first, from the store, /proc and the exit files; spawns no process. */
  pods(): Promise<ListedPod[]>
  /** By pod name, container name, POD/CONTAINER or id prefix, among one kind or both; throws NO_SUCH_OBJECT. */
  find(nameOrId: string, kind?: ObjectKind): Promise<Found>
  /** Everything known about a pod or container, secrets redacted; throws NO_SUCH_OBJECT. */
  inspect(nameOrId: string, kind?: ObjectKind): Promise<Inspected>
  /** Runs a command in a running container and returns its exit code (125, 126, 127 as Podman). */
  exec(nameOrId: string, request: ExecRequest, signal: AbortSignal): Promise<number>
  /** The same on the caller's terminal, until it ends or the person leaves with the detach keys. */
  execOnTerminal(
    nameOrId: string,
    request: ExecRequest & { detachKeys: number[] },
    terminal: Terminal,
    signal: AbortSignal,
  ): Promise<AttachEnd>
  /** Starts a command in a running container in the background; answers the id of its session. */
  execDetached(nameOrId: string, request: ExecRequest): Promise<string>
  /** Connects the terminal with a running container until that ends or the person leaves. */
  attach(nameOrId: string, request: AttachRequest, terminal: Terminal, signal: AbortSignal): Promise<AttachEnd>
  /** The same for one that is started now: nothing it prints is missed. */
  startAttached(nameOrId: string, request: AttachRequest, terminal: Terminal, signal: AbortSignal): Promise<AttachEnd>
  /** Does one thing to containers, and answers for each what became of it. */
  operateContainers(ids: readonly Id[], action: ContainerAction, signal: AbortSignal): Promise<Outcome[]>
  /** Writes the checkpoint of a container to a new file. */
  exportCheckpoint(id: Id, file: string): Promise<void>
  /** Takes an archive of this installation for the container it was made of; answers that container's id. */
  importCheckpoint(file: string, signal: AbortSignal): Promise<Id>
  /** Changes limits of a container, now and for its later runs. Throws HOST_LACKS for one that this host cannot set. */
  updateLimits(id: Id, limits: Limits, signal: AbortSignal): Promise<void>
  /** Does one thing to pods, and answers for each what became of it. */
  operatePods(ids: readonly Id[], action: PodAction, signal: AbortSignal): Promise<Outcome[]>
  /** Gives a container another name; throws NAME_IN_USE, USAGE. */
  rename(podId: Id, id: Id, name: string, signal: AbortSignal): Promise<void>
  /** Waits until each container is in one of the states or gone; exit codes in the order asked for, -1 for none. */
  waitFor(
    ids: readonly Id[],
    states: readonly ContainerState[],
    intervalMs: number,
    signal: AbortSignal,
  ): Promise<number[]>
  /** What has happened, and with `follow` what happens, until the signal. */
  events(request: EventRequest, signal: AbortSignal): AsyncIterable<EventView>
  /** What the exit hook calls: brings the container's pod to where it should be. */
  cleanup(containerId: string): Promise<void>
  /** What the timekeeper calls: does what is due; returns the wait until the next look in ms, undefined for none. */
  tick(): Promise<number | undefined>
  /** Keys and base64 values of a Secret of an earlier play. */
  storedSecrets(): Promise<(name: string) => Record<string, string> | undefined>
  images(): Promise<LocalImage[]>
  /** The local image of this name or id; undefined when there is none. Throws IMAGE_BAD_NAME. */
  image(name: string): Promise<LocalImage | undefined>
  pull(name: string, options: PullOptions, progress: Progress, signal: AbortSignal): Promise<LocalImage>
  close(): Promise<void>
}
