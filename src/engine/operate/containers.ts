/** Operations on single containers: what `tspod start`, `stop`, `kill`, `pause`, `rm` and their like do. */
import { TspodError } from '../../errors.ts'
import type { Id } from '../../model.ts'
import { containerCgroup, setFrozen, signalContainer } from '../../oci/index.ts'
import { type EngineContext, type PodWork, patch } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { advance, deleteRun, endExecutors, mayDo, reconcile, requireImage, startService } from '../run/index.ts'
import { type ContainerRecord, readContainer } from '../state/index.ts'
import type { ContainerAction, Outcome } from '../types/index.ts'
import { stateOf } from '../view/index.ts'
import { look } from '../work.ts'
import { addFailures, commitGoals, each, type Failures, haste, outcome, withPod } from './batch.ts'
import { checkpoint, restore } from './checkpoint.ts'
import { isPast, reset, wantRunning } from './goals.ts'

/**
 * Does one thing to many containers; those of one pod together, pods side by side. Never throws for a container: the
 * answers, in the order asked for, say which failed and why.
 */
export async function operateContainers(
  context: EngineContext,
  ids: readonly Id[],
  action: ContainerAction,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const records = await Promise.all(ids.map(id => readContainer(context.store, id)))
  const names = new Map(records.map((record, index) => [ids[index] as Id, record?.name ?? (ids[index] as string)]))
  const pods = Map.groupBy(
    records.filter(record => record !== undefined),
    record => record.pod,
  )
  const failures: Failures = new Map()
  for (const id of ids) if (!records.some(record => record?.id === id)) failures.set(id, noSuchContainer(id))
  await Promise.all(
    [...pods].map(async ([pod, asked]) => {
      try {
        const how = { signal, ...haste(action.do) }
        await withPod(context, pod, `tspod ${action.do}`, how, work => perform(work, asked, action, failures))
      } catch (error) {
        for (const { id } of asked) if (!failures.has(id)) failures.set(id, error)
      }
    }),
  )
  return ids.map(id => outcome(id, names.get(id) ?? id, failures.get(id)))
}

const noSuchContainer = (id: string): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `no container with name or ID "${id}" found: no such container`, {
    remedy: 'see what there is: tspod ps -a',
  })

async function perform(
  work: PodWork,
  asked: readonly ContainerRecord[],
  action: ContainerAction,
  failures: Failures,
): Promise<void> {
  const targets = asked.flatMap(({ id }) => {
    const record = work.containers.find(container => container.id === id)
    if (record === undefined) failures.set(id, noSuchContainer(id))
    return record ?? []
  })
  await operateOn(work, targets, action, failures)
}

/** Does one thing to some containers of a pod whose lock is held. */
export async function operateOn(
  work: PodWork,
  targets: readonly ContainerRecord[],
  action: ContainerAction,
  failures: Failures,
): Promise<void> {
  const able: ContainerRecord[] = []
  await each(targets, failures, record => {
    if (mayDo(RULE_OF[action.do], record.name, stateNow(work, record)) || action.do === 'stop') able.push(record)
  })
  switch (action.do) {
    case 'init':
      return begin(work, able, failures, 'created')
    case 'start':
      return begin(work, able, failures, 'running')
    case 'stop':
      return stop(work, able, failures, action.graceMs)
    case 'kill':
      return kill(work, able, failures, action.signal)
    case 'pause':
    case 'unpause':
      return freeze(work, able, failures, action.do === 'pause')
    case 'restart':
      return restart(work, able, failures, action.graceMs)
    case 'checkpoint':
      return checkpoint(work, able, failures, action)
    case 'restore':
      return restore(work, able, failures, action)
    case 'remove':
    case 'remove by force':
      return remove(work, able, failures, action.graceMs)
  }
}

const RULE_OF = {
  init: 'init',
  start: 'start',
  stop: 'stop',
  kill: 'kill',
  pause: 'pause',
  unpause: 'unpause',
  restart: 'restart',
  checkpoint: 'checkpoint',
  restore: 'restore',
  remove: 'remove',
  // Whatever runs is stopped first.
  'remove by force': 'stop',
} as const

const stateNow = (work: PodWork, record: ContainerRecord): ReturnType<typeof stateOf> =>
  record.state === 'removing' ? 'removing' : stateOf(record, look(work, record))

async function begin(
  work: PodWork,
  targets: readonly ContainerRecord[],
  failures: Failures,
  goal: 'created' | 'running',
): Promise<void> {
  if (targets.length === 0) return
  wantRunning(work, targets)
  if (goal === 'created') for (const { id } of targets) patch(work, id, { goal })
  await commitGoals(work)
  const { pod, context } = work
  if (pod.service !== undefined) await startService(context, pod.service)
  addFailures(failures, targets, await reconcile(work, false))
}

async function stop(
  work: PodWork,
  targets: readonly ContainerRecord[],
  failures: Failures,
  graceMs: number | undefined,
): Promise<void> {
  if (graceMs !== undefined) work.stopping.graceMs = graceMs
  for (const { id } of targets) patch(work, id, { goal: 'stopped' })
  await commitGoals(work)
  addFailures(failures, targets, await reconcile(work, false))
}

/** Signals after which a container that ends did what it was told: it is not started again. */
const ENDING: readonly string[] = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT']
/** KILL takes a moment; whoever asked finds it ended in most cases. */
const KILL_SETTLE_MS = 1_000
const KILL_POLL_MS = 5

async function kill(
  work: PodWork,
  targets: readonly ContainerRecord[],
  failures: Failures,
  signal: NodeJS.Signals,
): Promise<void> {
  const { clock, hierarchies } = work.context
  const ends = (record: ContainerRecord): boolean => ENDING.includes(signal) || signal === record.stopSignal
  for (const record of targets) if (ends(record)) patch(work, record.id, { killed: true })
  // Before the signal: a restart that races it finds the wish.
  await commitGoals(work)
  await each(targets, failures, record => {
    const observed = look(work, record)
    if (!('pid' in observed) || !signalContainer(observed.pid, observed.start, signal)) return
    if (signal === 'SIGKILL') {
      // A frozen process of cgroup v1 dies only once it runs again.
      if (record.state === 'paused') void setFrozen(hierarchies, cgroupOf(work, record), false, clock)
    }
    noteEvent(work, record, { action: 'kill', reason: 'Killing', facts: { signal } })
  })
  if (signal === 'SIGKILL') {
    const deadline = clock.monotonicMs() + KILL_SETTLE_MS
    const left = (): boolean => targets.some(record => 'pid' in look(work, record))
    while (left() && clock.monotonicMs() < deadline) await clock.sleep(KILL_POLL_MS)
  }
  addFailures(failures, targets, await reconcile(work, false))
}

const cgroupOf = (work: PodWork, record: ContainerRecord): string => containerCgroup(work.cgroup, record.shortName)

async function freeze(
  work: PodWork,
  targets: readonly ContainerRecord[],
  failures: Failures,
  frozen: boolean,
): Promise<void> {
  const { context } = work
  await each(targets, failures, async record => {
    await setFrozen(context.hierarchies, cgroupOf(work, record), frozen, context.clock)
    patch(work, record.id, { state: advance(record.state, frozen ? 'paused' : 'resumed') })
    const action = frozen ? 'pause' : 'unpause'
    noteEvent(work, record, { action, reason: frozen ? 'Paused' : 'Unpaused' })
  })
  await commitGoals(work)
}

/** Stops and starts in one go: the pod's network stays, and its other containers notice nothing. */
async function restart(
  work: PodWork,
  targets: readonly ContainerRecord[],
  failures: Failures,
  graceMs: number | undefined,
): Promise<void> {
  if (graceMs !== undefined) work.stopping.graceMs = graceMs
  const executors = endExecutors(work)
  const able: ContainerRecord[] = []
  // Nothing is stopped that could not be started again.
  await each(targets, failures, async record => {
    if (isPast(work, record)) return
    await requireImage(work, record)
    able.push(record)
  })
  for (const record of able) {
    if (record.state === 'running') patch(work, record.id, { state: advance('running', 'stopRequested') })
  }
  await commitGoals(work)
  const stopped: ContainerRecord[] = []
  await each(able, failures, async record => {
    await executors.stop({ do: 'stop', container: record.id, id: '', after: [], order: [], because: 'restart' })
    await deleteRun(work, record)
    if (record.state !== 'configured') reset(work, record)
    noteEvent(work, record, { action: 'restart', reason: 'Restarted' })
    stopped.push(record)
  })
  await begin(work, stopped, failures, 'running')
}

async function remove(
  work: PodWork,
  targets: readonly ContainerRecord[],
  failures: Failures,
  graceMs: number | undefined,
): Promise<void> {
  if (graceMs !== undefined) work.stopping.graceMs = graceMs
  const going: ContainerRecord[] = []
  await each(targets, failures, async record => {
    if (record.kind === 'service' || record.kind === 'infra') throw await isHeld(work, record)
    going.push(record)
  })
  await commitGoals(work)
  // What runs is stopped first, with its grace, and is then in a state that can be removed.
  for (const { id } of going) patch(work, id, { goal: 'stopped' })
  await stop(work, going, failures, graceMs)
  for (const record of going) {
    if (!failures.has(record.id)) patch(work, record.id, { state: advance(record.state, 'removeRequested') })
  }
  const stays = ({ id, kind }: ContainerRecord): boolean =>
    kind !== 'infra' && (failures.has(id) || !going.some(one => one.id === id))
  // Without its last container a pod is at rest: there is nothing left to hold a network for.
  if (work.pod.goal === 'running' && !work.containers.some(stays)) work.pod.goal = 'stopped'
  await commitGoals(work)
  addFailures(failures, going, await reconcile(work, false))
}

async function isHeld(work: PodWork, { id, kind }: ContainerRecord): Promise<TspodError> {
  const { store } = work.context
  const pods = await store.all('SELECT id FROM pod WHERE service = ?', [work.pod.id])
  const what =
    kind === 'infra'
      ? `container ${id} is the infra container of pod ${work.pod.id} and cannot be removed without removing the pod`
      : `container ${id} is the service container of pod(s) ${pods.map(row => row.id).join(',')} and cannot be removed ` +
        'without removing the pod(s)'
  return new TspodError('WRONG_STATE', what, { remedy: 'remove the pod: tspod pod rm, or tspod kube down' })
}
