/** When pods are ready, and one way to wait for it. Source: Kubernetes' conditions ContainersReady and Ready. */
import type { EngineContext } from '../context.ts'
import type { ContainerView, PodReadiness, PodView } from '../types/index.ts'
import { type Loaded, loadAll } from '../view/index.ts'

/** Records change when a container starts and when a probe changes its mind: a look costs a few milliseconds. */
const LOOK_MS = 250

/** Programs that cannot run end at once: one that has just begun may be about to. */
const STEADY_MS = 100

/** One that has crashed runs between two crashes as well. */
const PROVEN_MS = 10_000

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

/** `crashed`: while somebody waits for it. */
type Running = Pick<ContainerView, 'state' | 'startedMs'> & { crashed: boolean }

/**
 * How long these containers have to go on running before they are believed; 0 when they have run for long enough.
 * That is besides Kubernetes' minReadySeconds, which is 0 where nobody sets it. Pure.
 */
export function probationMs(containers: readonly Running[], nowMs: number): number {
  const left = containers.map(({ state, crashed, startedMs = 0 }) => {
    // Of a clock that was set back nothing can be told.
    const ranMs = nowMs < startedMs ? Number.POSITIVE_INFINITY : nowMs - startedMs
    return state === 'running' ? (crashed ? PROVEN_MS : STEADY_MS) - ranMs : 0
  })
  return Math.max(0, ...left)
}

/** What is known of one pod since somebody has begun to wait for it. */
class Awaited {
  #readyAtMs: number | undefined
  readonly #restarts = new Map<string, number>()

  /** What it is like, and how long it has to stay so until it is believed. */
  look(loaded: Loaded | undefined, atMs: number, nowMs: number): { state: PodReadiness; leftMs: number } {
    if (loaded === undefined) return { state: 'failed', leftMs: 0 }
    const { pod, view } = loaded
    const containers = view.containers.map(container => ({ ...container, crashed: this.#hasCrashed(container) }))
    const state = readinessOf(view, containers)
    if (state !== 'ready') {
      this.#readyAtMs = undefined
      return { state, leftMs: 0 }
    }
    this.#readyAtMs ??= atMs
    const minReadyMs = (pod.spec.minReadyMs ?? 0) - (atMs - this.#readyAtMs)
    return { state, leftMs: Math.max(minReadyMs, probationMs(containers, nowMs)) }
  }

  /** It has been started again since it was first seen. */
  #hasCrashed({ id, restarts }: ContainerView): boolean {
    const before = this.#restarts.get(id)
    if (before === undefined) this.#restarts.set(id, restarts)
    return before !== undefined && restarts > before
  }
}

/**
 * Waits at most `timeoutMs` until each of these pods is ready, and has been so for a moment, or cannot come to be it any
 * more, and answers what each is then; a pod that is gone is `failed`. Takes no lock and changes nothing. Throws the
 * reason of `signal`.
 * @param looked is given these pods as they were at the last look.
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
  const awaited = new Map(ids.map(id => [id, new Awaited()]))
  for (;;) {
    signal.throwIfAborted()
    const loaded = await loadAll(context, ids)
    const pods = new Map(loaded.map(one => [one.view.id as string, one]))
    const found = new Map<string, PodReadiness>()
    let nextMs = 0
    for (const [id, pod] of awaited) {
      const { state, leftMs } = pod.look(pods.get(id), clock.monotonicMs(), clock.nowMs())
      found.set(id, leftMs > 0 ? 'waiting' : state)
      nextMs = Math.max(nextMs, state === 'waiting' ? LOOK_MS : Math.min(LOOK_MS, leftMs))
    }
    const leftMs = endMs - clock.monotonicMs()
    if (leftMs <= 0 || nextMs === 0) {
      looked(loaded)
      return found
    }
    await clock.sleep(Math.min(nextMs, leftMs), signal)
  }
}
