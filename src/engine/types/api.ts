/** The engine's doors and operations; what it shows is in views.ts, what plays are about in play.ts. */
import type { Clock } from '../../clock.ts'
import type { Bundle, Id, LocalImage } from '../../model.ts'
import type { CriuOptions, Limits, NetworkDefinition, NetworkWish, PullOptions } from '../../oci/index.ts'
import type { Paths } from '../../paths.ts'
import type { Detach, Interact, Run, RunStreaming } from '../../process.ts'
import type { Terminal } from '../../terminal.ts'
import type { CheckReport, RepairWish } from '../fsck/index.ts'
import type { Inside } from '../inside/index.ts'
import type { ApplyPlan, ApplyReport, ApplyRequest, AppView } from './apply.ts'
import type { EventRequest, EventView } from './events.ts'
import type { Gitops } from './gitops.ts'
import type { DownOptions, DownReport, DownRequest, PlayOptions, PlayReport, Watch } from './play.ts'
import type {
  ContainerState,
  Found,
  Generated,
  Inspected,
  ListedPod,
  NetworkView,
  ObjectKind,
  PodReadiness,
  RemovedImage,
  SecretView,
  VolumeView,
} from './views.ts'

export type * from './apply.ts'
export type * from './events.ts'
export type * from './gitops.ts'
export type * from './play.ts'
export type * from './views.ts'

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
  /** Tells people what they may want to mend and what keeps nothing from working; the same text once. */
  warn(text: string): void
  clock: Clock
  paths: Paths
  /** The caller's, for programs that fetch and decrypt sources; absent: empty. */
  environment?: Readonly<Record<string, string | undefined>>
  /** What systemd calls this run of the unit that started this process; absent outside of one. */
  invocationId?: string
  /** Where the service manager that started this process listens; absent without one. */
  notifySocket?: string
  /** Absolute path of the `tspod` launcher, for the exit hook. */
  launcher: string
  /** Absolute path of the exit hook script. */
  exitHook: string
  /** Absolute path of the script that waits for clocks. */
  timekeeper: string
  /** Program and arguments that probe: see probe/prober.ts. The roots and the launcher come after them. */
  prober: readonly [program: string, ...args: string[]]
  /** Absolute path of the text of the AppArmor profile that containers get. */
  appArmorProfile: string
}

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
  play(
    bundle: Bundle,
    options: PlayOptions,
    progress: Progress,
    signal: AbortSignal,
    watch?: Watch,
  ): Promise<PlayReport>
  /** Waits until the service of a play has ended, and answers its exit code. */
  serviceEnd(service: Id, signal: AbortSignal): Promise<number>
  /** Stops and removes what is named; what is already gone is fine. */
  down(request: DownRequest, options: DownOptions, signal: AbortSignal, watch?: Watch): Promise<DownReport>
  /** What `apply` would do, and why; changes nothing, and throws what it would refuse. */
  planApply(request: ApplyRequest, signal: AbortSignal): Promise<ApplyPlan>
  /**
   * Brings what runs to what the bundle says, and touches nothing else. Throws before anything is changed when it
   * cannot be done; what did not come up is in the report.
   */
  apply(request: ApplyRequest, progress: Progress, signal: AbortSignal): Promise<ApplyReport>
  /** What an apply of these `inputs` would report, when they were applied last and nothing has happened since. */
  settled(inputs: string): Promise<ApplyReport | undefined>
  /** All apps by name, with their objects; spawns no process. */
  apps(): Promise<AppView[]>
  /** Stops and removes everything an app has, whatever has become of its manifests; throws NO_SUCH_OBJECT. */
  removeApp(name: string, options: { volumes: boolean }, signal: AbortSignal): Promise<DownReport>
  /** GitOps sources. */
  gitops(): Promise<Gitops>
  /** All pods and services, oldest first, from the store, /proc and the exit files; spawns no process. */
  pods(): Promise<ListedPod[]>
  /** By pod name, container name, POD/CONTAINER or id prefix, among one kind or both; throws NO_SUCH_OBJECT. */
  find(nameOrId: string, kind?: ObjectKind): Promise<Found>
  /** Everything known about a pod or container, secrets redacted; throws NO_SUCH_OBJECT. */
  inspect(nameOrId: string, kind?: ObjectKind): Promise<Inspected>
  /** A pod or a named volume as `kube generate` writes it; throws NO_SUCH_OBJECT, WRONG_STATE. */
  generated(nameOrId: string): Promise<Generated>
  /** Runs a command in a running container and returns its exit code (125, 126, 127, 255 as Podman). */
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
  /** Waits at most so long until each of these pods is ready or cannot come to be it, and answers what each is then. */
  awaitReady(ids: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<Map<string, PodReadiness>>
  /** Compares records and host, and heals what is wished and can be. */
  check(wish: RepairWish, signal: AbortSignal): Promise<CheckReport>
  /** Brings every pod that wants to run to its goal, after a reboot; answers for each what became of it. */
  startAfterReboot(): Promise<Outcome[]>
  /** What has happened, and with `follow` what happens, until the signal. */
  events(request: EventRequest, signal: AbortSignal): AsyncIterable<EventView>
  /** What the exit hook calls: brings the container's pod to where it should be. */
  cleanup(containerId: string): Promise<void>
  /** What conmon calls when an exec session has ended: its exit code is recorded and told. */
  cleanupExec(containerId: string): Promise<void>
  /** What the timekeeper calls: does what is due; returns the wait until the next look in ms, undefined for none. */
  tick(over: readonly string[]): Promise<number | undefined>
  /** All named volumes, by name. */
  volumes(): Promise<VolumeView[]>
  /** The named volume; throws NO_SUCH_OBJECT. */
  volume(name: string): Promise<VolumeView>
  /** Makes an empty named volume; throws NAME_IN_USE. */
  createVolume(name: string, labels: Readonly<Record<string, string>>): Promise<void>
  /** Removes a named volume and what is in it; throws NO_SUCH_OBJECT, WRONG_STATE while a pod has it. */
  removeVolume(name: string): Promise<void>
  /** All Secrets that are on record, by name, without their values. */
  secrets(): Promise<SecretView[]>
  /** All networks that pods may join, by name; throws NETWORK_FAILED for a description that cannot be used. */
  networks(): Promise<NetworkView[]>
  /** The network of this name; throws NO_SUCH_OBJECT. */
  network(name: string): Promise<NetworkView>
  /** Makes a network; throws NAME_IN_USE, USAGE, NETWORK_FAILED. */
  createNetwork(wish: NetworkWish): Promise<NetworkDefinition>
  /** Removes a network; throws NO_SUCH_OBJECT, WRONG_STATE while a pod has it and for the default one. */
  removeNetwork(name: string): Promise<void>
  /** Removes Secrets; answers the ids of those that were there. */
  removeSecrets(names: readonly string[]): Promise<string[]>
  /** Keys and base64 values of a Secret of an earlier play. */
  storedSecrets(): Promise<(name: string) => Record<string, string> | undefined>
  images(): Promise<LocalImage[]>
  /** The local image of this name or id; undefined when there is none. Throws IMAGE_BAD_NAME. */
  image(name: string): Promise<LocalImage | undefined>
  /** Takes a name from an image, and deletes it with its last; throws NO_SUCH_OBJECT, WRONG_STATE while it is in use. */
  removeImage(nameOrId: string, how: { force: boolean }): Promise<RemovedImage>
  /** Deletes those of the images that no container of any program uses and `passes` lets through. */
  pruneImages(passes: (image: LocalImage) => boolean): Promise<RemovedImage[]>
  pull(name: string, options: PullOptions, progress: Progress, signal: AbortSignal): Promise<LocalImage>
  close(): Promise<void>
}
