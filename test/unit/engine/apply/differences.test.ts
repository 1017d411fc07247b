import { describe, expect, test } from '@jest/globals'
import { differences, same } from '../../../../src/engine/apply/differences.ts'

describe('differences', () => {
  const cases: Record<string, [before: unknown, after: unknown, lines: string[]]> = {
    'of the same data there are none, whatever the order of members': [
      { a: 1, b: [{ c: 2 }] },
      { b: [{ c: 2 }], a: 1 },
      [],
    ],
    'a member that is undefined is not there': [{ a: undefined }, {}, []],
    'a value': [{ a: { b: 1 } }, { a: { b: 2 } }, ['spec.a.b: 1 -> 2']],
    'what comes and what goes': [{ a: 1 }, { b: 'x' }, ['spec.a: 1 -> (none)', 'spec.b: (none) -> x']],
    'items are found by their name': [
      {
        containers: [
          { name: 'web', image: 'a' },
          { name: 'db', image: 'b' },
        ],
      },
      { containers: [{ name: 'web', image: 'c' }] },
      ['spec.containers[web].image: a -> c', 'spec.containers[db]: {"name":"db","image":"b"} -> (none)'],
    ],
    'the order of such items is told when nothing else differs': [
      [{ name: 'a' }, { name: 'b' }],
      [{ name: 'b' }, { name: 'a' }],
      ['spec: order a, b -> order b, a'],
    ],
    'items without a name of their own by their number': [
      { l: [{ x: 1 }, { x: 2 }] },
      { l: [{ x: 1 }, { x: 3 }] },
      ['spec.l[1].x: 2 -> 3'],
    ],
    'a list of words is one thing': [
      ['sh', '-c', 'a'],
      ['sh', '-c', 'b'],
      ['spec: ["sh","-c","a"] -> ["sh","-c","b"]'],
    ],
    'keys that are no words stand in brackets': [{}, { 'a.b/c': 'd' }, ['spec[a.b/c]: (none) -> d']],
    'several lines are one': [{ t: 'a\nb' }, { t: 'c' }, ['spec.t: "a\\nb" -> c']],
    'long values are cut': [{ t: '' }, { t: 'x'.repeat(200) }, [`spec.t:  -> ${'x'.repeat(120)}…`]],
  }
  for (const [name, [before, after, lines]] of Object.entries(cases)) {
    test(name, () => {
      const said = differences(before, after, 'spec').map(
        change => `${change.path}: ${change.before ?? '(none)'} -> ${change.after ?? '(none)'}`,
      )
      expect(said).toEqual(lines)
      expect(same(before, after)).toBe(lines.length === 0)
    })
  }
})
