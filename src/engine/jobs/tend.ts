/**
 * Looking after a Job: its ends are counted, its next pods are made, and what is over is put to rest. Whoever ends a
 * pod of it, or comes when a time has come, calls this; all of them find the same by the records, so that none of
 * them has to have been there before.
 */

import { firstCount, INDEX_KEY, podOfJob } from '../../job.ts'
import type { Id } from '../../model.ts'
import type { EngineContext } from '../context.ts'
import { eventAbout, insertEvents, tell } from '../events/index.ts'
import { operatePods } from '../operate/index.ts'
import { type JobOutcome, type JobPlan, planJob } from '../plan/index.ts'
import { playMore } from '../play/index.ts'
import { settleService, startService, tearDown } from '../run/index.ts'
import {
  type JobRecord,
  markCounted,
  readJob,
  readPod,
  readPodById,
  type Transaction,
  updateJob,
  wakeJob,
} from '../state/index.ts'
import { nudgeTimekeeper, wakeTimekeeper } from '../timekeeper.ts'
import { loadWork, lockJobs, lockPod } from '../work.ts'
import { type JobMember, membersOf } from './pods.ts'

/** A look that was begun and did not come to its end is repeated after this: the kubelet's pause. */
const RETRY_MS = 10_000
/** Pods that end as fast as they are made must not keep one process busy for ever. */
const MAX_ROUNDS = 20
/** Nothing is waited for longer than this in one go: the clock may be set, and the wish is written down. */
export const LONGEST_JOB_WAIT_MS = 600_000

/** Has somebody look at a Job in a while, should whoever is about to do so be killed. */
export async function noteJobWish({ store, clock }: EngineContext, id: Id): Promise<void> {
  await store.write(tx => wakeJob(tx, id, clock.nowMs() + RETRY_MS))
}

/** Brings a Job on. Returns at once when it is gone. Throws LOCK_TIMEOUT. What fails is told of and tried again. */
export async function tendJob(context: EngineContext, id: Id, command: string): Promise<void> {
  // Who waits for the end of pods must not keep others from taking the Job down: that is done without the lock.
  for (let stops: readonly Id[] = await tendOnce(context, id, command); stops.length > 0; ) {
    const outcomes = await operatePods(context, stops, { do: 'stop' }, new AbortController().signal)
    const failures = outcomes.filter(({ error }) => error !== undefined)
    for (const { name, error } of failures) context.note(`pod ${name}: ${error?.message}`)
    // Of what could not be stopped the wish stands that somebody looks again.
    if (failures.length > 0) return
    stops = await tendOnce(context, id, command)
  }
}

/** One look under the lock; answers which pods are to be stopped now. */
async function tendOnce(context: EngineContext, id: Id, command: string): Promise<readonly Id[]> {
  const before = await readJob(context.store, id)
  if (before === undefined) {
    // It may have been waited for.
    nudgeTimekeeper(context)
    return []
  }
  const lock = await lockJobs(context, [before.name], command)
  let step: Step = { again: true, stop: [] }
  let wakeMs: number | undefined
  let services: Id[] = []
  try {
    for (let round = 0; step.again && round < MAX_ROUNDS; round++) {
      const job = await readJob(context.store, id)
      if (job === undefined) return []
      const found = await membersOf(context, job)
      if (isPlayed(job, found)) {
        step = await rest(context, job, undefined)
        break
      }
      const members = await cleaned(context, found)
      services = [...new Set(members.flatMap(({ pod }) => pod.service ?? []))]
      // Its last pods were being removed: the Job has gone with them, or that is tried again.
      if (members.length === 0) step = await rest(context, job, context.clock.nowMs() + RETRY_MS)
      else step = job.outcome === undefined ? await work(context, job, members) : await retire(context, job, members)
      wakeMs = job.wakeMs
    }
  } finally {
    await lock[Symbol.asyncDispose]()
  }
  // Pods that end faster than this can make new ones: somebody goes on from here.
  if (step.again) await noteJobWish(context, id)
  if (wakeMs !== undefined || step.again) await wakeTimekeeper(context)
  else nudgeTimekeeper(context)
  if (step.stop.length === 0) for (const service of services) await settleService(context, service)
  return step.stop
}

/** `again`: there may be more to do at once. `stop`: what is to be stopped before. */
type Step = { again: boolean; stop: readonly Id[] }

const DONE: Step = { again: false, stop: [] }

/**
 * A play is at it, or was killed over it: then the next one begins anew. Later pods are no play's: one that is half made
 * beside others that are half removed is nothing to wait for (seed 9121201).
 */
const isPlayed = ({ spec, progress }: JobRecord, members: readonly JobMember[]): boolean =>
  members.length > 0 && members.every(({ pod }) => !pod.complete) && progress.nextNumber <= firstCount(spec) + 1

/** Takes away what an interrupted look or removal has left half made. */
async function cleaned(context: EngineContext, members: readonly JobMember[]): Promise<JobMember[]> {
  for (const { pod } of members.filter(({ told }) => told === undefined)) {
    const lock = await lockPod(context, pod.name, 'tspod, looking after a Job')
    try {
      // Whoever was removing it may have come to the end.
      const now = await readPodById(context.store, pod.id)
      if (now === undefined) await lock.removeFile()
      else await tearDown(await loadWork(context, now), lock)
    } finally {
      await lock[Symbol.asyncDispose]()
    }
  }
  return members.filter(({ told }) => told !== undefined)
}

/** One step of a Job that has not ended. */
async function work(context: EngineContext, job: JobRecord, members: readonly JobMember[]): Promise<Step> {
  const nowMs = context.clock.nowMs()
  const started = members.flatMap(({ pod }) => pod.startedMs ?? [])
  const plan = planJob({
    spec: job.spec,
    progress: job.progress,
    pods: members.flatMap(({ told }) => told ?? []),
    ...(started.length > 0 && { startedMs: Math.min(...started) }),
    nowMs,
  })
  job.progress = plan.progress
  if (plan.outcome !== undefined) settle(job, plan.outcome, nowMs)
  const isBusy = plan.create.length + plan.stop.length > 0
  // Until this step has come to its end somebody is to look again.
  setWake(job, isBusy ? nowMs + RETRY_MS : plan.againAtMs, nowMs)
  await context.store.write(tx => write(tx, context, job, plan))
  if (plan.outcome !== undefined)
    return plan.stop.length > 0 ? { again: false, stop: plan.stop } : { again: true, stop: [] }
  if (plan.create.length === 0 || !(await create(context, job, members, plan))) return DONE
  setWake(job, plan.againAtMs, nowMs)
  await context.store.write(tx => updateJob(tx, job))
  // They may have ended already, or never have started.
  return { again: true, stop: [] }
}

async function write(tx: Transaction, context: EngineContext, job: JobRecord, plan: JobPlan): Promise<void> {
  await markCounted(tx, plan.counted)
  await updateJob(tx, job)
  if (plan.outcome === undefined) return
  const { is, reason, message } = plan.outcome
  const { [INDEX_KEY]: _mark, ...labels } = job.spec.template.labels
  const about = { kind: 'job' as const, object: job.id, name: job.name, labels }
  const told = { action: is === 'Complete' ? 'complete' : 'fail', reason, warning: is === 'Failed', message }
  await insertEvents(tx, [eventAbout(context.clock.nowMs(), about, told)])
}

/** False when it did not work: it is tried again later. The numbers are taken in one transaction with the pods. */
async function create(
  context: EngineContext,
  job: JobRecord,
  [sibling]: readonly JobMember[],
  plan: JobPlan,
): Promise<boolean> {
  const first = job.progress.nextNumber
  const pods = plan.create.map((index, offset) => podOfJob(job.spec, first + offset, index))
  const service = sibling?.pod.service
  const alongside = (tx: Transaction): Promise<void> => {
    job.progress.nextNumber = first + pods.length
    return updateJob(tx, job)
  }
  try {
    // It may have stopped with the pods there were: somebody has stopped those by hand, and the Job goes on.
    if (service !== undefined) await startService(context, service)
    const ids = { jobs: new Map([[job.name, job.id]]), ...(service !== undefined && { service }) }
    await playMore(context, pods, job.options, { ids, alongside })
    const made = await Promise.all(pods.map(pod => readPod(context.store, pod.name)))
    // One that got no network is undone, and told of.
    return !made.includes(undefined)
  } catch (error) {
    const told = { action: 'error', reason: 'FailedCreate', warning: true, message: (error as Error).message }
    await tell(context, { kind: 'job', object: job.id, name: job.name }, told)
    return false
  }
}

function settle(job: JobRecord, { is, reason, message }: JobOutcome, nowMs: number): void {
  Object.assign(job, { outcome: is, reason, message, finishedMs: nowMs })
}

/** What stands for a whole play is taken down with that: then nothing goes before somebody has seen it. */
function removalMs({ spec, finishedMs }: JobRecord, members: readonly JobMember[]): number | undefined {
  if (spec.ttlMs === undefined || finishedMs === undefined) return undefined
  return members.some(({ pod }) => pod.service !== undefined) ? undefined : finishedMs + spec.ttlMs
}

function setWake(job: JobRecord, atMs: number | undefined, nowMs: number): void {
  if (atMs === undefined) delete job.wakeMs
  else job.wakeMs = Math.min(atMs, nowMs + LONGEST_JOB_WAIT_MS)
}

/** Nothing can be done now. A time that stood as it was would be due for ever (seed 42). */
async function rest({ store }: EngineContext, job: JobRecord, wakeMs: number | undefined): Promise<Step> {
  if (wakeMs === undefined) delete job.wakeMs
  else job.wakeMs = wakeMs
  await store.write(tx => updateJob(tx, job))
  return DONE
}

/** What is left to do for a Job that has ended: its last pods stop, and some day it goes. */
async function retire(context: EngineContext, job: JobRecord, members: readonly JobMember[]): Promise<Step> {
  const nowMs = context.clock.nowMs()
  const running = members.filter(({ told }) => told?.phase === 'active').map(({ pod }) => pod.id)
  if (running.length > 0) return { again: false, stop: running }
  const atMs = removalMs(job, members)
  if (atMs !== undefined && atMs <= nowMs) {
    const ids = members.map(({ pod }) => pod.id)
    const outcomes = await operatePods(context, ids, { do: 'remove', force: true }, new AbortController().signal)
    for (const { error } of outcomes) if (error !== undefined) throw error
    delete job.wakeMs
    return DONE
  }
  setWake(job, atMs, nowMs)
  await context.store.write(tx => updateJob(tx, job))
  return DONE
}
