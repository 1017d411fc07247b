/** Operations on whole pods: what `tspod pod start`, `stop`, `kill`, `rm` and their like do. */
import { TspodError } from '../../errors.ts'
import type { Id, PodSpec } from '../../model.ts'
import type { EngineContext, PodWork } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { followersFirst, leadersFirst, placeOf, tellsReady } from '../play/index.ts'
import { awaitReady, READY_MS } from '../probe/index.ts'
import { reconcile, requireImage, reviveService, startService, tearDown } from '../run/index.ts'
import type { Lock } from '../state/index.ts'
import { type ContainerRecord, readPodById } from '../state/index.ts'
import type { ContainerFailure, Outcome, PodAction } from '../types/index.ts'
import { look } from '../work.ts'
import { addFailures, commitGoals, each, type Failures, haste, outcome, withPod } from './batch.ts'
import { operateOn } from './containers.ts'
import { staysDone, wantRunning } from './goals.ts'

/**
 * Does one thing to many pods, side by side; those of one StatefulSet start one after the other, and stop the other
 * way round. Never throws for a pod: the answers, in the order asked for, say which failed, each with a
 * PARTIAL_FAILURE that names its containers.
 */
export async function operatePods(
  context: EngineContext,
  ids: readonly Id[],
  action: PodAction,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const pods: Named[] = await Promise.all(
    ids.map(async id => (await readPodById(context.store, id)) ?? { id, name: id as string }),
  )
  switch (action.do) {
    case 'start':
      return leadersFirst<Named, Outcome>(pods, placeOf, async (pod, before) => {
        const failed = before.find(({ error }) => error !== undefined)
        if (failed !== undefined) return outcome(pod.id, pod.name, notItsTurn(pod.name, failed.name))
        const unready = await unreadyBefore(context, pod, pods, signal)
        if (unready !== undefined) return outcome(pod.id, pod.name, notItsTurn(pod.name, unready))
        return operateOnPod(context, pod, action, signal)
      })
    case 'stop':
    case 'restart':
    case 'remove':
      return followersFirst(pods, placeOf, pod => operateOnPod(context, pod, action, signal))
    default:
      return Promise.all(pods.map(pod => operateOnPod(context, pod, action, signal)))
  }
}

/** Which of those that a pod starts after, and that tell when they are ready, does not become so. */
async function unreadyBefore(
  context: EngineContext,
  pod: Named,
  pods: readonly Named[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const names = placeOf(pod).startAfter
  const leaders = pods.filter(({ name, spec }) => names.includes(name) && spec !== undefined && tellsReady(spec))
  if (leaders.length === 0) return undefined
  const ids = leaders.map(({ id }) => id)
  const states = await awaitReady(context, ids, READY_MS, signal)
  return leaders.find(({ id }) => !['ready', 'done'].includes(states.get(id) ?? ''))?.name
}

type Named = { id: Id; name: string; spec?: PodSpec }

async function operateOnPod(
  context: EngineContext,
  { id, name }: { id: Id; name: string },
  action: PodAction,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    const act = async (work: PodWork, lock: Lock): Promise<void> => {
      const failures: Failures = new Map()
      // Nothing is stopped that could not be started again.
      const comes = action.do === 'restart' ? work.containers.filter(record => !staysDone(work, record)) : []
      await each(comes, failures, record => requireImage(work, record))
      if (failures.size > 0) throw partialFailure(work, failures)
      const reason = REASON_OF[action.do]
      if (reason !== undefined) noteEvent(work, undefined, { action: action.do, reason })
      await perform(work, action, failures, lock)
      if (failures.size > 0) throw partialFailure(work, failures)
    }
    const removes = action.do === 'remove' || action.do === 'cleanup'
    await withPod(context, id, `tspod pod ${action.do}`, { signal, ...haste(action.do), removes }, act)
    return outcome(id, name, undefined)
  } catch (error) {
    return outcome(id, name, error)
  }
}

const notItsTurn = (name: string, before: string): TspodError =>
  new TspodError('WRONG_STATE', `pod ${name} was not started, because ${before} is not up`, {
    remedy: `mend that one first, or start this one alone: tspod pod start ${name}`,
  })

/** A cleanup is nothing that happens to a pod, and a removal tells of itself. */
const REASON_OF: Partial<Record<PodAction['do'], string>> = {
  start: 'Started',
  stop: 'Stopped',
  restart: 'Restarted',
  kill: 'Killing',
  pause: 'Paused',
  unpause: 'Unpaused',
}

/** One error for all: a sentence per container in `details`, so that nothing is lost and scripts see one failure. */
function partialFailure(work: PodWork, failures: Failures): TspodError {
  const list = [...failures].map(([id, error]): ContainerFailure => {
    const record = work.containers.find(container => container.id === id)
    return { container: record?.name ?? work.pod.name, message: (error as Error).message }
  })
  return new TspodError('PARTIAL_FAILURE', `error on ${list.length} of the containers of pod ${work.pod.name}`, {
    remedy: 'the others are done; see `tspod ps -a --pod`',
    details: list.map(({ container, message }) => `${container}: ${message}`).join('\n'),
  })
}

async function perform(work: PodWork, action: PodAction, failures: Failures, lock: Lock): Promise<void> {
  const regular = work.containers.filter(({ kind }) => kind === 'regular')
  const isUp = (record: ContainerRecord): boolean => 'pid' in look(work, record)
  if (action.do !== 'cleanup' && 'graceMs' in action && action.graceMs !== undefined) {
    work.stopping.graceMs = action.graceMs
  }
  switch (action.do) {
    case 'start':
      return start(work, failures)
    case 'stop':
      return stop(work, failures)
    case 'restart':
      await stop(work, failures)
      return start(work, failures)
    case 'cleanup':
      if (work.pod.goal === 'removed') return remove(work, true, lock)
      await reviveService(work.context, work.pod)
      return addFailures(failures, regular, await reconcile(work, false))
    case 'kill':
      // One that was never started is not there to be killed, as in Podman.
      return operateOn(
        work,
        work.containers.filter(one => isUp(one) && one.state !== 'created'),
        action,
        failures,
      )
    case 'pause':
      return operateOn(
        work,
        work.containers.filter(one => isUp(one) && one.state === 'running'),
        { do: 'pause' },
        failures,
      )
    case 'unpause':
      return operateOn(
        work,
        work.containers.filter(({ state }) => state === 'paused'),
        { do: 'unpause' },
        failures,
      )
    case 'remove':
      return remove(work, action.force, lock)
  }
}

async function start(work: PodWork, failures: Failures): Promise<void> {
  const { pod, context } = work
  const regular = work.containers.filter(({ kind }) => kind === 'regular')
  wantRunning(work, regular)
  await commitGoals(work)
  if (pod.service !== undefined) await startService(context, pod.service)
  work.stopping = {}
  addFailures(failures, regular, await reconcile(work, false))
}

async function stop(work: PodWork, failures: Failures): Promise<void> {
  work.pod.goal = 'stopped'
  await commitGoals(work)
  addFailures(failures, work.containers, await reconcile(work, false))
}

async function remove(work: PodWork, force: boolean, lock: Lock): Promise<void> {
  const running = work.containers.filter(record => record.kind !== 'infra' && 'pid' in look(work, record))
  if (running.length > 0 && !force) {
    const names = running.map(({ name }) => name).join(', ')
    throw new TspodError(
      'WRONG_STATE',
      `pod ${work.pod.name} has running containers (${names}), cannot be removed without force`,
      {
        remedy: 'stop it first, or use --force',
      },
    )
  }
  const { failures } = await tearDown(work, lock)
  if (failures.length === 0) return
  throw new TspodError('PARTIAL_FAILURE', `pod ${work.pod.name} was only partly removed`, {
    remedy: 'run the same command again',
    details: failures.join('\n'),
  })
}
