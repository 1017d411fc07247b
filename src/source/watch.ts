/** What a systemd path unit watches, so that a change of a source is seen at once. */
import { join } from 'node:path'
import type { SourceFrom, WatchedPath } from './types.ts'

/** What is known of a source when its unit is written. */
export type WatchFacts = {
  /** Directory inside it that holds the manifests. */
  path?: string
  /** Content of .git/HEAD of a checkout. */
  head?: string
  /** Directories below the one with the manifests, relative to it, when those count too. */
  directories?: readonly string[]
}

/**
 * The paths for PathChanged=: of a plain directory itself and what counts below it; of a checkout the files that change
 * with the commit that is checked out, and with the branch. A git URL is asked by a timer: there is nothing to watch.
 * The last component of a path may be missing: a branch without a file of its own is in packed-refs.
 */
export function watchedPaths(from: SourceFrom, facts: WatchFacts = {}): WatchedPath[] {
  if (from.kind === 'git') return []
  if (from.kind === 'directory') {
    const top = join(from.dir, facts.path ?? '')
    return [top, ...(facts.directories ?? []).map(directory => join(top, directory))]
  }
  const git = join(from.dir, '.git')
  const branch = branchOf(facts.head ?? '')
  return [join(git, 'HEAD'), ...(branch === undefined ? [] : [join(git, branch)]), join(git, 'packed-refs')]
}

/** The ref that HEAD names; undefined for a detached HEAD, and for what is no branch. */
export function branchOf(head: string): string | undefined {
  const ref = /^ref: (refs\/heads\/[^\s\0]+)\s*$/.exec(head)?.[1]
  return ref === undefined || ref.split('/').some(part => part === '' || part.startsWith('.')) ? undefined : ref
}
