/** What it means for the goals of a pod when some of its containers are wanted to run. */
import { type PodWork, patch, patchPod } from '../context.ts'
import { advance } from '../run/index.ts'
import type { ContainerRecord } from '../state/index.ts'

/**
 * Wants these containers to run, and with them what every pod needs that was not running: the owner of its PID
 * namespace, its init containers and its sidecars. Somebody who starts a container by hand does not wait for a
 * back-off: it begins anew; and so does the deadline of a pod at rest, also of one that has failed of it.
 */
export function wantRunning(work: PodWork, wanted: readonly ContainerRecord[]): void {
  const isComing = isAtRest(work)
  const isOver = new Set(work.containers.filter(record => isPast(work, record)))
  activate(work)
  const helpers = work.containers.filter(record => isHelper(record) && (isComing || holdsUp(record)))
  for (const record of new Set([...helpers, ...wanted])) {
    patch(work, record.id, { goal: 'running', crashes: 0, killed: false })
    work.asked.add(record.id)
    if (hasEnded(record) && !isOver.has(record) && !staysDone(work, record)) reset(work, record)
  }
}

/** The pod is to run. One at rest begins anew: its deadline counts from now, also where it has failed of that. */
export function activate(work: PodWork): void {
  if (isAtRest(work))
    patchPod(work, { activeMs: work.context.clock.nowMs(), failure: null, failureMessage: null, failedMs: null })
  work.pod.goal = 'running'
}

const isHelper = ({ kind }: ContainerRecord): boolean => kind !== 'regular' && kind !== 'service'

/** One that somebody had only created, or an init container that was stopped: what comes after it cannot start. */
const holdsUp = ({ kind, goal }: ContainerRecord): boolean =>
  goal === 'created' || (kind === 'init' && goal === 'stopped')

const hasEnded = ({ state }: ContainerRecord): boolean =>
  state === 'exited' || state === 'stopped' || state === 'unknown'

const isAtRest = ({ pod, sandboxState }: PodWork): boolean =>
  pod.goal !== 'running' || pod.failure !== undefined || sandboxState !== 'up'

const isDone = ({ kind, exitCode, state }: ContainerRecord): boolean =>
  kind === 'init' && state === 'exited' && exitCode === 0

/** An init container that succeeded runs again only where Podman's annotation says so, and then with its pod. */
export const staysDone = (work: PodWork, record: ContainerRecord): boolean =>
  isDone(record) && work.pod.spec.initType !== 'always'

/**
 * An init container that succeeded, in a pod that is up and of which a regular container has run: its time is over,
 * whoever asks for it. It keeps its exit code.
 */
export function isPast(work: PodWork, record: ContainerRecord): boolean {
  const { boot } = work.context
  const hasRun = (other: ContainerRecord): boolean => other.startedMs !== undefined && other.boot === boot
  const hasBegun = work.containers.some(other => other.kind === 'regular' && hasRun(other))
  return isDone(record) && hasBegun && !isAtRest(work)
}

/** The container is to be made again, on the layer that it had. */
export function reset(work: PodWork, record: ContainerRecord): void {
  patch(work, record.id, { state: advance(record.state, 'reset'), reason: '', message: '' })
}
