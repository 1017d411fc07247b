/** How long somebody who waits for a program goes on waiting once it runs: until it has shown that it does. */
import type { Activity } from '../../oci/index.ts'
import type { ContainerView } from '../types/index.ts'

/** A program that has used no more than this of a processor for so long waits for something to happen. */
const REST_MS = 50
const REST_CPU_NS = 5_000_000

/** One that goes on working is believed after so long: it may have to do with nothing but its work. */
const BUSY_MS = 2000

/** Where this host does not tell what programs do. */
const STEADY_MS = 100

/** One that has crashed runs between two crashes as well. */
const PROVEN_MS = 10_000

/** `crashed`: while somebody waits for it. `restedMs`: for how long it has done nothing, where this can be told. */
type Running = Pick<ContainerView, 'state' | 'startedMs'> & { crashed: boolean; restedMs?: number }

/**
 * How long these containers have to go on running before they are believed, unless they begin to do something; 0 when
 * they have run for long enough. Programs that cannot run end while they start, so one is waited for until it has come
 * to rest. That is besides Kubernetes' minReadySeconds, which is 0 where nobody sets it. Pure.
 */
export function probationMs(containers: readonly Running[], nowMs: number): number {
  const left = containers.map(({ state, crashed, restedMs, startedMs = 0 }) => {
    if (state !== 'running') return 0
    // Of a clock that was set back nothing can be told.
    const ranMs = nowMs < startedMs ? Number.POSITIVE_INFINITY : nowMs - startedMs
    if (crashed) return PROVEN_MS - ranMs
    return restedMs === undefined ? STEADY_MS - ranMs : Math.min(BUSY_MS - ranMs, REST_MS - restedMs)
  })
  return Math.max(0, ...left)
}

/** Whether a program that began then has run for so long that nobody asks any more what it does. Pure. */
export const isPastStart = (startedMs: number, nowMs: number): boolean => nowMs - startedMs > BUSY_MS

/** Since when a program has done next to nothing. */
export type Rest = { sinceMs: number; cpuNs: number }

/** The rest that goes on, or one that has just begun. Pure. */
export const restOf = (before: Rest | undefined, { cpuNs, isBusy }: Activity, atMs: number): Rest =>
  before === undefined || isBusy || cpuNs < before.cpuNs || cpuNs - before.cpuNs > REST_CPU_NS
    ? { sinceMs: atMs, cpuNs }
    : before
