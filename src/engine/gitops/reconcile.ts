/**
 * One reconcile of one source, whose lock the caller holds: read, validate all of it, preflight across all apps, plan,
 * guards, apply. Up to the last step nothing is changed, and whatever is wrong before it leaves what runs as it is.
 */
import { isTspodError, TspodError } from '../../errors.ts'
import type { ReconcileWish, RunView, Told } from '../types/index.ts'
import { changesOf, judgePlan, judgeRevision, judgeSuspension, short, type Verdict } from './decide.ts'
import type { Hands } from './hands.ts'
import { type Prepared, type Progress, prepare, refusal } from './prepare.ts'
import { becomeGood, failed, failureOf, refused, view, type Work } from './results.ts'
import { beginRun, endKilled, endRun, keepRevision, readBad, readSource, tellOfSource, updateSource } from './store.ts'

/** Reconciles a source once. Throws what is no fault of the source: a store that cannot be written, an interruption. */
export async function reconcileOnce(
  hands: Hands,
  name: string,
  wish: ReconcileWish,
  told: Told,
  signal: AbortSignal,
): Promise<RunView> {
  const source = await readSource(hands.store, name)
  const beganMs = hands.nowMs()
  const suspension = judgeSuspension(source.suspended, beganMs)
  if (suspension.do !== 'act') return view(source, beganMs, 'skipped', suspension.reason, source.applied?.revision)
  const work: Work = { hands, source, wish, told, signal, beganMs }
  if (source.suspended !== undefined) await resumed(work)
  const progress: Progress = { stage: 'source' }
  try {
    const prepared = await prepare(work, progress)
    const verdict = judgePlan(prepared.plan, { observe: source.observe, ...wish })
    if (verdict.do === 'skip') return await settled(work, prepared, verdict)
    progress.stage = 'guard'
    if (verdict.do === 'refuse') throw refusal(verdict)
    return await applied(work, prepared, verdict.reason, progress)
  } catch (error) {
    if (!isTspodError(error) || signal.aborted || error.code === 'STORE_UNUSABLE') throw error
    return await refused(work, error, progress)
  }
}

/** All is as this revision says, or what is not is only told. */
async function settled(work: Work, prepared: Prepared, verdict: Verdict): Promise<RunView> {
  const { hands, source, beganMs } = work
  const { snapshot, plan } = prepared
  const { revision, signer } = snapshot
  const drift = changesOf(plan)
  const isNews = drift === undefined ? source.applied?.revision !== revision : source.drift !== drift
  const outcome = drift === undefined ? 'unchanged' : 'observed'
  const images = drift === undefined && isNews ? await hands.images(prepared.bundle) : {}
  const endedMs = hands.nowMs()
  const id = await hands.store.write(async tx => {
    await endKilled(tx, source.name, beganMs)
    await updateSource(tx, source.name, { checkedMs: endedMs, drift: drift ?? null })
    if (drift === undefined) await becomeGood(tx, work, snapshot, endedMs)
    if (!isNews) return undefined
    if (drift === undefined) await keepRevision(tx, source.name, { ...snapshot, atMs: endedMs, images })
    else {
      const told = { action: 'drift', reason: 'DriftObserved', message: drift, revision }
      await tellOfSource(tx, source.name, told, endedMs)
    }
    const run = await beginRun(tx, source.name, revision, beganMs)
    await endRun(tx, source.name, run, {
      outcome,
      reason: verdict.reason,
      endedMs,
      plan,
      ...(signer !== undefined && { signer }),
    })
    return run
  })
  return { ...view(source, beganMs, outcome, verdict.reason, revision), ...(id !== undefined && { id }), plan, endedMs }
}

/** Carries the plan out. */
async function applied(work: Work, prepared: Prepared, reason: string, progress: Progress): Promise<RunView> {
  const { hands, source, told, signal, beganMs } = work
  const { snapshot, job, plan } = prepared
  const { revision, signer } = snapshot
  progress.stage = 'apply'
  const host = await hands.host(source.name)
  const bad = await readBad(hands.store, source.name, revision)
  const again = judgeRevision(bad, { host, nowMs: beganMs, insist: work.wish.insist })
  if (again.do === 'refuse') throw new TspodError('GITOPS_WAITS', again.reason, { remedy: again.remedy })
  const id = await hands.store.write(async tx => {
    await updateSource(tx, source.name, { attempted: { revision, atMs: beganMs } })
    return beginRun(tx, source.name, revision, beganMs)
  })
  told(`applying ${short(revision)}: ${reason}`)
  let failure: TspodError | undefined
  let report: Awaited<ReturnType<Hands['apply']>> | undefined
  try {
    report = await hands.apply(job, told, signal)
    failure = failureOf(report)
  } catch (error) {
    if (!isTspodError(error)) throw error
    failure = error
  }
  const facts = {
    plan,
    ...(report !== undefined && { results: report.results }),
    ...(signer !== undefined && { signer }),
  }
  if (failure !== undefined) return await failed(work, { id, revision, bad, failure, facts })
  const images = await hands.images(prepared.bundle)
  const endedMs = hands.nowMs()
  const isDrift = source.applied?.revision === revision
  const said = isDrift ? `drift repaired: ${reason}` : reason
  await hands.store.write(async tx => {
    await becomeGood(tx, work, snapshot, endedMs)
    await updateSource(tx, source.name, { checkedMs: endedMs, drift: null })
    await keepRevision(tx, source.name, { ...snapshot, atMs: endedMs, images })
    await endRun(tx, source.name, id, { outcome: 'applied', reason: said, endedMs, ...facts })
    const event = isDrift
      ? { action: 'drift', reason: 'DriftCorrected' }
      : { action: 'apply', reason: 'ReconciliationSucceeded' }
    await tellOfSource(tx, source.name, { ...event, message: said, revision }, endedMs)
  })
  return { id, ...view(source, beganMs, 'applied', said, revision), endedMs, ...facts }
}

async function resumed({ hands, source, beganMs }: Work): Promise<void> {
  const message = 'the suspension has run out'
  await hands.store.write(async tx => {
    await updateSource(tx, source.name, { suspended: null })
    await tellOfSource(tx, source.name, { action: 'resume', reason: 'Resumed', message }, beganMs)
  })
}
