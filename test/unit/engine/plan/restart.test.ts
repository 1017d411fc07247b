import { describe, expect, test } from '@jest/globals'
import { backOffMs, judgeExit, type RestartTerms, termsFor } from '../../../../src/engine/plan/restart.ts'
import type { ContainerKind } from '../../../../src/engine/types/api.ts'
import type { RestartRule } from '../../../../src/model.ts'

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
      expect(judgeExit({ policy }, kind, ended(code)).restart).toBe(restart)
    })
  }

  const rules: [says: string, terms: RestartTerms, kind: ContainerKind, code: number | undefined, restart: boolean][] =
    [
      [
        'In: a code of the list',
        { policy: 'Never', rules: [{ operator: 'In', values: [42, 43] }] },
        'regular',
        43,
        true,
      ],
      ['In: another code', { policy: 'Never', rules: [{ operator: 'In', values: [42] }] }, 'regular', 1, false],
      ['In: success', { policy: 'OnFailure', rules: [{ operator: 'In', values: [0] }] }, 'regular', 0, true],
      [
        'NotIn: a code of the list',
        { policy: 'Never', rules: [{ operator: 'NotIn', values: [7] }] },
        'regular',
        7,
        false,
      ],
      ['NotIn: another code', { policy: 'Never', rules: [{ operator: 'NotIn', values: [7] }] }, 'regular', 0, true],
      ['NotIn without any', { policy: 'Never', rules: [{ operator: 'NotIn', values: [] }] }, 'regular', 3, true],
      ['an end nobody saw', { policy: 'Never', rules: [{ operator: 'In', values: [1] }] }, 'regular', undefined, false],
      [
        'where none fits, the policy',
        { policy: 'Always', rules: [{ operator: 'In', values: [1] }] },
        'regular',
        2,
        true,
      ],
      [
        'the second of two',
        {
          policy: 'Never',
          rules: [
            { operator: 'In', values: [1] },
            { operator: 'In', values: [2] },
          ],
        },
        'regular',
        2,
        true,
      ],
      [
        'an init container that succeeded',
        { policy: 'Never', rules: [{ operator: 'In', values: [0] }] },
        'init',
        0,
        false,
      ],
      ['one that failed', { policy: 'Never', rules: [{ operator: 'In', values: [5] }] }, 'init', 5, true],
    ]
  for (const [says, terms, kind, code, restart] of rules) {
    test(`rules, ${says}: ${restart ? 'it runs again' : 'it stays ended'}`, () => {
      expect(judgeExit(terms, kind, ended(code)).restart).toBe(restart)
    })
  }

  test('what a container says comes before its pod, but sidecars always run', () => {
    const rules: RestartRule[] = [{ operator: 'In', values: [1] }]
    expect(termsFor('Always', 'regular', { restartPolicy: 'Never', restartRules: rules })).toEqual({
      policy: 'Never',
      rules,
    })
    expect(termsFor('OnFailure', 'init', {})).toEqual({ policy: 'OnFailure' })
    expect(termsFor('Never', 'sidecar', { restartPolicy: 'Always' })).toEqual({ policy: 'Always' })
    expect(termsFor('Never', 'infra', undefined)).toEqual({ policy: 'Always' })
    expect(termsFor('Always', 'service', undefined)).toEqual({ policy: 'Never' })
  })

  test('says why in words', () => {
    const terms: RestartTerms = { policy: 'Never', rules: [{ operator: 'In', values: [2] }] }
    expect(judgeExit(terms, 'regular', ended(2)).reason).toBe('exited with code 2; its restartPolicyRules say so')
    expect(judgeExit({ policy: 'Never' }, 'regular', ended(2)).reason).toBe(
      'exited with code 2; restartPolicy is Never',
    )
    expect(judgeExit({ policy: 'Always' }, 'regular', ended(1, 3)).reason).toBe(
      'back-off 40s restarting failed container',
    )
  })

  test('the first restart is immediate, the second waits from the end of the run', () => {
    expect(judgeExit({ policy: 'Always' }, 'regular', ended(1, 0))).toMatchObject({ atMs: NOW, crashes: 1 })
    expect(judgeExit({ policy: 'Always' }, 'regular', ended(1, 1))).toMatchObject({ atMs: NOW + 10_000, crashes: 2 })
  })

  test('a run of ten minutes clears the back-off, a shorter one does not', () => {
    expect(judgeExit({ policy: 'Always' }, 'regular', ended(1, 6, 600_000))).toMatchObject({ atMs: NOW, crashes: 1 })
    expect(judgeExit({ policy: 'Always' }, 'regular', ended(1, 6, 599_999))).toMatchObject({
      atMs: NOW + 300_000,
      crashes: 7,
    })
  })
})

test('the back-off is 10 s doubling to 300 s', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7, 1000].map(backOffMs)).toEqual(
    [0, 10, 20, 40, 80, 160, 300, 300, 300].map(seconds => seconds * 1000),
  )
})
