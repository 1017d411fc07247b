/**
 * What of a reconcile people want to be told of. Pure: told once is what has begun, not what goes on, and that is
 * decided here, by the records before and after.
 */
import { listed, objectLabel, printable } from '../../words.ts'
import type { RunView, SourceFailure } from '../types/index.ts'
import { short } from './decide.ts'
import type { SourceRecord } from './store.ts'

export type SourceEvent = 'failing' | 'recovered' | 'applied' | 'rolled back' | 'drift corrected' | 'drift observed'

export type News = { event: SourceEvent; revision?: string; reason: string; failure?: SourceFailure }

/** What has come of a run that held the source's lock, by what was known of it before and is now. */
export type Reconciled = { before: SourceRecord; run: RunView; after: SourceRecord }

/** What is new, in the order in which it happened. */
export function newsOf({ before, run, after }: Reconciled): News[] {
  if (run.outcome === 'rolled back') return [{ event: 'rolled back', ...about(run.revision), reason: run.reason }]
  const isWell = after.failure === undefined && after.drift === undefined
  const wasWell = before.failure === undefined && before.drift === undefined
  if (isWell && !wasWell) return [{ event: 'recovered', ...about(after.applied?.revision), reason: run.reason }]
  const all = [change(before, run, after), repair(before, run, after), failing(before, after), drift(before, after)]
  return all.filter(news => news !== undefined)
}

const about = (revision: string | undefined): { revision?: string } => (revision === undefined ? {} : { revision })

/** What is applied keeps its time as long as it is the same: other values of variables are something else. */
const isSameApplied = (before: SourceRecord, { applied }: SourceRecord): boolean =>
  applied?.revision === before.applied?.revision && applied?.atMs === before.applied?.atMs

function change(before: SourceRecord, run: RunView, after: SourceRecord): News | undefined {
  const { applied } = after
  if (applied === undefined || isSameApplied(before, after)) return undefined
  const reason = run.revision === applied.revision ? run.reason : 'the source has changed since'
  return { event: 'applied', ...about(applied.revision), reason }
}

/** Drift from the revision that is applied, or from the last good one while the newest cannot be. */
function repair(
  before: SourceRecord,
  { outcome, revision, reason, healed = [] }: RunView,
  after: SourceRecord,
): News | undefined {
  const { applied } = before
  if (outcome === 'applied')
    return isSameApplied(before, after) ? { event: 'drift corrected', ...about(revision), reason } : undefined
  const done = healed.filter(each => each.outcome !== 'failed' && each.outcome !== 'skipped')
  if (done.length === 0) return undefined
  const said = `drift repaired: ${listed(done.map(each => `${objectLabel(each)} ${each.outcome}`))}`
  return { event: 'drift corrected', ...about(applied?.revision), reason: said }
}

/** A failure that is counted on keeps the time since when it is there; see `countFailure`. */
function failing(before: SourceRecord, { failure }: SourceRecord): News | undefined {
  if (failure === undefined || failure.sinceMs === before.failure?.sinceMs) return undefined
  return { event: 'failing', ...about(failure.revision), reason: failure.message, failure }
}

function drift(before: SourceRecord, { drift: now, seen }: SourceRecord): News | undefined {
  if (now === undefined || now === before.drift) return undefined
  return { event: 'drift observed', ...about(seen?.revision), reason: `would ${now}` }
}

/** More of a text than this is for `tspod gitops status`, not for a message. */
const MOST_TEXT = 500
const MOST_DETAILS = 16 * 1024

/** What a program is given of one piece of news: the same keys for each event, absent where there is nothing to say. */
export type Message = {
  source: string
  host: string
  event: SourceEvent
  /** All of it in a line for people. */
  text: string
  time: string
  revision?: string
  reason: string
  /** Of a failure, as in `tspod gitops status --format json`. */
  stage?: string
  code?: string
  remedy?: string
  details?: string
  /** Absent: it is tried again when the source or the host has changed. */
  retry?: string
}

/** One piece of news as it leaves the host. */
export function messageOf(
  news: News,
  { source, host, nowMs }: { source: string; host: string; nowMs: number },
): Message {
  const { event, failure } = news
  const text = printable(`${source} on ${host} ${TEXTS[event](news.reason, short(news.revision ?? ''))}`)
  return {
    source,
    host,
    event,
    text: cut(text, MOST_TEXT),
    time: new Date(nowMs).toISOString(),
    ...about(news.revision),
    reason: news.reason,
    ...(failure !== undefined && {
      stage: failure.stage,
      code: failure.code,
      remedy: failure.remedy,
      ...(failure.details !== undefined && { details: cut(failure.details, MOST_DETAILS) }),
      ...(failure.retryMs !== undefined && { retry: new Date(failure.retryMs).toISOString() }),
    }),
  }
}

const cut = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`)

const TEXTS: Readonly<Record<SourceEvent, (reason: string, revision: string) => string>> = {
  failing: (reason, revision) => `is failing${revision && ` at ${revision}`}: ${reason}`,
  recovered: (reason, revision) => `has recovered${revision && `, at ${revision}`}: ${reason}`,
  applied: (reason, revision) => `has applied ${revision}: ${reason}`,
  'rolled back': (reason, revision) => `was rolled back to ${revision}: ${reason}`,
  'drift corrected': (reason, revision) => `had drifted from ${revision}, ${reason}`,
  'drift observed': (reason, revision) => `differs from ${revision}, and is only observed: ${reason}`,
}
