/** What a pod that is there is like: whether it has to be started, and how long replacing it takes. Pure. */
import type { SeenPod } from './world.ts'

/** What a start takes when nobody has seen one: most pods are up within that. */
const USUAL_START_MS = 1000
/** A longer time was no start: somebody created the pod and let it wait. */
const LONGEST_START_MS = 600_000

/** Why a pod has to be started; undefined when it is up, or has done what it was for. */
export function startReason({
  record,
  containers,
  view,
}: Pick<SeenPod, 'record' | 'containers' | 'view'>): string | undefined {
  if (record.goal === 'stopped') return 'it was stopped'
  if (record.goal === 'created') return 'it was never started'
  const stopped = containers.find(({ kind, goal }) => kind === 'regular' && goal !== 'running')
  if (stopped !== undefined) return `container ${stopped.shortName} was stopped`
  const lost = view.containers.find(({ kind, state }) => kind !== 'init' && state === 'unknown')
  if (lost !== undefined) return `container ${lost.shortName} is gone`
  // After a reboot nobody else may start it: units of sources are not tspod-restart.service.
  const unseen = containers.find(
    ({ kind, state, reason }) => kind !== 'init' && state === 'exited' && reason === 'Unknown',
  )
  const isWaitedFor = record.wakeMs !== undefined || record.spec.restartPolicy === 'Never'
  return unseen === undefined || isWaitedFor
    ? undefined
    : `container ${unseen.shortName} ended unseen: a reboot, or a crash`
}

/** How long nobody serves at most, when the pod is replaced: its grace, and what its last start took. */
export function outageOf({ record, containers, spec }: SeenPod): number {
  const starts = containers.filter(({ kind, restarts }) => kind === 'regular' && restarts === 0)
  const lastMs = Math.max(0, ...starts.map(({ startedMs = 0 }) => startedMs - record.createdMs))
  const startMs = lastMs > 0 && lastMs < LONGEST_START_MS ? lastMs : USUAL_START_MS
  return spec.graceMs + startMs
}
