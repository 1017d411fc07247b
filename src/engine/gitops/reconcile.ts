/**
 * One reconcile of one source, whose lock the caller holds: read, validate all of it, preflight across all apps, plan,
 * guards, apply. Up to the last step nothing is changed, and whatever is wrong before it leaves what runs as it is.
 */
import { isTspodError, TspodError } from '../../errors.ts'
import type { Bundle } from '../../model.ts'
import { listed } from '../../words.ts'
import type { ApplyPlan, ApplyReport, ReconcileWish, RunView, Told } from '../types/index.ts'
import {
  type BadRevision,
  changesOf,
  judgePlan,
  judgeRevision,
  judgeSuspension,
  short,
  type Verdict,
} from './decide.ts'
import type { Hands, SourceSnapshot } from './hands.ts'
import { withoutExpired } from './held.ts'
import { inputsOf, noteSeen, type Prepared, type Progress, prepare, readNow, refusal } from './prepare.ts'
import { appliedBy, becomeGood, failed, failureOf, forgetFailure, refused, view, type Work } from './results.ts'
import {
  beginRun,
  endKilled,
  endRun,
  forgetRun,
  keepRevision,
  readBad,
  readSource,
  type SourceRecord,
  tellOfSource,
  updateSource,
} from './store.ts'
import { isApplied } from './variables.ts'

/** Reconciles a source once. Throws what is no fault of the source: a store that cannot be written, an interruption. */
export async function reconcileOnce(
  hands: Hands,
  name: string,
  wish: ReconcileWish,
  told: Told,
  signal: AbortSignal,
): Promise<RunView> {
  const beganMs = hands.nowMs()
  const source = await releaseExpired(hands, await readSource(hands.store, name), beganMs)
  const suspension = judgeSuspension(source.suspended, beganMs)
  if (suspension.do !== 'act') return view(source, beganMs, 'skipped', suspension.reason, source.applied?.revision)
  const work: Work = { hands, source, wish, told, signal, beganMs }
  if (source.suspended !== undefined) await resumed(work)
  const progress: Progress = { stage: 'source' }
  try {
    const snapshot = await readNow(work, progress)
    const stands = await standing(work, snapshot)
    if (stands !== undefined) {
      await noteSeen(work, snapshot)
      return await settled(work, snapshot, undefined, stands, NOTHING_TO_DO)
    }
    const [, prepared] = await Promise.all([noteSeen(work, snapshot), prepare(work, snapshot, progress)])
    return await bring(work, prepared, progress)
  } catch (error) {
    if (!isTspodError(error) || signal.aborted || error.code === 'STORE_UNUSABLE') throw error
    return await refused(work, error, progress)
  }
}

const NOTHING_TO_DO: Verdict = { do: 'skip', reason: 'everything is as it should be' }

/** The plan of a revision that was applied last and stands as it was left: no manifest has to be read for that. */
async function standing({ hands, source }: Work, snapshot: SourceSnapshot): Promise<ApplyPlan | undefined> {
  const isSame = source.applied?.revision === snapshot.revision && source.attempted?.revision === snapshot.revision
  if (!isSame || source.units || source.failure !== undefined || source.drift !== undefined) return undefined
  const report = await hands.settled(inputsOf(source, snapshot))
  return report?.ready ? report.plan : undefined
}

/** What has become of a plan so far. */
type Begun = { plan?: ApplyPlan; verdict?: Verdict; bad?: BadRevision; id?: number }

/** Plans, and carries the plan out where nothing speaks against it. */
async function bring(work: Work, prepared: Prepared, progress: Progress): Promise<RunView> {
  const { hands, told, signal } = work
  const begun: Begun = {}
  const agree = (plan: ApplyPlan): Promise<boolean> => judge(work, prepared.snapshot, plan, begun, progress)
  const job = { ...prepared.job, request: { ...prepared.job.request, agree } }
  let report: ApplyReport | undefined
  let failure: TspodError | undefined
  try {
    report = await hands.apply(job, told, signal)
    failure = failureOf(report)
  } catch (error) {
    if (begun.id === undefined || !isTspodError(error)) throw error
    if (error.code === 'NAME_IN_USE') {
      progress.stage = 'preflight'
      await neverBegun(work, begun.id)
      throw error
    }
    failure = error
  }
  const { plan = report?.plan, verdict, id, bad } = begun
  if (plan === undefined || verdict === undefined) throw new Error('apply has not asked whether it may')
  if (id === undefined && changesOf(plan) === undefined) await refuseUnready(work, prepared.snapshot, progress)
  if (id === undefined) return settled(work, prepared.snapshot, prepared.bundle, plan, verdict)
  const { signer } = prepared.snapshot
  const facts = {
    plan,
    ...(report !== undefined && { results: report.results }),
    ...(signer !== undefined && { signer }),
  }
  if (failure !== undefined) return failed(work, { id, snapshot: prepared.snapshot, bad, failure, facts })
  return applied(work, prepared, { id, reason: verdict.reason, facts })
}

/** Whether a plan is carried out; what is about to be tried is written down first. */
async function judge(
  work: Work,
  { revision, filled }: SourceSnapshot,
  plan: ApplyPlan,
  begun: Begun,
  progress: Progress,
): Promise<boolean> {
  const { hands, source, wish, told, beganMs } = work
  const verdict = judgePlan(plan, { observe: source.observe, ...wish })
  Object.assign(begun, { plan, verdict })
  if (verdict.do === 'skip') return false
  progress.stage = 'guard'
  if (verdict.do === 'refuse') throw refusal(verdict)
  progress.stage = 'apply'
  const bad = await readBad(hands.store, source.name, revision)
  if (bad !== undefined) {
    begun.bad = bad
    const host = await hands.host(source.name, filled)
    const again = judgeRevision(bad, { host, nowMs: beganMs, insist: wish.insist })
    if (again.do === 'refuse') throw new TspodError('GITOPS_WAITS', again.reason, { remedy: again.remedy })
  }
  begun.id = await hands.store.write(async tx => {
    await updateSource(tx, source.name, { attempted: { revision, atMs: beganMs } })
    return beginRun(tx, source.name, revision, beganMs)
  })
  told(`applying ${short(revision)}: ${verdict.reason}`)
  return true
}

/**
 * What a revision has made stands as the source says, and is still not ready, for which it has failed: that is no
 * recovery. Throws GITOPS_WAITS.
 */
async function refuseUnready({ hands, source }: Work, { revision }: SourceSnapshot, progress: Progress): Promise<void> {
  const bad = await readBad(hands.store, source.name, revision)
  const unready = bad === undefined ? [] : await hands.unready(source)
  if (bad === undefined || unready.length === 0) return
  progress.stage = 'apply'
  const message = `${short(revision)} has failed (${bad.reason}), and ${listed(unready)} is not ready yet`
  throw new TspodError('GITOPS_WAITS', message, {
    remedy: 'correct it in the source; what is wrong is in `tspod logs` and `tspod events`',
  })
}

/** Another app has taken a name since the preflight: nothing was changed, and the revision is not to blame. */
async function neverBegun({ hands, source }: Work, id: number): Promise<void> {
  await hands.store.write(async tx => {
    await forgetRun(tx, id)
    if (source.attempted !== undefined) await updateSource(tx, source.name, { attempted: source.attempted })
  })
}

/** All is as this revision says, or what is not is only told. */
async function settled(
  work: Work,
  snapshot: SourceSnapshot,
  bundle: Bundle | undefined,
  plan: ApplyPlan,
  { reason }: Verdict,
): Promise<RunView> {
  const { hands, source, beganMs } = work
  const { revision, signer } = snapshot
  const drift = changesOf(plan)
  // Without a bundle it is the very text of the last time.
  const isSame = bundle === undefined || (await isApplied(hands, source, snapshot))
  const isNews = drift === undefined ? !isSame : source.drift !== drift
  const outcome = drift === undefined ? 'unchanged' : 'observed'
  const images = bundle !== undefined && drift === undefined && isNews ? await hands.images(bundle) : {}
  const endedMs = hands.nowMs()
  const id = await hands.store.write(async tx => {
    await endKilled(tx, source.name, beganMs)
    await updateSource(tx, source.name, { checkedMs: endedMs, drift: drift ?? null })
    if (drift === undefined) await becomeGood(tx, work, snapshot, isSame, endedMs)
    else await forgetFailure(tx, work, revision, endedMs)
    if (!isNews) return undefined
    if (drift === undefined) await keepRevision(tx, source.name, { ...snapshot, atMs: endedMs, images })
    else {
      const told = { action: 'drift', reason: 'DriftObserved', message: drift, revision }
      await tellOfSource(tx, source.name, told, endedMs)
    }
    const run = await beginRun(tx, source.name, revision, beganMs)
    const detail = { plan, ...(signer !== undefined && { signer }) }
    await endRun(tx, source.name, run, { outcome, reason, endedMs, ...detail })
    return run
  })
  const now = { ...source, applied: appliedBy(source, snapshot, isSame, endedMs) }
  if (isNews && drift === undefined) await hands.inventory(now, images)
  return { ...view(source, beganMs, outcome, reason, revision), ...(id !== undefined && { id }), plan, endedMs }
}

type Applied = { id: number; reason: string; facts: Pick<RunView, 'plan' | 'results' | 'signer'> }

/** All of the plan is done, and everything is ready. */
async function applied(work: Work, prepared: Prepared, { id, reason, facts }: Applied): Promise<RunView> {
  const { hands, source, beganMs } = work
  const { snapshot, bundle } = prepared
  const { revision } = snapshot
  const images = await hands.images(bundle)
  const endedMs = hands.nowMs()
  const isDrift = await isApplied(hands, source, snapshot)
  const said = isDrift ? `drift repaired: ${reason}` : reason
  // Both wait for the disk: side by side they take as long as one.
  const inventory = hands.inventory({ ...source, applied: appliedBy(source, snapshot, isDrift, endedMs) }, images)
  const records = hands.store.write(async tx => {
    await becomeGood(tx, work, snapshot, isDrift, endedMs)
    await updateSource(tx, source.name, { checkedMs: endedMs, drift: null })
    await keepRevision(tx, source.name, { ...snapshot, atMs: endedMs, images })
    await endRun(tx, source.name, id, { outcome: 'applied', reason: said, endedMs, ...facts })
    const event = isDrift
      ? { action: 'drift', reason: 'DriftCorrected' }
      : { action: 'apply', reason: 'ReconciliationSucceeded' }
    await tellOfSource(tx, source.name, { ...event, message: said, revision }, endedMs)
  })
  await Promise.all([records, inventory])
  return { id, ...view(source, beganMs, 'applied', said, revision), endedMs, ...facts }
}

/** Lets go of objects whose suspensions have run out. */
async function releaseExpired(hands: Hands, source: SourceRecord, nowMs: number): Promise<SourceRecord> {
  if (withoutExpired(source.held, nowMs) === undefined) return source
  return hands.store.write(async tx => {
    // Suspensions are written without the source's lock.
    const now = await readSource(tx, source.name)
    const held = withoutExpired(now.held, nowMs)
    if (held === undefined) return now
    const released = Object.keys(now.held ?? {}).filter(object => !(object in held))
    const message = `the suspension has run out: ${released.join(', ')}`
    await updateSource(tx, source.name, { held })
    await tellOfSource(tx, source.name, { action: 'resume', reason: 'Resumed', message }, nowMs)
    return { ...now, held }
  })
}

async function resumed({ hands, source, beganMs }: Work): Promise<void> {
  const message = 'the suspension has run out'
  await hands.store.write(async tx => {
    await updateSource(tx, source.name, { suspended: null })
    await tellOfSource(tx, source.name, { action: 'resume', reason: 'Resumed', message }, beganMs)
  })
}
