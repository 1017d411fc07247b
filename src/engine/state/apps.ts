/** Rows of apps: which objects belong to whom, and what comes back when an apply fails. */
import type { Json, PodManifest, PodSpec, Protection } from '../../model.ts'
import type { PodSettings } from './records.ts'
import type { Row, Store, Transaction } from './store.ts'

export type AppRecord = { name: string; source: string; revision?: string; appliedMs: number }

/** `content`: what the object's document says, where nothing else of it is kept. */
export type AppObjectRecord = {
  app: string
  kind: string
  name: string
  hash: string
  wave: number
  protection?: Protection
  /** How many pods it has when all is well; those of a Job come and go. */
  pods: number
  content?: { [name: string]: Json }
}

/** A pod that an apply replaces: `images` and `names` of its containers by their names in the pod. */
export type PodBefore = {
  app: string
  spec: PodSpec
  settings: PodSettings
  manifest?: PodManifest
  images: Record<string, string>
  /** Its containers are called NAME and not POD-NAME. */
  noPodPrefix: boolean
}

type Reader = Pick<Store, 'all'>

/** All apps by name. */
export async function readApps(store: Reader): Promise<AppRecord[]> {
  return (await store.all('SELECT * FROM app ORDER BY name')).map(row => ({
    name: String(row.name),
    source: String(row.source),
    ...(row.revision !== null && { revision: String(row.revision) }),
    appliedMs: Number(row.applied_ms),
  }))
}

/** All objects of all apps. */
export async function readAppObjects(store: Reader): Promise<AppObjectRecord[]> {
  return (await store.all('SELECT * FROM app_object ORDER BY kind, name')).map(objectRecord)
}

function objectRecord(row: Row): AppObjectRecord {
  return {
    app: String(row.app),
    kind: String(row.kind),
    name: String(row.name),
    hash: String(row.hash),
    wave: Number(row.wave),
    pods: Number(row.pods),
    ...(row.protection !== null && { protection: String(row.protection) as Protection }),
    ...(row.content !== null && {
      content: JSON.parse(String(row.content)) as NonNullable<AppObjectRecord['content']>,
    }),
  }
}

/** The apps that own objects of one kind, by the objects' names. */
export async function readOwners(store: Reader, kind: string): Promise<Map<string, string>> {
  const rows = await store.all('SELECT name, app FROM app_object WHERE kind = ?', [kind])
  return new Map(rows.map(row => [String(row.name), String(row.app)]))
}

/** Writes what is known of an app itself. */
export async function writeApp(tx: Transaction, { name, source, revision, appliedMs }: AppRecord): Promise<void> {
  await tx.run(
    `INSERT INTO app (name, source, revision, applied_ms) VALUES (?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET source = excluded.source, revision = excluded.revision,
       applied_ms = excluded.applied_ms`,
    [name, source, revision ?? null, appliedMs],
  )
}

/** Writes one object; one of another app is this app's from now on. */
export async function writeAppObject(tx: Transaction, object: AppObjectRecord): Promise<void> {
  await tx.run(
    'INSERT OR REPLACE INTO app_object (kind, name, app, hash, wave, pods, protection, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    [
      object.kind,
      object.name,
      object.app,
      object.hash,
      object.wave,
      object.pods,
      object.protection ?? null,
      object.content === undefined ? null : JSON.stringify(object.content),
    ],
  )
}

/** Forgets whose an object is. */
export async function deleteAppObject(tx: Transaction, app: string, kind: string, name: string): Promise<void> {
  await tx.run('DELETE FROM app_object WHERE app = ? AND kind = ? AND name = ?', [app, kind, name])
}

/** Forgets an app that has no objects left. */
export async function deleteEmptyApp(tx: Transaction, app: string): Promise<void> {
  await tx.run('DELETE FROM app WHERE name = ? AND NOT EXISTS (SELECT 1 FROM app_object WHERE app = ?)', [app, app])
}

/** The pods that applies of this app have replaced and whose successors were not up yet, by name. */
export async function readBefore(store: Reader, app: string): Promise<Map<string, PodBefore>> {
  const rows = await store.all('SELECT pod, record FROM app_before WHERE app = ?', [app])
  return new Map(rows.map(row => [String(row.pod), JSON.parse(String(row.record)) as PodBefore]))
}

/** Keeps a pod for its return. `isGood` false: one that is kept already, of an interrupted apply, is the better one. */
export async function keepBefore(tx: Transaction, before: PodBefore, isGood: boolean): Promise<void> {
  await tx.run(`INSERT OR ${isGood ? 'REPLACE' : 'IGNORE'} INTO app_before (pod, app, record) VALUES (?, ?, ?)`, [
    before.spec.name,
    before.app,
    JSON.stringify(before),
  ])
}

/** Nothing has to come back any more. */
export async function dropBefore(tx: Transaction, pods: readonly string[]): Promise<void> {
  for (const pod of pods) await tx.run('DELETE FROM app_before WHERE pod = ?', [pod])
}
