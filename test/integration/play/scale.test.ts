/** The small form of `make scale` and `make leak`. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { countWhilePlaying, trends } from '../../support/leak-run.ts'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { downOfAll, playsAtOnce, podsAtOnce } from '../../support/scale.ts'
import { readyCell } from '../../support/tspod.ts'

const PLAYS = 8
const PODS = 12
const RUNS = 10

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterAll(() => cell?.remove())

test(`${PLAYS} plays of one file at once: one wins, the others say that it exists, and there is one pod`, () =>
  withLeakCheck(cell, async () => {
    const { succeeded, refused, otherwise, pods } = await playsAtOnce(cell, PLAYS)
    expect({ succeeded, refused, otherwise, pods }).toEqual({
      ...{ succeeded: 1, refused: PLAYS - 1, otherwise: [], pods: 1 },
    })
    await downOfAll(cell, 0)
  }))

test(`${PODS} different pods at once: all up, each with an address of its own`, () =>
  withLeakCheck(cell, async () => {
    const { running, addresses, busy, otherwise } = await podsAtOnce(cell, PODS)
    expect({ running, addresses, busy, otherwise }).toEqual({ running: PODS, addresses: PODS, busy: 0, otherwise: [] })
    await downOfAll(cell, PODS)
  }))

test(`${RUNS} times played and taken down: nothing has grown`, async () => {
  const found = trends(await countWhilePlaying(cell, RUNS, RUNS))
  expect(found.filter(({ verdict }) => verdict === 'leaks')).toEqual([])
  expect(found.length).toBeGreaterThan(20)
})
