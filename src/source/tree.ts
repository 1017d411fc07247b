/** A source's files at one moment, from wherever they come. */
import { isTreacherous, type Refusal } from './failure.ts'

export type TreeEntry = {
  /** Relative to the top of the tree. */
  path: string
  /** A submodule is the place of another repository, which is not followed. */
  kind: 'file' | 'executable' | 'link' | 'submodule'
  bytes: number
  /** What git calls its content. */
  object?: string
}

export type Tree = {
  /** What messages call its top. */
  where: string
  /** The directory inside it that holds the manifests; empty for the top. */
  base: string
  entries: readonly TreeEntry[]
  /** Contents of files, and targets of links, by path. Throws an error of Node's when one of them is no entry. */
  read(paths: readonly string[]): Promise<Map<string, Buffer>>
}

/** What a source may hold; more of it is no app's manifests. */
export const LIMITS = {
  entries: 20_000,
  depth: 32,
  pathCharacters: 1024,
  fileBytes: 64 * 1024 * 1024,
  /** A manifest: no more passes the translator's limits. */
  manifestBytes: 16 * 1024 * 1024,
  manifests: 2000,
  totalBytes: 256 * 1024 * 1024,
}

/** Every name and size that is refused, whatever the content. */
export function refusedNames(entries: readonly TreeEntry[], where: string): Refusal[] {
  const total = entries.reduce((sum, entry) => sum + entry.bytes, 0)
  const whole: Refusal[] = []
  if (entries.length > LIMITS.entries) whole.push({ file: where, why: `holds more than ${LIMITS.entries} files` })
  if (total > LIMITS.totalBytes) whole.push({ file: where, why: `holds more than ${mib(LIMITS.totalBytes)} MiB` })
  if (whole.length > 0) return whole
  return entries.flatMap(({ path, bytes }) => {
    const why = nameProblem(path) ?? (bytes > LIMITS.fileBytes ? tooLarge(LIMITS.fileBytes) : undefined)
    return why === undefined ? [] : [{ file: path, why }]
  })
}

export const mib = (bytes: number): number => bytes / 1024 / 1024
export const tooLarge = (bytes: number): string => `is larger than ${mib(bytes)} MiB`

/** Why a path is not taken; undefined for an honest one. */
export function nameProblem(path: string): string | undefined {
  if (isTreacherous(path)) return 'has a name with characters that cannot be seen, or that is not UTF-8'
  if (path.length > LIMITS.pathCharacters) return 'has a name that is too long'
  const parts = path.split('/')
  if (parts.length > LIMITS.depth) return `is more than ${LIMITS.depth} directories deep`
  if (parts.some(part => part === '' || part === '.' || part === '..')) return 'has a name that leads out'
  if (parts.some(part => part.toLowerCase() === '.git')) return 'belongs to a repository inside this one'
  return undefined
}

const MAX_LINKS = 40

/**
 * Where the path leads in a tree of nothing but these entries, links followed: the entry, `directory`, or why not.
 * `links` are the targets of all links, by path.
 */
export function resolveIn(
  kinds: ReadonlyMap<string, TreeEntry['kind'] | 'directory'>,
  links: ReadonlyMap<string, string>,
  path: string,
): { at: string } | { problem: string } {
  const trail: string[] = []
  const todo = path.split('/').reverse()
  let followed = 0
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    if (part === '' || part === '.') continue
    if (part === '..') {
      if (trail.length === 0) return { problem: 'is a link that leads out' }
      trail.pop()
      continue
    }
    const here = [...trail, part].join('/')
    const kind = kinds.get(here)
    if (kind !== 'link') {
      if (kind === undefined || (kind !== 'directory' && todo.length > 0)) {
        return { problem: 'is a link that leads nowhere' }
      }
      trail.push(part)
      continue
    }
    const target = links.get(here) ?? ''
    if (target.startsWith('/')) return { problem: 'is a link that leads out' }
    if (++followed > MAX_LINKS) return { problem: 'is a loop of links' }
    todo.push(...target.split('/').reverse())
  }
  return { at: trail.join('/') }
}

/** What each path of a tree is, with the directories that the entries lie in. */
export function kindsOf(entries: readonly TreeEntry[]): Map<string, TreeEntry['kind'] | 'directory'> {
  const kinds = new Map<string, TreeEntry['kind'] | 'directory'>()
  for (const { path, kind } of entries) {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      kinds.set(path.slice(0, end), 'directory')
    }
    kinds.set(path, kind)
  }
  return kinds
}
