/** F04 to F07: signals in the middle of a play, and many commands that want the same at once. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { faultyCell, others, samples, seed, sh, takeDownOthers, unharmed } from '../support/faults.ts'
import type { Place } from '../support/place.ts'
import { downOfAll, playsAtOnce, podsAtOnce } from '../support/scale.ts'
import { example, launcher, pods, podText, succeeds, tspod } from '../support/tspod.ts'

const FILE = '08-three-of-everything.yaml'
const SIGNALS = { HUP: 129, INT: 130, TERM: 143 }
const LATEST_MS = 1_500
/** Pairs of commands that meet each other. */
const MEETINGS = Number(process.env.SAMPLES ?? 200)
const MEETINGS_LIMIT_MS = MEETINGS * 10_000

let cell: Place
beforeAll(async () => {
  cell = await faultyCell()
}, 60_000)
afterEach(() => takeDownOthers(cell))
afterAll(() => cell?.remove())

describe(`seed ${seed}`, () => {
  for (const [index, ms] of samples(9, 0, LATEST_MS).entries()) {
    const [name, code] = Object.entries(SIGNALS)[index % 3]!
    test(`F04 SIG${name} ${ms} ms into a play: it ends within seconds, with everything undone or the play done`, () =>
      unharmed(cell, async () => {
        const play = `${launcher(cell)} kube play ${example(cell, FILE)} >/dev/null 2>&1`
        const line = `${play} & p=$!; sleep ${ms / 1000}; kill -${name} $p; wait $p; echo $?`
        const ended = Number(await sh(cell, `exec bash -c '${line}'`))
        expect([0, code]).toContain(ended)
        if (ended !== 0) expect(await others(cell)).toEqual([])
        await succeeds(cell, ['kube', 'down', example(cell, FILE)])
      }))
  }
})

test('F05 twenty plays of one file at once: one wins, the others say so, and there is one pod', () =>
  unharmed(cell, async () => {
    const { succeeded, refused, otherwise, pods: found } = await playsAtOnce(cell, 20)
    expect({ succeeded, refused, otherwise, found }).toEqual({ succeeded: 1, refused: 19, otherwise: [], found: 1 })
    await downOfAll(cell, 0)
  }))

test(
  `F06 play and down meet ${MEETINGS} times (seed ${seed}): the last one decides`,
  () =>
    unharmed(cell, async () => {
      const input = podText('fought-over')
      for (const [index, ms] of samples(MEETINGS, 0, 400).entries()) {
        const later = ['kube', index % 2 === 0 ? 'down' : 'play', '-']
        const sooner = ['kube', index % 2 === 0 ? 'play' : 'down', '-']
        const [first, second] = await Promise.all([
          tspod(cell, sooner, { input }),
          cell.sh(`sleep ${ms / 1000}; exec ${launcher(cell)} ${later.join(' ')}`, { input }),
        ])
        for (const { exitCode, stderr } of [first, second]) {
          if (exitCode !== 0) expect(stderr).toMatch(/is in use: pod already exists/)
        }
      }
      await succeeds(cell, ['kube', 'down', '-'], { input })
      expect(await others(cell)).toEqual([])
      await succeeds(cell, ['kube', 'play', '-'], { input })
      expect((await others(cell)).map(({ state }) => state)).toEqual(['running'])
      await succeeds(cell, ['kube', 'down', '-'], { input })
    }),
  MEETINGS_LIMIT_MS,
)

test('F07 fifty pods at once: all up, each with an address of its own, and nobody reads of a busy database', () =>
  unharmed(cell, async () => {
    const { running, addresses, busy, otherwise } = await podsAtOnce(cell, 50)
    expect({ running, addresses, busy, otherwise }).toEqual({ running: 50, addresses: 50, busy: 0, otherwise: [] })
    await downOfAll(cell, 50)
    expect(await pods(cell)).toHaveLength(1)
  }))
