/** What the engine works with during one command, and what it works on for one pod. */
import type { Id, LocalImage } from '../model.ts'
import type {
  BegunMonitor,
  CgroupPlace,
  Hierarchy,
  HostFacts,
  Store as ImageStore,
  NetworkDoor,
  PodCgroup,
  PullDoor,
  RootfsDoor,
  Runtime,
} from '../oci/index.ts'
import { containerRunDirectory, exitDirectory, podRunDirectory } from '../paths.ts'
import type { Manager } from '../systemd/index.ts'
import type { NewEvent } from './events/index.ts'
import type { SandboxState } from './plan/index.ts'
import type { Proxies } from './proxies.ts'
import type { ContainerPatch, ContainerRecord, PodPatch, PodRecord, SandboxFacts, Store } from './state/index.ts'
import type { Doors } from './types/index.ts'

/** Built once per command; what costs something is made when first asked for. */
export type EngineContext = Doors & {
  store: Store
  boot: string
  host: HostFacts
  hierarchies: Hierarchy[]
  /** Where pods' cgroups go: below systemd's own tree when systemd is PID 1. */
  cgroupPlace: CgroupPlace
  manager: Manager
  proxies: Proxies
  /** True where systemd's journal takes the containers' lines as well. */
  journal: boolean
  storage(): Promise<ImageStore>
  rootfs(): Promise<RootfsDoor>
  networks: NetworkDoor
  pulls(): Promise<PullDoor>
  /** Finds a local image by name or id. */
  findImage(name: string): Promise<LocalImage | undefined>
  runtime(wanted: string | undefined): Promise<Runtime>
  seccompProfile(path?: string): Promise<unknown>
}

/** One pod under the hands of one process that holds its lock. */
export type PodWork = {
  context: EngineContext
  pod: PodRecord
  containers: ContainerRecord[]
  sandbox: SandboxFacts
  sandboxState: SandboxState
  cgroup: PodCgroup
  /** Images by container id, resolved before anything is created. */
  images: Map<Id, LocalImage>
  /** Mounted root file systems by container id. */
  rootfs: Map<Id, string>
  /** Monitors that wait for the bundles of their containers. */
  monitors: Map<Id, Promise<BegunMonitor>>
  /** Changes of container rows, written in one transaction when the steps have ended. */
  patches: Map<Id, ContainerPatch>
  /** Changes of the pod's row, written along with them. */
  podPatch: PodPatch
  /** What happened, written along with the patches. */
  events: NewEvent[]
  /** How containers are asked to stop, where somebody wants it otherwise than the pod does. */
  stopping: Stopping
  /** False where nobody waits for the pod to be up: then init containers are not waited for. */
  patient: boolean
  /** The pods whose locks this process has and lets go together: a play those of all its pods. */
  together: readonly string[]
  /** Containers that somebody has just asked to run: whose stop has begun is stopped, and then started. */
  asked: Set<Id>
  /** What steps have begun beside them; over before the next plan, so that nothing comes after what undoes it. */
  begun: Promise<unknown>[]
  /** What has to be up before any of its containers is started: the service of its play. Fails when that does. */
  after?: Promise<unknown>
  /** Told when all its containers have been asked to stop and have ended, while other things of it are still freed. */
  rested?: () => void
  /** Told of each change of a container's state. */
  changed?: () => void
  /** Set when the record of the pod is gone. */
  forgotten: boolean
  signal: AbortSignal | undefined
}

export type Stopping = {
  /** Between the stop signal and KILL. */
  graceMs?: number
  signal?: NodeJS.Signals
  /** When the first container was asked: all share the same grace. Monotonic. */
  beganMs?: number
}

/** The container's record; a plan never names one that is not there. */
export function containerOf(work: PodWork, id: Id): ContainerRecord {
  const record = work.containers.find(container => container.id === id)
  if (record === undefined) throw new Error(`pod ${work.pod.name} has no container ${id}`)
  return record
}

/** Remembers a change for the transaction at the end, and applies it to the record at once. */
export function patch(work: PodWork, id: Id, change: ContainerPatch): void {
  work.patches.set(id, { ...work.patches.get(id), ...change })
  apply(containerOf(work, id), change)
  if (change.state !== undefined) work.changed?.()
}

/** The same for the pod itself. */
export function patchPod(work: PodWork, change: PodPatch): void {
  Object.assign(work.podPatch, change)
  apply(work.pod, change)
}

function apply(record: ContainerRecord | PodRecord, change: ContainerPatch | PodPatch): void {
  for (const [key, value] of Object.entries(change)) {
    if (value === null) Reflect.deleteProperty(record, key)
    else Object.assign(record, { [key]: value })
  }
}

/** The run-time directories of a container: bundle, pid files and FIFOs in one place, exit files in another. */
export const placesOf = (work: PodWork, id: Id): { run: string; exits: string; pod: string } => ({
  run: containerRunDirectory(work.context.paths, id),
  exits: exitDirectory(work.context.paths),
  pod: podRunDirectory(work.context.paths, work.pod.id),
})
