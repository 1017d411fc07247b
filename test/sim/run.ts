/**
 * Plays random histories of the engine in virtual time and prints what they were made of, and each that went wrong:
 *
 *   node test/sim/run.ts [RUNS [SEED]]
 *
 * Everything of the engine runs as it is but for the modules that touch the host, which doors.ts stands in for. The
 * history of a seed is always the same; one run of a seed prints its trace.
 */
import { parseArgs } from 'node:util'
import type { Told } from './history.ts'
import { replaceDoors } from './hooks.ts'

const SHOWN_LINES = 4_000

const { positionals } = parseArgs({ allowPositionals: true })
const runs = Number(positionals[0] ?? 1_000)
const first = positionals[1] === undefined ? Date.now() % 1_000_000_000 : Number(positionals[1])
if (!Number.isInteger(runs) || !Number.isInteger(first)) throw new Error('usage: node test/sim/run.ts [RUNS [SEED]]')

replaceDoors()
const { History } = await import('./history.ts')
const { Database } = await import('./store.ts')

const database = new Database()
const began = performance.now()
const totals: Record<string, number> = {}
const failed: Told[] = []
let shown: Told | undefined
for (let seed = first; seed < first + runs; seed++) {
  const told = { ...(await new History(seed, database).play()), seed }
  for (const [what, count] of Object.entries(told.counts)) totals[what] = (totals[what] ?? 0) + count
  if (told.failure !== undefined) failed.push(told)
  shown = told
}

// One history is for reading, of many only what went wrong.
const traced = runs === 1 && shown ? [shown] : failed.slice(0, 1)
for (const { trace } of traced) process.stdout.write(`${trace.slice(-SHOWN_LINES).join('\n')}\n\n`)
// Many failures have one cause: those that read alike are counted, and the first of them is shown.
const kinds = new Map<string, Told[]>()
for (const told of failed) {
  const kind = told.failure?.replace(/[0-9a-f]{12,}|\d+(\.\d+)?/g, '#') ?? ''
  kinds.set(kind, [...(kinds.get(kind) ?? []), told])
}
for (const alike of [...kinds.values()].sort((a, b) => b.length - a.length)) {
  process.stdout.write(
    `FAILED ${alike.length} times: ${alike[0]?.failure}\n       make sim RUNS=1 SEED=${alike[0]?.seed}\n`,
  )
}
for (const [what, count] of Object.entries(totals).sort()) {
  process.stdout.write(`${what.padEnd(24)} ${String(count).padStart(10)}\n`)
}
const seconds = ((performance.now() - began) / 1000).toFixed(1)
process.stdout.write(`${runs} histories from seed ${first} in ${seconds} s: ${failed.length} failed\n`)
process.exitCode = failed.length > 0 ? 1 : 0
