/** The records of GitOps sources: what was added, how it stands, what was done, and what can be gone back to. */
import { TspodError } from '../../errors.ts'
import { eventAbout, insertEvents } from '../events/index.ts'
import type { Row, Store, Transaction, Value } from '../state/index.ts'
import type { RunOutcome, RunView, SourceFailure, SourceView, SourceWish, Suspension } from '../types/index.ts'
import type { BadRevision } from './decide.ts'

/** A source without what is known only by looking at the host. */
export type SourceRecord = Omit<SourceView, 'app' | 'driftIgnored'>

/** Manifests as they were applied. */
export type KeptRevision = {
  revision: string
  atMs: number
  /** Where relative paths in them begin. */
  root: string
  files: { file: string; text: string }[]
  /** Names of images → ids that they stood for. */
  images: Record<string, string>
}

/** Revisions that can be gone back to, runs that are remembered, and bad revisions that are. */
const KEPT_REVISIONS = 10
export const KEPT_RUNS = 50
const KEPT_BAD = 20

type Reading = Pick<Store, 'all'>

const COLUMNS: Readonly<Record<string, string>> = {
  checkedMs: 'checked_ms',
  drift: 'drift',
}

/** All sources by name. */
export async function readSources(store: Reading): Promise<SourceRecord[]> {
  return (await store.all('SELECT * FROM gitops_source ORDER BY name')).map(sourceOf)
}

/** Throws NO_SUCH_OBJECT. */
export async function readSource(store: Reading, name: string): Promise<SourceRecord> {
  const [row] = await store.all('SELECT * FROM gitops_source WHERE name = ?', [name])
  if (row !== undefined) return sourceOf(row)
  throw new TspodError('NO_SUCH_OBJECT', `no GitOps source is called "${name}"`, {
    remedy: 'see what there is: tspod gitops list',
  })
}

/** Throws NAME_IN_USE. */
export async function insertSource(tx: Transaction, wish: SourceWish, nowMs: number): Promise<void> {
  const [row] = await tx.all('SELECT 1 FROM gitops_source WHERE name = ?', [wish.name])
  if (row !== undefined) {
    throw new TspodError('NAME_IN_USE', `there is a GitOps source "${wish.name}" already`, {
      remedy: `remove it first, which leaves what runs alone: tspod gitops remove ${wish.name}`,
    })
  }
  await tx.run('INSERT INTO gitops_source (name, wish, created_ms) VALUES (?, ?, ?)', [
    wish.name,
    JSON.stringify(wish),
    nowMs,
  ])
}

/** What is to be written of a source; null takes it away. */
export type SourcePatch = {
  checkedMs?: number
  seen?: { revision: string; atMs: number }
  attempted?: { revision: string; atMs: number }
  applied?: { revision: string; atMs: number; signer?: string }
  suspended?: Suspension | null
  held?: Readonly<Record<string, Suspension>> | null
  failure?: SourceFailure | null
  drift?: string | null
}

/** Writes what has become of a source. */
export async function updateSource(tx: Transaction, name: string, patch: SourcePatch): Promise<void> {
  const set: [column: string, value: Value][] = []
  for (const [key, column] of Object.entries(COLUMNS)) {
    const value = patch[key as keyof SourcePatch] as Value | undefined
    if (value !== undefined) set.push([column, value])
  }
  for (const key of ['seen', 'attempted', 'applied'] as const) {
    const at = patch[key]
    if (at !== undefined) set.push([`${key}_revision`, at.revision], [`${key}_ms`, at.atMs])
  }
  if (patch.applied !== undefined) set.push(['signer', patch.applied.signer ?? null])
  if (patch.suspended !== undefined) set.push(['suspension', jsonOf(patch.suspended)])
  if (patch.held !== undefined) set.push(['held', jsonOf(patch.held)])
  if (patch.failure !== undefined) set.push(['failure', jsonOf(patch.failure)])
  if (set.length === 0) return
  const columns = set.map(([column]) => `${column} = ?`).join(', ')
  await tx.run(`UPDATE gitops_source SET ${columns} WHERE name = ?`, [...set.map(([, value]) => value), name])
}

const jsonOf = (value: object | null): string | null => (value === null ? null : JSON.stringify(value))

/** The source and all that is remembered of it; what it has applied stays. */
export async function deleteSource(tx: Transaction, name: string): Promise<void> {
  await tx.run('DELETE FROM gitops_source WHERE name = ?', [name])
}

function sourceOf(row: Row): SourceRecord {
  const at = (key: string): { revision: string; atMs: number } | undefined =>
    row[`${key}_revision`] === null
      ? undefined
      : { revision: String(row[`${key}_revision`]), atMs: Number(row[`${key}_ms`]) }
  const [seen, attempted, applied] = [at('seen'), at('attempted'), at('applied')]
  return {
    ...(JSON.parse(String(row.wish)) as SourceWish),
    ...(row.suspension !== null && { suspended: JSON.parse(String(row.suspension)) as Suspension }),
    ...(row.held !== null && { held: JSON.parse(String(row.held)) as Record<string, Suspension> }),
    ...(seen !== undefined && { seen }),
    ...(attempted !== undefined && { attempted }),
    ...(applied !== undefined && {
      applied: { ...applied, ...(row.signer !== null && { signer: String(row.signer) }) },
    }),
    ...(row.checked_ms !== null && { checkedMs: Number(row.checked_ms) }),
    ...(row.failure !== null && { failure: JSON.parse(String(row.failure)) as SourceFailure }),
    ...(row.drift !== null && { drift: String(row.drift) }),
  }
}

/** What a run has come to. */
export type RunEnd = { outcome: RunOutcome; reason: string; endedMs: number } & RunDetail
type RunDetail = Pick<RunView, 'failure' | 'plan' | 'results' | 'healed' | 'signer'>

/** Notes that something is about to be done; answers its number. Runs before it that have no end were killed. */
export async function beginRun(tx: Transaction, source: string, revision: string, nowMs: number): Promise<number> {
  await endKilled(tx, source, nowMs)
  await tx.run('INSERT INTO gitops_run (source, began_ms, revision) VALUES (?, ?, ?)', [source, nowMs, revision])
  const [row] = await tx.all('SELECT max(id) AS id FROM gitops_run')
  return Number(row?.id)
}

/** Whoever holds the source's lock knows that nobody else is at it. */
export async function endKilled(tx: Transaction, source: string, nowMs: number): Promise<void> {
  await tx.run(
    "UPDATE gitops_run SET outcome = 'interrupted', ended_ms = ?, reason = 'it was killed' WHERE source = ? AND outcome IS NULL",
    [nowMs, source],
  )
}

/** Forgets a run in which nothing was done. */
export const forgetRun = (tx: Transaction, id: number): Promise<void> =>
  tx.run('DELETE FROM gitops_run WHERE id = ?', [id])

/** Writes the end of a run, and forgets the oldest. */
export async function endRun(tx: Transaction, source: string, id: number, end: RunEnd): Promise<void> {
  const { outcome, reason, endedMs, ...detail } = end
  await tx.run('UPDATE gitops_run SET outcome = ?, reason = ?, ended_ms = ?, detail = ? WHERE id = ?', [
    outcome,
    reason,
    endedMs,
    JSON.stringify(detail),
    id,
  ])
  await tx.run(
    'DELETE FROM gitops_run WHERE source = ? AND id <= (SELECT id FROM gitops_run WHERE source = ? ORDER BY id DESC LIMIT 1 OFFSET ?)',
    [source, source, KEPT_RUNS],
  )
}

/** The newest runs, newest first. */
export async function readRuns(store: Reading, source: string, limit: number): Promise<RunView[]> {
  const rows = await store.all('SELECT * FROM gitops_run WHERE source = ? ORDER BY id DESC LIMIT ?', [source, limit])
  return rows.map(row => ({
    id: Number(row.id),
    source: String(row.source),
    beganMs: Number(row.began_ms),
    ...(row.ended_ms !== null && { endedMs: Number(row.ended_ms) }),
    ...(row.revision !== null && { revision: String(row.revision) }),
    outcome: (row.outcome ?? 'interrupted') as RunOutcome,
    reason: row.outcome === null ? 'it has not ended' : String(row.reason),
    ...(JSON.parse(String(row.detail)) as RunDetail),
  }))
}

/** What is known of a revision that has failed. */
export async function readBad(store: Reading, source: string, revision: string): Promise<BadRevision | undefined> {
  const [row] = await store.all('SELECT * FROM gitops_bad WHERE source = ? AND revision = ?', [source, revision])
  if (row === undefined) return undefined
  return {
    revision,
    host: String(row.host),
    tries: Number(row.tries),
    reason: String(row.reason),
    ...(row.retry_ms !== null && { retryMs: Number(row.retry_ms) }),
  }
}

/** Remembers that a revision has failed. */
export async function writeBad(tx: Transaction, source: string, bad: BadRevision): Promise<void> {
  await tx.run('DELETE FROM gitops_bad WHERE source = ? AND revision = ?', [source, bad.revision])
  await tx.run('INSERT INTO gitops_bad (source, revision, host, tries, reason, retry_ms) VALUES (?, ?, ?, ?, ?, ?)', [
    source,
    bad.revision,
    bad.host,
    bad.tries,
    bad.reason,
    bad.retryMs ?? null,
  ])
  await tx.run(
    'DELETE FROM gitops_bad WHERE source = ? AND rowid NOT IN (SELECT rowid FROM gitops_bad WHERE source = ? ORDER BY rowid DESC LIMIT ?)',
    [source, source, KEPT_BAD],
  )
}

/** A revision that is fine after all. */
export async function deleteBad(tx: Transaction, source: string, revision: string): Promise<void> {
  await tx.run('DELETE FROM gitops_bad WHERE source = ? AND revision = ?', [source, revision])
}

/** Keeps what was applied, as the newest, and forgets the oldest. */
export async function keepRevision(tx: Transaction, source: string, kept: KeptRevision): Promise<void> {
  await tx.run('DELETE FROM gitops_applied WHERE source = ? AND revision = ?', [source, kept.revision])
  await tx.run('INSERT INTO gitops_applied (source, revision, at_ms, root, files, images) VALUES (?, ?, ?, ?, ?, ?)', [
    source,
    kept.revision,
    kept.atMs,
    kept.root,
    JSON.stringify(kept.files),
    JSON.stringify(kept.images),
  ])
  await tx.run(
    'DELETE FROM gitops_applied WHERE source = ? AND id NOT IN (SELECT id FROM gitops_applied WHERE source = ? ORDER BY id DESC LIMIT ?)',
    [source, source, KEPT_REVISIONS],
  )
}

/** Names of what can be gone back to, newest first. */
export async function keptRevisions(store: Reading, source: string): Promise<string[]> {
  const rows = await store.all('SELECT revision FROM gitops_applied WHERE source = ? ORDER BY id DESC', [source])
  return rows.map(row => String(row.revision))
}

/** One of them with its texts. */
export async function readKept(store: Reading, source: string, revision: string): Promise<KeptRevision | undefined> {
  const [row] = await store.all('SELECT * FROM gitops_applied WHERE source = ? AND revision = ?', [source, revision])
  if (row === undefined) return undefined
  return {
    revision,
    atMs: Number(row.at_ms),
    root: String(row.root),
    files: JSON.parse(String(row.files)) as KeptRevision['files'],
    images: JSON.parse(String(row.images)) as KeptRevision['images'],
  }
}

type Told = { action: string; reason: string; warning?: boolean; message: string; revision?: string }

/** Tells of a source, in the transaction of what is told. */
export async function tellOfSource(tx: Transaction, name: string, told: Told, nowMs: number): Promise<void> {
  const { revision, ...rest } = told
  const facts: Record<string, string> = revision === undefined ? {} : { revision }
  await insertEvents(tx, [eventAbout(nowMs, { kind: 'gitops', object: name, name, labels: {} }, { ...rest, facts })])
}
