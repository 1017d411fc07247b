/** Bringing one pod to its goal: observe, plan, apply, and look again until nothing is left to do. */
import type { ContainerSpec, Id } from '../../model.ts'
import { isKnown } from '../../oci/index.ts'
import { startOrder } from '../../order.ts'
import { containerOf, type PodWork, patch, patchPod } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import {
  type Execution,
  type Executors,
  execute,
  FAILURE_MESSAGES,
  type Observed,
  type Plan,
  type PlannedContainer,
  planPod,
  type Step,
} from '../plan/index.ts'
import { tendProber } from '../prober.ts'
import { type ContainerRecord, deadlineOf, specNamed, updatePod, updateSandbox } from '../state/index.ts'
import { nudgeTimekeeper } from '../timekeeper.ts'
import { cgroupOf, isHomeless } from '../unit.ts'
import { look, writePatches } from '../work.ts'
import { endExecutors } from './end.ts'
import { noteBackOff, recordEnd } from './ends.ts'
import { holdPod, unholdPod } from './hold.ts'
import { isFailing } from './hooks.ts'
import { advance } from './lifecycle.ts'
import { atStart } from './progress.ts'
import { dismissMonitors, startExecutors } from './start.ts'
import { watchStorage } from './storage-limits.ts'

/** A pod whose containers end as fast as they start must not keep one process busy for ever. */
const MAX_ROUNDS = 20
/** How long after a failed sandbox it is tried again: the kubelet's pause after a failed pod sync. */
const RETRY_MS = 10_000

export type Reconciled = Execution & Pick<Plan, 'againAtMs' | 'finished'>

/**
 * Runs the pod's plans until nothing is left to do now. The pod's lock has to be held. The hold mark keeps exit hooks
 * away meanwhile; it is taken off before the last look, so that no exit falls between two chairs.
 * @param fresh the pod was just written, in a transaction that its play will close: nothing of it exists yet.
 */
export async function reconcile(work: PodWork, fresh: boolean): Promise<Reconciled> {
  const outcome = await rounds(work, fresh)
  // What a play has started is probed once it is written down.
  if (!fresh || work.forgotten) await tendProber(work)
  return outcome
}

async function rounds(work: PodWork, fresh: boolean): Promise<Reconciled> {
  const { context, pod } = work
  const all: Execution = { failures: [], skipped: [] }
  let planned = plan(work)
  for (let round = 0; planned.steps.length > 0; round++) {
    holdPod(context.paths, pod.id)
    if (!fresh || round > 0) await writeIntent(work, planned.steps)
    const done = await execute(planned.steps, executorsOf(work, fresh && round === 0))
    await Promise.all(work.begun.splice(0))
    await dismissMonitors(work)
    const { failures, skipped } = done
    all.failures.push(...failures)
    all.skipped.push(...skipped)
    for (const { step, error } of failures) noteFailure(work, planned.steps, step, error)
    if (work.forgotten) return all
    settleSandbox(work, planned.steps, done)
    // A play writes all its pods in one transaction at its end.
    if (!fresh || round > 0) await writeOutcome(work)
    unholdPod(context.paths, pod.id)
    if (round === MAX_ROUNDS || work.signal?.aborted || failures.some(({ step }) => endsWork(step))) {
      return { ...all, ...later(work, planned) }
    }
    planned = plan(work)
  }
  await watchStorage(work)
  await finish(work, planned, fresh)
  return { ...all, ...later(work, planned) }
}

/**
 * A container is recorded before it is started: whoever comes after a crash knows everything that runs. A play that
 * is interrupted is undone as a whole, so that it need not.
 */
function executorsOf(work: PodWork, fresh: boolean): Executors {
  const executors: Executors = { ...startExecutors(work), ...endExecutors(work) }
  if (fresh) return executors
  return {
    ...executors,
    create: async step => {
      await executors.create(step)
      await work.context.store.write(tx => writePatches(tx, work))
    },
  }
}

/** The failure of a single container is judged by the next plan; that of a pod's ground or of its end is not. */
const endsWork = (step: Step): boolean => !('container' in step) || step.do === 'stop' || step.do === 'delete'

/** Writes what the last look found, and the wish to be woken: both for whoever comes after a crash. */
async function finish(work: PodWork, planned: Plan, fresh: boolean): Promise<void> {
  const wakeMs = planned.againAtMs
  const sameWake = work.pod.wakeMs === wakeMs
  const isWritten = work.patches.size === 0 && Object.keys(work.podPatch).length === 0
  if (fresh || (isWritten && sameWake)) return
  await work.context.store.write(async tx => {
    await writePatches(tx, work)
    if (!sameWake) await updatePod(tx, work.pod.id, { wakeMs: wakeMs ?? null })
  })
  // It may have been waiting for this pod alone.
  if (!sameWake && wakeMs === undefined) nudgeTimekeeper(work.context)
}

function later(work: PodWork, planned: Plan): Pick<Reconciled, 'againAtMs' | 'finished'> {
  const { pod, context } = work
  const unfinished = pod.goal === 'running' && work.sandboxState === 'changing'
  const againAtMs = planned.againAtMs ?? (unfinished ? context.clock.nowMs() + RETRY_MS : undefined)
  if (againAtMs === undefined) delete pod.wakeMs
  else pod.wakeMs = againAtMs
  return { ...(againAtMs !== undefined && { againAtMs }), ...(planned.finished && { finished: true }) }
}

const touchesSandbox = (step: Step): boolean => ['sandbox', 'network', 'disconnect', 'unpin'].includes(step.do)

/** Committed before the effect: after a crash the next look knows what may be half done. */
async function writeIntent(work: PodWork, steps: readonly Step[]): Promise<void> {
  const changing = steps.some(touchesSandbox)
  if (changing) work.sandboxState = 'changing'
  const moved = steps.some(step => step.do === 'create') && leaveEndedUnit(work)
  await work.context.store.write(async tx => {
    await writePatches(tx, work)
    if (moved) await updatePod(tx, work.pod.id, { settings: work.pod.settings })
    if (changing) await updateSandbox(tx, work.pod.id, work.context.boot, 'changing')
  })
}

/**
 * A pod whose unit has ended, and that somebody starts all the same, lives where a pod lives that no unit played: a
 * cgroup made in the place of systemd's would be nobody's. True when that was so.
 */
function leaveEndedUnit(work: PodWork): boolean {
  if (!isHomeless(work.context, work.pod)) return false
  const { unit: _, ...settings } = work.pod.settings
  work.pod.settings = settings
  work.cgroup = cgroupOf(work.context, work.pod)
  return true
}

/** What the sandbox has become by these steps. It stands whatever its containers failed with; it is down when nothing is left. */
function settleSandbox(work: PodWork, steps: readonly Step[], { failures, skipped }: Execution): void {
  const undone = [...failures.map(({ step }) => step), ...skipped]
  if (steps.some(step => step.do === 'network' && !undone.includes(step))) work.sandboxState = 'up'
  if (steps.some(step => step.do === 'unpin') && undone.length === 0) {
    work.sandboxState = 'down'
    // What they were started in is gone. What an init container has prepared stays for this boot.
    for (const { id, kind } of work.containers) if (kind !== 'init') patch(work, id, { boot: null })
  }
}

async function writeOutcome(work: PodWork): Promise<void> {
  await work.context.store.write(async tx => {
    await writePatches(tx, work)
    await updateSandbox(tx, work.pod.id, work.context.boot, work.sandboxState)
  })
}

/**
 * A container that could not be made or started has failed: the back-off and the restart policy decide what comes
 * next, and `ps` says Kubernetes' reason with the sentence behind it. A container that was killed half-way is `lost`.
 */
function noteFailure(work: PodWork, steps: readonly Step[], step: Step, error: unknown): void {
  const { do: what } = step
  const reason = POD_REASONS[what]
  if (reason !== undefined) {
    noteEvent(work, undefined, { action: 'error', reason, warning: true, message: (error as Error).message })
  }
  if (what !== 'discard' && what !== 'rootfs' && what !== 'create' && what !== 'start') return
  const record = containerOf(work, step.container)
  const message = (error as Error).message
  // Its plan has counted it already, as the restart that has come to nothing.
  const isRestart = steps.some(other => other.do === 'discard' && other.container === record.id)
  const nowMs = work.context.clock.nowMs()
  patch(work, record.id, {
    state: advance(record.state, 'failed'),
    exitCode: NEVER_RAN_CODE,
    startedMs: null,
    finishedMs: nowMs,
    crashes: record.crashes + (isRestart ? 0 : 1),
    restarts: Math.max(0, record.restarts - (isRestart ? 1 : 0)),
    reason: what === 'start' ? 'RunContainerError' : 'CreateContainerError',
    message,
    pid: null,
    pidStart: null,
    // One that could not be started has a monitor, which sees it deleted.
    ...(what !== 'start' && { monitorPid: null, monitorStart: null }),
  })
  noteEvent(work, record, { action: 'error', reason: 'Failed', warning: true, message })
  noteBackOff(work, record, NEVER_RAN_CODE)
}

/** What Kubernetes calls the failures of a pod's ground and of its end. */
const POD_REASONS: { [K in Step['do']]?: string } = {
  sandbox: 'FailedCreatePodSandBox',
  network: 'FailedCreatePodSandBox',
  stop: 'FailedKillPod',
  delete: 'FailedKillPod',
  disconnect: 'FailedKillPod',
  unpin: 'FailedKillPod',
}

/** What Kubernetes reports of a container that could not be started. */
const NEVER_RAN_CODE = 128

/**
 * Looks at every container, records what has ended since the last look, and returns what was seen. Whoever plans has
 * to go by that and not look again: what ends in between is for the next plan, which records it first.
 */
export function observeEnds(work: PodWork): ReadonlyMap<Id, Observed> {
  const nowMs = work.context.clock.nowMs()
  const seen = new Map<Id, Observed>()
  for (const record of work.containers) {
    if (isRecordedEnd(record)) {
      // The clock was set back: a pause that began in the future would never end.
      if (record.finishedMs !== undefined && record.finishedMs > nowMs) patch(work, record.id, { finishedMs: nowMs })
      seen.set(record.id, look(work, record))
      continue
    }
    const observed = look(work, record)
    if (observed.at === 'exited') {
      recordEnd(work, record, { code: observed.code, finishedMs: Math.min(observed.finishedMs, nowMs) })
    }
    if (observed.at === 'lost') recordEnd(work, record, undefined)
    // What a reboot took before it was started is to be made again.
    if (observed.at === 'absent' && record.state === 'created') {
      patch(work, record.id, { state: advance(record.state, 'reset') })
    }
    // Whoever started it was killed before it could say so.
    if (observed.at === 'running' && record.state === 'created') {
      const spec = specNamed(work.pod.spec, record.shortName)
      patch(work, record.id, { state: advance(record.state, 'started'), startedMs: nowMs, ...atStart(spec) })
    }
    // Of an end the record is what counts from now on.
    seen.set(record.id, isRecordedEnd(record) ? look(work, record) : observed)
  }
  return seen
}

/** Looks, and plans the next steps. */
function plan(work: PodWork): Plan {
  const { pod, context } = work
  observeEnds(work)
  resetAsked(work)
  const seen = observeEnds(work)
  const observedOf = ({ id }: ContainerRecord): Observed => seen.get(id) ?? { at: 'absent' }
  const nowMs = context.clock.nowMs()
  // The clock was set back: a time that began in the future would be longer than it is.
  if (pod.activeMs !== undefined && pod.activeMs > nowMs) patchPod(work, { activeMs: nowMs })
  const deadlineMs = deadlineOf(pod)
  const planned = planPod({
    goal: pod.goal,
    restartPolicy: pod.spec.restartPolicy,
    sandbox: work.sandboxState,
    containers: inStartOrder(work.containers.map(record => plannedContainer(work, record, observedOf(record)))),
    nowMs,
    ...(deadlineMs !== undefined && { deadlineMs }),
    ...(pod.failure !== undefined && { failure: pod.failure }),
    patient: work.patient,
  })
  if (planned.failure !== undefined) {
    patchPod(work, { failure: planned.failure, failedMs: nowMs })
    noteEvent(work, undefined, {
      action: 'fail',
      reason: planned.failure,
      warning: true,
      message: FAILURE_MESSAGES[planned.failure],
    })
  }
  // Written before the effect: after a crash the next look finds it absent and makes it, whatever is left of it.
  for (const step of planned.steps) {
    if (step.do === 'discard') {
      const { restarts } = containerOf(work, step.container)
      // So does the count: a restart that a killed process had begun goes on as the same one, with the same back-off.
      patch(work, step.container, { state: 'configured', crashes: step.crashes, restarts: restarts + 1 })
    }
    if (step.do === 'stop') markStopping(work, step.container)
  }
  return planned
}

/** What was stopped under the hands of somebody who wants it to run is made again, once, whatever its policy says. */
function resetAsked(work: PodWork): void {
  for (const { id, state, goal } of work.containers) {
    if (state !== 'stopped' || goal !== 'running' || !work.asked.delete(id)) continue
    patch(work, id, { state: advance(state, 'reset'), reason: '', message: '' })
  }
}

/** A stop that was begun is never taken for a crash, even by whoever comes after this process was killed. */
function markStopping(work: PodWork, id: Id): void {
  const record = containerOf(work, id)
  // Its end is its own, as far as its restart is concerned: it has failed.
  if (isFailing(work, record)) return
  if (record.state === 'running' || record.state === 'paused') {
    patch(work, id, { state: advance(record.state, 'stopRequested') })
  }
}

const isRecordedEnd = ({ state }: ContainerRecord): boolean =>
  state === 'exited' || state === 'stopped' || state === 'removing'

/** As recorded, which is the manifest's order, but none before what it depends on. */
function inStartOrder(containers: readonly PlannedContainer[]): readonly PlannedContainer[] {
  if (!containers.some(({ dependsOn }) => dependsOn.length > 0)) return containers
  const sorted = startOrder(containers.map(({ id, dependsOn }) => ({ name: id, dependsOn })))
  if ('cycle' in sorted) throw new Error(`containers depend on one another: ${sorted.cycle.join(', ')}`)
  const byId = new Map(containers.map(container => [container.id, container]))
  return sorted.order.flatMap(id => byId.get(id) ?? [])
}

function plannedContainer(work: PodWork, record: ContainerRecord, observed: Observed): PlannedContainer {
  const spec = specNamed(work.pod.spec, record.shortName)
  const names = spec?.dependsOn ?? []
  return {
    id: record.id,
    kind: record.kind,
    goal: record.goal,
    observed,
    done: isDoneInit(work, record),
    needsInit: spec !== undefined && readsVolumes(spec),
    dependsOn: work.containers.filter(other => names.includes(other.shortName)).map(({ id }) => id),
    ...(spec !== undefined && { own: spec }),
    ...(record.startedMs !== undefined && { startedMs: record.startedMs }),
    hasRun: record.startedMs !== undefined && record.boot === work.context.boot,
    crashes: record.crashes,
    leftover: isKnown(work.sandbox.runtime, record.id),
    removing: record.state === 'removing',
    ending: record.state === 'stopping' && work.asked.has(record.id),
    ...checksOf(record, spec, observed),
  }
}

type Checks = Pick<PlannedContainer, 'failedCheck' | 'postStart' | 'unstarted'>

function checksOf(record: ContainerRecord, spec: ContainerSpec | undefined, { at }: Observed): Checks {
  const runs = at === 'running'
  return {
    ...(record.failedCheck !== undefined && at !== 'absent' && { failedCheck: record.failedCheck }),
    ...(spec?.hooks?.postStart !== undefined && { postStart: runs && !record.hooked ? 'due' : 'done' }),
    ...(spec?.probes?.startup !== undefined && !(runs && record.started) && { unstarted: true }),
  }
}

/** What it is made of may be what init containers have put into a volume. */
const readsVolumes = ({ mounts, env }: ContainerSpec): boolean =>
  mounts.some(({ subPath, subPathExpr }) => (subPath ?? subPathExpr) !== undefined) ||
  env.some(entry => 'file' in entry)

/** Success counts for the boot it happened on: what init containers prepare may be gone after a reboot. */
function isDoneInit(work: PodWork, { kind, state, exitCode, boot }: ContainerRecord): boolean {
  return kind === 'init' && state === 'exited' && exitCode === 0 && boot === work.context.boot
}
