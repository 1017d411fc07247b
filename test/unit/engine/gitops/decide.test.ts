/** What a tick does: every verdict with its reason. */
import { describe, expect, test } from '@jest/globals'
import {
  type BadRevision,
  countFailure,
  judgeFiles,
  judgePlan,
  judgePrune,
  judgeRevision,
  judgeSuspension,
  pauseAfter,
  retryAt,
  type Verdict,
} from '../../../../src/engine/gitops/decide.ts'
import type { ApplyPlan, PlannedObject } from '../../../../src/engine/index.ts'

type Action = PlannedObject['action']

const planOf = (...actions: Action[]): ApplyPlan => ({
  app: 'shop',
  objects: actions.map((action, index) => ({
    kind: 'Pod',
    name: `p${index + 1}`,
    action,
    effect: 'none',
    because: [],
    changes: [],
    wave: 0,
  })),
})

const many = (action: Action, count: number): Action[] => Array.from({ length: count }, () => action)

const said = (verdict: Verdict): string => `${verdict.do}: ${verdict.reason}`

describe('a suspension', () => {
  const suspended = { reason: 'incident 7', author: 'ada', sinceMs: 0, untilMs: 5000 }
  const cases: Record<string, [Parameters<typeof judgeSuspension>, string]> = {
    'none: go on': [[undefined, 1000], 'act: '],
    'one that holds: nothing is done, and everybody reads by whom and why': [
      [suspended, 1000],
      'skip: suspended by ada until 1970-01-01T00:00:05.000Z: incident 7',
    ],
    'without an end it holds for ever': [[{ reason: 'x', author: 'a', sinceMs: 0 }, 9e12], 'skip: suspended by a: x'],
    'one that has run out: go on': [[suspended, 5000], 'act: '],
  }
  for (const [name, [args, expected]] of Object.entries(cases))
    test(name, () => expect(said(judgeSuspension(...args))).toBe(expected))
})

describe('a revision that has failed', () => {
  const bad: BadRevision = { revision: 'c'.repeat(40), host: 'h1', tries: 2, reason: 'pod/web: never ready' }
  const now = { host: 'h1', nowMs: 1000, insist: false }
  const cases: Record<string, [BadRevision | undefined, typeof now, string | RegExp]> = {
    'is new: it is tried': [undefined, now, 'act: '],
    'and nothing has changed: it is not tried again': [
      bad,
      now,
      'refuse: cccccccccccc has failed 2 times (pod/web: never ready); it waits for another commit or a change of the host',
    ],
    'and the host has changed: it is tried again': [
      bad,
      { ...now, host: 'h2' },
      'act: the host has changed since the last try',
    ],
    'and somebody asks for it: it is tried again': [
      bad,
      { ...now, insist: true },
      'act: somebody asked for another try',
    ],
    'for a reason that passes: not before its time': [
      { ...bad, retryMs: 2000 },
      now,
      /^refuse: .*tried again at 1970-01-01T00:00:02/,
    ],
    'for a reason that passes: when its time has come': [{ ...bad, retryMs: 1000 }, now, 'act: try 3'],
  }
  for (const [name, [record, facts, expected]] of Object.entries(cases))
    test(name, () => expect(said(judgeRevision(record, facts))).toEqual(expect.stringMatching(toPattern(expected))))

  test('is tried after one, two, four minutes, and never more seldom than each hour', () => {
    expect([1, 2, 3, 4, 7, 50].map(pauseAfter)).toEqual([60_000, 120_000, 240_000, 480_000, 3_600_000, 3_600_000])
  })
  test('only what may pass by itself has a time', () => {
    expect(retryAt('IMAGE_PULL_FAILED', 1, 10)).toBe(60_010)
    expect(retryAt('PARTIAL_FAILURE', 1, 10)).toBeUndefined()
  })
})

const toPattern = (expected: string | RegExp): RegExp =>
  typeof expected === 'string' ? new RegExp(`^${expected.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`) : expected

describe('the prune budget', () => {
  const cases: Record<string, [ApplyPlan, number | undefined, RegExp]> = {
    'nothing goes': [planOf('unchanged', 'create'), undefined, /^act/],
    'two of two go: too few to be a mistake': [planOf('prune', 'prune'), undefined, /^act/],
    'three of six go: not more than half': [planOf(...many('prune', 3), ...many('unchanged', 3)), undefined, /^act/],
    'three of five go: refused, with the names': [
      planOf(...many('prune', 3), 'unchanged', 'keep'),
      undefined,
      /^refuse: 3 of 5 objects would be removed: pod\/p1, pod\/p2, pod\/p3$/,
    ],
    'new objects do not make room for it': [
      planOf(...many('prune', 3), ...many('create', 10)),
      undefined,
      /^refuse: 3 of 3 objects/,
    ],
    'somebody has allowed fewer': [planOf(...many('prune', 4)), 3, /^refuse/],
    'somebody has allowed as many': [planOf(...many('prune', 4)), 4, /^act/],
    'twelve go: nobody reads a hundred names': [planOf(...many('prune', 12)), undefined, /p8 and 4 more$/],
  }
  for (const [name, [plan, allowed, expected]] of Object.entries(cases))
    test(name, () => expect(said(judgePrune(plan, allowed))).toMatch(expected))
})

describe('a plan', () => {
  const cases: Record<string, [ApplyPlan, boolean, string]> = {
    'that changes nothing is not carried out': [
      planOf('unchanged', 'keep'),
      false,
      'skip: everything is as it should be',
    ],
    'is carried out, and says what it does': [
      planOf('create', 'start', 'configure', 'prune'),
      false,
      'act: create pod/p1; start pod/p2; change pod/p3; remove pod/p4',
    ],
    'is only told where a source is observed': [planOf('start'), true, 'skip: only observed: would start pod/p1'],
  }
  for (const [name, [plan, observe, expected]] of Object.entries(cases))
    test(name, () => expect(said(judgePlan(plan, { observe }))).toBe(expected))

  test('is refused beyond the budget', () => {
    expect(judgePlan(planOf(...many('prune', 3)), { observe: false })).toMatchObject({
      do: 'refuse',
      remedy: 'if that is meant: tspod gitops reconcile shop --allow-prune 3',
    })
  })
})

test('a source without manifests is a mistake, not a wish to remove everything', () => {
  expect(judgeFiles(0, 'shop')).toMatchObject({ do: 'refuse', remedy: expect.stringContaining('remove shop --prune') })
  expect(judgeFiles(1, 'shop').do).toBe('act')
})

describe('the count of a failure', () => {
  const failure = { stage: 'validate' as const, code: 'MANIFEST_INVALID', message: 'bad', remedy: '', revision: 'a' }
  test('goes on while it is the same, since when it began', () => {
    const first = countFailure(undefined, failure, 100)
    expect(first).toMatchObject({ times: 1, sinceMs: 100 })
    expect(countFailure(first, failure, 200)).toMatchObject({ times: 2, sinceMs: 100 })
  })
  test.each([{ revision: 'b' }, { message: 'worse' }, { code: 'NAME_IN_USE' }])('begins anew with %j', change => {
    const first = countFailure(undefined, failure, 100)
    expect(countFailure(first, { ...failure, ...change }, 200)).toMatchObject({ times: 1, sinceMs: 200 })
  })
})
