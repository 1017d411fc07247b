/**
 * The restart judge: may a container that ended run again, and when. Pure; says why in words a user may read.
 * Source: the kubelet's crash-loop back-off (first restart at once, then 10 s doubling to 300 s, reset after 10 minutes up).
 */
import type { RestartPolicy } from '../../model.ts'
import type { ContainerKind } from '../types/index.ts'

const FIRST_DELAY_MS = 10_000
const MAX_DELAY_MS = 300_000
/** A run at least this long clears the back-off. */
const RESET_AFTER_MS = 600_000

export type Ended = {
  /** Undefined when nobody saw it end: counts as a failure. */
  exitCode: number | undefined
  startedMs: number | undefined
  finishedMs: number
  /** Restarts in a row so far without a long run in between. */
  crashes: number
}

export type Verdict =
  | { restart: true; atMs: number; crashes: number; reason: string }
  | { restart: false; reason: string }

/** The policy that holds for a container of that kind: sidecars and infra containers are always kept running. */
export function policyFor(pod: RestartPolicy, kind: ContainerKind): RestartPolicy {
  if (kind === 'infra' || kind === 'sidecar') return 'Always'
  return kind === 'service' ? 'Never' : pod
}

/** Judges one ended container; `kind` because an init container that succeeded is done whatever the policy. */
export function judgeExit(policy: RestartPolicy, kind: ContainerKind, ended: Ended): Verdict {
  const outcome = ended.exitCode === undefined ? 'ended unseen' : `exited with code ${ended.exitCode}`
  const failed = ended.exitCode !== 0
  if (!failed && (kind === 'init' || policy === 'OnFailure')) return { restart: false, reason: 'finished with code 0' }
  if (policy === 'Never') return { restart: false, reason: `${outcome}; restartPolicy is Never` }
  const ranMs = ended.startedMs === undefined ? 0 : ended.finishedMs - ended.startedMs
  const crashes = ranMs >= RESET_AFTER_MS ? 0 : ended.crashes
  const delayMs = backOffMs(crashes)
  return {
    restart: true,
    atMs: ended.finishedMs + delayMs,
    crashes: crashes + 1,
    reason:
      delayMs === 0
        ? `${outcome}; restartPolicy is ${policy}`
        : `back-off ${delayMs / 1000}s restarting failed container`,
  }
}

/** The pause before the restart that follows `crashes` earlier ones in a row. */
export function backOffMs(crashes: number): number {
  if (crashes === 0) return 0
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(crashes - 1, 16), MAX_DELAY_MS)
}
