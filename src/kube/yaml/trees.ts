/**
 * Trees of texts that were read before. Reading YAML takes most of the time of a translation, and of a hundred
 * manifests in a directory one has changed. What is kept is of the text alone, so nothing of it can be out of date.
 */
import type { MapNode, ScalarNode, YamlNode } from './read.ts'

/** Documents by the text that they were read from: of texts without a mistake, and without aliases. */
export type TreeMemory = {
  recall(text: string): YamlNode[] | undefined
  keep(text: string, documents: YamlNode[]): void
}

/** Whoever changes what a tree is made of counts this up: trees of another format are read anew. */
const FORMAT = 1

/** So much of what is asked for may be missing in what is stored, and so many times as much may be in it. */
const FEW = 0.1
const MANY = 1.5

type PackedNode =
  | [0, start: number, end: number, text: string, plain: 0 | 1, tag?: string]
  | [1, start: number, end: number, entries: [name: string, start: number, end: number, value: PackedNode][]]
  | [2, start: number, end: number, items: PackedNode[]]

type Packed = { format: number; trees: [text: string, documents: PackedNode[]][] }

/**
 * A memory of what `stored` holds, which is of an earlier one; whatever else it is, it is forgotten. `toStore` answers
 * the trees that were asked for since then, undefined when `stored` has all but a few of those: to read ten texts of a
 * hundred takes no longer than to write a hundred trees.
 */
export function rememberTrees(stored: string | undefined): TreeMemory & { toStore(): string | undefined } {
  const known = unpackAll(stored)
  const used = new Map<string, PackedNode[]>()
  let added = 0
  return {
    recall: text => {
      const documents = known.get(text)
      if (documents === undefined) return undefined
      used.set(text, documents)
      return documents.map(unpack)
    },
    keep: (text, documents) => {
      added += 1
      used.set(text, documents.map(pack))
    },
    toStore: () =>
      added > used.size * FEW || known.size > used.size * MANY
        ? JSON.stringify({ format: FORMAT, trees: [...used] } satisfies Packed)
        : undefined,
  }
}

function unpackAll(stored: string | undefined): Map<string, PackedNode[]> {
  if (stored === undefined) return new Map()
  try {
    const { format, trees } = JSON.parse(stored) as Packed
    return new Map(format === FORMAT ? trees : [])
  } catch {
    // Half written, or of somebody else: then it is read anew.
    return new Map()
  }
}

function pack(node: YamlNode): PackedNode {
  const { start, end } = node
  if (node.kind === 'list') return [2, start, end, node.items.map(pack)]
  if (node.kind === 'map') {
    const entries = [...node.entries]
    return [1, start, end, entries.map(([name, { key, value }]) => [name, key.start, key.end, pack(value)])]
  }
  const { text, plain, tag } = node
  return tag === undefined ? [0, start, end, text, plain ? 1 : 0] : [0, start, end, text, plain ? 1 : 0, tag]
}

function unpack(packed: PackedNode): YamlNode {
  const [, start, end] = packed
  if (packed[0] === 2) return { kind: 'list', start, end, items: packed[3].map(unpack) }
  if (packed[0] === 1) {
    const entries: MapNode['entries'] = new Map()
    for (const [name, from, to, value] of packed[3])
      entries.set(name, { key: { start: from, end: to }, value: unpack(value) })
    return { kind: 'map', start, end, entries }
  }
  const [, , , text, plain, tag] = packed
  const scalar: ScalarNode = { kind: 'scalar', start, end, text, plain: plain === 1 }
  return tag === undefined ? scalar : { ...scalar, tag }
}
