/** Whoever looks after a Job is killed, again and again: it comes to its end all the same, and counts right. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { systemClock } from '../../src/clock.ts'
import { faultyCell, samples, seed, unharmed } from '../support/faults.ts'
import type { Place } from '../support/place.ts'
import { DEMO_IMAGE, pods, succeeds } from '../support/tspod.ts'
import { eventually } from '../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await faultyCell()
}, 60_000)
afterAll(() => cell?.remove())

const MANIFEST = JSON.stringify({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'chased' },
  spec: {
    completions: 6,
    parallelism: 2,
    completionMode: 'Indexed',
    template: {
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'main', image: DEMO_IMAGE, command: ['sleep', '0.3'] }],
      },
    },
  },
})

type Told = { status: string; succeeded: number; failed: number; completions: number }
type Listed = { name: string; phase: string; job?: Told & { index: number } }

test(`a Job whose helpers are killed comes to its end (seed ${seed})`, async () => {
  await unharmed(cell, async () => {
    await succeeds(cell, ['kube', 'play', '-'], { input: MANIFEST })
    // Some before they have begun, some while they make the next pods.
    for (const ms of samples(12, 50, 700)) {
      await systemClock.sleep(ms)
      await cell.sh("pkill -9 -f 'container cleanup' ; pkill -9 -f 'system tick'")
    }
    const all = (await eventually(
      () => pods(cell) as unknown as Promise<Listed[]>,
      list => list.some(({ job }) => job?.status === 'Complete'),
      90_000,
    )) as Listed[]
    const mine = all.filter(({ name }) => name.startsWith('chased'))
    expect(mine[0]?.job).toMatchObject({ succeeded: 6, completions: 6 })
    const succeeded = mine.filter(({ phase }) => phase === 'Succeeded').map(({ job }) => job?.index)
    expect([...new Set(succeeded)].sort()).toEqual([0, 1, 2, 3, 4, 5])
    await succeeds(cell, ['kube', 'down', '-'], { input: MANIFEST })
  })
}, 240_000)
