/**
 * The restart judge: may a container that ended run again, and when. Pure; says why in words a user may read.
 * Source: the kubelet's crash-loop back-off (first restart at once, then 10 s doubling to 300 s, reset after 10 minutes up).
 */
import type { ContainerSpec, RestartPolicy, RestartRule } from '../../model.ts'
import type { ContainerKind, FailedCheck } from '../types/index.ts'

const FIRST_DELAY_MS = 10_000
const MAX_DELAY_MS = 300_000
/** A run at least this long clears the back-off. */
const RESET_AFTER_MS = 600_000

/** What a container says of its restarts itself. */
export type OwnRestart = Pick<ContainerSpec, 'restartPolicy' | 'restartRules'>

export type Ended = {
  /** Undefined when nobody saw it end: counts as a failure. */
  exitCode: number | undefined
  startedMs: number | undefined
  finishedMs: number
  /** Restarts in a row so far without a long run in between. */
  crashes: number
  /** A probe or hook had it ended: whatever it says of itself, that is a failure. */
  failedCheck?: FailedCheck
}

export type Verdict =
  | { restart: true; atMs: number; crashes: number; reason: string }
  | { restart: false; reason: string }

/** What decides about one container: the first rule that fits, else the policy. */
export type RestartTerms = { policy: RestartPolicy; rules?: readonly RestartRule[] }

/**
 * The terms for a container of that kind; `own` is its part of the manifest, which comes before what its pod says.
 * Sidecars and infra containers are always kept running.
 */
export function termsFor(pod: RestartPolicy, kind: ContainerKind, own: OwnRestart | undefined): RestartTerms {
  if (kind === 'infra' || kind === 'sidecar') return { policy: 'Always' }
  if (kind === 'service') return { policy: 'Never' }
  const rules = own?.restartRules
  return { policy: own?.restartPolicy ?? pod, ...(rules !== undefined && { rules }) }
}

/** True for a container that runs again after such an end, at once or later. */
export function runsAgain({ policy, rules = [] }: RestartTerms, kind: ContainerKind, exitCode?: number): boolean {
  if (exitCode === 0 && kind === 'init') return false
  return rules.some(rule => fits(rule, exitCode)) || policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0)
}

type JudgedEnd = { exitCode?: number | undefined; failedCheck?: FailedCheck }

/** The code that decides: one that was ended as a failure has not succeeded, however gracefully it went. */
export const judgedCode = ({ exitCode, failedCheck }: JudgedEnd): number | undefined =>
  exitCode === 0 && failedCheck !== undefined ? KILLED_CODE : exitCode

/** Of a container that ends by SIGKILL. */
const KILLED_CODE = 137

/** What is recorded of an end that nobody saw. */
const UNSEEN_CODE = 255

const fits = ({ operator, values }: RestartRule, exitCode = UNSEEN_CODE): boolean =>
  values.includes(exitCode) === (operator === 'In')

/** Judges one ended container; `kind` because an init container that succeeded is done whatever the policy. */
export function judgeExit(terms: RestartTerms, kind: ContainerKind, ended: Ended): Verdict {
  const { policy, rules = [] } = terms
  const outcome = ended.exitCode === undefined ? 'ended unseen' : `exited with code ${ended.exitCode}`
  const exitCode = judgedCode(ended)
  if (!runsAgain(terms, kind, exitCode)) {
    const isDone = exitCode === 0 && (kind === 'init' || policy === 'OnFailure')
    return { restart: false, reason: isDone ? 'finished with code 0' : `${outcome}; restartPolicy is ${policy}` }
  }
  const ranMs = ended.startedMs === undefined ? 0 : ended.finishedMs - ended.startedMs
  const crashes = ranMs >= RESET_AFTER_MS ? 0 : ended.crashes
  const delayMs = backOffMs(crashes)
  const why = rules.some(rule => fits(rule, exitCode)) ? 'its restartPolicyRules say so' : `restartPolicy is ${policy}`
  return {
    restart: true,
    atMs: ended.finishedMs + delayMs,
    crashes: crashes + 1,
    reason: delayMs === 0 ? `${outcome}; ${why}` : `back-off ${delayMs / 1000}s restarting failed container`,
  }
}

/** The pause before the restart that follows `crashes` earlier ones in a row. */
export function backOffMs(crashes: number): number {
  if (crashes === 0) return 0
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(crashes - 1, 16), MAX_DELAY_MS)
}
