/** What the records say of the pods of a Job, in the words of its planner. */
import type { EngineContext } from '../context.ts'
import { type JobPod, runsAgain, termsFor } from '../plan/index.ts'
import {
  type ContainerRecord,
  type JobRecord,
  type PodRecord,
  readContainers,
  readPodsOfJob,
  readSandbox,
  specNamed,
} from '../state/index.ts'

/** A pod of a Job with what its planner is told of it; without that it is half made, or half removed. */
export type JobMember = { pod: PodRecord; told?: JobPod }

/** All pods of a Job, in the order they were made. */
export async function membersOf({ store, boot, clock }: EngineContext, job: JobRecord): Promise<JobMember[]> {
  const pods = await readPodsOfJob(store, job.id)
  return Promise.all(
    pods.map(async pod => {
      if (!pod.complete || pod.goal === 'removed') return { pod }
      const [containers, sandbox] = await Promise.all([
        readContainers(store, [pod.id]),
        readSandbox(store, pod.id, boot),
      ])
      return { pod, told: toldOf(pod, containers, sandbox?.state === 'down', clock.nowMs()) }
    }),
  )
}

/** `atRest`: its namespaces are gone, which is how a pod ends. */
function toldOf(pod: PodRecord, containers: readonly ContainerRecord[], atRest: boolean, nowMs: number): JobPod {
  const { index } = pod.spec.job ?? {}
  const work = containers.filter(({ kind }) => kind === 'regular' || kind === 'init')
  const exits = work.flatMap(({ shortName, exitCode }) =>
    exitCode === undefined ? [] : { container: shortName as string, code: exitCode },
  )
  return {
    id: pod.id,
    ...(index !== undefined && { index }),
    phase: phaseOf(pod, containers, atRest),
    counted: pod.counted,
    restarts: work.reduce((sum, { restarts }) => sum + restarts, 0),
    finishedMs: Math.min(nowMs, Math.max(pod.failedMs ?? 0, ...work.map(({ finishedMs }) => finishedMs ?? 0))),
    exits,
  }
}

function phaseOf(pod: PodRecord, containers: readonly ContainerRecord[], atRest: boolean): JobPod['phase'] {
  if (pod.goal !== 'running') return 'held'
  if (!atRest) return 'active'
  if (pod.failure !== undefined) return 'failed'
  const hasEnded = ({ state }: ContainerRecord): boolean => state === 'exited' || state === 'stopped'
  const regular = containers.filter(({ kind }) => kind === 'regular')
  // Of what somebody has taken away nobody knows how it would have ended: such a pod does not succeed any more.
  const isWhole = pod.spec.containers.every(({ name }) => regular.some(({ shortName }) => shortName === name))
  if (regular.every(container => hasEnded(container) && container.exitCode === 0)) return isWhole ? 'succeeded' : 'held'
  // Of restartPolicy OnFailure it goes on until it succeeds, also after a reboot has put it to rest.
  const goesOn = ({ kind, shortName, exitCode }: ContainerRecord): boolean =>
    runsAgain(termsFor(pod.spec.restartPolicy, kind, specNamed(pod.spec, shortName)), kind, exitCode)
  const work = containers.filter(({ kind }) => kind === 'regular' || kind === 'init')
  if (work.some(container => hasEnded(container) && goesOn(container))) return 'active'
  const hasFailed = containers.some(
    container => container.kind !== 'sidecar' && hasEnded(container) && container.exitCode !== 0,
  )
  // What was made and never begun (a reboot) is still to come.
  return hasFailed ? 'failed' : 'active'
}
