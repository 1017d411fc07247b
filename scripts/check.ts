/**
 * What `make check` does before every commit, side by side: types, lint, unused code, and the quick tests.
 *
 *   node scripts/check.ts
 *
 * The tests print as they go on. What another check has found is told whole once all have ended, so that no failure
 * hides another or scrolls away.
 */
import { type ChildProcess, spawn } from 'node:child_process'

const BIN = 'node_modules/.bin'

const CHECKS: Record<string, [program: string, ...args: string[]]> = {
  types: [`${BIN}/tsc`, '--project', '.'],
  lint: [`${BIN}/biome`, 'check', '--error-on-warnings', '.'],
  'unused code': [`${BIN}/knip`, '--cache'],
}

const TESTS: [program: string, ...args: string[]] = [process.execPath, 'scripts/test.ts', 'unit', 'golden']

/** What a check has printed, and whether it was content. */
type Ended = { passed: boolean; output: string }

const children: ChildProcess[] = []

/** Runs one of them; with `isShown` it prints for itself. */
function run([program, ...args]: [string, ...string[]], isShown: boolean): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const out = isShown ? 'inherit' : 'pipe'
    const child = spawn(program, args, { stdio: ['ignore', out, out] })
    children.push(child)
    let output = ''
    const keep = (chunk: Buffer): void => {
      output += chunk
    }
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    child.on('error', reject)
    child.on('close', code => resolve({ passed: code === 0, output }))
  })
}

async function main(): Promise<number> {
  const tests = run(TESTS, true)
  const checks = await Promise.all(
    Object.entries(CHECKS).map(async ([name, command]) => ({ name, ...(await run(command, false)) })),
  )
  const failed = checks.filter(({ passed }) => !passed)
  const { passed } = await tests
  for (const { name, output } of failed) console.log(`\n${name}:\n${output.trimEnd()}`)
  if (failed.length > 0) console.log(`\nfailed: ${failed.map(({ name }) => name).join(', ')}`)
  return passed && failed.length === 0 ? 0 : 1
}

// Ctrl-C reaches all of them by itself.
process.once('SIGTERM', () => {
  for (const child of children) child.kill('SIGTERM')
})
process.exitCode = await main()
