/** When pods are ready, and one way to wait for it. Source: Kubernetes' conditions ContainersReady and Ready. */
import { containerCgroup, readActivity } from '../../oci/index.ts'
import type { EngineContext } from '../context.ts'
import type { PodRecord } from '../state/index.ts'
import type { ContainerView, PodReadiness, PodView } from '../types/index.ts'
import { cgroupOf } from '../unit.ts'
import { type Loaded, loadAll } from '../view/index.ts'
import { isPastStart, probationMs, type Rest, restOf } from './probation.ts'

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

/** What is known of one pod since somebody has begun to wait for it. */
class Awaited {
  #readyAtMs: number | undefined
  readonly #restarts = new Map<string, number>()
  readonly #rests = new Map<string, Rest>()
  readonly #context: EngineContext

  constructor(context: EngineContext) {
    this.#context = context
  }

  /** What it is like, and how long it has to stay so until it is believed. */
  look(loaded: Loaded | undefined, atMs: number, nowMs: number): { state: PodReadiness; leftMs: number } {
    if (loaded === undefined) return { state: 'failed', leftMs: 0 }
    const { pod, view } = loaded
    const containers = view.containers.map(container => {
      const crashed = this.#hasCrashed(container)
      return { ...container, crashed, ...this.#rested(pod, container, atMs, nowMs) }
    })
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

  /** For how long a container that has begun not long ago has been at rest. */
  #rested(pod: PodRecord, { id, state, shortName, startedMs = 0 }: ContainerView, atMs: number, nowMs: number) {
    if (state !== 'running' || isPastStart(startedMs, nowMs)) return {}
    const { hierarchies } = this.#context
    const activity = readActivity(hierarchies, containerCgroup(cgroupOf(this.#context, pod), shortName))
    if (activity === undefined) return {}
    const rest = restOf(this.#rests.get(id), activity, atMs)
    this.#rests.set(id, rest)
    return { restedMs: atMs - rest.sinceMs }
  }
}

/**
 * Waits at most `timeoutMs` until each of these pods is ready, and has been so for a moment, or cannot come to be it any
 * more, and answers what each is then; a pod that is gone is `failed`. Takes no lock and changes nothing. Throws the
 * reason of `signal`.
 * @param looked is given these pods as they are, at each look.
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
  const awaited = new Map(ids.map(id => [id, new Awaited(context)]))
  for (;;) {
    signal.throwIfAborted()
    const loaded = await loadAll(context, ids)
    looked(loaded)
    const pods = new Map(loaded.map(one => [one.view.id as string, one]))
    const found = new Map<string, PodReadiness>()
    let nextMs = 0
    for (const [id, pod] of awaited) {
      const { state, leftMs } = pod.look(pods.get(id), clock.monotonicMs(), clock.nowMs())
      found.set(id, leftMs > 0 ? 'waiting' : state)
      nextMs = Math.max(nextMs, state === 'waiting' ? LOOK_MS : Math.min(LOOK_MS, leftMs))
    }
    const leftMs = endMs - clock.monotonicMs()
    if (leftMs <= 0 || nextMs === 0) return found
    await clock.sleep(Math.min(nextMs, leftMs), signal)
  }
}
