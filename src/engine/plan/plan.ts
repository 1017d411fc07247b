/**
 * The planner: (what a pod should be, what it is, now) → steps, each with its reason. Pure and total.
 *
 * A step names the steps it has to wait for, so that everything independent runs at once; `--dry-run` can print a
 * plan as it is, and the executor map is total by type. Whoever applies a plan looks and plans again afterwards, until
 * there is nothing left to do: a plan may leave to the next one what depends on how its own steps end.
 */
import { planDrops, planRemoval, planStandstill } from './down.ts'
import { hasEnded, type Plan, type PlanInput, type PlannedContainer, Steps } from './steps.ts'
import { planRun, verdictOf } from './up.ts'

/** Plans the way of one pod to its goal. */
export function planPod(input: PlanInput): Plan {
  if (input.goal === 'removed') return { steps: planRemoval(input) }
  const leaving = input.containers.filter(({ removing }) => removing)
  if (leaving.length > 0) {
    // What becomes of the others is for the next plan, which no longer knows of these.
    const steps = new Steps()
    planDrops(steps, leaving)
    return { steps: steps.list }
  }
  if (input.goal === 'stopped') return { steps: planStandstill(input, 'it should be stopped') }
  if (input.failure !== undefined) {
    const because = input.failure === 'Evicted' ? 'it uses more disk space than it may' : OVERDUE
    return { steps: planStandstill(input, because), finished: true }
  }
  if (input.sandbox === 'changing') {
    return { steps: planStandstill(input, 'what stands of its namespaces and network is not known') }
  }
  const failed = failedInit(input)
  if (failed !== undefined) {
    return { steps: planStandstill(input, failed.reason), failed, finished: true }
  }
  if (isFinished(input)) return { steps: planStandstill(input, 'all its containers are done'), finished: true }
  if (input.goal !== 'running' || input.deadlineMs === undefined) return planRun(input)
  if (input.deadlineMs <= input.nowMs) {
    return { steps: planStandstill(input, OVERDUE), failure: 'DeadlineExceeded', finished: true }
  }
  const plan = planRun(input)
  const lookAtMs = Math.min(input.deadlineMs, input.nowMs + LONGEST_WAIT_MS)
  return { ...plan, againAtMs: Math.min(plan.againAtMs ?? lookAtMs, lookAtMs) }
}

const OVERDUE = 'it was active longer than its deadline'
/** A clock may be set: nothing is waited for longer than the longest back-off in one go. */
const LONGEST_WAIT_MS = 300_000

/** An init container that failed for good: nothing of the pod may run. */
function failedInit(input: PlanInput): Plan['failed'] {
  for (const container of input.containers) {
    if (container.kind !== 'init' || container.done || !hasEnded(container.observed)) continue
    const verdict = verdictOf(input, container)
    const stopped = container.goal === 'stopped'
    const succeeded = container.observed.at === 'exited' && container.observed.code === 0
    if (stopped) return { container: container.id, reason: 'its init container was stopped' }
    if (!verdict.restart && !succeeded) return { container: container.id, reason: verdict.reason }
  }
  return undefined
}

/**
 * All regular containers (or the service) have ended and none will be started again. A pod without any goes on: it
 * is its namespaces that are wanted then.
 */
function isFinished(input: PlanInput): boolean {
  const work = input.containers.filter(({ kind }) => kind === 'regular' || kind === 'service')
  return work.length > 0 && work.every(container => isDone(input, container))
}

function isDone(input: PlanInput, container: PlannedContainer): boolean {
  const { observed, goal } = container
  if (goal === 'stopped') return observed.at === 'absent' || hasEnded(observed)
  return hasEnded(observed) && !verdictOf(input, container).restart
}
