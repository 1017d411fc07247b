/**
 * `make leak`: plays and takes down a pod of three containers RUNS times (default 1000) in a cell and prints how every
 * counter developed. Fails when one grows or shrinks by one in a thousand runs or more.
 */
import { leftAligned } from '../support/columns.ts'
import { countWhilePlaying, trends } from '../support/leak-run.ts'
import { podText, readyCell, succeeds } from '../support/tspod.ts'

const RUNS = Number(process.env.RUNS ?? 1000)
const EVERY = Math.max(1, Math.min(50, Math.floor(RUNS / 5)))

const cell = await readyCell()
const startedMs = Date.now()
try {
  // Keeps the network's resolver alive, whose descriptors are counted.
  await succeeds(cell, ['kube', 'play', '-'], { input: podText('bystander') })
  const counted = await countWhilePlaying(cell, RUNS, EVERY, run => {
    console.error(`${run} of ${RUNS} runs, ${Math.round((Date.now() - startedMs) / 1000)} s`)
  })
  const found = trends(counted)
  const rows = found.map(({ counter, first, last, perRun, verdict }) => [
    counter,
    String(first),
    String(last),
    perRun.toFixed(5),
    verdict,
  ])
  console.log(leftAligned([['counter', 'first', 'last', 'per run', ''], ...rows]))
  const leaks = found.filter(({ verdict }) => verdict === 'leaks')
  console.log(`${RUNS} runs, ${found.length} counters, ${leaks.length} not flat`)
  process.exitCode = leaks.length > 0 ? 1 : 0
} finally {
  await cell.remove()
}
