/** What the prober reads from the store and writes into it: only what changes, and only of the very run it has probed. */
import type { ContainerProbes, Id, PodSpec } from '../../../model.ts'
import { insertEvents, type NewEvent } from '../../events/index.ts'
import {
  type PodSettings,
  type Row,
  type SandboxFacts,
  type Store,
  specNamed,
  updateContainer,
} from '../../state/index.ts'
import type { ContainerKind, FailedCheck, Health } from '../../types/index.ts'
import type { Whereabouts } from '../handlers/index.ts'
import type { Change, Progress } from './machine.ts'

/** One run of a container that has probes. */
export type ProbedRun = {
  /** No other run has the same. */
  key: string
  id: Id
  name: string
  shortName: string
  kind: ContainerKind
  process: { pid: number; start: string }
  startedMs: number
  stopping: boolean
  probes: ContainerProbes
  /** Literal values of its variables: what `$(VAR)` in a probe's command may name. */
  env: Record<string, string>
  progress: Progress
  where: Whereabouts
  runtime: SandboxFacts['runtime']
  pod: { id: Id; name: string; labels: Record<string, string>; complete: boolean }
}

/** What of a pod does not change while it is there. */
export type PodCache = Map<string, { spec: PodSpec; settings: PodSettings; facts: SandboxFacts }>

/** Only these have a look at their specification taken; everything else costs the database a glance. */
const RUNS = `
  SELECT container.id, container.name, short_name, container.kind, pid, pid_start, container.started_ms, state, started,
    ready, hooked, health, failed_check, pod.id AS pod_id, pod.name AS pod_name, complete
  FROM container JOIN pod ON pod.id = container.pod
  WHERE container.state IN ('running', 'stopping') AND container.boot = ? AND hooked = 1
    AND instr(pod.spec, '"probes":') > 0`

/** All runs that are to be probed. `cache` keeps what has been read of their pods. */
export async function readRuns(store: Store, boot: string, cache: PodCache): Promise<ProbedRun[]> {
  const rows = await store.all(RUNS, [boot])
  const pods = new Set(rows.map(row => String(row.pod_id)))
  for (const id of cache.keys()) if (!pods.has(id)) cache.delete(id)
  for (const id of pods) if (!cache.has(id)) await cachePod(store, id, cache)
  return rows.flatMap(row => runOf(row, cache) ?? [])
}

async function cachePod(store: Store, id: string, cache: PodCache): Promise<void> {
  const [row] = await store.all(
    'SELECT spec, settings, facts FROM pod JOIN sandbox ON sandbox.pod = pod.id WHERE pod.id = ?',
    [id],
  )
  if (row === undefined) return
  const parsed = <T>(value: Row[string] | undefined): T => JSON.parse(String(value)) as T
  cache.set(id, { spec: parsed(row.spec), settings: parsed(row.settings), facts: parsed(row.facts) })
}

function runOf(row: Row, cache: PodCache): ProbedRun | undefined {
  const pod = cache.get(String(row.pod_id))
  const spec = pod && specNamed(pod.spec, String(row.short_name))
  if (pod === undefined || spec?.probes === undefined || row.pid === null) return undefined
  const process = { pid: Number(row.pid), start: String(row.pid_start) }
  const literal = spec.env.flatMap(entry =>
    'text' in entry && entry.expand ? [[entry.name, entry.text] as const] : [],
  )
  return {
    key: `${row.id} ${process.pid} ${process.start}`,
    id: String(row.id) as Id,
    name: String(row.name),
    shortName: String(row.short_name),
    kind: String(row.kind) as ContainerKind,
    process,
    startedMs: Number(row.started_ms),
    stopping: row.state === 'stopping',
    probes: spec.probes,
    env: Object.fromEntries(literal),
    progress: {
      started: row.started === 1,
      ready: row.ready === 1,
      ...(row.health !== null && { health: String(row.health) as Health }),
      ...(row.failed_check !== null && { failedCheck: String(row.failed_check) as FailedCheck }),
    },
    where: { network: pod.settings.network, addresses: pod.facts.addresses },
    runtime: pod.facts.runtime,
    pod: {
      id: String(row.pod_id) as Id,
      name: String(row.pod_name),
      labels: pod.spec.labels,
      complete: row.complete === 1,
    },
  }
}

/** Writes what a probe has changed, and what there is to tell; nothing when the run is over. True when it was written. */
export function writeChange(
  store: Store,
  run: ProbedRun,
  change: Change,
  events: readonly NewEvent[],
): Promise<boolean> {
  return store.write(async tx => {
    const { pid, start } = run.process
    const [row] = await tx.all(
      "SELECT 1 FROM container WHERE id = ? AND pid = ? AND pid_start = ? AND state IN ('running', 'stopping')",
      [run.id, pid, start],
    )
    if (row === undefined) return false
    await updateContainer(tx, run.id, change)
    await insertEvents(tx, events)
    return true
  })
}
