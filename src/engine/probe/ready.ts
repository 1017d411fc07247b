/** When pods are ready, and one way to wait for it. Source: Kubernetes' conditions ContainersReady and Ready. */
import type { EngineContext } from '../context.ts'
import type { ContainerView, PodReadiness, PodView } from '../types/index.ts'
import { type Loaded, loadAll } from '../view/index.ts'

/** Records change when a container starts and when a probe changes its mind: a look costs a few milliseconds. */
const LOOK_MS = 250

/** How long a pod is waited for that others need; what is not ready then has failed as far as they are concerned. */
export const READY_MS = 5 * 60_000

type Asked = Pick<PodView, 'phase'>
type Serving = Pick<ContainerView, 'kind' | 'state' | 'ready'>

/** Every container that serves runs and is ready: regular ones and sidecars. Pure. */
export function isPodReady({ phase }: Asked, containers: readonly Serving[]): boolean {
  const serving = containers.filter(({ kind }) => kind === 'regular' || kind === 'sidecar')
  return phase === 'Running' && serving.every(({ state, ready }) => state === 'running' && ready)
}

/** What a pod is like for somebody who waits for it; it may still come to be `ready` only while it is `waiting`. Pure. */
export function readinessOf(pod: Asked, containers: readonly Serving[]): PodReadiness {
  if (pod.phase === 'Succeeded') return 'done'
  if (pod.phase === 'Failed') return 'failed'
  return isPodReady(pod, containers) ? 'ready' : 'waiting'
}

/**
 * Waits at most `timeoutMs` until each of these pods is ready or cannot come to be it any more, and answers what each
 * is then; a pod that is gone is `failed`. Takes no lock and changes nothing. Throws the reason of `signal`.
 * @param looked is given all pods as they were at the last look.
 */
export async function awaitReady(
  context: EngineContext,
  ids: readonly string[],
  timeoutMs: number,
  signal: AbortSignal,
  looked: (loaded: Loaded[]) => void = () => undefined,
): Promise<Map<string, PodReadiness>> {
  const { clock } = context
  const endMs = clock.monotonicMs() + timeoutMs
  for (;;) {
    signal.throwIfAborted()
    const loaded = await loadAll(context)
    const pods = new Map(loaded.map(({ view }) => [view.id as string, view]))
    const found = new Map(
      ids.map(id => {
        const pod = pods.get(id)
        return [id, pod === undefined ? 'failed' : readinessOf(pod, pod.containers)]
      }),
    )
    const leftMs = endMs - clock.monotonicMs()
    if (leftMs <= 0 || ![...found.values()].includes('waiting')) {
      looked(loaded)
      return found
    }
    await clock.sleep(Math.min(LOOK_MS, leftMs), signal)
  }
}
