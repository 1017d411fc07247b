/** From a tree to the texts of its manifests: which they are, that they are honest, and that they are text. */
import { posix } from 'node:path'
import { TspodError } from '../errors.ts'
import { empty, type Refusal, refuse } from './failure.ts'
import { IGNORE_FILE, selectManifests } from './manifests.ts'
import { kindsOf, LIMITS, refusedNames, resolveIn, type Tree, type TreeEntry } from './tree.ts'

export type Material = {
  /** By their paths in the tree, in order. */
  files: { file: string; text: string }[]
  notes: string[]
  /** Path in the tree of a kustomization, which has to be built; then there are no files yet. */
  kustomization?: string
  /** Some manifest may name files beside it. */
  needsTree: boolean
}

/** What a manifest must have in it when it wants files of its own source: a hostPath, or a claim with its content. */
const NAMES_FILES = /hostPath|import-source/
/** What Git LFS puts in the place of a file. */
const LFS_POINTER = 'version https://git-lfs.github.com/spec/'

/**
 * Throws SOURCE_HOSTILE with everything that is refused, SOURCE_EMPTY when there is no manifest, MANIFEST_UNREADABLE for
 * one that is not UTF-8 text.
 */
export async function readMaterial(tree: Tree, recursive: boolean): Promise<Material> {
  const { entries, where, base } = tree
  refuse(where, refusedNames(entries, where))
  const prefix = base === '' ? '' : `${base}/`
  const inside = entries.filter(({ path, kind }) => path.startsWith(prefix) && kind !== 'submodule')
  const names = inside.map(({ path }) => path.slice(prefix.length))
  const ignore = names.includes(IGNORE_FILE)
    ? textOf(await tree.read([prefix + IGNORE_FILE]), prefix + IGNORE_FILE)
    : ''
  const selection = selectManifests(names, recursive, ignore)
  const notes = [...selection.notes, ...submoduleNotes(entries)]
  const links = entries.filter(({ kind }) => kind === 'link').map(({ path }) => path)
  const paths = selection.manifests.map(name => prefix + name)
  const contents = await tree.read([...new Set([...paths, ...links])])
  const targets = checkedTargets(tree, links, paths, contents)
  if (selection.kustomization !== undefined) {
    return { files: [], notes, kustomization: prefix + selection.kustomization, needsTree: true }
  }
  const files = await textsOf(tree, paths, targets, contents)
  if (files.length === 0) throw noManifest(where, base, notes, recursive)
  return { files, notes, needsTree: files.some(({ text }) => NAMES_FILES.test(text)) }
}

/** Where each link leads. Throws SOURCE_HOSTILE for those that lead out, and for too many or too large manifests. */
function checkedTargets(
  { entries, where }: Tree,
  links: readonly string[],
  manifests: readonly string[],
  contents: ReadonlyMap<string, Buffer>,
): Map<string, string> {
  const kinds = kindsOf(entries)
  const written = new Map(links.map(path => [path, contents.get(path)?.toString('utf8') ?? '']))
  const targets = new Map<string, string>()
  const refusals: Refusal[] = []
  for (const path of links) {
    const found = resolveIn(kinds, written, path)
    // A link to nothing does no harm where nobody reads it: editors mark files that way.
    if ('at' in found) targets.set(path, found.at)
    else if (!found.problem.endsWith('nowhere') || manifests.includes(path))
      refusals.push({ file: path, why: found.problem })
  }
  if (manifests.length > LIMITS.manifests) {
    refusals.push({ file: where, why: `holds more than ${LIMITS.manifests} manifests` })
  }
  refuse(where, refusals)
  return targets
}

async function textsOf(
  tree: Tree,
  paths: readonly string[],
  targets: ReadonlyMap<string, string>,
  contents: ReadonlyMap<string, Buffer>,
): Promise<Material['files']> {
  const kinds = kindsOf(tree.entries)
  const real = paths.map(path => ({ file: path, from: targets.get(path) ?? path }))
  const files = real.filter(({ from }) => ['file', 'executable'].includes(kinds.get(from) ?? ''))
  const missing = files.map(({ from }) => from).filter(from => !contents.has(from))
  const more = missing.length === 0 ? contents : new Map([...contents, ...(await tree.read([...new Set(missing)]))])
  return files.map(({ file, from }) => ({ file, text: textOf(more, from) }))
}

function textOf(contents: ReadonlyMap<string, Buffer>, path: string): string {
  const bytes = contents.get(path) ?? Buffer.alloc(0)
  if (bytes.length > LIMITS.manifestBytes) {
    throw unreadable(
      `${path} is larger than ${LIMITS.manifestBytes / 1024 / 1024} MiB`,
      'split it into several manifests',
    )
  }
  if (bytes.subarray(0, LFS_POINTER.length).toString('latin1') === LFS_POINTER) {
    throw unreadable(`${path} is kept by Git LFS, which is not followed`, 'commit the manifest itself')
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw unreadable(`${path} is not UTF-8 text`, 'convert it, for example with iconv -t UTF-8', cause)
  }
}

const unreadable = (message: string, remedy: string, cause?: unknown): TspodError =>
  new TspodError('MANIFEST_UNREADABLE', message, { remedy, cause })

const submoduleNotes = (entries: readonly TreeEntry[]): string[] =>
  entries.filter(({ kind }) => kind === 'submodule').map(({ path }) => `${path} is a submodule, which is not followed`)

function noManifest(where: string, base: string, notes: readonly string[], recursive: boolean): TspodError {
  const deeper = recursive ? '' : ', or give --recursive when they are in subdirectories'
  return empty(
    `${posix.join(where, base)} holds no manifest`,
    `nothing was changed; put *.yaml, *.yml or *.json there${deeper}; to remove everything, remove the source`,
    notes.length === 0 ? {} : { details: notes.join('\n') },
  )
}
