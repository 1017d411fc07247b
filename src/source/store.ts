/**
 * Snapshots on disk: DIRECTORY/SOURCE/snapshots/KEY with manifests.json, which is read again, and tree/, which containers
 * may have mounted and therefore is never read again. A snapshot is there as a whole or not at all.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMissing } from '../errors.ts'
import { removeTree, syncDirectory, type WriteOptions, writeAtomic } from '../files.ts'
import { randomHex } from '../random.ts'
import type { TreeEntry } from './tree.ts'

/** What is kept of a commit: before decryption, so that no secret is ever on the disk. */
export type Kept = {
  revision: string
  kind: 'directory' | 'git'
  files: { file: string; text: string }[]
  notes: string[]
  /** Directory of relative hostPaths: below tree/ unless it is absolute. */
  root: string
  /** The files were made by kustomize, and are not those of the source. */
  rendered?: true
  /** What beside the manifests is named like one: ignored files, for example. */
  beside: string[]
  /** Who signed it, according to the keys with this digest. */
  signed?: { by: string; keys: string }
}

/** Files for tree/. */
export type KeptTree = { entries: readonly TreeEntry[]; contents: ReadonlyMap<string, Buffer> }

const MANIFESTS = 'manifests.json'
const TREE = 'tree'
/** Of snapshots that are not complete. */
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
    return { ...kept, root: absoluteRoot(path, kept.root) }
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined
    throw error
  }
}

const absoluteRoot = (path: string, root: string): string => (root.startsWith('/') ? root : join(path, TREE, root))

/** Puts a snapshot on the disk, for good, unless it is there already. Answers it as it is loaded. */
export async function saveSnapshot(directory: string, key: string, kept: Kept, tree?: KeptTree): Promise<Kept> {
  const snapshots = snapshotsOf(directory)
  mkdirSync(snapshots, { recursive: true, mode: 0o700 })
  const temporary = join(snapshots, `${UNFINISHED}${randomHex(6)}`)
  mkdirSync(temporary, { mode: 0o700 })
  try {
    if (tree !== undefined) await writeTree(join(temporary, TREE), tree)
    await writeNew(join(temporary, MANIFESTS), JSON.stringify(kept), 0o600, true)
    await syncDirectory(temporary)
    await putInPlace(temporary, directory, key)
    await syncDirectory(snapshots)
  } catch (error) {
    await removeTree(temporary).catch(() => undefined)
    throw error
  }
  return { ...kept, root: absoluteRoot(join(snapshots, key), kept.root) }
}

/** What is there already has been made by another run, unless it is broken: then its tree may be mounted all the same. */
async function putInPlace(temporary: string, directory: string, key: string): Promise<void> {
  const path = join(snapshotsOf(directory), key)
  for (let attempt = 0; ; attempt++) {
    try {
      await rename(temporary, path)
      return
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if ((code !== 'ENOTEMPTY' && code !== 'EEXIST') || attempt > 0) throw error
      if (loadSnapshot(directory, key) !== undefined) return await removeTree(temporary)
      await rename(path, join(dirname(path), `${LEAVING}${randomHex(6)}`))
    }
  }
}

/** Notes who has signed a snapshot that is there. */
export async function markSigned(directory: string, key: string, signed: Kept['signed'] & object): Promise<Kept> {
  const file = join(snapshotsOf(directory), key, MANIFESTS)
  const kept = { ...(JSON.parse(readFileSync(file, 'utf8')) as Kept), signed }
  await writeAtomic(file, JSON.stringify(kept), 0o600)
  return { ...kept, root: absoluteRoot(dirname(file), kept.root) }
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
  /** Paths on the host that something uses: sources of mounts of all pods there are records of. */
  inUse: readonly string[]
  /** Of snapshots that nothing uses, the newest ones that stay (default 5). */
  keep?: number
  /** Revisions that stay whatever their age: what is applied, and what a rollback may want. */
  revisions?: readonly string[]
}

/**
 * Removes the snapshots of a source that nothing uses any more, and what an interrupted run has left. Answers what was
 * removed. The caller holds the lock of the source, in whose directory every hidden name is of something unfinished.
 */
export async function collectSnapshots(
  directory: string,
  { inUse, keep = 5, revisions = [] }: Garbage,
): Promise<string[]> {
  const snapshots = snapshotsOf(directory)
  const names = namesIn(snapshots)
  const used = (name: string): boolean =>
    inUse.some(path => path === join(snapshots, name) || path.startsWith(join(snapshots, name, '/')))
  const isWhole = (name: string): boolean => !name.startsWith('.')
  const idle = names.filter(
    name => isWhole(name) && !used(name) && !revisions.some(rev => name.startsWith(fileName(rev))),
  )
  const age = new Map(idle.map(name => [name, statSync(join(snapshots, name)).mtimeMs]))
  const old = idle.sort((a, b) => (age.get(b) ?? 0) - (age.get(a) ?? 0)).slice(keep)
  const going = [...old, ...names.filter(name => !isWhole(name) && !used(name))]
  for (const name of going) await removeTree(join(snapshots, name))
  const left = namesIn(directory).filter(name => name.startsWith('.'))
  for (const name of left) await removeTree(join(directory, name))
  return [...going, ...left]
}

/** A revision as part of a file name. */
export const fileName = (revision: string): string => revision.replace(':', '-')

function namesIn(path: string): string[] {
  try {
    return readdirSync(path)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
