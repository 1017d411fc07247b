import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { describeLeaks, difference, snapshotIn, withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { containers, example, launcher, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'

const FILE = '08-three-of-everything.yaml'
const MOMENTS = 12
/** A play of that file takes about this long; the last moments fall into its end. */
const LATEST_MS = 1_200
/** Set TSPOD_TEST_SEED to the printed number to see the same moments again. */
const seed = Number(process.env.TSPOD_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** Numbers between 0 and 1 that depend on the seed alone (mulberry32). */
function* numbers(from: number): Generator<number, never> {
  for (let state = from; ; ) {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    yield ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const random = numbers(seed)
const moments = Array.from({ length: MOMENTS }, (_, index) => {
  // One in each twelfth of the play, so that no part of it is left out.
  return Math.round(((index + random.next().value) / MOMENTS) * LATEST_MS)
})

const killedAfter = (ms: number, ...args: string[]): Promise<unknown> =>
  cell.sh(`${launcher(cell)} ${args.join(' ')} >/dev/null 2>&1 & victim=$!; sleep ${ms / 1000}; kill -9 $victim; wait`)

for (const ms of moments) {
  test(`killed ${ms} ms into a play (seed ${seed}): the same play works, and down leaves nothing`, () =>
    withLeakCheck(cell, async () => {
      await killedAfter(ms, 'kube', 'play', example(cell, FILE))
      const again = await tspod(cell, ['kube', 'play', example(cell, FILE)])
      // Killed when it was all but done, the pod is simply there.
      if (again.exitCode !== 0) expect(again.stderr).toMatch(/is in use: pod already exists/)
      const running = (await containers(cell)).filter(({ state }) => state === 'running')
      expect(running.map(({ name }) => name)).toEqual(['three-web', 'three-echo', 'three-worker'])
      await succeeds(cell, ['kube', 'down', example(cell, FILE)])
    }))
}

for (const ms of moments.slice(0, 6)) {
  test(`killed ${ms} ms into a play (seed ${seed}): down alone leaves nothing`, () =>
    withLeakCheck(cell, async () => {
      await killedAfter(ms, 'kube', 'play', example(cell, FILE))
      await succeeds(cell, ['kube', 'down', example(cell, FILE)])
    }))

  test(`killed ${ms} ms into a down (seed ${seed}): the next down finishes it`, async () => {
    const before = await snapshotIn(cell)
    await withLeakCheck(cell, async () => {
      await succeeds(cell, ['kube', 'play', example(cell, FILE)])
      expect(describeLeaks(difference(before, await snapshotIn(cell)))).toMatch(/processes: conmon/)
      await killedAfter(ms, 'kube', 'down', example(cell, FILE))
      await succeeds(cell, ['kube', 'down', example(cell, FILE)])
    })
  })
}
