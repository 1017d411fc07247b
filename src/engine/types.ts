/** What the engine is asked for and what it answers: plain data, shared with the command line. */
import type { Clock } from '../clock.ts'
import type { Bundle, ContainerName, Id, LocalImage, PodName, PortSpec } from '../model.ts'
import type { PullOptions } from '../oci/index.ts'
import type { Paths } from '../paths.ts'
import type { Detach, Interact, Run, RunStreaming } from '../process.ts'
import type { Terminal } from '../terminal.ts'

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
  /** Pods that `--replace` took down first. */
  replaced?: DownReport
}

/** What `kube down` works on: names only, so that it needs no valid manifest. */
export type DownRequest = { pods: string[]; secrets: string[]; claims: string[]; podClaims: string[] }

export type DownReport = {
  stopped: string[]
  removed: string[]
  secrets: string[]
  volumes: string[]
  failures: { object: string; message: string }[]
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

export type ContainerKind = 'init' | 'regular' | 'infra'

export type ContainerView = {
  id: Id
  /** Full name: POD-NAME, or NAME with `--no-pod-prefix`. */
  name: string
  shortName: ContainerName
  pod: PodName
  podId: Id
  kind: ContainerKind
  image: string
  imageId: string
  state: ContainerState
  /** What the STATUS column says: Running, Completed, Error, CrashLoopBackOff, ContainerCreating, … */
  reason: string
  /** One sentence of explanation, where there is one. */
  message: string
  pid?: number
  exitCode?: number
  restarts: number
  createdMs: number
  startedMs?: number
  finishedMs?: number
  command: string[]
  ports: PortSpec[]
  /** Empty when the log driver keeps no file. */
  logPath: string
}

export type PodView = {
  id: Id
  name: PodName
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

export type Found = { kind: 'pod'; pod: PodView } | { kind: 'container'; pod: PodView; container: ContainerView }

export type ExecRequest = {
  args: string[]
  /** `KEY=value` or `KEY`, on top of the container's own environment. */
  env: string[]
  user?: string
  cwd?: string
  tty: boolean
  interactive: boolean
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

export type Progress = (event: { object: string; text: string }) => void

export type Engine = {
  /** Creates and starts everything in the bundle; throws before anything is created when it cannot be done. */
  play(bundle: Bundle, options: PlayOptions, progress: Progress, signal: AbortSignal): Promise<PlayReport>
  /** Stops and removes what is named; what is already gone is fine. */
  down(request: DownRequest, options: { force: boolean }, signal: AbortSignal): Promise<DownReport>
  /** All pods, oldest first, from the store, /proc and the exit files; spawns no process. */
  pods(): Promise<PodView[]>
  /** By pod name, container name, POD/CONTAINER or id prefix; throws NO_SUCH_OBJECT. */
  find(nameOrId: string): Promise<Found>
  /** The full record of a pod or container, secrets redacted; throws NO_SUCH_OBJECT. */
  inspect(nameOrId: string): Promise<object>
  /** Runs a command in a running container and returns its exit code (125, 126, 127 as Podman). */
  exec(nameOrId: string, request: ExecRequest, signal: AbortSignal): Promise<number>
  /** Connects the terminal with a running container until that ends or the person leaves. */
  attach(nameOrId: string, request: AttachRequest, terminal: Terminal, signal: AbortSignal): Promise<AttachEnd>
  /** What the exit hook calls: brings the container's pod to where it should be; returns a back-off to wait, if any. */
  cleanup(containerId: string): Promise<{ retryAfterMs?: number }>
  /** Keys and base64 values of a Secret of an earlier play. */
  storedSecrets(): Promise<(name: string) => Record<string, string> | undefined>
  images(): Promise<LocalImage[]>
  pull(name: string, options: PullOptions, progress: Progress, signal: AbortSignal): Promise<LocalImage>
  close(): Promise<void>
}
