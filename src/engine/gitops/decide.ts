/**
 * What a tick does with a source, decided from what is known so far. Pure: the loop asks at each step, and does what it
 * is told.
 */
import { listed, objectLabel } from '../../words.ts'
import type { ApplyPlan, ReconcileWish, SourceFailure, Suspension } from '../types/index.ts'

/** `skip`: all is as it should be, nothing is to be done. `refuse`: something is wrong, and nothing may be done. */
export type Verdict =
  | { do: 'act'; reason: string }
  | { do: 'skip'; reason: string }
  | { do: 'refuse'; reason: string; remedy: string }

/** A revision whose apply has failed. */
export type BadRevision = {
  revision: string
  /** What the host was like then. */
  host: string
  tries: number
  reason: string
  /** Absent: no time makes it better. */
  retryMs?: number
}

const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 3_600_000

/** How long is waited after the n-th failure in a row of what may get better by itself: a minute, two, four, up to an hour. */
export const pauseAfter = (tries: number): number =>
  Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 20))

/** What may have gone by the next time: the network, a lock, room on a disk. */
const PASSING: ReadonlySet<string> = new Set([
  'IMAGE_PULL_FAILED',
  'LOCK_TIMEOUT',
  'HOST_EXHAUSTED',
  'STORE_UNUSABLE',
  'COMMAND_TIMEOUT',
  'COMMAND_ABORTED',
  'NETWORK_FAILED',
])

/** When a failure of this code is tried again although nothing has changed; undefined for never. */
export const retryAt = (code: string, tries: number, nowMs: number): number | undefined =>
  PASSING.has(code) ? nowMs + pauseAfter(tries) : undefined

/** Whether the source is looked at. What somebody asks for by name is no reason to end a suspension: it may be an emergency. */
export function judgeSuspension(suspended: Suspension | undefined, nowMs: number): Verdict {
  if (suspended === undefined || isOver(suspended, nowMs)) return { do: 'act', reason: '' }
  return { do: 'skip', reason: suspensionText(suspended) }
}

/** Who, until when, and why. */
export function suspensionText({ author, reason, untilMs }: Suspension): string {
  const until = untilMs === undefined ? '' : ` until ${new Date(untilMs).toISOString()}`
  return `suspended by ${author}${until}: ${reason}`
}

/** Whether a suspension has run out. */
export const isOver = ({ untilMs }: Suspension, nowMs: number): boolean => untilMs !== undefined && untilMs <= nowMs

/** Whether a revision that has failed before is applied (again). */
export function judgeRevision(
  bad: BadRevision | undefined,
  { host, nowMs, insist }: { host: string; nowMs: number; insist: boolean },
): Verdict {
  if (bad === undefined) return { do: 'act', reason: '' }
  if (insist) return { do: 'act', reason: 'somebody asked for another try' }
  if (bad.host !== host) return { do: 'act', reason: 'the host has changed since the last try' }
  if (bad.retryMs !== undefined && bad.retryMs <= nowMs) return { do: 'act', reason: `try ${bad.tries + 1}` }
  const wait =
    bad.retryMs === undefined
      ? 'it waits for another commit or a change of the host'
      : `it is tried again at ${new Date(bad.retryMs).toISOString()}`
  return {
    do: 'refuse',
    reason: `${short(bad.revision)} has failed ${times(bad.tries)} (${bad.reason}); ${wait}`,
    remedy: 'correct it in the source, or try again now: tspod gitops reconcile NAME',
  }
}

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`)

/** Commits as git shortens them, digests by their beginning. */
export const short = (revision: string): string => revision.replace(/^((?:sha256:)?[0-9a-f]{12})[0-9a-f]{28,52}$/, '$1')

/** A source that has nothing is a mistake: whoever wants everything gone says so. */
export function judgeFiles(files: number, name: string): Verdict {
  if (files > 0) return { do: 'act', reason: '' }
  return {
    do: 'refuse',
    reason: 'there is no manifest in it: nothing is removed for that',
    remedy: `put one there, or remove everything: tspod gitops remove ${name} --prune`,
  }
}

/** At least so many, and more than this share of what there is: then somebody has to confirm. */
const BUDGET_COUNT = 3
const BUDGET_SHARE = 0.5

/** Whether so many objects may go at once. */
export function judgePrune(plan: ApplyPlan, allowed: number | undefined): Verdict {
  const there = plan.objects.filter(({ action }) => action !== 'create')
  const going = there.filter(({ action }) => action === 'prune')
  const isMany = going.length >= BUDGET_COUNT && going.length > there.length * BUDGET_SHARE
  if (going.length === 0 || !isMany || (allowed ?? 0) >= going.length) return { do: 'act', reason: '' }
  const names = going.map(objectLabel)
  return {
    do: 'refuse',
    reason: `${going.length} of ${there.length} objects would be removed: ${listed(names)}`,
    remedy: `if that is meant: tspod gitops reconcile ${plan.app} --allow-prune ${going.length}`,
  }
}

/** What of a plan changes anything, in a few words; undefined when nothing does. */
export function changesOf(plan: ApplyPlan): string | undefined {
  const words = { create: 'create', start: 'start', configure: 'change', prune: 'remove' } as const
  const parts = Object.entries(words).flatMap(([action, word]) => {
    const names = plan.objects.filter(each => each.action === action).map(objectLabel)
    return names.length === 0 ? [] : [`${word} ${listed(names)}`]
  })
  return parts.length === 0 ? undefined : parts.join('; ')
}

/** Whether a plan is carried out. */
export function judgePlan(
  plan: ApplyPlan,
  { observe, allowPrune }: { observe: boolean } & Pick<ReconcileWish, 'allowPrune'>,
): Verdict {
  const changes = changesOf(plan)
  if (changes === undefined) return { do: 'skip', reason: 'everything is as it should be' }
  if (observe) return { do: 'skip', reason: `only observed: would ${changes}` }
  const pruning = judgePrune(plan, allowPrune)
  return pruning.do === 'act' ? { do: 'act', reason: changes } : pruning
}

/** The failure as it is remembered: one that was there already counts on. */
export function countFailure(
  before: SourceFailure | undefined,
  now: Omit<SourceFailure, 'sinceMs' | 'times'>,
  nowMs: number,
): SourceFailure {
  const isSame =
    before !== undefined &&
    before.code === now.code &&
    before.revision === now.revision &&
    // What a guard counts changes with what runs.
    (before.message === now.message || (now.stage === 'guard' && before.stage === now.stage))
  return { ...now, sinceMs: isSame ? before.sinceMs : nowMs, times: isSame ? before.times + 1 : 1 }
}
