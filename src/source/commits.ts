/** From what a git source names to a commit that is in the mirror, is a descendant of the last one, and is trusted. */
import { join } from 'node:path'
import { accessTo } from './access.ts'
import { checkedOut } from './checkout.ts'
import { rewound, vanished } from './failure.ts'
import { type GitDoors, git } from './git.ts'
import { askRemote, fetchObject, isAncestor, isInPieces, isObjectName, type Origin, type Tip } from './mirror.ts'
import type { SourceDoors, SourceFrom, SourceWish } from './types.ts'
import { localRemote, parseRemote } from './url.ts'

export type GitFrom = Exclude<SourceFrom, { kind: 'directory' }>

const DEFAULT_TIMEOUT_MS = 120_000

/** Our copy of a source's repository. */
export const mirrorOf = (directory: string): string => join(directory, 'mirror.git')

/** The commit that a source names now. Nothing is fetched yet; of a URL the remote is asked. */
export async function currentTip(wish: SourceWish, from: GitFrom, doors: SourceDoors, directory: string): Promise<Tip> {
  if (from.kind === 'checkout') return { commit: checkedOut(from.dir) }
  const { ref } = from
  if (!('commit' in ref)) return askRemote(gitDoors(doors), originOf(wish, from, doors, directory), ref)
  if (isObjectName(ref.commit)) return { commit: ref.commit }
  throw vanished(`"${ref.commit}" is not the whole name of a commit`, 'give all of its digits: git rev-parse COMMIT')
}

/**
 * Has the commit in the mirror. Throws SOURCE_REWOUND when it is not a descendant of the one that was applied, unless
 * that is allowed: of a checkout it always is, since whoever keeps it up to date has decided so.
 */
export async function fetchTip(
  wish: SourceWish,
  from: GitFrom,
  tip: Tip,
  doors: SourceDoors,
  directory: string,
): Promise<void> {
  const origin = originOf(wish, from, doors, directory)
  const { applied } = wish
  const since = applied !== undefined && isObjectName(applied) && from.kind === 'git' ? applied : undefined
  await fetchObject(gitDoors(doors), origin, tip.tag ?? tip.commit, since)
  if (since === undefined || since === tip.commit || mayRewind(wish, from)) return
  if (await isAncestor(gitDoors(doors), origin.mirror, since, tip.commit)) return
  const [old, young] = [since.slice(0, 12), tip.commit.slice(0, 12)]
  throw rewound(
    `the history of ${origin.remote.url} was rewritten: ${young} does not come after ${old}, which is applied`,
    `find out who did that; to take it all the same: tspod gitops reconcile ${wish.name} --rewind`,
  )
}

/** Whether any commit may come after any other: where somebody has said which one it is to be. */
export const mayRewind = ({ applied, allowRewind }: SourceWish, from: GitFrom): boolean =>
  applied === undefined || allowRewind === true || from.kind === 'checkout' || 'commit' in from.ref

/** Has git pack our copy, where that has come to many pieces. What it fails with is no fault of the source. */
export async function tidyMirror(doors: SourceDoors, directory: string): Promise<void> {
  const mirror = mirrorOf(directory)
  if (!isInPieces(mirror)) return
  await git(gitDoors(doors), mirror, ['gc', '--quiet'])
}

/** Programs, and when to stop. */
export const gitDoors = ({ run, signal, fetching }: SourceDoors): GitDoors => ({ run, signal, fetching })

function originOf(wish: SourceWish, from: GitFrom, doors: SourceDoors, directory: string): Origin {
  const remote = from.kind === 'git' ? parseRemote(from.url) : localRemote(join(from.dir, '.git'))
  return {
    remote,
    access: accessTo(remote, wish.credentials ?? {}, doors.env, directory),
    mirror: mirrorOf(directory),
    timeoutMs: wish.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  }
}
