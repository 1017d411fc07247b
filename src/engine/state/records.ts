/** Rows of the store as typed records, and the few writes that change them. */
import type { ContainerName, ContainerSpec, Id, IdMaps, PodName, PodSpec, WorkloadName } from '../../model.ts'
import type { Limits } from '../../oci/index.ts'
import type { Unit } from '../../systemd/index.ts'
import type { SandboxState } from '../plan/index.ts'
import type { ContainerGoal, ContainerKind, ContainerState, FailedCheck, Health, PodFailure } from '../types/index.ts'
import type { Row, Store, Transaction, Value } from './store.ts'

/** One network a pod is attached to, with the address leased for it. */
export type Attachment = { network: string; address: string; mac?: string; aliases: string[] }

export type LogSettings = {
  driver: 'k8s-file' | 'json-file' | 'journald' | 'none' | 'passthrough'
  /** Set by `--log-opt path=`. */
  path?: string
  maxBytes: number
}

/** The ids of a pod's user namespace, for its life; `path` is that of one that others have made. */
export type UsernsSettings = IdMaps & { path?: string }

/** What the play asked for besides the manifest; needed again at each restart. */
export type PodSettings = {
  network: 'bridge' | 'host' | 'none'
  attachments: Attachment[]
  log: LogSettings
  noHosts: boolean
  noHostname: boolean
  runtime?: string
  /** Absent: the host's. */
  userns?: UsernsSettings
  /** Limits that were changed since the play, by the container's name in the pod. */
  limits?: Record<string, Limits>
  /** The systemd unit that played it, and in whose cgroup it lives. */
  unit?: Unit
  /** Of a service: which exit codes of its pods become its own. */
  propagation?: 'none' | 'all' | 'any'
}

export type PodRecord = {
  id: Id
  name: PodName
  kind: 'pod' | 'service'
  /** The service that stands for this pod and its siblings. */
  service?: Id
  /** The Job that made it. */
  job?: Id
  /** Its end is in the progress of its Job. */
  counted: boolean
  spec: PodSpec
  settings: PodSettings
  goal: 'created' | 'running' | 'stopped' | 'removed'
  complete: boolean
  createdMs: number
  startedMs?: number
  /** When a clock has to look at it again. */
  wakeMs?: number
  /** Since when it is active: its deadline counts from there. */
  activeMs?: number
  /** What it failed of as a whole, and when: nothing of it starts any more. */
  failure?: PodFailure
  /** Absent: the usual one. */
  failureMessage?: string
  failedMs?: number
}

/** When the pod is stopped, whatever it does; undefined for one that may run for ever. */
export const deadlineOf = ({ spec, activeMs }: PodRecord): number | undefined =>
  spec.deadlineMs === undefined || activeMs === undefined ? undefined : activeMs + spec.deadlineMs

export type ContainerRecord = {
  id: Id
  pod: Id
  name: string
  shortName: ContainerName
  kind: ContainerKind
  goal: ContainerGoal
  ordinal: number
  imageId: string
  state: ContainerState
  boot?: string
  pid?: number
  pidStart?: string
  monitorPid?: number
  monitorStart?: string
  restarts: number
  crashes: number
  /** Somebody sent it a signal that means the end. */
  killed: boolean
  createdMs: number
  startedMs?: number
  finishedMs?: number
  exitCode?: number
  reason: string
  message: string
  command: string[]
  /** What asks it to stop: SIGTERM or what its image says. */
  stopSignal: string
} & RunProgress

/** How far the run of a container has got. */
export type RunProgress = {
  /** Its postStart hook is done, and its startup probe has succeeded. */
  started: boolean
  /** It has started, and its readiness probe succeeds. */
  ready: boolean
  /** Its postStart hook is done, or it has none. */
  hooked: boolean
  /** By its liveness probe, or by its startup probe where it has only that; absent: it has neither, or does not run. */
  health?: Health
  /** What has found it to be beyond help: it is to be ended, and its end is a failure. */
  failedCheck?: FailedCheck
}

/** What holds for one boot: set once the sandbox stands. */
export type SandboxFacts = {
  runtime: { name: string; path: string; version: string; root: string }
  /** Directory of the pinned namespaces. */
  namespaces: string
  /** netavark's input, kept for its teardown. */
  network?: object
  addresses: string[]
  dnsServers: string[]
}

const text = (value: Value | undefined): string => String(value ?? '')
const optionalNumber = (value: Value | undefined): number | undefined =>
  value === null || value === undefined ? undefined : Number(value)
const optionalText = (value: Value | undefined): string | undefined =>
  value === null || value === undefined ? undefined : String(value)

/** Drops the keys whose value is undefined, so that records compare and print as what they hold. */
function compact<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T
}

function podRecord(row: Row): PodRecord {
  return compact({
    id: text(row.id) as Id,
    name: text(row.name) as PodName,
    kind: text(row.kind) as PodRecord['kind'],
    service: optionalText(row.service) as Id | undefined,
    job: optionalText(row.job) as Id | undefined,
    counted: row.counted === 1,
    spec: JSON.parse(text(row.spec)) as PodSpec,
    settings: JSON.parse(text(row.settings)) as PodSettings,
    goal: text(row.goal) as PodRecord['goal'],
    complete: row.complete === 1,
    createdMs: Number(row.created_ms),
    startedMs: optionalNumber(row.started_ms),
    wakeMs: optionalNumber(row.wake_ms),
    activeMs: optionalNumber(row.active_ms),
    failure: optionalText(row.failure) as PodFailure | undefined,
    failureMessage: optionalText(row.failure_message),
    failedMs: optionalNumber(row.failed_ms),
  }) as PodRecord
}

function containerRecord(row: Row): ContainerRecord {
  return compact({
    id: text(row.id) as Id,
    pod: text(row.pod) as Id,
    name: text(row.name),
    shortName: text(row.short_name) as ContainerName,
    kind: text(row.kind) as ContainerKind,
    goal: text(row.goal) as ContainerGoal,
    ordinal: Number(row.ordinal),
    imageId: text(row.image_id),
    state: text(row.state) as ContainerState,
    boot: optionalText(row.boot),
    pid: optionalNumber(row.pid),
    pidStart: optionalText(row.pid_start),
    monitorPid: optionalNumber(row.monitor_pid),
    monitorStart: optionalText(row.monitor_start),
    restarts: Number(row.restarts),
    crashes: Number(row.crashes),
    killed: row.killed === 1,
    createdMs: Number(row.created_ms),
    startedMs: optionalNumber(row.started_ms),
    finishedMs: optionalNumber(row.finished_ms),
    exitCode: optionalNumber(row.exit_code),
    reason: text(row.reason),
    message: text(row.message),
    command: JSON.parse(text(row.command)) as string[],
    stopSignal: text(row.stop_signal),
    started: row.started === 1,
    ready: row.ready === 1,
    hooked: row.hooked === 1,
    health: optionalText(row.health) as Health | undefined,
    failedCheck: optionalText(row.failed_check) as FailedCheck | undefined,
  }) as ContainerRecord
}

/** What the manifest says of the container `name`, init or regular; undefined for an infra container. */
export const specNamed = (pod: PodSpec, name: string): ContainerSpec | undefined =>
  [...pod.initContainers, ...pod.containers].find(container => container.name === name)

type Reader = Pick<Store, 'all'>

/** The condition of a query for rows that are of these pods; none without `ids`. They are the query's parameters. */
export const amongIds = (column: string, ids: readonly string[] | undefined): string =>
  ids === undefined ? '' : `WHERE ${column} IN (${ids.map(() => '?').join(', ')})`

/** All pods, or those with these ids, oldest first. */
export async function readPods(store: Reader, ids?: readonly string[]): Promise<PodRecord[]> {
  return (await store.all(`SELECT * FROM pod ${amongIds('id', ids)} ORDER BY created_ms, name`, ids)).map(podRecord)
}

/** All pods of a Job, in the order they were made. */
export async function readPodsOfJob(store: Reader, job: string): Promise<PodRecord[]> {
  return (await store.all('SELECT * FROM pod WHERE job = ? ORDER BY created_ms, name', [job])).map(podRecord)
}

/** Names of all pods that these objects have made, whatever their number was then. */
export async function podsMadeBy(store: Reader, workloads: readonly WorkloadName[]): Promise<string[]> {
  if (workloads.length === 0) return []
  const rows = await store.all(
    `SELECT name, json_extract(spec, '$.origin.kind') AS kind, json_extract(spec, '$.origin.name') AS maker FROM pod`,
  )
  const makers = new Set(workloads.map(({ kind, name }) => `${kind} ${name}`))
  return rows.filter(row => makers.has(`${row.kind} ${row.maker}`)).map(row => text(row.name))
}

/** The pod of this name, which is unique among pods. */
export async function readPod(store: Reader, name: string): Promise<PodRecord | undefined> {
  const rows = await store.all('SELECT * FROM pod WHERE name = ?', [name])
  return rows[0] && podRecord(rows[0])
}

/** The pod or service of this id. */
export async function readPodById(store: Reader, id: string): Promise<PodRecord | undefined> {
  const rows = await store.all('SELECT * FROM pod WHERE id = ?', [id])
  return rows[0] && podRecord(rows[0])
}

/** The pod a container belongs to. */
export async function readPodOf(store: Reader, containerId: string): Promise<PodRecord | undefined> {
  const rows = await store.all(
    'SELECT pod.* FROM pod JOIN container ON container.pod = pod.id WHERE container.id = ?',
    [containerId],
  )
  return rows[0] && podRecord(rows[0])
}

const ORDER = `ORDER BY pod,
  CASE kind WHEN 'infra' THEN 0 WHEN 'service' THEN 0 WHEN 'init' THEN 1 WHEN 'sidecar' THEN 1 ELSE 2 END, ordinal`

/** Pods' containers: infra, then init containers and sidecars, then regular ones, each in manifest order; of all pods without ids. */
export async function readContainers(store: Reader, pods?: readonly string[]): Promise<ContainerRecord[]> {
  return (await store.all(`SELECT * FROM container ${amongIds('pod', pods)} ${ORDER}`, pods)).map(containerRecord)
}

/** One container by its full id. */
export async function readContainer(store: Reader, id: string): Promise<ContainerRecord | undefined> {
  const rows = await store.all('SELECT * FROM container WHERE id = ?', [id])
  return rows[0] && containerRecord(rows[0])
}

/** The sandbox of a pod; one of an earlier boot is `down`: its kernel objects are gone, names and addresses stay. */
export async function readSandbox(
  store: Reader,
  podId: string,
  boot: string,
): Promise<{ facts: SandboxFacts; state: SandboxState } | undefined> {
  const [row] = await store.all('SELECT boot, state, facts FROM sandbox WHERE pod = ?', [podId])
  if (row === undefined) return undefined
  const state = row.boot === boot ? (text(row.state) as SandboxState) : 'down'
  return { facts: JSON.parse(text(row.facts)) as SandboxFacts, state }
}

/** Notes what is about to be done with a sandbox, or was done. */
export async function updateSandbox(tx: Transaction, podId: string, boot: string, state: SandboxState): Promise<void> {
  await tx.run('UPDATE sandbox SET boot = ?, state = ? WHERE pod = ?', [boot, state, podId])
}

/** Writes the row of a new pod; it counts as incomplete until `updatePod` says otherwise. */
export async function insertPod(tx: Transaction, pod: PodRecord): Promise<void> {
  await tx.run(
    `INSERT INTO pod (id, name, kind, service, job, spec, settings, goal, complete, created_ms, active_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`,
    [
      pod.id,
      pod.name,
      pod.kind,
      pod.service ?? null,
      pod.job ?? null,
      JSON.stringify(pod.spec),
      JSON.stringify(pod.settings),
      pod.goal,
      pod.createdMs,
      pod.activeMs ?? null,
    ],
  )
  for (const { network, address } of pod.settings.attachments) {
    await tx.run('INSERT INTO lease (network, address, pod) VALUES (?, ?, ?)', [network, address, pod.id])
  }
}

/** Writes the row of a new container, after that of its pod. */
export async function insertContainer(tx: Transaction, container: ContainerRecord): Promise<void> {
  await tx.run(
    `INSERT INTO container (id, pod, name, short_name, kind, goal, ordinal, state, created_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      container.id,
      container.pod,
      container.name,
      container.shortName,
      container.kind,
      container.goal,
      container.ordinal,
      container.state,
      container.createdMs,
    ],
  )
}

/** Forgets one container; its pod goes on without it. */
export async function deleteContainerRow(tx: Transaction, id: string): Promise<void> {
  await tx.run('DELETE FROM container WHERE id = ?', [id])
}

/** Forgets a pod, its containers, sandbox and leases. */
export async function deletePod(tx: Transaction, id: string): Promise<void> {
  await tx.run('DELETE FROM pod WHERE id = ?', [id])
  // A Job without pods is nobody's any more.
  await tx.run('DELETE FROM job WHERE id NOT IN (SELECT job FROM pod WHERE job IS NOT NULL)')
}

/** Addresses of one network that are leased to any pod. */
export async function leasedAddresses(tx: Reader, network: string): Promise<Set<string>> {
  const rows = await tx.all('SELECT address FROM lease WHERE network = ?', [network])
  return new Set(rows.map(row => text(row.address)))
}
