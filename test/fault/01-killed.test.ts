/** F01 to F03: tspod killed at every system call, sampled, of a play, a down and a replacing play. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import {
  countSyscalls,
  faultyCell,
  killedAtSyscall,
  others,
  samples,
  seed,
  takeDownOthers,
  unharmed,
} from '../support/faults.ts'
import type { Place } from '../support/place.ts'
import { example, pods, succeeds, tspod } from '../support/tspod.ts'

const FILE = '08-three-of-everything.yaml'
/** `make fault SAMPLES=500` for a night. */
const SAMPLES = Number(process.env.SAMPLES ?? 40)
/** Places in the run, as thousandths of its system calls: their number is only known once one has been counted. */
const PLACES = samples(SAMPLES, 0, 1000)

let cell: Place
const calls = { play: 0, down: 0, replace: 0 }
const file = (): string => example(cell, FILE)
const command = {
  play: () => ['kube', 'play', file()],
  down: () => ['kube', 'down', file()],
  replace: () => ['kube', 'play', '--replace', file()],
}

beforeAll(async () => {
  cell = await faultyCell()
  calls.play = await countSyscalls(cell, command.play())
  calls.replace = await countSyscalls(cell, command.replace())
  calls.down = await countSyscalls(cell, command.down())
}, 120_000)
afterEach(() => takeDownOthers(cell))
afterAll(() => cell?.remove())

const killed = (verb: keyof typeof command, place: number): Promise<void> =>
  killedAtSyscall(cell, Math.max(1, Math.round((place / 1000) * calls[verb])), command[verb]())

/** One pod, its three containers running, each once. */
async function expectRunning(): Promise<void> {
  const running = (await others(cell)).filter(({ state }) => state === 'running')
  expect(running.map(({ name }) => name)).toEqual(['three-web', 'three-echo', 'three-worker'])
  expect((await pods(cell)).filter(({ name }) => name === 'three')).toHaveLength(1)
}

describe(`seed ${seed}`, () => {
  for (const place of PLACES) {
    test(`F01 killed ${place / 10} % into a play: the same play works, and down leaves nothing`, () =>
      unharmed(cell, async () => {
        await killed('play', place)
        const again = await tspod(cell, command.play())
        // Killed when it was all but done, the pod is simply there.
        if (again.exitCode !== 0) expect(again.stderr).toMatch(/is in use: pod already exists/)
        await expectRunning()
        await succeeds(cell, command.down())
      }))

    test(`F02 killed ${place / 10} % into a down: the next down finishes it`, () =>
      unharmed(cell, async () => {
        await succeeds(cell, command.play())
        await killed('down', place)
        await succeeds(cell, command.down())
      }))

    test(`F03 killed ${place / 10} % into a replacing play: the next one leaves exactly one pod`, () =>
      unharmed(cell, async () => {
        await succeeds(cell, command.play())
        await killed('replace', place)
        await succeeds(cell, command.replace())
        await expectRunning()
        await succeeds(cell, command.down())
      }))
  }
})
