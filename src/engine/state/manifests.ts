/** Manifests of pods: written by plays, read by `kube generate` alone, and so not a part of the pod's record. */
import type { Id, PodManifest } from '../../model.ts'
import type { Store, Transaction } from './store.ts'

/** Keeps the manifest of a pod whose row is there; it goes with that row. */
export async function insertManifest(tx: Transaction, pod: Id, manifest: PodManifest): Promise<void> {
  await tx.run('INSERT INTO manifest (pod, text) VALUES (?, ?)', [pod, JSON.stringify(manifest)])
}

/** Keeps another manifest of a pod, of which nothing has to be made anew. */
export async function replaceManifest(tx: Transaction, pod: Id, manifest: PodManifest): Promise<void> {
  await tx.run('INSERT OR REPLACE INTO manifest (pod, text) VALUES (?, ?)', [pod, JSON.stringify(manifest)])
}

/** The manifest of a pod; undefined when it was not made from one. */
export async function readManifest(store: Pick<Store, 'all'>, pod: Id): Promise<PodManifest | undefined> {
  const [row] = await store.all('SELECT text FROM manifest WHERE pod = ?', [pod])
  return row === undefined ? undefined : (JSON.parse(String(row.text)) as PodManifest)
}
