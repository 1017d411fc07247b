/** Many plays at once, and many pods: what comes of it, for `make scale` and its small form among the tests. */
import { systemClock } from '../../src/clock.ts'
import type { Finished } from '../../src/process.ts'
import type { Place } from './place.ts'
import { launcher, pods, podText, succeeds, tspod, WAIT_COMMAND } from './tspod.ts'

/** What SQLite says when nobody waited for anybody; no user should ever read it. */
const BUSY = /SQLITE_BUSY|database is locked|another process kept/i

export type Plays = { succeeded: number; refused: number; otherwise: string[]; pods: number; ms: number }

/** Plays the same pod `count` times at once. The pod stays. */
export async function playsAtOnce(place: Place, count: number): Promise<Plays> {
  const beganMs = systemClock.monotonicMs()
  const input = podText('contested', { port: 18_100 })
  const all = await Promise.all(Array.from({ length: count }, () => tspod(place, ['kube', 'play', '-'], { input })))
  const refused = all.filter(one => one.exitCode === 125 && /pod already exists/.test(one.stderr))
  const succeeded = all.filter(one => one.exitCode === 0)
  return {
    succeeded: succeeded.length,
    refused: refused.length,
    otherwise: complaints(all.filter(one => !succeeded.includes(one) && !refused.includes(one))),
    pods: (await pods(place)).filter(({ name }) => name === 'contested').length,
    ms: Math.round(systemClock.monotonicMs() - beganMs),
  }
}

export type Pods = { running: number; addresses: number; busy: number; otherwise: string[]; ms: number }

/** Plays `count` different pods by as many processes at once. The pods stay, named `many-1` and so on. */
export async function podsAtOnce(place: Place, count: number): Promise<Pods> {
  const beganMs = systemClock.monotonicMs()
  const all = await Promise.all(
    names(count).map(name => tspod(place, ['kube', 'play', '-'], { input: podText(name), timeoutMs: 300_000 })),
  )
  const ms = Math.round(systemClock.monotonicMs() - beganMs)
  const mine = (await pods(place)).filter(({ name }) => name.startsWith('many-'))
  return {
    running: mine.filter(({ phase }) => phase === 'Running').length,
    addresses: new Set(mine.flatMap(({ ips }) => ips)).size,
    busy: all.filter(({ stderr }) => BUSY.test(stderr)).length,
    otherwise: complaints(all.filter(({ exitCode }) => exitCode !== 0)),
    ms,
  }
}

/** Brings pods up to `count` in all, some at a time by one play each. */
export async function podsInBatches(place: Place, from: number, count: number, batch: number): Promise<number> {
  const beganMs = systemClock.monotonicMs()
  const wanted = names(count).slice(from)
  for (let index = 0; index < wanted.length; index += batch) {
    const input = wanted
      .slice(index, index + batch)
      .map(name => podText(name, { script: WAIT_COMMAND }))
      .join('')
    await succeeds(place, ['kube', 'play', '-'], { input, timeoutMs: 600_000 })
  }
  return Math.round(systemClock.monotonicMs() - beganMs)
}

/** Takes all of them down by one command; answers how long that took, in milliseconds. */
export async function downOfAll(place: Place, count: number): Promise<number> {
  const beganMs = systemClock.monotonicMs()
  const input = [...names(count), 'contested'].map(name => podText(name)).join('')
  await succeeds(place, ['kube', 'down', '-'], { input, timeoutMs: 900_000 })
  return Math.round(systemClock.monotonicMs() - beganMs)
}

/** The median of `times` runs of `tspod …`, in milliseconds, measured inside. */
export async function medianMs(place: Place, args: readonly string[], times: number): Promise<number> {
  const once = `s=$(date +%s%N); ${launcher(place)} ${args.join(' ')} >/dev/null; echo $(( ($(date +%s%N) - s) / 1000000 ))`
  const took: number[] = []
  for (let run = 0; run < times; run++) took.push(Number((await place.sh(once)).stdout))
  return took.toSorted((a, b) => a - b)[Math.floor(times / 2)] ?? 0
}

/** User and system time of one run of `tspod …`, in milliseconds: what it costs however busy the host is. */
export async function processorMs(place: Place, args: readonly string[]): Promise<number> {
  const line = `TIMEFORMAT='%U %S'; time ${launcher(place)} ${args.join(' ')} >/dev/null`
  const [user = 0, system = 0] = (await place.exec(['bash', '-c', line])).stderr.trim().split(' ').map(Number)
  return Math.round((user + system) * 1000)
}

/** PSS of all processes of this name, in KiB, and how many they are. */
export async function memoryOf(place: Place, name: string): Promise<{ count: number; pssKib: number }> {
  const line = `for p in $(pgrep -x ${name}); do awk '/^Pss:/ { print $2 }' /proc/$p/smaps_rollup; done 2>/dev/null`
  const sizes = (await place.sh(line)).stdout.split('\n').filter(Boolean).map(Number)
  return { count: sizes.length, pssKib: sizes.reduce((sum, size) => sum + size, 0) }
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `many-${index + 1}`)

/** What they said, each thing once. */
const complaints = (failed: readonly Finished[]): string[] => [
  ...new Set(failed.map(({ exitCode, stderr }) => `${exitCode}: ${stderr.trim().split('\n')[0] ?? ''}`)),
]
