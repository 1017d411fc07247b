/** A few of the histories that `make sim` plays by the thousand: fixed ones, and some that nobody has seen before. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'

const RUN = join(import.meta.dirname, '..', '..', 'sim', 'run.ts')

/** The end of what the simulation prints: the failures with their seeds, and the last line. */
function simulate(runs: number, seed?: number): string {
  const args = [
    '--disable-warning=ExperimentalWarning',
    RUN,
    String(runs),
    ...(seed === undefined ? [] : [String(seed)]),
  ]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  return last.endsWith(': 0 failed') ? last.replace(/^.*: /, '') : `${stdout}${stderr}`
}

describe('random histories of the engine in virtual time', () => {
  test.each<[name: string, seed: number]>([
    ['an init container fails once: the network stays as it is', 17],
    ['a regular container cannot be created while init containers run', 142],
    ['only an init container is to be created: nothing after it starts', 23],
    ['what a container depends on has not started', 139],
    ['the infra container cannot be started', 62],
    ['the clock is set back while a restart waits', 147],
    ['tspod is killed between a start and its record', 87],
    ['the monitor of a container that was never started is killed', 42],
  ])('%s', (_name, seed) => {
    expect(simulate(1, seed)).toBe('0 failed')
  })

  test('fixed seeds', () => {
    expect(simulate(60, 1_000)).toBe('0 failed')
  })

  test('seeds of today', () => {
    expect(simulate(40)).toBe('0 failed')
  })
})
