/**
 * `make scale`: twenty plays of one file at once, fifty pods at once, 250 pods on one machine, and back to nothing.
 * PODS=… and ATONCE=… make it smaller. Fails when a promise is broken.
 */
import { leftAligned } from '../support/columns.ts'
import { withLeakCheck } from '../support/leaks.ts'
import { downOfAll, medianMs, memoryOf, playsAtOnce, podsAtOnce, podsInBatches, processorMs } from '../support/scale.ts'
import { readyCell } from '../support/tspod.ts'

const PODS = Number(process.env.PODS ?? 250)
const AT_ONCE = Math.min(PODS, Number(process.env.ATONCE ?? 50))
const PLAYS = 20
const BATCH = 25
const PS_BUDGET_MS = 300

const rows: string[][] = [['what', 'found', 'promise', '']]
let broken = 0
function row(what: string, found: string, promise = '', kept = true): void {
  if (!kept) broken++
  rows.push([what, found, promise, promise === '' ? '' : kept ? 'kept' : 'BROKEN'])
  console.error(`${what}: ${found}`)
}

const cell = await readyCell()
try {
  await withLeakCheck(cell, async () => {
    const plays = await playsAtOnce(cell, PLAYS)
    const { succeeded, refused } = plays
    const found = `${succeeded} played, ${refused} refused, ${plays.pods} pod, ${plays.ms} ms`
    row(
      `${PLAYS} plays of one file at once`,
      found,
      'one pod',
      succeeded === 1 && refused === PLAYS - 1 && plays.pods === 1,
    )
    for (const text of plays.otherwise) row('  said', text)

    const many = await podsAtOnce(cell, AT_ONCE)
    const up = many.running === AT_ONCE && many.addresses === AT_ONCE
    row(`${AT_ONCE} pods at once`, `${many.running} up, ${many.addresses} addresses, ${many.ms} ms`, 'all up', up)
    row('  busy databases shown', String(many.busy), 'none', many.busy === 0)
    for (const text of many.otherwise) row('  said', text)

    row(`${PODS} pods`, `${await podsInBatches(cell, AT_ONCE, PODS, BATCH)} ms for the others, ${BATCH} at a time`)
    const psMs = await medianMs(cell, ['ps'], 5)
    row(`ps of ${PODS} pods, median of 5`, `${psMs} ms`, `under ${PS_BUDGET_MS} ms`, psMs < PS_BUDGET_MS)
    row('  processor time of it', `${await processorMs(cell, ['ps'])} ms`)
    row(`ps -a --format json`, `${await medianMs(cell, ['ps', '-a', '--format', 'json'], 5)} ms`)
    row(`pod ps`, `${await medianMs(cell, ['pod', 'ps'], 5)} ms`)
    row(`--version, for comparison`, `${await medianMs(cell, ['--version'], 5)} ms`)
    for (const name of ['conmon', 'aardvark-dns', 'node']) {
      const { count, pssKib } = await memoryOf(cell, name)
      row(`memory of ${name}`, `${count} processes, ${(pssKib / 1024).toFixed(1)} MiB (PSS)`)
    }
    row(`down of all`, `${await downOfAll(cell, PODS)} ms`)
  })
  row('left behind', 'nothing', 'nothing')
} catch (error) {
  row('stopped by', (error as Error).message, 'no failure', false)
} finally {
  await cell.remove()
}
console.log(leftAligned(rows))
process.exitCode = broken > 0 ? 1 : 0
