/** Where links of a tree lead, judged without a file system: the kernel has to agree. */
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { kindsOf, nameProblem, resolveIn, type TreeEntry } from '../../../src/source/tree.ts'
import { fc, seed } from '../../support/property.ts'

let area: string
beforeEach(() => {
  area = fs.mkdtempSync('/tmp/tspod-tree-')
})
afterEach(() => fs.rmSync(area, { recursive: true, force: true }))

const name = fc.constantFrom('a', 'b', 'c')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map(parts => parts.join('/'))
const target = fc
  .array(fc.constantFrom('a', 'b', 'c', '..', '.'), { minLength: 1, maxLength: 5 })
  .map(parts => parts.join('/'))
const trees = fc.array(fc.record({ path, target: fc.option(target, { nil: undefined }) }), {
  minLength: 1,
  maxLength: 8,
})

/** Those of the wishes that can stand side by side. */
function treeOf(wishes: { path: string; target: string | undefined }[]): {
  entries: TreeEntry[]
  links: Map<string, string>
} {
  const entries: TreeEntry[] = []
  const links = new Map<string, string>()
  for (const wish of wishes) {
    const taken = entries.some(
      each => each.path === wish.path || each.path.startsWith(`${wish.path}/`) || wish.path.startsWith(`${each.path}/`),
    )
    if (taken) continue
    entries.push({ path: wish.path, kind: wish.target === undefined ? 'file' : 'link', bytes: 1 })
    if (wish.target !== undefined) links.set(wish.path, wish.target)
  }
  return { entries, links }
}

describe('a link', () => {
  test(`leads where the kernel says, and nowhere that is outside (seed ${seed})`, () => {
    let round = 0
    fc.assert(
      fc.property(trees, wishes => {
        const { entries, links } = treeOf(wishes)
        // Deep enough that nothing outside has one of these names.
        const root = join(area, `${round++}/x/y/z`)
        for (const entry of entries) {
          fs.mkdirSync(dirname(join(root, entry.path)), { recursive: true })
          const to = links.get(entry.path)
          if (to === undefined) fs.writeFileSync(join(root, entry.path), 'x')
          else fs.symlinkSync(to, join(root, entry.path))
        }
        for (const each of links.keys()) {
          const judged = resolveIn(kindsOf(entries), links, each)
          const real = realPath(join(root, each))
          if ('at' in judged) expect([each, real]).toEqual([each, join(root, judged.at)])
          else if (judged.problem !== 'is a link that leads out') expect([each, real]).toEqual([each, undefined])
          else expect(`${real}/`.startsWith(`${root}/`)).toBe(false)
        }
      }),
    )
  })

  function realPath(file: string): string | undefined {
    try {
      return fs.realpathSync.native(file)
    } catch {
      return undefined
    }
  }
})

describe('a name', () => {
  test.each([
    'a/../b',
    '../a',
    './a',
    'a//b',
    '/a',
    '',
    'a/.git/config',
    '.GIT',
    'a\u0000b',
    'a\nb',
    'a\u202eb',
    `${'a/'.repeat(40)}b`,
  ])('%j is refused', text => {
    expect(nameProblem(text)).toBeDefined()
  })
  test.each(['a', 'über/Straße.yaml', '.tspodignore', 'a b/c', '日本.yaml', '-rf', 'git/.gitignore'])(
    '%j is one',
    text => {
      expect(nameProblem(text)).toBeUndefined()
    },
  )
})
