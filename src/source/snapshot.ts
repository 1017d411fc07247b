/** A source, read: the newest revision of it, or one of the past, as a snapshot that lasts. */
import { join } from 'node:path'
import { TspodError } from '../errors.ts'
import { readDirectory } from './directory.ts'
import { decryptFailure, renderFailure, vanished } from './failure.ts'
import { type Material, readMaterial } from './material.ts'
import { fileName, type Kept, loadSnapshot, saveSnapshot } from './store.ts'
import { nameProblem, type Tree } from './tree.ts'
import type { Snapshot, SourceDoors, SourceWish } from './types.ts'

/**
 * Reads a source. The same revision once more costs next to nothing. The caller holds the lock of the source.
 * Throws with one code for each kind of failure (SOURCE_…, and MANIFEST_UNREADABLE): with each of them nothing was read.
 */
export async function readSnapshot(wish: SourceWish, doors: SourceDoors): Promise<Snapshot> {
  checkWish(wish)
  if (wish.revision !== undefined) return pastSnapshot(wish, wish.revision, doors)
  if (wish.from.kind === 'directory') return directorySnapshot(wish, wish.from.dir, doors)
  throw new Error(`a source of kind ${wish.from.kind} cannot be read yet`)
}

async function directorySnapshot(wish: SourceWish, dir: string, doors: SourceDoors): Promise<Snapshot> {
  const path = wish.path ?? ''
  const tree = await readDirectory(dir, path, wish.recursive ?? false, doors)
  const material = await readMaterial(tree, wish.recursive ?? false)
  const revision = await digestOf(tree, material)
  const kept = loadSnapshot(placeOf(wish, doors), keyOf(wish, revision))
  if (kept !== undefined) return finished(kept)
  const files = material.files.map(({ file, text }) => ({ file: join(tree.where, file), text }))
  return finished(
    await saveSnapshot(placeOf(wish, doors), keyOf(wish, revision), {
      ...{ revision, kind: 'directory', notes: material.notes, root: join(dir, path) },
      files: material.kustomization === undefined ? files : rendered(),
    }),
  )
}

async function pastSnapshot(wish: SourceWish, revision: string, doors: SourceDoors): Promise<Snapshot> {
  const kept = loadSnapshot(placeOf(wish, doors), keyOf(wish, revision))
  if (kept !== undefined) return finished(kept)
  throw vanished(
    `revision ${revision} of ${wish.name} is not kept any more`,
    'take one that `tspod gitops history` shows',
  )
}

function finished(kept: Kept): Snapshot {
  const { revision, kind, files, root, notes } = kept
  const encrypted = files.find(({ text }) => /^sops:/m.test(text))
  if (encrypted !== undefined) throw decryptFailure(`${encrypted.file} is encrypted`, 'decrypt it')
  return { revision, kind, files, root, notes }
}

function rendered(): never {
  throw renderFailure('a kustomization cannot be built yet', 'commit what kustomize makes of it')
}

/** Throws USAGE for a name or a path that is none. */
function checkWish({ name, path = '' }: SourceWish): void {
  const problem = path === '' ? undefined : (nameProblem(path) ?? (path.startsWith('/') ? 'is absolute' : undefined))
  if (problem !== undefined) {
    throw new TspodError('USAGE', `the path "${path}" ${problem}`, {
      remedy: 'name a directory inside the source: apps/web',
    })
  }
  if (/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/.test(name)) return
  throw new TspodError('USAGE', `"${name}" is no name for a source`, { remedy: 'use lower-case letters, digits and -' })
}

/** Directory of one source. */
const placeOf = ({ name }: SourceWish, { directory }: SourceDoors): string => join(directory, name)

/** What a snapshot is kept under: the same commit gives another one for another path. */
const keyOf = ({ path = '', recursive = false }: SourceWish, revision: string): string =>
  [fileName(revision), ...(recursive ? ['all'] : []), ...(path === '' ? [] : [encodeURIComponent(path)])].join('+')

/** Over names and contents of whatever the manifests are made from. */
async function digestOf(tree: Tree, material: Material): Promise<string> {
  const { createHash } = await import('node:crypto')
  const hash = createHash('sha256')
  const add = (name: string, bytes: string | Buffer): void => {
    hash.update(`${name.length} ${name} ${Buffer.byteLength(bytes)} `).update(bytes)
  }
  if (material.kustomization === undefined) {
    for (const { file, text } of material.files) add(file, text)
  } else {
    const contents = await tree.read(tree.entries.map(({ path }) => path))
    for (const { path, kind } of tree.entries) add(`${path} ${kind}`, contents.get(path) ?? '')
  }
  return `sha256:${hash.digest('hex')}`
}
