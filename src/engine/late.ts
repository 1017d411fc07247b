/** Pods that wait until others are ready: created by their play, started when its locks are free. */
import type { Id, PodSpec } from '../model.ts'
import type { EngineContext } from './context.ts'
import { operatePods } from './operate/index.ts'
import { lateOnes, leadersFirst, placeOf, tellsReady } from './play/index.ts'
import { awaitReady, READY_MS } from './probe/index.ts'
import type { PlayReport, Progress } from './types/index.ts'

/**
 * Starts what a play has only created, each pod when those before it are ready. What cannot be started is a failure in
 * the report of the play, like any other. Throws the reason of `signal`.
 */
export async function startLate(
  context: EngineContext,
  pods: readonly PodSpec[],
  report: PlayReport,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const late = lateOnes(pods)
  if (late.size === 0) return
  const played = new Map(report.pods.map(pod => [pod.name, pod]))
  const place = (spec: PodSpec): ReturnType<typeof placeOf> => placeOf({ name: spec.name, spec })
  await leadersFirst<PodSpec, { spec: PodSpec; ready: boolean }>(pods, place, async (spec, before) => {
    const own = played.get(spec.name)
    if (own === undefined || own.failures.length > 0) return { spec, ready: false }
    const missing = before.find(({ ready }) => !ready)
    if (missing !== undefined) {
      const message = `it was not started, because ${missing.spec.name} is not ready`
      own.failures.push({ container: spec.name, message })
      return { spec, ready: false }
    }
    if (late.has(spec.name)) {
      const [outcome] = await operatePods(context, [own.id as Id], { do: 'start' }, signal)
      if (outcome?.error !== undefined) {
        own.failures.push({ container: spec.name, message: outcome.error.message })
        return { spec, ready: false }
      }
    }
    const isAwaited = pods.some(other => place(other).startAfter.includes(spec.name))
    if (!isAwaited || !tellsReady(spec)) return { spec, ready: true }
    progress({ object: spec.name, text: 'others wait until it is ready' })
    const state = (await awaitReady(context, [own.id], READY_MS, signal)).get(own.id)
    return { spec, ready: state === 'ready' || state === 'done' }
  })
}
