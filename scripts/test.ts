/**
 * Runs the given kinds of tests, the quick ones in one jest, the others one after the other, and closes with one line
 * that sums them up:
 *
 *   node scripts/test.ts unit golden integration system
 *
 * A file that cannot be loaded counts as one failure, and so does a kind that was cut off by its time limit.
 * No test at all is a failure. Skipped tests are listed: the reason is the last part of their name.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

type Kind = { inBand: boolean; limitMinutes: number }

/** These run together: a jest of its own for a few files would be mostly its start. */
const QUICK: Kind = { inBand: false, limitMinutes: 5 }

/** Integration tests have cells or names of their own; system tests share one booted machine, one file after the other. */
const KINDS: Record<string, Kind> = {
  unit: QUICK,
  golden: QUICK,
  integration: { inBand: false, limitMinutes: 60 },
  system: { inBand: true, limitMinutes: 30 },
  // As long as somebody wants to wait: SAMPLES=500 takes a night.
  fault: { inBand: true, limitMinutes: 600 },
}

/** The parts of jest's `--json` report that are read here. */
type Report = {
  numPassedTests: number
  numFailedTests: number
  testResults: { name: string; status: string; message: string; assertionResults: Assertion[] }[]
}
type Assertion = { fullName: string; status: string; duration?: number | null }

type Sum = { passed: number; failed: number; skipped: string[]; matrix: string[] }

async function runKind(names: readonly string[], kind: Kind, reportFile: string): Promise<Sum> {
  const args = [
    ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'],
    ...['--selectProjects', ...names, '--passWithNoTests', '--json', `--outputFile=${reportFile}`],
    // jest keeps one processor free by itself: on two, that is half the time.
    kind.inBand ? '--runInBand' : '--maxWorkers=100%',
  ]
  const limitMs = kind.limitMinutes * 60_000
  const outcome = await jest(args, limitMs)
  const sum = summed(reportFile)
  if (outcome === 'cut off')
    console.log(`${names.join(' and ')} tests did not finish within ${kind.limitMinutes} minutes`)
  if (outcome !== 'passed' && sum.failed === 0) sum.failed = 1
  return sum
}

/** Runs jest in a process group of its own, so that what it leaves behind at its limit ends with it. */
function jest(args: string[], limitMs: number): Promise<'passed' | 'failed' | 'cut off'> {
  return new Promise((resolve, reject) => {
    // jest's report goes to the file; on standard output it would be one very long line.
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'], detached: true })
    let isCutOff = false
    const killGroup = (): void => {
      try {
        process.kill(-child.pid!, 'SIGKILL')
      } catch {
        // Already gone.
      }
    }
    const timer = setTimeout(() => {
      isCutOff = true
      killGroup()
    }, limitMs)
    const onInterrupt = (): void => {
      killGroup()
      process.exit(130)
    }
    process.once('SIGINT', onInterrupt)
    process.once('SIGTERM', onInterrupt)
    child.on('error', reject)
    child.on('close', code => {
      clearTimeout(timer)
      process.off('SIGINT', onInterrupt)
      process.off('SIGTERM', onInterrupt)
      resolve(isCutOff ? 'cut off' : code === 0 ? 'passed' : 'failed')
    })
  })
}

function summed(reportFile: string): Sum {
  const report = readReport(reportFile)
  if (report === undefined) return { passed: 0, failed: 0, skipped: [], matrix: [] }
  const unloadable = report.testResults.filter(file => file.status === 'failed' && file.assertionResults.length === 0)
  const skipped = report.testResults.flatMap(file =>
    file.assertionResults
      .filter(assertion => assertion.status === 'pending' || assertion.status === 'todo')
      .map(assertion => `${kindOf(file.name)}: ${assertion.fullName}`),
  )
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloadable.length,
    skipped,
    matrix: faultMatrix(report.testResults.flatMap(file => file.assertionResults)),
  }
}

/** `test/unit/…` holds the tests of the kind `unit`. */
const kindOf = (file: string): string => relative('test', file).split('/')[0] ?? ''

/**
 * One line for each fault, of tests named `… F08 what was injected: the outcome`: how many passed, and how long they
 * took. Tests that differ in numbers only, such as samples, are one line.
 */
function faultMatrix(assertions: readonly Assertion[]): string[] {
  const rows = new Map<string, { statuses: string[]; ms: number }>()
  for (const { fullName, status, duration } of assertions) {
    const name = /\bF\d\d\b.*/.exec(fullName)?.[0]
    if (name === undefined) continue
    const key = name.replace(/ \(seed \d+\)/, '').replace(/(?<=\s)[\d.]+(?=\s)/g, 'N')
    const row = rows.get(key) ?? { statuses: [], ms: 0 }
    row.statuses.push(status)
    row.ms += duration ?? 0
    rows.set(key, row)
  }
  return [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { statuses, ms }]) => {
      const passed = statuses.filter(status => status === 'passed').length
      const verdict = statuses.includes('failed') ? 'FAILED' : passed === 0 ? 'skipped' : 'held'
      return `${verdict.padEnd(8)}${`${passed}/${statuses.length}`.padStart(7)}${(ms / 1000).toFixed(1).padStart(8)} s  ${name}`
    })
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    // jest died before it wrote one: its exit code counts.
    return undefined
  }
}

async function main(names: string[]): Promise<number> {
  const unknown = names.filter(name => !(name in KINDS))
  if (names.length === 0 || unknown.length > 0) {
    console.error(`test: no such kind: ${unknown.join(', ')}; say which of ${Object.keys(KINDS).join(', ')}`)
    return 2
  }
  const directory = mkdtempSync(join(tmpdir(), 'tspod-test-'))
  const total: Sum = { passed: 0, failed: 0, skipped: [], matrix: [] }
  try {
    for (const [kind, together] of Map.groupBy(names, name => KINDS[name]!)) {
      const sum = await runKind(together, kind, join(directory, `${together.join('-')}.json`))
      total.passed += sum.passed
      total.matrix.push(...sum.matrix)
      total.failed += sum.failed
      total.skipped.push(...sum.skipped)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  for (const line of total.matrix) console.log(line)
  for (const test of total.skipped) console.log(`skipped ${test}`)
  const skipped = total.skipped.length > 0 ? `, ${total.skipped.length} skipped` : ''
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`)
  return total.failed > 0 || total.passed === 0 ? 1 : 0
}

process.exitCode = await main(process.argv.slice(2))
