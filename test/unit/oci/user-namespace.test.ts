import { describe, expect, test } from '@jest/globals'
import { insideOf, outsideOf } from '../../../src/namespaces.ts'
import { mapsOwnersRight } from '../../../src/oci/runtime/index.ts'
import { chooseIds, parseSubordinate } from '../../../src/oci/user-namespace.ts'

const POOL = [{ outside: 100_000, count: 3 * 65_536 }]
const auto = (count: number, uids: Range[] = [], gids: Range[] = []) => ({ mode: 'auto' as const, count, uids, gids })
type Range = { inside: number; outside: number; count: number }
const range = (inside: number, outside: number, count: number): Range => ({ inside, outside, count })

describe('ids of the host for a pod', () => {
  test('are the first that nobody has', () => {
    expect(chooseIds(auto(65_536), POOL, [])).toEqual({
      uids: [range(0, 100_000, 65_536)],
      gids: [range(0, 100_000, 65_536)],
    })
    expect(chooseIds(auto(65_536), POOL, [range(0, 100_000, 65_536)]).uids).toEqual([range(0, 165_536, 65_536)])
  })

  test('do not touch ranges of another width, and begin at multiples', () => {
    expect(chooseIds(auto(10), POOL, [range(0, 100_000, 1)]).uids).toEqual([range(0, 165_536, 10)])
    expect(chooseIds(auto(65_537), POOL, [range(0, 90_000, 10_001)]).uids).toEqual([range(0, 165_536, 65_537)])
  })

  test('come from the next part of the pool when one is full', () => {
    const pool = [{ outside: 10, count: 5 }, ...POOL]
    expect(chooseIds(auto(6), pool, []).uids).toEqual([range(0, 100_000, 6)])
  })

  test('leave out what was given, on both sides', () => {
    expect(chooseIds(auto(100, [range(10, 100_005, 5)]), POOL, [])).toEqual({
      uids: [range(0, 165_536, 10), range(10, 100_005, 5), range(15, 165_551, 85)],
      gids: [range(0, 165_536, 100)],
    })
  })

  test('run out', () => {
    expect(() => chooseIds(auto(65_536), POOL, [range(0, 0, 2 ** 31)])).toThrow('could not find enough available IDs')
  })

  test('are those of “containers” in /etc/subuid', () => {
    expect(parseSubordinate('me:1:2\ncontainers:2147483647:2147483648\n#containers:1:1\ncontainers:5:x\n')).toEqual([
      { outside: 2_147_483_647, count: 2_147_483_648 },
    ])
  })
})

test('an id inside has one outside, and back', () => {
  const ranges = [range(0, 1000, 10), range(20, 5000, 1)]
  expect([0, 9, 10, 20].map(id => outsideOf(ranges, id))).toEqual([1000, 1009, undefined, 5000])
  expect([1000, 1009, 1010, 5000, 0].map(id => insideOf(ranges, id))).toEqual([0, 9, undefined, 20, undefined])
})

test('only runtimes that were seen to keep mount options may run in a user namespace', () => {
  const cases: [string, string, boolean][] = [
    ['runc', '1.1.5', true],
    ['crun', '1.8.1', false],
    ['crun', '1.20', false],
    ['crun', '1.21', true],
    ['crun', '1.28', true],
    ['youki', '0.3.0', false],
  ]
  for (const [name, version, right] of cases) expect(mapsOwnersRight({ name, version })).toBe(right)
})
