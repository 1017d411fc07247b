/** The files of a commit, out of the mirror: one process tells their names, one their contents. */

import { fetchFailure, vanished } from './failure.ts'
import { type GitDoors, gitOutput } from './git.ts'
import { KUSTOMIZATIONS } from './manifests.ts'
import { LIMITS, type Tree, type TreeEntry } from './tree.ts'

type GitEntry = TreeEntry & { object: string }

/** The contents that one process prints at most. */
const BATCH_BYTES = LIMITS.fileBytes

/**
 * The tree of a commit below `base`; all of it where a kustomization is there, which may name files anywhere in it.
 * Throws SOURCE_VANISHED when the commit has no such directory, SOURCE_FETCH when the mirror lacks it.
 */
export async function readCommit(
  doors: GitDoors,
  mirror: string,
  commit: string,
  base: string,
  where: string,
): Promise<Tree> {
  const below = await listCommit(doors, mirror, commit, base)
  if (below.length === 0 && base !== '') {
    throw vanished(`${where} has no directory ${base} at ${commit.slice(0, 12)}`, 'nothing was changed: check --path')
  }
  const prefix = base === '' ? '' : `${base}/`
  const isKustomized = KUSTOMIZATIONS.some(name => below.some(({ path }) => path === prefix + name))
  const entries = isKustomized && base !== '' ? await listCommit(doors, mirror, commit, '') : below
  const objects = new Map(entries.map(({ path, object }) => [path, object]))
  const sizes = new Map(entries.map(({ object, bytes }) => [object, bytes]))
  return {
    ...{ where, base, entries },
    read: async paths => {
      const wanted = paths.map(path => [path, objects.get(path) ?? ''] as const)
      const blobs = await readBlobs(doors, mirror, [...new Set(wanted.map(([, object]) => object))], sizes)
      return new Map(wanted.map(([path, object]) => [path, blobs.get(object) ?? Buffer.alloc(0)]))
    },
  }
}

async function listCommit(doors: GitDoors, mirror: string, commit: string, base: string): Promise<GitEntry[]> {
  const args = ['ls-tree', '-r', '-z', '-l', '--full-tree', `${commit}^{commit}`]
  const stdout = await gitOutput(doors, mirror, base === '' ? args : [...args, '--', `${base}/`], { bytes: true })
  return stdout.split('\0').flatMap(line => entryOf(line) ?? [])
}

/** A line of ls-tree: mode, type, object, size, and after a tab the name. */
function entryOf(line: string): GitEntry | undefined {
  const [, mode = '', object = '', size = '', name = ''] = /^(\d+) \w+ ([0-9a-f]+) +(\d+|-)\t(.*)$/s.exec(line) ?? []
  if (mode === '') return undefined
  const path = Buffer.from(name, 'latin1').toString('utf8')
  return { path, kind: kindOfMode(mode), bytes: size === '-' ? 0 : Number(size), object }
}

function kindOfMode(mode: string): TreeEntry['kind'] {
  if (mode === '160000') return 'submodule'
  if (mode === '120000') return 'link'
  return mode === '100755' ? 'executable' : 'file'
}

async function readBlobs(
  doors: GitDoors,
  mirror: string,
  objects: readonly string[],
  sizes: ReadonlyMap<string, number>,
): Promise<Map<string, Buffer>> {
  const blobs = new Map<string, Buffer>()
  for (const batch of batchesOf(objects, sizes)) {
    const stdout = await gitOutput(doors, mirror, ['cat-file', '--batch'], {
      bytes: true,
      input: `${batch.join('\n')}\n`,
    })
    takeBlobs(Buffer.from(stdout, 'latin1'), blobs)
  }
  return blobs
}

function batchesOf(objects: readonly string[], sizes: ReadonlyMap<string, number>): string[][] {
  const batches: string[][] = []
  let room = 0
  for (const object of objects) {
    const bytes = sizes.get(object) ?? 0
    if (batches.length === 0 || bytes > room) {
      batches.push([])
      room = BATCH_BYTES
    }
    batches.at(-1)?.push(object)
    room -= bytes
  }
  return batches
}

/** Of each: a line with name, type and size, the content, a line feed. */
function takeBlobs(output: Buffer, blobs: Map<string, Buffer>): void {
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf('\n', at)
    const [object = '', type = '', size = ''] = output.toString('latin1', at, end).split(' ')
    if (end < 0 || type !== 'blob') {
      throw fetchFailure(`the object ${object} is not in our copy of the repository`, 'run it again', {
        details: `missing blob ${object}`,
      })
    }
    const start = end + 1
    blobs.set(object, output.subarray(start, start + Number(size)))
    at = start + Number(size) + 1
  }
}
