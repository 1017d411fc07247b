/** A source, read: the newest revision of it, or one of the past, as a snapshot that lasts. */
import { join, posix } from 'node:path'
import { sha256 } from '../digest.ts'
import { hostTrouble, isTspodError, TspodError } from '../errors.ts'
import { removeTree } from '../files.ts'
import { checkedOut, whatIsDirty } from './checkout.ts'
import { currentTip, fetchTip, type GitFrom, gitDoors, mayRewind, mirrorOf } from './commits.ts'
import { decryptFiles, isEncrypted } from './decrypt.ts'
import { readDirectory } from './directory.ts'
import { untrusted, vanished } from './failure.ts'
import { readCommit } from './git-tree.ts'
import { mayBeManifest } from './manifests.ts'
import { type Material, readMaterial } from './material.ts'
import { isObjectName, type Tip } from './mirror.ts'
import { render } from './render.ts'
import { fileName, type Kept, loadSnapshot, markSigned, saveSnapshot, saveTree } from './store.ts'
import { nameProblem, type Tree } from './tree.ts'
import type { Snapshot, SourceDoors, SourceWish } from './types.ts'
import { type Keys, readKeys, signerOf } from './verify.ts'

/**
 * Reads a source. The same revision once more costs next to nothing. The caller holds the lock of the source.
 * Throws with one code for each kind of failure (SOURCE_…, MANIFEST_UNREADABLE, HOST_EXHAUSTED for a full disk): with
 * each of them nothing was read.
 */
export async function readSnapshot(asked: SourceWish, doors: SourceDoors): Promise<Snapshot> {
  const wish = checkedWish(asked)
  try {
    return await readOnce(wish, doors)
  } catch (error) {
    throw hostTrouble(error) ?? error
  }
}

/** The revision that `readSnapshot` would answer. Of a checkout it costs two small files. Throws as that does. */
export async function revisionNow(wish: SourceWish, doors: SourceDoors): Promise<string> {
  return wish.from.kind === 'checkout' ? checkedOut(wish.from.dir) : (await readSnapshot(wish, doors)).revision
}

async function readOnce(wish: SourceWish, doors: SourceDoors): Promise<Snapshot> {
  const { from, revision } = wish
  if (revision !== undefined) return finished(wish, doors, await pastRevision(wish, revision, doors))
  if (from.kind === 'directory' && wish.verifyFile !== undefined) {
    throw untrusted(
      `${from.dir} is a plain directory: nothing in it is signed, and only what is signed is wanted`,
      'add the source again without --verify, or from a repository; nothing was changed',
    )
  }
  if (from.kind === 'directory') return finished(wish, doors, await readPlainDirectory(wish, from.dir, doors))
  const kept = await readGit(wish, from, doors)
  const snapshot = await finished(wish, doors, kept)
  const base = wish.path ?? ''
  const dirty =
    from.kind === 'checkout' && !kept.rendered ? whatIsDirty(from.dir, base, kept.files, kept.beside) : undefined
  return { ...snapshot, ...(dirty !== undefined && { dirty }) }
}

async function readPlainDirectory(wish: SourceWish, dir: string, doors: SourceDoors): Promise<Kept> {
  const { path = '', recursive = false } = wish
  const tree = await readDirectory(dir, path, recursive, doors)
  const material = await readMaterial(tree, recursive)
  const revision = await digestOf(tree, material)
  const kept = loadSnapshot(placeOf(wish, doors), keyOf(wish, revision))
  if (kept !== undefined) return kept
  return save(wish, doors, tree, material, { revision, kind: 'directory', root: join(dir, path) })
}

async function readGit(wish: SourceWish, from: GitFrom, doors: SourceDoors): Promise<Kept> {
  const directory = placeOf(wish, doors)
  const keys = wish.verifyFile === undefined ? undefined : await readKeys(wish.verifyFile)
  const tip = await currentTip(wish, from, doors, directory)
  const kept = loadSnapshot(directory, keyOf(wish, tip.commit))
  const isTrusted = keys === undefined || kept?.signed?.keys === keys.digest
  if (kept !== undefined && isTrusted && (wish.applied === tip.commit || mayRewind(wish, from))) return kept
  await fetchTip(wish, from, tip, doors, directory)
  if (kept !== undefined && isTrusted) return kept
  try {
    return await fromMirror(wish, doors, tip, keys, kept)
  } catch (error) {
    // Our copy is damaged, though git has not seen it: a power failure, for example.
    if (!isTspodError(error, 'SOURCE_FETCH')) throw error
    await removeTree(mirrorOf(directory))
    await fetchTip(wish, from, tip, doors, directory)
    return await fromMirror(wish, doors, tip, keys, kept)
  }
}

/** A commit that has been fetched: who has signed it, and its files unless they are kept. */
async function fromMirror(
  wish: SourceWish,
  doors: SourceDoors,
  tip: Tip,
  keys: Keys | undefined,
  kept: Kept | undefined,
): Promise<Kept> {
  const directory = placeOf(wish, doors)
  const signer = keys && (await signerOf(gitDoors(doors), mirrorOf(directory), tip, keys, directory))
  const signed = keys && signer !== undefined ? { by: signer, keys: keys.digest } : undefined
  if (kept === undefined) return extract(wish, doors, tip, signed)
  return signed === undefined ? kept : markSigned(directory, keyOf(wish, tip.commit), signed)
}

/** Takes a commit out of the mirror. */
async function extract(wish: SourceWish, doors: SourceDoors, { commit }: Tip, signed?: Kept['signed']): Promise<Kept> {
  const { path = '', recursive = false, from } = wish
  const where = from.kind === 'git' ? from.url : from.dir
  const tree = await readCommit(gitDoors(doors), mirrorOf(placeOf(wish, doors)), commit, path, where)
  const material = await readMaterial(tree, recursive)
  return save(wish, doors, tree, material, { revision: commit, kind: 'git', root: path, ...(signed && { signed }) })
}

async function save(
  wish: SourceWish,
  doors: SourceDoors,
  tree: Tree,
  material: Material,
  facts: Pick<Kept, 'revision' | 'kind' | 'root' | 'signed'>,
): Promise<Kept> {
  const { kustomization, notes } = material
  const directory = placeOf(wish, doors)
  const { entries, where } = tree
  const files =
    kustomization === undefined
      ? material.files
      : await render({ entries, contents: await readAll(tree, entries) }, kustomization, where, { ...doors, directory })
  const kept: Kept = {
    ...facts,
    notes,
    files: facts.kind === 'git' ? files : files.map(({ file, text }) => ({ file: join(where, file), text })),
    ...(kustomization !== undefined && { rendered: true }),
    beside: besideOf(tree, files),
    ...(facts.kind === 'git' && { root: await copyFor(directory, tree, material, facts.root) }),
  }
  return saveSnapshot(directory, keyOf(wish, facts.revision), kept)
}

/**
 * Has what manifests may mount on the disk; answers where relative hostPaths begin. Manifests are not among it: what
 * containers see changes only with a commit that changes it.
 */
async function copyFor(directory: string, tree: Tree, material: Material, path: string): Promise<string> {
  const manifests = new Set(material.files.map(({ file }) => file))
  const entries = tree.entries.filter(each => !manifests.has(each.path))
  if (!material.needsTree) return join('trees', 'none', path)
  const digest = sha256(entries.map(each => `${each.kind} ${each.object} ${each.path}`).join('\0'))
  const read = async () => ({ entries, contents: await readAll(tree, entries) })
  return join(await saveTree(directory, digest, read), path)
}

const readAll = (tree: Tree, entries: Tree['entries']): Promise<Map<string, Buffer>> =>
  tree.read(entries.filter(({ kind }) => kind !== 'submodule').map(({ path }) => path))

/** What beside the manifests has a name of one, and is none. */
function besideOf({ entries, base }: Tree, files: readonly { file: string }[]): string[] {
  const known = new Set(files.map(({ file }) => file))
  const directory = base === '' ? '.' : base
  return entries
    .map(({ path }) => path)
    .filter(path => posix.dirname(path) === directory && mayBeManifest(posix.basename(path)) && !known.has(path))
}

async function pastRevision(wish: SourceWish, revision: string, doors: SourceDoors): Promise<Kept> {
  const kept = loadSnapshot(placeOf(wish, doors), keyOf(wish, revision))
  if (kept !== undefined) return kept
  const gone = vanished(
    `revision ${revision} of ${wish.name} is not kept any more`,
    'take one of `tspod gitops history`',
  )
  if (wish.from.kind === 'directory' || !isObjectName(revision)) throw gone
  try {
    return await extract(wish, doors, { commit: revision })
  } catch (error) {
    throw isTspodError(error, 'SOURCE_FETCH') ? gone : error
  }
}

async function finished(wish: SourceWish, doors: SourceDoors, kept: Kept): Promise<Snapshot> {
  const { revision, kind, root, notes, signed } = kept
  const files = await decryptFiles(kept.files, wish.credentials ?? {}, { ...doors, directory: placeOf(wish, doors) })
  const remade = kept.files.filter(file => kept.rendered || isEncrypted(file)).map(({ file }) => file)
  return {
    ...{ revision, kind, files, root, notes },
    ...(remade.length > 0 && { remade }),
    ...(kept.files.some(isEncrypted) && { decrypted: true as const }),
    ...(wish.verifyFile !== undefined && signed && { signer: signed.by }),
  }
}

/** The wish with its path as git writes paths. Throws USAGE for a name or a path that is none. */
function checkedWish(wish: SourceWish): SourceWish {
  const path = tidied(wish.path ?? '')
  const problem = sourcePathProblem(path)
  if (problem !== undefined) {
    throw new TspodError('USAGE', `the path "${path}" ${problem}`, {
      remedy: 'name a directory inside the source, for example apps/web',
    })
  }
  if (/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/.test(wish.name)) return { ...wish, path }
  throw new TspodError('USAGE', `"${wish.name}" is no name for a source`, {
    remedy: 'use lower-case letters, digits and -',
  })
}

const tidied = (path: string): string =>
  path
    .replace(/^(?:\.\/+)+/, '')
    .replace(/\/+$/, '')
    .replace(/^\.$/, '')

/** Why a path inside a source is none, in words that follow it; undefined for one that may be. */
export function sourcePathProblem(asked: string): string | undefined {
  if (asked.startsWith('/')) return 'begins with /, and not in the source'
  const path = tidied(asked)
  if (path === '') return undefined
  return nameProblem(path) ?? (path.length > MAX_PATH ? 'is too long' : undefined)
}

/** It is part of a file's name. */
const MAX_PATH = 120

/** Directory of one source. */
const placeOf = ({ name }: SourceWish, { directory }: SourceDoors): string => join(directory, name)

/** What a snapshot is kept under: the same commit gives another one for another path. */
const keyOf = ({ path = '', recursive = false }: SourceWish, revision: string): string =>
  [fileName(revision), ...(recursive ? ['all'] : []), ...(path === '' ? [] : [path.replaceAll('/', '%')])].join('+')

/** Over names and contents of whatever the manifests are made from. */
async function digestOf(tree: Tree, material: Material): Promise<string> {
  const digests: string[] = []
  const add = (name: string, content: string | Buffer): void => {
    digests.push(`${sha256(content)} ${name}\0`)
  }
  if (material.kustomization === undefined) {
    for (const { file, text } of material.files) add(file, text)
  } else {
    const contents = await readAll(tree, tree.entries)
    for (const { path, kind } of tree.entries) add(`${path} ${kind}`, contents.get(path) ?? '')
  }
  return `sha256:${sha256(digests.join(''))}`
}
