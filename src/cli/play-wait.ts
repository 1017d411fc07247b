/** `kube play --wait`: stays until the pods have ended or somebody has had enough, and leaves nothing. */
import type { Engine, PlayReport } from '../engine/index.ts'
import { downOutcome } from './down.ts'
import { playOutcome } from './play-report.ts'
import type { Source } from './source.ts'
import type { Outcome, World } from './verb.ts'

/** After ctrl-c everything has to be gone within four seconds, as in Podman: so much of it is for the containers. */
const INTERRUPTED_GRACE_MS = 2_500
const LOOK_EVERY_MS = 100

/**
 * Waits until the play's service container has ended, which it does with the last pod, and takes everything down,
 * volumes too. The exit code is that of the first container that failed; a play in which some did not even start is
 * not waited for.
 */
export async function waitAndClean(
  sources: readonly Source[],
  report: PlayReport,
  engine: Engine,
  world: World,
): Promise<Outcome> {
  const played = playOutcome(report)
  world.out.write(played.stdout ?? '')
  world.err.write(played.stderr ?? '')
  if (played.exitCode === 0 && report.pods.length > 0) {
    world.out.write('Use ctrl+c to clean up or wait for pods to exit\n')
    await untilEnd(report, engine, world)
  }
  const interrupted = world.signal.aborted
  const exitCode = await workloadCode(report, engine)
  world.out.write('Cleaning up containers, pods, and volumes...\n')
  const { namesIn } = await import('../kube/index.ts')
  const how = { force: true, ...(interrupted && { graceMs: INTERRUPTED_GRACE_MS }) }
  // The signal that ended the wait must not end the cleaning up.
  const cleaned = downOutcome(await engine.down(namesIn(sources), how, new AbortController().signal))
  return { ...cleaned, exitCode: cleaned.exitCode || played.exitCode || exitCode, interrupted }
}

/**
 * Stands for a service whose containers have a say in its readiness: stays until it ends, with its exit code, so that
 * what they go on to say has a reader. Source of the behaviour: Podman.
 */
export async function stay(report: PlayReport, engine: Engine, world: World): Promise<Outcome> {
  if (report.service === undefined) return {}
  try {
    return { exitCode: await engine.serviceEnd(report.service, world.signal) }
  } catch (error) {
    // The service is not ours to stop: whoever ends this process sees to that.
    if (world.signal.aborted) return { interrupted: true }
    throw error
  }
}

async function untilEnd({ service }: PlayReport, engine: Engine, world: World): Promise<void> {
  const pods = await engine.pods()
  const ids = pods.filter(({ id }) => id === service).flatMap(({ containers }) => containers.map(({ id }) => id))
  await engine.waitFor(ids, ['exited', 'stopped', 'unknown'], LOOK_EVERY_MS, world.signal).catch(error => {
    if (!world.signal.aborted) throw error
  })
}

/** 0 when every regular container of the play ended with 0, and every Job of it is complete. */
async function workloadCode({ service }: PlayReport, engine: Engine): Promise<number> {
  if (service === undefined) return 0
  const pods = (await engine.pods()).filter(pod => pod.service === service)
  const codes = pods.map(pod => {
    if (pod.job !== undefined && pod.job.status !== 'Failed') return 0
    const code = pod.containers.find(({ kind, exitCode }) => kind === 'regular' && exitCode)?.exitCode ?? 0
    // A Job or a pod may fail without any container: of its deadline.
    return pod.job !== undefined || pod.message !== undefined ? code || FAILED_CODE : code
  })
  return codes.find(code => code !== 0 && code !== FAILED_CODE) ?? codes.find(code => code !== 0) ?? 0
}

const FAILED_CODE = 1
