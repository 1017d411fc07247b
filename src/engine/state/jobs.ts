/** Rows of Jobs. */
import type { Id, JobSpec } from '../../model.ts'
import type { PlayOptions } from '../types/index.ts'
import type { Row, Store, Transaction } from './store.ts'

/** What of a play's options holds for the later pods of its Jobs; nothing in it is secret. */
export type JobOptions = Omit<PlayOptions, 'pull' | 'build' | 'service'>

/** How far a Job is, by the pods whose end has been counted. */
export type JobProgress = {
  /** Of the pod that is made next. */
  nextNumber: number
  succeeded: number
  failed: number
  /** Of an indexed Job. */
  succeededIndexes: number[]
  failedIndexes: number[]
  /** Failures in a row, over all pods; and of each index, where those have a limit of their own. */
  inRow: Failures
  byIndex: Record<number, Failures>
}

export type Failures = { count: number; lastMs: number }

export type JobRecord = {
  id: Id
  name: string
  spec: JobSpec
  options: JobOptions
  progress: JobProgress
  outcome?: 'Complete' | 'Failed'
  reason: string
  message: string
  createdMs: number
  finishedMs?: number
  wakeMs?: number
}

type Reader = Pick<Store, 'all'>

/** The Job of this id. */
export async function readJob(store: Reader, id: string): Promise<JobRecord | undefined> {
  const [row] = await store.all('SELECT * FROM job WHERE id = ?', [id])
  return row && jobRecord(row)
}

/** All Jobs, by id. */
export async function readJobs(store: Reader): Promise<Map<string, JobRecord>> {
  return new Map((await store.all('SELECT * FROM job')).map(row => [String(row.id), jobRecord(row)]))
}

function jobRecord(row: Row): JobRecord {
  return {
    id: String(row.id) as Id,
    name: String(row.name),
    spec: JSON.parse(String(row.spec)) as JobSpec,
    options: JSON.parse(String(row.options)) as JobOptions,
    progress: JSON.parse(String(row.progress)) as JobProgress,
    reason: String(row.reason),
    message: String(row.message),
    createdMs: Number(row.created_ms),
    ...(row.outcome !== null && { outcome: row.outcome as 'Complete' | 'Failed' }),
    ...(row.finished_ms !== null && { finishedMs: Number(row.finished_ms) }),
    ...(row.wake_ms !== null && { wakeMs: Number(row.wake_ms) }),
  }
}

/** Writes the row of a new Job, before its pods. */
export async function insertJob(tx: Transaction, job: JobRecord): Promise<void> {
  await tx.run('INSERT INTO job (id, name, spec, options, progress, created_ms) VALUES (?, ?, ?, ?, ?, ?)', [
    job.id,
    job.name,
    JSON.stringify(job.spec),
    JSON.stringify(job.options),
    JSON.stringify(job.progress),
    job.createdMs,
  ])
}

/** Writes how far a Job is, what became of it, and when it has to be looked at again. */
export async function updateJob(tx: Transaction, job: JobRecord): Promise<void> {
  await tx.run(
    'UPDATE job SET progress = ?, outcome = ?, reason = ?, message = ?, finished_ms = ?, wake_ms = ? WHERE id = ?',
    [
      JSON.stringify(job.progress),
      job.outcome ?? null,
      job.reason,
      job.message,
      job.finishedMs ?? null,
      job.wakeMs ?? null,
      job.id,
    ],
  )
}

/** Has somebody look at a Job at that time at the latest, unless it has ended. */
export async function wakeJob(tx: Transaction, id: string, atMs: number): Promise<void> {
  await tx.run('UPDATE job SET wake_ms = min(coalesce(wake_ms, ?), ?) WHERE id = ? AND outcome IS NULL', [
    atMs,
    atMs,
    id,
  ])
}

/** Notes that the ends of these pods have been counted. */
export async function markCounted(tx: Transaction, pods: readonly string[]): Promise<void> {
  for (const id of pods) await tx.run('UPDATE pod SET counted = 1 WHERE id = ?', [id])
}
