/** A few of the histories that `make sim` plays by the thousand, always the same ones: `make check` never wavers. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'

const RUN = join(import.meta.dirname, '..', '..', 'sim', 'run.ts')

/** The end of what the simulation prints when all went well; otherwise all of it, with the failures and their seeds. */
function simulate(runs: number, seed: number): string {
  const args = ['--disable-warning=ExperimentalWarning', RUN, String(runs), String(seed)]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  return last.endsWith(': 0 failed') ? last.replace(/^.*: /, '') : `${stdout}${stderr}`
}

// These have every command and every disaster in them. Seeds that nobody has seen before are for `make sim`.
test('random histories of the engine in virtual time: nothing is lost, nothing is left', () => {
  expect(simulate(70, 4_000)).toBe('0 failed')
}, 60_000)

// Each was the first to show a defect of the engine.
test.each([
  [20_263_258, 'what prepares volumes is over before a play without namespaces is undone'],
  [20_268_280, 'a service that could not be stopped runs on with a pod that came back'],
  [82_340_992, 'what is killed before its start has not run: init containers come first all the same'],
  [42, 'a Job that a play left half made keeps nobody busy'],
  [1_110, 'a Job whose removal was interrupted goes all the same'],
  [777_598, 'a pod of which somebody removed the container that failed has not succeeded'],
  [9_101_249, 'nor has one without any container'],
  [9_121_201, 'a Job goes whose last pods are half made and half removed'],
  [5_600_198, 'a service ends well whose Job is complete while somebody stops its pod'],
])(
  'seed %i: %s',
  seed => {
    expect(simulate(1, seed)).toBe('0 failed')
  },
  60_000,
)
