/** Our own bare copy of a repository: the only one that is ever read. What is in it has passed git's fsck. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isTspodError, TspodError } from '../errors.ts'
import { entryNames, removeTree } from '../files.ts'
import type { Finished } from '../process.ts'
import type { Access } from './access.ts'
import { fetchFailure, refuse, vanished } from './failure.ts'
import { type GitDoors, git, lastWords, makeMirror } from './git.ts'
import type { GitRef } from './types.ts'
import type { Remote } from './url.ts'

/** A repository and the way to it. */
export type Origin = { remote: Remote; access: Access; mirror: string; timeoutMs: number }

/** What a ref of a remote names: a commit, or an annotated tag with its commit. */
export type Tip = { commit: string; tag?: string }

/** Where what was fetched last is kept, so that git does not remove it. */
const FETCHED = 'refs/tspod/head'
const OBJECT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

/** True for the full name of an object. */
export const isObjectName = (text: string): boolean => OBJECT.test(text)

/** Asks the remote what a ref is now. Throws SOURCE_VANISHED when it has no such ref, SOURCE_FETCH when it cannot be asked. */
export async function askRemote(
  doors: GitDoors,
  origin: Origin,
  ref: Exclude<GitRef, { commit: string }>,
): Promise<Tip> {
  const name = refName(ref)
  const patterns = 'tag' in ref ? [name, `${name}^{}`] : [name]
  const stdout = await overTheWire(doors, origin, [
    'ls-remote',
    '--quiet',
    ...origin.access.args,
    '--',
    origin.remote.url,
    ...patterns,
  ])
  const found = new Map(
    stdout.split('\n').flatMap(line => {
      const [object = '', told = ''] = line.split('\t')
      return isObjectName(object) ? [[told, object]] : []
    }),
  )
  const object = found.get(name)
  if (object === undefined) throw noRef(origin.remote, name)
  const peeled = found.get(`${name}^{}`)
  return peeled === undefined ? { commit: object } : { commit: peeled, tag: object }
}

const refName = (ref: Exclude<GitRef, { commit: string }>): string => {
  if ('branch' in ref) return `refs/heads/${ref.branch}`
  return 'tag' in ref ? `refs/tags/${ref.tag}` : 'HEAD'
}

/**
 * Has the object in the mirror, with the history since what was fetched before, or none. `since` is fetched as well
 * where the mirror is new. Throws SOURCE_FETCH, SOURCE_VANISHED, and SOURCE_HOSTILE for what does not pass fsck.
 */
export async function fetchObject(doors: GitDoors, origin: Origin, object: string, since?: string): Promise<void> {
  try {
    await fetchOnce(doors, origin, object, since)
  } catch (error) {
    // What a killed run or a full disk has left. The mirror is a copy: the next one is as good.
    if (!isTspodError(error, 'SOURCE_FETCH') || !DAMAGE.test(error.details ?? '')) throw error
    await removeTree(origin.mirror)
    await fetchOnce(doors, origin, object, since)
  }
}

const DAMAGE =
  /\.lock': File exists|not a git repository|is (?:empty|corrupt)|bad (?:object|tree|config)|unable to read|could not parse|missing (?:blob|tree|commit)|did not send all necessary objects|cannot lock ref|invalid index-pack|does not match index/i

async function fetchOnce(doors: GitDoors, origin: Origin, object: string, since: string | undefined): Promise<void> {
  const isNew = !existsSync(join(origin.mirror, 'HEAD'))
  if (isNew) makeMirror(origin.mirror, object.length === 64)
  if (isNew && since !== undefined && since !== object && since.length === object.length) {
    // Gone from the remote is an answer too: then the new one is no descendant of it.
    await fetchArgs(doors, origin, since, ['--depth=1']).catch(error => {
      if (!isTspodError(error, 'SOURCE_VANISHED')) throw error
    })
  }
  await fetchArgs(doors, origin, object, existsSync(join(origin.mirror, 'shallow')) ? [] : ['--depth=1'])
}

async function fetchArgs(doors: GitDoors, origin: Origin, object: string, args: readonly string[]): Promise<void> {
  const quiet = ['--quiet', '--force', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules']
  const { access, remote } = origin
  await overTheWire(doors, origin, [
    'fetch',
    ...quiet,
    ...args,
    ...access.args,
    '--',
    remote.url,
    `+${object}:${FETCHED}`,
  ])
}

async function overTheWire(doors: GitDoors, origin: Origin, args: readonly string[]): Promise<string> {
  const { access, mirror, timeoutMs, remote } = origin
  try {
    // Asking takes no repository, and one that is damaged would be in the way.
    const where = args[0] === 'ls-remote' ? '/nonexistent' : mirror
    const running = git(doors, where, args, { ...access, timeoutMs })
    if (args[0] === 'fetch') doors.fetching?.()
    const finished = await running
    if (finished.exitCode === 0) return finished.stdout
    throw whatFailed(origin, finished)
  } catch (error) {
    if (!isTspodError(error, 'COMMAND_TIMEOUT')) throw error
    throw fetchFailure(
      `${remote.url} did not answer within ${Math.round(timeoutMs / 1000)} s`,
      'see whether it can be reached from here: git ls-remote',
      { cause: error },
    )
  }
}

/** git says why in words only. */
function whatFailed({ remote, access }: Origin, finished: Finished): TspodError {
  const { stderr } = finished
  const details = { details: stderr.trim() }
  if (/No space left on device|Disk quota exceeded/i.test(stderr)) {
    const remedy = 'free some space: df -h shows where it is missing'
    return new TspodError('HOST_EXHAUSTED', `cannot fetch ${remote.url}: ${lastWords(finished)}`, {
      ...details,
      remedy,
    })
  }
  if (/File too large|signal 25|SIGXFSZ/i.test(stderr) || finished.exitCode === 153) {
    refuse(remote.url, [{ file: 'the repository', why: 'is larger than what is taken of one' }])
  }
  if (
    /fsck error|error: object [0-9a-f]+: |not a valid object|hash mismatch|inflate: data stream error/i.test(stderr)
  ) {
    refuse(remote.url, [{ file: 'the repository', why: `has an object that git refuses: ${lastWords(finished)}` }])
  }
  if (/not our ref|unadvertised object|couldn't find remote ref|remote error: upload-pack: not our ref/i.test(stderr)) {
    return vanished(
      `${remote.url} does not have that commit`,
      'name a branch, a tag, or a commit that is there',
      details,
    )
  }
  if (/does not appear to be a git repository|permission denied/i.test(stderr) && access.as && isThere(remote)) {
    return fetchFailure(
      `${remote.url} cannot be read as user ${access.as}, whom it belongs to`,
      'let that user enter the directories above it, or give it to root with all that is in it: chown -R root:root',
      details,
    )
  }
  if (
    /does not appear to be a git repository|repository .*not found|does not exist|no such file or directory/i.test(
      stderr,
    )
  ) {
    return vanished(
      `${remote.url}: ${lastWords(finished)}`,
      'nothing was changed: check the URL, and who may read it',
      details,
    )
  }
  return fetchFailure(`cannot fetch ${remote.url}: ${lastWords(finished)}`, remedyFor(stderr), details)
}

const isThere = ({ local }: Remote): boolean => local !== undefined && existsSync(local)

function remedyFor(stderr: string): string {
  if (/Host key verification failed/i.test(stderr)) {
    return 'check its fingerprint, then: ssh-keyscan HOST >>FILE, and name that file: --known-hosts FILE'
  }
  if (/terminal prompts disabled|could not read Username|Authentication failed|403|401/i.test(stderr)) {
    return 'give a token that may read it: --token-file FILE'
  }
  if (/Permission denied/i.test(stderr)) return 'give a key that may read it: --ssh-key FILE'
  if (/certificate/i.test(stderr)) return 'name the certificates to trust: --ca-file FILE'
  return 'nothing was changed, the next run tries again; try it by hand: git ls-remote URL'
}

const noRef = (remote: Remote, name: string): TspodError =>
  vanished(`${remote.url} has no ${name}`, 'nothing was changed: check the name of the branch or tag')

/** Whether one commit is in the history of another; false also where it is not known any more. */
export async function isAncestor(doors: GitDoors, mirror: string, old: string, young: string): Promise<boolean> {
  const { exitCode } = await git(doors, mirror, ['merge-base', '--is-ancestor', old, young])
  return exitCode === 0
}

/** Packs, and loose objects of one of 256 kinds, from which on git itself would tidy up. */
const MANY_PACKS = 50
const MANY_LOOSE = 27

/** True for a mirror in so many pieces that reading it gets slow. */
export function isInPieces(mirror: string): boolean {
  const packs = entryNames(join(mirror, 'objects/pack')).filter(name => name.endsWith('.pack'))
  return packs.length > MANY_PACKS || entryNames(join(mirror, 'objects/17')).length > MANY_LOOSE
}
