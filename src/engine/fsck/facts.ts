/** What fsck looks at: what the records say and what is there, as plain data. */
import type { Id } from '../../model.ts'
import type { Observed, SandboxState } from '../plan/index.ts'
import type { ContainerGoal, ContainerKind, ContainerState } from '../types/index.ts'

export type Facts = {
  /** What SQLite says of the file; empty when it is sound. */
  damage: string[]
  /** Rows whose other half is gone. */
  dangling: { table: string; rowid: number; parent: string }[]
  pods: PodFacts[]
  leases: Lease[]
  sessions: { id: string; alive: boolean }[]
  objects: HostObject[]
  /** Pods by the files beside the database. */
  copies: CopyFacts[]
  /** Named volumes by their directories, and by their rows. */
  volumes: { directories: string[]; rows: string[] }
  locks: LockFacts[]
  /** Some process waits for clocks. */
  timekeeper: boolean
  /** Ids of pods that were ours once, by the events. */
  history: ReadonlySet<string>
}

export type CopyFacts = { id: Id; name: string; kind: 'pod' | 'service'; containers: Id[] }

export type Lease = { network: string; address: string; pod: Id }

export type PodFacts = {
  id: Id
  name: string
  kind: 'pod' | 'service'
  service?: Id
  goal: 'created' | 'running' | 'stopped' | 'removed'
  complete: boolean
  /** Somebody works on it right now: it is as it should be when he is done. */
  busy: boolean
  /** Undefined when the record has none. */
  sandbox: SandboxState | undefined
  wakes: boolean
  /** Namespaces of its own, and whether they are pinned. */
  namespaces: { kind: string; pinned: boolean }[]
  /** Undefined without a network of its own. */
  network?: { interfaces: boolean; bridge: boolean; names: boolean; ports: boolean }
  attachments: Omit<Lease, 'pod'>[]
  containers: ContainerFacts[]
}

export type ContainerFacts = {
  id: Id
  name: string
  kind: ContainerKind
  goal: ContainerGoal
  state: ContainerState
  observed: Observed
  /** A run of it that is there, and that its record does not know: the database is older than it. */
  unknownRun: boolean
  /** Of one that has a process. */
  parts: { runtime: boolean; directory: boolean; cgroup: boolean; layer: 'mounted' | 'unmounted' | 'absent' | 'none' }
}

/**
 * Something on this host that carries a mark of ours, with the id it was made for; of a cgroup and of a notify directory
 * the first 12 digits.
 */
export type HostObject =
  | { is: 'runtime state'; runtime: string; id: Id }
  | { is: 'monitor'; pid: number; start: string; id: Id }
  | { is: 'bound root'; path: string; id: Id }
  | { is: 'root file system'; id: Id }
  | { is: 'run directory'; path: string; id: Id }
  | { is: 'exit file'; path: string; id: Id }
  | { is: 'notify directory'; path: string; id: string }
  | { is: 'network'; network: string; address: string; id: Id }
  | { is: 'cgroup'; path: string; id: string }
  | { is: 'namespaces'; path: string; id: Id }
  | { is: 'pod directory'; path: string; id: Id }
  | { is: 'log directory'; path: string; id: Id }
  | { is: 'copy of records'; path: string; id: Id }

export type LockFacts = {
  name: string
  /** The process that has it. */
  heldBy?: { pid: number; stopped: boolean; command: string }
  /** Only the side file is there. */
  sideFileOnly: boolean
}

/** What heals a finding. Whatever it acts on is looked at again under its lock. */
export type Repair =
  | { do: 'cut'; table: string; rowid: number }
  | { do: 'look after'; pod: Id }
  | { do: 'tear down'; pod: Id }
  | { do: 'rebuild'; pod: Id }
  | { do: 'pin again'; pod: Id; kinds: string[] }
  | { do: 'reconnect'; pod: Id }
  | { do: 'restart'; container: Id }
  | { do: 'mount'; container: Id }
  | { do: 'lease'; lease: Lease; wanted: boolean }
  | { do: 'end session'; session: string }
  | { do: 'wake' }
  | { do: 'remove services' }
  | { do: 'adopt'; pod: Id }
  | { do: 'take over'; container: Id }
  | { do: 'adopt volume'; volume: string }
  | { do: 'remove'; object: HostObject }
  | { do: 'remove lock'; name: string }

export type Finding = {
  /** Of the project's list: I1 the database, I2 records without what they tell of, I3 things without a record, I8 locks. */
  invariant: 'I1' | 'I2' | 'I3' | 'I8'
  object: string
  /** What is wrong, one sentence. */
  problem: string
  /** What `--repair` does about it, or why it does nothing. */
  remedy: string
  repair?: Repair
}
