/**
 * The planner of Jobs: (what is wanted, the pods there are, what was counted before, now) → what is counted, which pods
 * are to be made and which to be stopped, and what has become of the Job. Pure and total.
 * Source of the rules: Kubernetes' Job controller; where it waits for the deletion of pods, these here just end.
 */
import type { Id, JobSpec, PodFailureRule } from '../../model.ts'
import type { Failures, JobProgress } from '../state/index.ts'

/** The pause before the next pod after a failure, doubled by each failure in a row. */
const FIRST_PAUSE_MS = 10_000
const MAX_PAUSE_MS = 600_000

export type JobPod = {
  id: Id
  index?: number
  /**
   * `held`: somebody stopped it by hand, removed a container of it, or never started it. It keeps its place and is not
   * replaced.
   */
  phase: 'active' | 'held' | 'succeeded' | 'failed'
  counted: boolean
  /** Of its containers, together. */
  restarts: number
  finishedMs: number
  /** Codes that its containers ended with. */
  exits: { container: string; code: number }[]
}

export type JobInput = {
  spec: JobSpec
  progress: JobProgress
  pods: readonly JobPod[]
  /** Absent: none of them was ever started. */
  startedMs?: number
  nowMs: number
}

export type JobOutcome = { is: 'Complete' | 'Failed'; reason: string; message: string }

export type JobPlan = {
  /** With the ends of `counted` in it. */
  progress: JobProgress
  counted: Id[]
  /** Completion indexes of the pods to be made; undefined for each one of a Job without. */
  create: (number | undefined)[]
  stop: Id[]
  outcome?: JobOutcome
  /** When to look again, whatever happens until then. */
  againAtMs?: number
}

/** Plans the next step of a Job that has not ended. */
export function planJob(input: JobInput): JobPlan {
  const { spec, pods, startedMs, nowMs } = input
  const progress = structuredClone(input.progress)
  // The clock was set back: a pause that began in the future would never end.
  for (const failures of [progress.inRow, ...Object.values(progress.byIndex)])
    failures.lastMs = Math.min(failures.lastMs, nowMs)
  const ended = pods.filter(pod => !pod.counted && (pod.phase === 'succeeded' || pod.phase === 'failed'))
  const counted = ended.toSorted((a, b) => a.finishedMs - b.finishedMs)
  const verdicts = counted.map(pod => count(spec, progress, pod))
  const failedBy = verdicts.find(verdict => verdict !== undefined)
  // What somebody does to a pod whose end is counted holds up nothing, unless he starts it again.
  const standing = pods.filter(({ phase, counted }) => phase === 'active' || (phase === 'held' && !counted))
  const outcome = failedBy ?? outcomeOf({ ...input, progress }, standing)
  const base = { progress, counted: counted.map(({ id }) => id) }
  if (outcome !== undefined) return { ...base, create: [], stop: standing.map(({ id }) => id), outcome }
  const deadline = spec.deadlineMs === undefined || startedMs === undefined ? [] : [startedMs + spec.deadlineMs]
  const { create, waits } = missing(spec, progress, standing, nowMs)
  const times = [...deadline, ...waits]
  return { ...base, create, stop: [], ...(times.length > 0 && { againAtMs: Math.min(...times) }) }
}

/** Counts one end; answers when it is the end of the Job. */
function count(spec: JobSpec, progress: JobProgress, pod: JobPod): JobOutcome | undefined {
  const { index, finishedMs } = pod
  if (pod.phase === 'succeeded') {
    progress.inRow = { count: 0, lastMs: 0 }
    if (index !== undefined) delete progress.byIndex[index]
    // Two pods of one index, one of them started by hand: an index succeeds once.
    if (index !== undefined && progress.succeededIndexes.includes(index)) return undefined
    progress.succeeded += 1
    if (index !== undefined) progress.succeededIndexes.push(index)
    return undefined
  }
  const rule = spec.failureRules.find(one => fits(one, pod))
  if (rule?.action === 'Ignore') return undefined
  progress.failed += 1
  progress.inRow = { count: progress.inRow.count + 1, lastMs: finishedMs }
  if (rule?.action === 'FailJob') {
    const codes = pod.exits.map(({ container, code }) => `${container} ended with ${code}`).join(', ')
    return failed('PodFailurePolicy', `${codes}: the podFailurePolicy fails the Job`)
  }
  if (index === undefined || spec.backoffLimitPerIndex === undefined) return undefined
  const before = progress.byIndex[index]?.count ?? 0
  progress.byIndex[index] = { count: before + 1, lastMs: finishedMs }
  if (rule?.action === 'FailIndex' || before + 1 > spec.backoffLimitPerIndex) {
    if (!progress.failedIndexes.includes(index)) progress.failedIndexes.push(index)
  }
  return undefined
}

function fits({ exitCodes }: PodFailureRule, { exits }: JobPod): boolean {
  if (exitCodes === undefined) return false
  const { container, operator, values } = exitCodes
  return exits.some(exit => {
    // As in Kubernetes, a container that succeeded is no reason for anything.
    if (exit.code === 0 || (container !== undefined && exit.container !== container)) return false
    return values.includes(exit.code) === (operator === 'In')
  })
}

const failed = (reason: string, message: string): JobOutcome => ({ is: 'Failed', reason, message })

function outcomeOf(input: JobInput, standing: readonly JobPod[]): JobOutcome | undefined {
  return failureOf(input, standing) ?? successOf(input, standing)
}

function failureOf(
  { spec, progress, startedMs, nowMs }: JobInput,
  standing: readonly JobPod[],
): JobOutcome | undefined {
  if (spec.deadlineMs !== undefined && startedMs !== undefined && nowMs >= startedMs + spec.deadlineMs) {
    return failed('DeadlineExceeded', `Job was active longer than specified deadline (${spec.deadlineMs / 1000}s)`)
  }
  const restarts = standing.reduce((sum, pod) => sum + pod.restarts, 0)
  // Restarts count at once, and not when they become too many: so it is in Kubernetes.
  const restartedTooOften = restarts > 0 && restarts >= spec.backoffLimit
  if (progress.failed > spec.backoffLimit || restartedTooOften) {
    return failed('BackoffLimitExceeded', `Job has reached the specified backoff limit (${spec.backoffLimit})`)
  }
  if (spec.maxFailedIndexes !== undefined && progress.failedIndexes.length > spec.maxFailedIndexes) {
    return failed('MaxFailedIndexesExceeded', `Job has exceeded the specified maximal number of failed indexes`)
  }
  return undefined
}

function successOf({ spec, progress }: JobInput, standing: readonly JobPod[]): JobOutcome | undefined {
  const { succeeded, succeededIndexes, failedIndexes } = progress
  const met = spec.successRules.some(({ indexes, count: wanted }) => {
    const of = indexes === undefined ? succeededIndexes : succeededIndexes.filter(index => indexes.includes(index))
    return of.length >= (wanted ?? indexes?.length ?? spec.completions ?? 0)
  })
  if (met) return { is: 'Complete', reason: 'SuccessPolicy', message: 'Matched rules of the successPolicy' }
  const complete: JobOutcome = { is: 'Complete', reason: 'Completed', message: 'Job completed' }
  if (spec.completions === undefined) return succeeded > 0 && standing.length === 0 ? complete : undefined
  if (succeeded >= spec.completions) return complete
  if (succeeded + failedIndexes.length < spec.completions || standing.length > 0) return undefined
  return failed('FailedIndexes', `Job has failed indexes: ${failedIndexes.toSorted((a, b) => a - b).join(', ')}`)
}

/** The pods that are to be made now, and the times at which more may be. */
function missing(
  spec: JobSpec,
  progress: JobProgress,
  standing: readonly JobPod[],
  nowMs: number,
): { create: (number | undefined)[]; waits: number[] } {
  const left = spec.completions === undefined ? spec.parallelism : spec.completions - progress.succeeded
  // A work queue of which one pod has succeeded is coming to its end.
  const isEnding = spec.completions === undefined && progress.succeeded > 0
  const room = Math.max(0, Math.min(spec.parallelism, left) - standing.length)
  if (room === 0 || isEnding) return { create: [], waits: [] }
  if (spec.indexed && spec.backoffLimitPerIndex !== undefined)
    return missingIndexes(spec, progress, standing, room, nowMs)
  const notBeforeMs = pauseEnd(progress.inRow)
  if (nowMs < notBeforeMs) return { create: [], waits: [notBeforeMs] }
  if (!spec.indexed) return { create: Array.from({ length: room }, () => undefined), waits: [] }
  return { create: openIndexes(spec, progress, standing).slice(0, room), waits: [] }
}

/** Each index has a pause of its own. */
function missingIndexes(
  spec: JobSpec,
  progress: JobProgress,
  standing: readonly JobPod[],
  room: number,
  nowMs: number,
): { create: number[]; waits: number[] } {
  const open = openIndexes(spec, progress, standing)
  const at = (index: number): number => pauseEnd(progress.byIndex[index] ?? { count: 0, lastMs: 0 })
  const create = open.filter(index => at(index) <= nowMs).slice(0, room)
  const waits = create.length < room ? open.map(at).filter(time => time > nowMs) : []
  return { create, waits }
}

/** Indexes that have neither succeeded nor failed for good and have no pod. */
function openIndexes(spec: JobSpec, progress: JobProgress, standing: readonly JobPod[]): number[] {
  const taken = new Set([
    ...progress.succeededIndexes,
    ...progress.failedIndexes,
    ...standing.map(({ index }) => index),
  ])
  return Array.from({ length: spec.completions ?? 0 }, (_, index) => index).filter(index => !taken.has(index))
}

/** When the pause after these failures is over; 0 without any. */
function pauseEnd({ count: failures, lastMs }: Failures): number {
  if (failures === 0) return 0
  return lastMs + Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 16), MAX_PAUSE_MS)
}
