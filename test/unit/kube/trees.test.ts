/** What is remembered of a text reads as the text does: places, mistakes and all. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { examine, rememberTrees, translate } from '../../../src/kube/index.ts'

const ROOT = join(import.meta.dirname, '../../..')
/** Examples, and inputs of golden tests, broken ones among them. */
const FILES = ['examples/manifests', 'test/golden/kube', 'test/golden/broken'].flatMap(folder =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.yaml'))
    .map(name => join(folder, name)),
)
const optionsWith = (memory = rememberTrees(undefined)) => ({ baseDirectory: '/', memory })
const text = (...lines: string[]): string => `${lines.join('\n')}\n`
const MAP = text('apiVersion: v1', 'kind: ConfigMap', 'metadata: {name: a}', 'data: {k: "v"}')

test.each(FILES)('%s', name => {
  const source = { file: name, text: readFileSync(join(ROOT, name), 'utf8') }
  const plain = examine([source], { baseDirectory: '/' })
  const memory = rememberTrees(undefined)
  expect(examine([source], optionsWith(memory))).toEqual(plain)
  const stored = memory.toStore() ?? ''
  const again = rememberTrees(stored)
  expect(examine([source], optionsWith(again))).toEqual(plain)
  expect(again.toStore()).toBeUndefined()
  if (plain.mistakes.length > 0) return
  expect(translate([source], optionsWith(rememberTrees(stored)))).toEqual(translate([source], { baseDirectory: '/' }))
})

describe('remembered is', () => {
  const kept = (...texts: string[]): string[] => {
    const memory = rememberTrees(undefined)
    examine(
      texts.map((each, index) => ({ file: `${index}.yaml`, text: each })),
      optionsWith(memory),
    )
    const { trees } = JSON.parse(memory.toStore() ?? '{"trees":[]}') as { trees: [string, unknown][] }
    return trees.map(([of]) => of)
  }

  test('a text without a mistake, whatever it means', () => {
    expect(kept(MAP, 'kind: Nonsense\n')).toEqual([MAP, 'kind: Nonsense\n'])
  })

  test('no text with a mistake, which has to be told each time', () => {
    expect(kept('a: [1\n', text('a: 1', 'a: 2'), 'a: !!binary x\n')).toEqual([])
  })

  test('no text with aliases, whose tree is larger than it seems', () => {
    expect(kept(text('a: &one [1, 2]', 'b: *one'))).toEqual([])
  })

  test('what is new once it is more than a tenth, or what is gone half of the rest', () => {
    const files = (count: number, value: string) =>
      Array.from({ length: count }, (_, n) => ({ file: `${n}.yaml`, text: MAP.replace('name: a', `name: a${n}`) })).map(
        (file, n) => (n === 0 ? { ...file, text: MAP.replace('"v"', `"${value}"`) } : file),
      )
    const read = (stored: string | undefined, count: number, value: string): string | undefined => {
      const memory = rememberTrees(stored)
      examine(files(count, value), optionsWith(memory))
      return memory.toStore()
    }
    const stored = read(undefined, 12, 'v')
    expect(read(stored, 12, 'w')).toBeUndefined()
    expect(read(stored, 9, 'v')).toBeUndefined()
    expect(read(stored, 7, 'v')).toBeDefined()
    expect(read(read(undefined, 9, 'v'), 9, 'w')).toContain('"w"')
  })

  test('only what was asked for last', () => {
    const first = rememberTrees(undefined)
    examine([{ file: 'a.yaml', text: MAP }], optionsWith(first))
    const other = MAP.replace('name: a', 'name: b')
    const second = rememberTrees(first.toStore())
    examine([{ file: 'a.yaml', text: other }], optionsWith(second))
    expect(second.toStore()).toContain('name: b')
    expect(second.toStore()).not.toContain('name: a')
  })
})

test.each(['', '{', 'null', '[]', '{"format":1}', '{"format":2,"trees":[["a: b\\n",[]]]}'])(
  'something else is forgotten: %s',
  stored => {
    const memory = rememberTrees(stored)
    const source = { file: 'a.yaml', text: MAP }
    expect(examine([source], optionsWith(memory))).toEqual(examine([source], { baseDirectory: '/' }))
    expect(memory.toStore()).toBeDefined()
  },
)
