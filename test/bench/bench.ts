/**
 * `make bench`: boots a Debian 13 and compares tspod there with its Podman and with the bare floor.
 * The contenders take turns in every round, so that whatever else the machine does meets them alike.
 *
 * usage: bench.ts [--quick] [--rounds N] [--case NAME]… [--json FILE] [--strict]
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { NODE_INSIDE, startMachine } from '../support/machine.ts'
import { machineLack } from '../support/tree.ts'
import { CASES, QUICK_CASES } from './budget.ts'
import type { Order } from './inside.ts'
import { type Contender, type Measured, overBudget, rowsOf, tableOf } from './report.ts'

const ROUNDS = 5
const QUICK_ROUNDS = 2
const TIMEOUT_MS = 45 * 60_000
const ALL: Contender[] = ['podman', 'floor', 'tspod']
const JSON_FILE = join(import.meta.dirname, '../../dist/bench/result.json')

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    case: { type: 'string', multiple: true },
    contender: { type: 'string', multiple: true },
    json: { type: 'string', default: JSON_FILE },
    strict: { type: 'boolean', default: false },
  },
})

/** Says what makes the comparison a fair one, above the table. */
function header(measured: Measured, order: Order): string {
  const tools = Object.entries(measured.versions).map(([name, version]) => `${name} ${version}`)
  return [
    `Debian 13 in systemd-nspawn, ${cpus().length} CPUs; ${tools.join(', ')}`,
    `Everyone: image ${'localhost/tspod-demo:latest'} present, crun, conmon with k8s-file logs, netavark bridge with DNS,`,
    'no published ports, containers that end at once on TERM, commands timed from spawn to exit.',
    `Medians of ${order.rounds} alternating rounds after one that does not count, (min-max).`,
    'PSS: helper processes beside the containers, without aardvark-dns (one per network). floor: the bare steps by a shell script (test/bench/floor.sh).',
  ].join('\n')
}

const lack = await machineLack()
if (lack !== undefined) {
  console.error(`bench: skipped: ${lack}`)
  process.exit(0)
}

const order: Order = {
  rounds: Number(flags.rounds ?? (flags.quick ? QUICK_ROUNDS : ROUNDS)),
  cases: flags.case ?? (flags.quick ? [...QUICK_CASES] : CASES.map(({ name }) => name)),
  contenders: (flags.contender as Contender[] | undefined) ?? ALL,
}
const machine = await startMachine()
try {
  const inside = join('/src', 'test/bench/inside.ts')
  const finished = await machine.exec([NODE_INSIDE, inside, JSON.stringify(order)], { timeoutMs: TIMEOUT_MS })
  if (finished.exitCode !== 0) throw new Error(`measuring failed:\n${finished.stderr}`)
  const measured = JSON.parse(finished.stdout) as Measured
  const rows = rowsOf(measured.samples, CASES)
  console.log(`${header(measured, order)}\n\n${tableOf(rows)}`)
  for (const trouble of new Set(measured.troubles)) console.log(`! ${trouble}`)
  await mkdir(dirname(flags.json), { recursive: true })
  await writeFile(flags.json, `${JSON.stringify({ order, ...measured, rows }, null, 2)}\n`)
  console.log(`\nall samples: ${flags.json}`)
  if (measured.troubles.length > 0 || (flags.strict && overBudget(rows).length > 0)) process.exitCode = 1
} finally {
  await machine.remove()
}
