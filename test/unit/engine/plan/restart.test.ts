import { describe, expect, test } from '@jest/globals'
import { backOffMs, judgeExit } from '../../../../src/engine/plan/restart.ts'

const NOW = 1_000_000
const ended = (exitCode: number | undefined, crashes = 0, ranMs = 1000) => ({
  exitCode,
  startedMs: NOW - ranMs,
  finishedMs: NOW,
  crashes,
})

describe('judgeExit', () => {
  const cases = [
    ['Always', 'regular', 0, true],
    ['Always', 'regular', 1, true],
    ['Always', 'regular', undefined, true],
    ['OnFailure', 'regular', 0, false],
    ['OnFailure', 'regular', 3, true],
    ['OnFailure', 'regular', undefined, true],
    ['Never', 'regular', 0, false],
    ['Never', 'regular', 1, false],
    ['Always', 'init', 0, false],
    ['Always', 'init', 1, true],
    ['Never', 'init', 1, false],
  ] as const
  for (const [policy, kind, code, restart] of cases) {
    test(`${policy}: a ${kind} container that ended with ${code ?? 'no known code'} is ${restart ? '' : 'not '}restarted`, () => {
      expect(judgeExit(policy, kind, ended(code)).restart).toBe(restart)
    })
  }

  test('says why in words', () => {
    expect(judgeExit('Never', 'regular', ended(2)).reason).toBe('exited with code 2; restartPolicy is Never')
    expect(judgeExit('Always', 'regular', ended(1, 3)).reason).toBe('back-off 40s restarting failed container')
  })

  test('the first restart is immediate, the second waits from the end of the run', () => {
    expect(judgeExit('Always', 'regular', ended(1, 0))).toMatchObject({ atMs: NOW, crashes: 1 })
    expect(judgeExit('Always', 'regular', ended(1, 1))).toMatchObject({ atMs: NOW + 10_000, crashes: 2 })
  })

  test('a run of ten minutes clears the back-off, a shorter one does not', () => {
    expect(judgeExit('Always', 'regular', ended(1, 6, 600_000))).toMatchObject({ atMs: NOW, crashes: 1 })
    expect(judgeExit('Always', 'regular', ended(1, 6, 599_999))).toMatchObject({ atMs: NOW + 300_000, crashes: 7 })
  })
})

test('the back-off is 10 s doubling to 300 s', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7, 1000].map(backOffMs)).toEqual(
    [0, 10, 20, 40, 80, 160, 300, 300, 300].map(seconds => seconds * 1000),
  )
})
