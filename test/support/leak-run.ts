/** Plays a pod and takes it down again and again, counts everything now and then, and says what grows. */
import { mustSucceed } from '../../src/process.ts'
import { type Place, program } from './place.ts'
import { podText, succeeds, WAIT_COMMAND } from './tspod.ts'

export type Counters = Record<string, number>
export type Counted = { run: number; counters: Counters }
export type Trend = {
  counter: string
  first: number
  last: number
  perRun: number
  verdict: 'flat' | 'leaks' | 'not judged'
}

/** Growth below this is none: one object in a thousand runs. */
const FLAT_PER_RUN = 1 / 1000
/** Three containers that end at once when asked to, and a published port. */
const TEXT = podText('leaky', { scripts: [WAIT_COMMAND, WAIT_COMMAND, WAIT_COMMAND], port: 18_099 })

/** Events are kept up to a limit, and what the whole host has grows with whatever else runs on it. */
const NOT_JUDGED = /^rows of events$|^KiB of the database$| of the host$/

/** Plays and downs `runs` times; counts before, every `every` runs, and at the end. */
export async function countWhilePlaying(
  place: Place,
  runs: number,
  every: number,
  progress: (run: number) => void = () => undefined,
): Promise<Counted[]> {
  const counted: Counted[] = []
  for (let run = 0; run <= runs; run++) {
    if (run > 0) {
      await succeeds(place, ['kube', 'play', '-'], { input: TEXT })
      await succeeds(place, ['kube', 'down', '-'], { input: TEXT })
    }
    if (run % every !== 0 && run !== runs) continue
    counted.push({ run, counters: await settledCount(place) })
    progress(run)
  }
  return counted
}

/** The kernel and exit hooks need a moment: the last of two counts a while apart. */
async function settledCount(place: Place): Promise<Counters> {
  await place.sh('sleep 4')
  const counted = await place.exec(program(place, 'test/support/count.ts'))
  return JSON.parse(mustSucceed(counted, 'counting').stdout) as Counters
}

/** How each counter developed: a straight line through its values by least squares. */
export function trends(counted: readonly Counted[]): Trend[] {
  const names = Object.keys(counted[0]?.counters ?? {})
  return names.map(counter => {
    const points = counted.map(({ run, counters }) => ({ x: run, y: counters[counter] ?? 0 }))
    const perRun = slope(points)
    const grows = Math.abs(perRun) >= FLAT_PER_RUN
    const verdict = NOT_JUDGED.test(counter) ? 'not judged' : grows ? 'leaks' : 'flat'
    return { counter, first: points[0]?.y ?? 0, last: points.at(-1)?.y ?? 0, perRun, verdict }
  })
}

function slope(points: readonly { x: number; y: number }[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const [x, y] = [mean(points.map(point => point.x)), mean(points.map(point => point.y))]
  const spread = points.reduce((sum, point) => sum + (point.x - x) ** 2, 0)
  return spread === 0 ? 0 : points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0) / spread
}
