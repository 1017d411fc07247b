/** What people see of pods and containers, derived from records and observations; nothing of it is stored. */
import { type PortSpec, servingContainers } from '../../model.ts'
import {
  FAILURE_MESSAGES,
  judgedCode,
  judgeExit,
  type Observed,
  type RestartTerms,
  runsAgain,
  type SandboxState,
  termsFor,
  type Verdict,
} from '../plan/index.ts'
import {
  type ContainerRecord,
  deadlineOf,
  type JobRecord,
  type PodRecord,
  type SandboxFacts,
  specNamed,
} from '../state/index.ts'
import type { ContainerState, ContainerView, JobView, PodPhase, PodState, PodView } from '../types/index.ts'

/** `oom`: its memory ran out, and nobody has recorded its end yet. */
export type Seen = { record: ContainerRecord; observed: Observed; logPath: string; oom: boolean }

export type PodFacts = {
  pod: PodRecord
  seen: readonly Seen[]
  /** Absent when it is of an earlier boot. */
  sandbox: { facts: SandboxFacts; state: SandboxState } | undefined
  nowMs: number
  /** The Job that made it. */
  job?: JobRecord
}

/** A pod as `ps`, `inspect` and others show it. */
export function viewPod(facts: PodFacts): PodView {
  const { pod, sandbox } = facts
  const containers = facts.seen.map(seen => viewContainer(facts, seen))
  const workload = containers.filter(({ kind }) => kind === 'regular' || kind === 'sidecar')
  const phase = phaseOf(pod, containers)
  const startedMs = pod.startedMs
  const isOver = pod.goal !== 'running' || phase === 'Succeeded' || phase === 'Failed'
  const untilMs = isOver ? undefined : deadlineOf(pod)
  return {
    id: pod.id,
    name: pod.name,
    kind: pod.kind,
    ...(pod.service !== undefined && { service: pod.service }),
    state: stateOfPod(pod, containers),
    namespace: pod.spec.namespace,
    labels: pod.spec.labels,
    phase,
    reason: podReason(pod, phase, containers),
    ...(pod.failure !== undefined && { message: pod.failureMessage ?? FAILURE_MESSAGES[pod.failure] }),
    ready: workload.filter(container => container.ready).length,
    total: workload.length,
    restarts: containers.reduce((sum, container) => sum + container.restarts, 0),
    createdMs: pod.createdMs,
    ...(startedMs !== undefined && { startedMs }),
    ...(untilMs !== undefined && { activeUntilMs: untilMs }),
    ips: sandbox?.state === 'up' ? sandbox.facts.addresses : [],
    ports: servingContainers(pod.spec).flatMap(container => publishedPorts(container.ports)),
    runtime: sandbox?.facts.runtime.name ?? pod.settings.runtime ?? '',
    origin: `${pod.spec.origin.kind}/${pod.spec.origin.name}`,
    ...(facts.job !== undefined && { job: viewJob(facts.job, pod.spec.job?.index) }),
    containers,
  }
}

function viewJob(
  { id, name, spec, progress, outcome, reason, message, finishedMs }: JobRecord,
  index?: number,
): JobView {
  return {
    id,
    name,
    status: outcome ?? 'Running',
    reason,
    message,
    ...(spec.completions !== undefined && { completions: spec.completions }),
    parallelism: spec.parallelism,
    succeeded: progress.succeeded,
    failed: progress.failed,
    ...(index !== undefined && { index }),
    ...(finishedMs !== undefined && { finishedMs }),
  }
}

function publishedPorts(ports: readonly PortSpec[]): PortSpec[] {
  return ports.filter(port => port.hostPort !== undefined)
}

function viewContainer(facts: PodFacts, seen: Seen): ContainerView {
  const { record, observed } = seen
  const spec = specNamed(facts.pod.spec, record.shortName)
  const state = stateOf(record, observed)
  const { reason, message, nextStartMs } = explain(facts, seen, state)
  const exitCode = observed.at === 'exited' ? observed.code : record.exitCode
  const finishedMs = observed.at === 'exited' ? observed.finishedMs : record.finishedMs
  const pid = 'pid' in observed ? observed.pid : undefined
  return {
    id: record.id,
    name: record.name,
    shortName: record.shortName,
    pod: facts.pod.name,
    podId: facts.pod.id,
    kind: record.kind,
    goal: record.goal,
    ...(spec?.restartPolicy !== undefined && { restartPolicy: spec.restartPolicy }),
    image: spec?.image ?? '',
    imageId: record.imageId,
    state,
    reason,
    message,
    ...(pid !== undefined && { pid }),
    ...(record.monitorPid !== undefined && observed.at !== 'unmonitored' && { conmonPid: record.monitorPid }),
    ...(exitCode !== undefined && state !== 'running' && { exitCode }),
    restarts: record.restarts,
    createdMs: record.createdMs,
    ...(record.startedMs !== undefined && { startedMs: record.startedMs }),
    ...(finishedMs !== undefined && state !== 'running' && { finishedMs }),
    ...(nextStartMs !== undefined && { nextStartMs }),
    stopSignal: record.stopSignal,
    ...progressOf(record, state, exitCode),
    command: record.command,
    ports: publishedPorts(spec?.ports ?? []),
    logPath: seen.logPath,
  }
}

/** What is recorded of a run counts as long as the run does. */
function progressOf(record: ContainerRecord, state: ContainerState, exitCode: number | undefined): Progress {
  const { health, failedCheck } = record
  const runs = state === 'running' || state === 'paused' || state === 'stopping'
  const succeeded = record.kind === 'init' && state === 'exited' && exitCode === 0
  return {
    started: runs && record.started,
    ready: succeeded || (runs && record.started && record.ready),
    ...(runs && health !== undefined && { health }),
    ...(failedCheck !== undefined && { failedCheck }),
  }
}

type Progress = Pick<ContainerView, 'started' | 'ready' | 'health' | 'failedCheck'>

/** The state now: what the kernel says, in the words of the lifecycle. */
export function stateOf(record: ContainerRecord, observed: Observed): ContainerState {
  if (observed.at === 'running' || observed.at === 'unmonitored')
    return record.state === 'paused' || record.state === 'stopping' ? record.state : 'running'
  if (observed.at === 'created') return 'created'
  if (observed.at === 'lost') return 'unknown'
  if (observed.at === 'exited') return record.state === 'stopped' || record.state === 'stopping' ? 'stopped' : 'exited'
  return record.state === 'removing' ? 'removing' : 'configured'
}

type Explained = { reason: string; message: string; nextStartMs?: number }

const UNSEEN = 'its process is gone and nobody recorded how it ended'

function explain(facts: PodFacts, seen: Seen, state: ContainerState): Explained {
  const { record, observed } = seen
  switch (observed.at) {
    case 'running':
      return { reason: state === 'paused' ? 'Paused' : 'Running', message: '' }
    case 'unmonitored':
      return { reason: 'MonitorLost', message: 'its monitor is gone: its output and exit code are lost' }
    case 'exited':
      return explainEnd(facts, seen, observed)
  }
  if (record.reason !== '') return { reason: record.reason, message: record.message }
  if (observed.at === 'created') return { reason: 'Created', message: '' }
  if (observed.at === 'lost') return { reason: 'Unknown', message: UNSEEN }
  const isRest = facts.pod.goal === 'stopped' || facts.pod.goal === 'created' || record.goal !== 'running'
  return { reason: isRest ? 'Created' : 'ContainerCreating', message: '' }
}

/** Kubernetes reports containers that could not be started, or whose start was not good, by these reasons, and keeps to them while it waits. */
const HOOK_ERROR = 'PostStartHookError'
const NEVER_RAN = ['RunContainerError', 'CreateContainerError', HOOK_ERROR]

function explainEnd(facts: PodFacts, { record, oom }: Seen, observed: Observed & { at: 'exited' }): Explained {
  const succeeded = observed.code === 0 && record.reason !== HOOK_ERROR
  const recorded = record.reason || (oom ? 'OOMKilled' : 'Error')
  const ended = { reason: succeeded ? 'Completed' : recorded, message: record.message }
  const { goal, failure } = facts.pod
  if (goal !== 'running' || failure !== undefined || record.goal !== 'running' || record.state === 'stopped')
    return ended
  const verdict = restartOf(facts.pod, record, observed)
  if (!verdict.restart || verdict.atMs <= facts.nowMs) return ended
  const next = `${verdict.reason}=${record.shortName} pod=${facts.pod.name}`
  const failed = NEVER_RAN.includes(record.reason)
  return {
    reason: failed ? record.reason : 'CrashLoopBackOff',
    message: failed ? `${record.message}; ${next}` : next,
    nextStartMs: verdict.atMs,
  }
}

const termsOf = (pod: PodRecord, { kind, shortName }: Pick<ContainerRecord, 'kind' | 'shortName'>): RestartTerms =>
  termsFor(pod.spec.restartPolicy, kind, specNamed(pod.spec, shortName))

function restartOf(pod: PodRecord, record: ContainerRecord, observed: Observed & { at: 'exited' }): Verdict {
  return judgeExit(termsOf(pod, record), record.kind, {
    exitCode: observed.code,
    startedMs: record.startedMs,
    finishedMs: observed.finishedMs,
    crashes: record.crashes,
    ...(record.failedCheck !== undefined && { failedCheck: record.failedCheck }),
  })
}

/** Podman's state of a pod: by what its containers are doing, init containers that are done left aside. */
function stateOfPod(pod: PodRecord, containers: readonly ContainerView[]): PodState {
  const work = containers.filter(({ kind }) => kind === 'regular' || kind === 'sidecar' || kind === 'service')
  const has = (state: ContainerState): boolean => work.some(container => container.state === state)
  const running = work.filter(({ state }) => state === 'running' || state === 'stopping').length
  if (work.length === 0) return pod.goal === 'running' ? 'Running' : pod.goal === 'created' ? 'Created' : 'Stopped'
  if (running === work.length) return 'Running'
  if (running > 0) return 'Degraded'
  if (work.every(({ state }) => state === 'paused')) return 'Paused'
  if (has('unknown')) return 'Error'
  if (has('paused')) return 'Degraded'
  if (work.every(({ state }) => state === 'exited' || state === 'stopped')) return 'Exited'
  if (has('exited') || has('stopped')) return 'Stopped'
  return 'Created'
}

/** Kubernetes' phase: pending until all init containers are done, then by what the regular ones do. */
function phaseOf(pod: PodRecord, containers: readonly ContainerView[]): PodPhase {
  // As in the kubelet not before they have all ended.
  if (pod.failure !== undefined && !containers.some(isUp)) return 'Failed'
  const init = containers.filter(container => container.kind === 'init')
  const regular = containers.filter(container => container.kind === 'regular')
  const again = (one: ContainerView): boolean => runsAgain(termsOf(pod, one), one.kind, judgedCode(one))
  if (init.some(one => one.state === 'exited' && one.exitCode !== 0 && !again(one))) return 'Failed'
  if (!init.every(isDone)) return 'Pending'
  const ended = regular.filter(hasEnded)
  const waiting = regular.filter(container => container.state === 'configured' || container.state === 'created')
  if (waiting.some(container => !hasEnded(container))) return 'Pending'
  if (regular.some(container => container.state === 'unknown')) return 'Unknown'
  if (ended.length < regular.length || regular.length === 0) return 'Running'
  if (ended.some(again)) return 'Running'
  return ended.every(container => container.exitCode === 0) ? 'Succeeded' : 'Failed'
}

/** Between two runs a container waits, but it has ended before: Kubernetes counts it as stopped. */
const hasEnded = ({ state, exitCode }: ContainerView): boolean => state !== 'running' && exitCode !== undefined

const isUp = ({ state }: ContainerView): boolean => state === 'running' || state === 'paused' || state === 'stopping'

const isDone = (container: ContainerView): boolean => container.state === 'exited' && container.exitCode === 0

/** kubectl's STATUS column: the most telling thing about the pod. */
function podReason(pod: PodRecord, phase: PodPhase, containers: readonly ContainerView[]): string {
  const init = containers.filter(container => container.kind === 'init')
  const regular = containers.filter(container => container.kind === 'regular')
  if (pod.failure !== undefined && pod.goal !== 'removed') return pod.failure
  if (pod.goal === 'stopped' || pod.goal === 'removed') return pod.goal === 'stopped' ? 'Stopped' : 'Terminating'
  if (pod.goal === 'created' && regular.every(container => container.state === 'created')) return 'Created'
  const firstOpen = init.findIndex(container => !isDone(container))
  if (firstOpen >= 0) {
    const open = init[firstOpen]
    const failed = open !== undefined && (open.state === 'exited' || open.state === 'unknown')
    return failed ? `Init:${open.reason}` : `Init:${firstOpen}/${init.length}`
  }
  const waiting = regular.find(container => !['Running', 'Completed'].includes(container.reason))
  if (waiting !== undefined) return waiting.reason
  if (phase === 'Running' && regular.length > 0 && regular.every(container => container.reason === 'Completed'))
    return 'Completed'
  return phase === 'Succeeded' ? 'Completed' : phase
}
