/** Bringing one pod to its goal: observe, plan, apply, and look again until nothing happened meanwhile. */

import { containerOf, type PodWork, patch } from './context.ts'
import { recordEnd } from './ends.ts'
import { type Execution, execute } from './execute.ts'
import { holdPod, unholdPod } from './hold.ts'
import { type PlannedContainer, planPod, type Step } from './plan.ts'
import { type ContainerRecord, specNamed } from './records.ts'
import { startExecutors } from './start.ts'
import { look, writePatches } from './work.ts'

/** A pod whose containers end as fast as they start must not keep one process busy for ever. */
const MAX_ROUNDS = 20

export type Reconciled = Execution & { againAtMs?: number }

/**
 * Runs the pod's plan until nothing is left to do now. The pod's lock has to be held. The hold mark keeps exit hooks
 * away meanwhile; it is taken off before the last look, so that no exit falls between two chairs.
 * @param fresh the pod was just written: nothing of it exists yet.
 */
export async function reconcile(work: PodWork, fresh: boolean): Promise<Reconciled> {
  const { context, pod } = work
  const all: Execution = { failures: [], skipped: [] }
  let sandboxReady = !fresh
  for (let round = 0; ; round++) {
    holdPod(context.paths, pod.id)
    const planned = plan(work, sandboxReady)
    if (!fresh || round > 0) await context.store.write(tx => writePatches(tx, work))
    const { failures, skipped } = await execute(planned.steps, startExecutors(work))
    all.failures.push(...failures)
    all.skipped.push(...skipped)
    for (const { step, error } of failures) noteFailure(work, step, error)
    sandboxReady = true
    // A play writes all its pods in one transaction at its end.
    if (!fresh) await context.store.write(tx => writePatches(tx, work))
    unholdPod(context.paths, pod.id)
    const stirred = work.containers.some(container => hasEnded(work, container))
    if (!stirred || failures.length > 0 || round === MAX_ROUNDS || work.signal?.aborted) {
      return { ...all, ...(planned.againAtMs !== undefined && { againAtMs: planned.againAtMs }) }
    }
  }
}

/** What `ps` says of a container that could not be made or started: Kubernetes' reason, and the sentence behind it. */
function noteFailure(work: PodWork, step: Step, error: unknown): void {
  if (step.do !== 'rootfs' && step.do !== 'create' && step.do !== 'start') return
  const reason = step.do === 'start' ? 'RunContainerError' : 'CreateContainerError'
  patch(work, step.container, { reason, message: (error as Error).message })
}

/** An end that is not recorded yet. */
function hasEnded(work: PodWork, record: ContainerRecord): boolean {
  if (record.state === 'exited' || record.state === 'stopped') return false
  const observed = look(work, record)
  return observed.at === 'exited' || observed.at === 'lost'
}

function plan(work: PodWork, sandboxReady: boolean): ReturnType<typeof planPod> {
  const { pod, context } = work
  for (const record of work.containers) {
    const observed = look(work, record)
    if (!hasEnded(work, record)) continue
    recordEnd(
      work,
      record,
      observed.at === 'exited' ? { code: observed.code, finishedMs: observed.finishedMs } : undefined,
    )
  }
  const planned = planPod({
    goal: pod.goal === 'created' ? 'created' : 'running',
    restartPolicy: pod.spec.restartPolicy,
    sandboxReady,
    containers: work.containers.map(record => plannedContainer(work, record)),
    nowMs: context.clock.nowMs(),
  })
  // Written before the effect: after a crash the next look finds it absent and makes it, whatever is left of it.
  for (const step of planned.steps) {
    if (step.do === 'discard') patch(work, containerOf(work, step.container).id, { state: 'configured' })
  }
  return planned
}

function plannedContainer(work: PodWork, record: ContainerRecord): PlannedContainer {
  const spec = specNamed(work.pod.spec, record.shortName)
  return {
    id: record.id,
    kind: record.kind,
    observed: look(work, record),
    done: record.kind === 'init' && record.state === 'exited' && record.exitCode === 0,
    needsInit: spec?.mounts.some(mount => mount.subPath !== undefined) ?? false,
    ...(record.startedMs !== undefined && { startedMs: record.startedMs }),
    crashes: record.crashes,
  }
}
