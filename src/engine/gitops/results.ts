/** What a reconcile has come to, in the records, the history and the journal. */

import { TspodError } from '../../errors.ts'
import { listed, objectLabel } from '../../words.ts'
import type { Transaction } from '../state/index.ts'
import type { ApplyReport, ReconcileWish, RunView, Stage, Told } from '../types/index.ts'
import { type BadRevision, countFailure, pauseAfter, retryAt } from './decide.ts'
import type { Hands, SourceSnapshot } from './hands.ts'
import { heal } from './heal.ts'
import type { Progress } from './prepare.ts'
import {
  beginRun,
  deleteBad,
  endKilled,
  endRun,
  type SourceRecord,
  tellOfSource,
  updateSource,
  writeBad,
} from './store.ts'
import { isApplied } from './variables.ts'

/** One source under the hands of a reconcile. */
export type Work = {
  hands: Hands
  source: SourceRecord
  wish: ReconcileWish
  told: Told
  signal: AbortSignal
  beganMs: number
}

/** What of a report is no success. */
export function failureOf({ results, ready }: ApplyReport): TspodError | undefined {
  const wrong = results.filter(({ outcome }) => outcome === 'failed')
  const back = results.filter(({ outcome }) => outcome === 'rolled back')
  if (wrong.length === 0 && back.length === 0 && ready) return undefined
  const [first] = wrong.length > 0 ? wrong : back
  const old = back.length === 0 ? '' : `; the old ones run again: ${listed(back.map(objectLabel))}`
  const message =
    first === undefined
      ? 'not all pods have become ready'
      : `${objectLabel(first)}: ${first.message ?? 'it has failed'}${old}`
  const rest =
    wrong.length > 1 ? { details: wrong.map(each => `${objectLabel(each)}: ${each.message ?? ''}`).join('\n') } : {}
  return new TspodError('PARTIAL_FAILURE', message, {
    remedy: 'correct it in the source; what is wrong is in `tspod logs` and `tspod events`',
    ...rest,
  })
}

type FailedApply = {
  id: number
  snapshot: SourceSnapshot
  bad: BadRevision | undefined
  failure: TspodError
  facts: Pick<RunView, 'plan' | 'results' | 'signer'>
}

/** Remembers a revision that could not be applied, and what the host is like after that. */
export async function failed(work: Work, { id, snapshot, bad, failure, facts }: FailedApply): Promise<RunView> {
  const { hands, source, beganMs, signal } = work
  const { revision, filled } = snapshot
  const host = await hands.host(source.name, filled)
  const endedMs = hands.nowMs()
  const tries = (bad?.tries ?? 0) + 1
  // One that was fine before is worth another try, whatever keeps its pods down now.
  const wasGood = await isApplied(hands, source, snapshot)
  const retryMs = wasGood ? endedMs + pauseAfter(tries) : retryAt(failure.code, tries, endedMs)
  const again = retryMs === undefined ? {} : { retryMs }
  const now = { ...factsOf(failure, 'apply', revision), ...again }
  const outcome = signal.aborted ? 'interrupted' : 'failed'
  await hands.store.write(async tx => {
    if (!signal.aborted) await writeBad(tx, source.name, { revision, host, tries, reason: failure.message, ...again })
    await updateSource(tx, source.name, { checkedMs: endedMs, failure: countFailure(source.failure, now, endedMs) })
    await endRun(tx, source.name, id, { outcome, reason: failure.message, endedMs, failure: now, ...facts })
    const told = { action: 'fail', reason: 'ReconciliationFailed', warning: true, message: failure.message, revision }
    await tellOfSource(tx, source.name, told, endedMs)
  })
  return { id, ...view(source, beganMs, outcome, failure.message, revision), endedMs, failure: now, ...facts }
}

const factsOf = (error: TspodError, stage: Stage, revision: string | undefined) => ({
  stage,
  code: error.code as string,
  message: error.message,
  remedy: error.remedy,
  ...(error.details !== undefined && { details: error.details }),
  ...(revision !== undefined && { revision }),
})

/** Nothing of this revision was done. The same complaint as the last time is counted, and told once. */
export async function refused(work: Work, error: TspodError, { stage, revision }: Progress): Promise<RunView> {
  const { hands, source, beganMs } = work
  const isWaiting = error.code === 'GITOPS_WAITS'
  const now = factsOf(error, STAGE_OF[error.code] ?? stage, revision)
  const healed = await heal(work)
  const endedMs = hands.nowMs()
  const { failure } = source
  // What it waits for was told when it failed.
  const isTold = isWaiting && failure?.revision === revision
  const counted = isTold && failure !== undefined ? failure : countFailure(failure, now, endedMs)
  const isNews = counted.times === 1 && !isTold
  const id = await hands.store.write(async tx => {
    await endKilled(tx, source.name, beganMs)
    await updateSource(tx, source.name, { checkedMs: endedMs, failure: counted })
    if (!isNews && healed.length === 0) return undefined
    const run = await beginRun(tx, source.name, revision ?? source.applied?.revision ?? '', beganMs)
    const detail = { failure: now, ...(healed.length > 0 && { healed }) }
    await endRun(tx, source.name, run, { outcome: 'refused', reason: error.message, endedMs, ...detail })
    const about = revision === undefined ? {} : { revision }
    const reason = REASON_OF[now.stage] ?? 'ReconciliationRefused'
    const told = { action: 'refuse', reason, warning: true, message: error.message, ...about }
    if (isNews) await tellOfSource(tx, source.name, told, endedMs)
    if (healed.length > 0) await tellOfHealing(tx, source, healed, endedMs)
    return run
  })
  const about = { ...(id !== undefined && { id }), ...(healed.length > 0 && { healed }) }
  return { ...about, ...view(source, beganMs, 'refused', error.message, revision), endedMs, failure: now }
}

const tellOfHealing = (
  tx: Transaction,
  { name, applied }: SourceRecord,
  healed: NonNullable<RunView['healed']>,
  atMs: number,
): Promise<void> => {
  const message = healed.map(each => `${objectLabel(each)} ${each.outcome}`).join(', ')
  const revision = applied?.revision
  const told = { action: 'drift', reason: 'DriftCorrected', message, ...(revision !== undefined && { revision }) }
  return tellOfSource(tx, name, told, atMs)
}

/** Kubernetes' and Flux's words, so that searches find something. */
const REASON_OF: Partial<Record<Stage, string>> = {
  source: 'FetchFailed',
  trust: 'VerificationFailed',
  render: 'BuildFailed',
  validate: 'BuildFailed',
  guard: 'PruneRefused',
}

/** What a code says of where it went wrong, whatever step it came out of. */
const STAGE_OF: Readonly<Record<string, Stage>> = {
  SOURCE_UNTRUSTED: 'trust',
  SOURCE_REWOUND: 'trust',
  SOURCE_HOSTILE: 'trust',
  SOURCE_RENDER: 'render',
  SOURCE_DECRYPT: 'render',
  SOURCE_VARS: 'render',
  MANIFEST_INVALID: 'validate',
}

/** What a source has applied once this is; `isSame`: it was so before, and is since then. */
export const appliedBy = (
  { applied }: SourceRecord,
  { revision, signer }: SourceSnapshot,
  isSame: boolean,
  atMs: number,
): NonNullable<SourceRecord['applied']> => ({
  revision,
  atMs: isSame ? (applied?.atMs ?? atMs) : atMs,
  ...(signer !== undefined && { signer }),
})

/** Remembers that this revision is there and as it should be; `isSame`: it was so the last time. */
export async function becomeGood(
  tx: Transaction,
  { source }: Pick<Work, 'source'>,
  snapshot: SourceSnapshot,
  isSame: boolean,
  atMs: number,
): Promise<void> {
  const { revision } = snapshot
  const applied = appliedBy(source, snapshot, isSame, atMs)
  await updateSource(tx, source.name, { attempted: { revision, atMs }, applied })
  await deleteBad(tx, source.name, revision)
  await forgetFailure(tx, { source }, revision, atMs)
}

/** A source that could be read and is right in itself does not fail any more, whatever runs of it. */
export async function forgetFailure(
  tx: Transaction,
  { source }: Pick<Work, 'source'>,
  revision: string,
  atMs: number,
): Promise<void> {
  if (source.failure === undefined) return
  await updateSource(tx, source.name, { failure: null })
  const message = `well again after: ${source.failure.message}`
  await tellOfSource(tx, source.name, { action: 'recover', reason: 'Recovered', message, revision }, atMs)
}

/** A run as it is told to who asked for it. */
export const view = (
  { name }: SourceRecord,
  beganMs: number,
  outcome: RunView['outcome'],
  reason: string,
  revision: string | undefined,
): Omit<RunView, 'id'> => ({ source: name, beganMs, outcome, reason, ...(revision !== undefined && { revision }) })
