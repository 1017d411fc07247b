/**
 * Snapshots on disk, below the directory of their source: snapshots/KEY/manifests.json, which is read again, and for
 * what containers may have mounted trees/DIGEST, which never is. A tree is named after its content, so that a commit
 * that changes none of it gives the same paths, and no pod has to restart for it. Both are there as a whole or not at all.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { isMissing } from '../errors.ts'
import { entryNames, removeTree, syncDirectory, type WriteOptions, writeAtomic } from '../files.ts'
import { randomHex } from '../random.ts'
import type { TreeEntry } from './tree.ts'

/** What is kept of a commit: before decryption, so that no secret is ever on the disk. */
export type Kept = {
  revision: string
  kind: 'directory' | 'git'
  files: { file: string; text: string }[]
  notes: string[]
  /** Directory of relative hostPaths, below the source's own unless it is absolute. */
  root: string
  /** The files were made by kustomize, and are not those of the source. */
  rendered?: true
  /** What beside the manifests is named like one: ignored files, for example. */
  beside: string[]
  /** Who signed it, according to the keys with this digest. */
  signed?: { by: string; keys: string }
}

/** Files of a tree. */
export type KeptTree = { entries: readonly TreeEntry[]; contents: ReadonlyMap<string, Buffer> }

const MANIFESTS = 'manifests.json'
const TREES = 'trees'
/** Of what is not complete. */
const UNFINISHED = '.new-'
const LEAVING = '.gone-'
/** fsync of this many files at a time: the file system commits those together. */
const SYNCED_TOGETHER = 16

const snapshotsOf = (directory: string): string => join(directory, 'snapshots')

/** The snapshot `key` of the source whose directory this is; undefined when there is none that can be read. */
export function loadSnapshot(directory: string, key: string): Kept | undefined {
  const path = join(snapshotsOf(directory), key)
  try {
    const kept = JSON.parse(readFileSync(join(path, MANIFESTS), 'utf8')) as Kept
    return absolute(directory, kept)
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined
    throw error
  }
}

const absolute = (directory: string, kept: Kept): Kept =>
  kept.root.startsWith('/') ? kept : { ...kept, root: join(directory, kept.root) }

/** Puts a snapshot on the disk, for good, unless it is there already. Answers it as it is loaded. */
export async function saveSnapshot(directory: string, key: string, kept: Kept): Promise<Kept> {
  const isGood = (): boolean => loadSnapshot(directory, key) !== undefined
  await putWhole(snapshotsOf(directory), key, isGood, async temporary => {
    await writeNew(join(temporary, MANIFESTS), JSON.stringify(kept), 0o600, true)
  })
  return absolute(directory, kept)
}

/** Puts a tree on the disk unless it is there already; answers its path below the source's directory. */
export async function saveTree(directory: string, digest: string, read: () => Promise<KeptTree>): Promise<string> {
  const trees = join(directory, TREES)
  const isThere = (): boolean => existsSync(join(trees, digest))
  if (!isThere()) {
    const tree = await read()
    await putWhole(trees, digest, isThere, temporary => writeTree(join(temporary, 'files'), tree))
  }
  return posix.join(TREES, digest, 'files')
}

/** Makes a directory with `write` and gives it its name when it is complete. */
async function putWhole(
  parent: string,
  name: string,
  isGood: () => boolean,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  const temporary = join(parent, `${UNFINISHED}${randomHex(6)}`)
  mkdirSync(temporary, { mode: 0o700 })
  try {
    await write(temporary)
    await syncDirectory(temporary)
    await putInPlace(temporary, join(parent, name), isGood)
    await syncDirectory(parent)
  } catch (error) {
    await removeTree(temporary).catch(() => undefined)
    throw error
  }
}

/** What is there already has been made by another run, unless it is broken. */
async function putInPlace(temporary: string, path: string, isGood: () => boolean): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await rename(temporary, path)
      return
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if ((code !== 'ENOTEMPTY' && code !== 'EEXIST') || attempt > 0) throw error
      if (isGood()) return await removeTree(temporary)
      await rename(path, join(dirname(path), `${LEAVING}${randomHex(6)}`))
    }
  }
}

/** Notes who has signed a snapshot that is there. */
export async function markSigned(directory: string, key: string, signed: Kept['signed'] & object): Promise<Kept> {
  const file = join(snapshotsOf(directory), key, MANIFESTS)
  const kept = { ...(JSON.parse(readFileSync(file, 'utf8')) as Kept), signed }
  await writeAtomic(file, JSON.stringify(kept), 0o600)
  return absolute(directory, kept)
}

/** Files with the modes that git knows, for whoever a container runs as; the directories above let nobody else in. */
export async function writeTree(
  top: string,
  { entries, contents }: KeptTree,
  { durable = true }: WriteOptions = {},
): Promise<void> {
  const directories = new Set<string>()
  const makeDirectory = (path: string): void => {
    if (directories.has(path)) return
    if (path !== top) makeDirectory(dirname(path))
    mkdirSync(path, { mode: 0o755 })
    chmodSync(path, 0o755)
    directories.add(path)
  }
  makeDirectory(top)
  for (const { path } of entries) makeDirectory(dirname(join(top, path)))
  const files = entries.filter(({ kind }) => kind !== 'submodule')
  for (let from = 0; from < files.length; from += SYNCED_TOGETHER) {
    await Promise.all(
      files.slice(from, from + SYNCED_TOGETHER).map(async ({ path, kind }) => {
        const bytes = contents.get(path) ?? Buffer.alloc(0)
        if (kind === 'link') symlinkSync(bytes, join(top, path))
        else await writeNew(join(top, path), bytes, kind === 'executable' ? 0o755 : 0o644, durable)
      }),
    )
  }
  if (durable) for (const directory of directories) await syncDirectory(directory)
}

async function writeNew(path: string, data: string | Uint8Array, mode: number, durable: boolean): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(data)
    await file.chmod(mode)
    if (durable) await file.sync()
  } finally {
    await file.close()
  }
}

export type Garbage = {
  /** Paths on the host that something uses: sources of mounts of all pods there are records of. Asked for trees only. */
  inUse(): Promise<readonly string[]>
  /** The newest snapshots stay, so many (default 5). */
  keep?: number
  /** Revisions that stay whatever their age: what is applied, and what a rollback may want. */
  revisions?: readonly string[]
}

/**
 * Removes the old snapshots of a source, the trees that neither the others nor pods use, and what an interrupted run
 * has left. Answers what was removed. The caller holds the lock of the source, in whose directory every hidden name is of
 * something unfinished.
 */
export async function collectSnapshots(directory: string, garbage: Garbage): Promise<string[]> {
  const { inUse, keep = 5, revisions = [] } = garbage
  const names = entryNames(snapshotsOf(directory)).filter(isWhole)
  const isKept = (name: string): boolean => revisions.some(revision => name.startsWith(fileName(revision)))
  const age = new Map(names.map(name => [name, statSync(join(snapshotsOf(directory), name)).mtimeMs]))
  const old = names.filter(name => !isKept(name)).sort((a, b) => (age.get(b) ?? 0) - (age.get(a) ?? 0))
  const going = new Set(old.slice(keep))
  const staying = names.filter(name => !going.has(name))
  const trees = await staleTrees(directory, staying, inUse)
  const unfinished = ['', 'snapshots'].flatMap(parent =>
    entryNames(join(directory, parent)).flatMap(name => (isWhole(name) ? [] : [posix.join(parent, name)])),
  )
  const all = [...[...going].map(name => posix.join('snapshots', name)), ...trees, ...unfinished]
  for (const path of all) await removeTree(join(directory, path))
  return all
}

/** Trees that neither one of these snapshots nor anybody on the host needs. */
async function staleTrees(directory: string, snapshots: readonly string[], inUse: Garbage['inUse']): Promise<string[]> {
  const trees = entryNames(join(directory, TREES)).map(name => posix.join(TREES, name))
  if (trees.length === 0) return []
  const needed = snapshots.map(name => loadSnapshot(directory, name)?.root ?? '')
  const used = await inUse()
  const isUsed = (path: string): boolean => used.some(each => each === path || each.startsWith(`${path}/`))
  return trees.filter(
    tree => !isUsed(join(directory, tree)) && !needed.some(root => root.startsWith(join(directory, tree, '/'))),
  )
}

const isWhole = (name: string): boolean => !name.startsWith('.')

/** A revision as part of a file name. */
export const fileName = (revision: string): string => revision.replace(':', '-')
