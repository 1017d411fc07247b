/**
 * A checkout that somebody else keeps up to date. What is read of it by us are a few small files below .git, plainly;
 * the commit that they name is then fetched as from any other repository, and its working files never count.
 */
import { lstatSync, type Stats } from 'node:fs'
import { join, posix } from 'node:path'
import { isMissing, isTspodError, type TspodError } from '../errors.ts'
import { entryNames, readBeneath, readPlain } from '../files.ts'
import { empty, fetchFailure, refuse, unstable, vanished } from './failure.ts'
import { mayBeManifest } from './manifests.ts'
import { isObjectName } from './mirror.ts'
import { branchOf } from './watch.ts'

const MAX_REF_BYTES = 4096
const MAX_PACKED_BYTES = 32 * 1024 * 1024
/** What git keeps while something is under way that moves HEAD step by step. */
const UNDER_WAY: Record<string, string> = {
  'rebase-merge': 'a rebase is under way',
  'rebase-apply': 'a rebase, or git am, is under way',
  MERGE_HEAD: 'a merge is under way',
  CHERRY_PICK_HEAD: 'a cherry-pick is under way',
  REVERT_HEAD: 'a revert is under way',
  BISECT_LOG: 'a bisection is under way',
}

/** What a directory is now. Throws SOURCE_VANISHED when it is none. */
export async function kindOfDirectory(dir: string): Promise<'directory' | 'checkout'> {
  if (statOf(dir)?.isDirectory() === false) throw noDirectory(dir)
  if (statOf(join(dir, '.')) === undefined) throw noDirectory(dir)
  return statOf(join(dir, '.git')) === undefined ? 'directory' : 'checkout'
}

const noDirectory = (dir: string): TspodError =>
  vanished(`${dir} is not there, or is no directory`, 'nothing was changed: mount it, or put it back')

/**
 * The commit that is checked out. Throws SOURCE_VANISHED without a repository, SOURCE_UNSTABLE while something is under
 * way, SOURCE_EMPTY before the first commit, SOURCE_HOSTILE for what is not as git makes it.
 */
export function checkedOut(dir: string): string {
  const repository = join(dir, '.git')
  const stat = statOf(repository)
  if (stat === undefined) {
    if (statOf(join(dir, '.')) === undefined) throw noDirectory(dir)
    throw vanished(`${dir} has no .git any more`, 'nothing was changed: clone it again, or remove the source')
  }
  if (!stat.isDirectory()) {
    refuse(dir, [{ file: '.git', why: 'leads to another place: name the checkout that it belongs to, or use --git' }])
  }
  for (const name of ['.', 'HEAD', 'config', 'objects', 'refs']) {
    const inner = statOf(join(repository, name))
    if (inner !== undefined && !inner.isSymbolicLink() && (inner.mode & 0o002) !== 0) {
      refuse(dir, [{ file: posix.join('.git', name), why: 'may be written by everybody' }])
    }
  }
  for (const [file, why] of Object.entries(UNDER_WAY)) {
    if (statOf(join(repository, file)) !== undefined) {
      throw unstable(`${dir}: ${why}`, 'finish it, or abort it; what runs was left as it is')
    }
  }
  if (statOf(join(repository, 'reftable')) !== undefined) {
    throw fetchFailure(`${dir} keeps its branches in a reftable`, `use it as a repository: --git file://${dir}`)
  }
  return resolveRef(dir, repository, 'HEAD')
}

function resolveRef(dir: string, repository: string, name: string, depth = 0): string {
  const text = readRef(dir, repository, name, MAX_REF_BYTES)
  if (text === undefined) return packedRef(dir, repository, name)
  const target = branchOf(text)
  if (target !== undefined && depth < MAX_REFS) return resolveRef(dir, repository, target, depth + 1)
  const commit = text.trim()
  if (isObjectName(commit)) return commit
  throw unstable(`${dir}: .git/${name} is half written, or broken`, `see what git says: git -C ${dir} log -1`)
}

/** A ref that names a ref that names a ref. */
const MAX_REFS = 5

function packedRef(dir: string, repository: string, name: string): string {
  if (name === 'HEAD') throw unstable(`${dir}: .git/HEAD is missing`, `see what git says: git -C ${dir} status`)
  const packed = readRef(dir, repository, 'packed-refs', MAX_PACKED_BYTES) ?? ''
  const line = packed.split('\n').find(each => each.endsWith(` ${name}`))
  const commit = line?.split(' ')[0] ?? ''
  if (isObjectName(commit)) return commit
  throw empty(`${dir}: ${name} has no commit`, 'commit something, or check out a branch that has a commit')
}

function readRef(dir: string, repository: string, name: string, maxBytes: number): string | undefined {
  try {
    return readPlain(repository, name, maxBytes)?.toString('utf8')
  } catch (error) {
    if (!isTspodError(error, 'UNSAFE_PATH')) throw error
    refuse(dir, [{ file: posix.join('.git', name), why: `is not as git makes it: ${error.message}` }])
    return undefined
  }
}

/** How many names are told of what differs. */
const MAX_TOLD = 5

/**
 * What of the manifests in the working tree is not as in the commit: a person may think that it counts. `files` are
 * the manifests of the commit by their path, `beside` what is named like one and is none. Undefined when all is the same.
 */
export function whatIsDirty(
  dir: string,
  base: string,
  files: readonly { file: string; text: string }[],
  beside: readonly string[],
): string | undefined {
  const changed = files.flatMap(({ file, text }) => {
    const now = workingFile(dir, file, Buffer.byteLength(text))
    if (now === undefined) return [`${file} is not in the working tree`]
    return now.equals(Buffer.from(text)) ? [] : [`${file} differs from the commit`]
  })
  const known = new Set([...files.map(({ file }) => file), ...beside])
  const added = entryNames(join(dir, base))
    .filter(mayBeManifest)
    .map(name => posix.join(base, name))
    .filter(file => !known.has(file))
    .map(file => `${file} is not committed`)
  const told = [...changed, ...added]
  if (told.length === 0) return undefined
  const more = told.length > MAX_TOLD ? `, and ${told.length - MAX_TOLD} more` : ''
  return `${told.slice(0, MAX_TOLD).join(', ')}${more}`
}

/** The file itself: in place of what is none, leads elsewhere, or holds more than that, an impossible one. */
function workingFile(dir: string, file: string, bytes: number): Buffer | undefined {
  try {
    return readBeneath(dir, file, bytes)
  } catch (error) {
    if (isTspodError(error, 'UNSAFE_PATH')) return Buffer.alloc(bytes + 1)
    throw error
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
