import { describe, expect, test } from '@jest/globals'
import { type JobInput, type JobPlan, type JobPod, planJob } from '../../../../src/engine/plan/job.ts'
import type { Id, JobSpec, PodSpec } from '../../../../src/model.ts'

const NOW = 1_000_000

const SPEC: JobSpec = {
  name: 'j',
  template: {} as PodSpec,
  parallelism: 2,
  completions: 3,
  indexed: false,
  backoffLimit: 6,
  failureRules: [],
  successRules: [],
}
const INDEXED = { indexed: true, parallelism: 3 }

const START: JobInput['progress'] = {
  nextNumber: 3,
  succeeded: 0,
  failed: 0,
  succeededIndexes: [],
  failedIndexes: [],
  inRow: { count: 0, lastMs: 0 },
  byIndex: {},
}

type Wish = Partial<Omit<JobPod, 'exits'>> & { code?: number }

/** A pod in a phase; a failed one ended with code 1 just now. */
function pod(phase: JobPod['phase'], { code = 1, ...more }: Wish = {}): JobPod {
  const exits = phase === 'failed' ? [{ container: 'main', code }] : []
  return { id: phase as string as Id, phase, counted: false, restarts: 0, finishedMs: NOW, exits, ...more }
}

type Case = {
  spec?: Partial<JobSpec>
  progress?: Partial<JobInput['progress']>
  pods: JobPod[]
  startedMs?: number
  plan: Partial<Pick<JobPlan, 'create' | 'stop' | 'counted' | 'againAtMs'>> & { outcome?: string; progress?: object }
}

const cases: Record<string, Case> = {
  'as many run as may: nothing to do': { pods: [pod('active'), pod('active')], plan: { create: [], counted: [] } },
  'one succeeded: the next one comes at once': {
    pods: [pod('succeeded'), pod('active')],
    plan: { create: [undefined], counted: ['succeeded' as Id], progress: { succeeded: 1 } },
  },
  'no more than are missing': {
    progress: { succeeded: 2 },
    pods: [],
    plan: { create: [undefined] },
  },
  'what was counted is not counted again': {
    progress: { succeeded: 1 },
    pods: [pod('succeeded', { counted: true }), pod('active')],
    plan: { counted: [], create: [undefined], progress: { succeeded: 1 } },
  },
  'the last one succeeded: complete': {
    progress: { succeeded: 2 },
    pods: [pod('succeeded')],
    plan: { create: [], outcome: 'Complete Completed', progress: { succeeded: 3 } },
  },
  'one failed: the next one comes after 10 s': {
    pods: [pod('failed'), pod('active')],
    plan: { create: [], againAtMs: NOW + 10_000, progress: { failed: 1 } },
  },
  'the pause doubles': {
    progress: { failed: 2, inRow: { count: 2, lastMs: NOW - 60_000 } },
    pods: [pod('failed')],
    plan: { create: [], againAtMs: NOW + 40_000 },
  },
  'and is never longer than 10 minutes': {
    spec: { backoffLimit: 100 },
    progress: { failed: 30, inRow: { count: 30, lastMs: NOW } },
    pods: [],
    plan: { create: [], againAtMs: NOW + 600_000 },
  },
  'a success ends it': {
    progress: { failed: 2, inRow: { count: 2, lastMs: NOW - 1 } },
    pods: [pod('succeeded')],
    plan: { create: [undefined, undefined], progress: { inRow: { count: 0, lastMs: 0 } } },
  },
  'a clock that was set back does not make it longer': {
    progress: { failed: 1, inRow: { count: 1, lastMs: NOW + 5_000_000 } },
    pods: [],
    plan: { create: [], againAtMs: NOW + 10_000 },
  },
  'when the pause is over the next ones come': {
    progress: { failed: 1, inRow: { count: 1, lastMs: NOW - 10_000 } },
    pods: [],
    plan: { create: [undefined, undefined] },
  },
  'one failure too many: failed, and the others stop': {
    spec: { backoffLimit: 0 },
    pods: [pod('failed'), pod('active')],
    plan: { outcome: 'Failed BackoffLimitExceeded', stop: ['active' as Id], create: [] },
  },
  'restarts in place count as well': {
    spec: { backoffLimit: 2 },
    pods: [pod('active', { restarts: 1 }), pod('active', { restarts: 1 })],
    plan: { outcome: 'Failed BackoffLimitExceeded' },
  },
  'no restart is one too many of none': {
    spec: { backoffLimit: 0 },
    pods: [pod('active')],
    plan: { create: [undefined] },
  },
  'the deadline is something to wait for': {
    spec: { deadlineMs: 5000 },
    startedMs: NOW - 1000,
    pods: [pod('active'), pod('active')],
    plan: { againAtMs: NOW + 4000 },
  },
  'the deadline is over': {
    spec: { deadlineMs: 5000 },
    startedMs: NOW - 5000,
    pods: [pod('active')],
    plan: { outcome: 'Failed DeadlineExceeded', stop: ['active' as Id] },
  },
  'what was never started has none': {
    spec: { deadlineMs: 5000 },
    pods: [pod('held'), pod('held')],
    plan: { create: [] },
  },
  'who was stopped by hand keeps the place': { pods: [pod('held'), pod('active')], plan: { create: [] } },
  'but not who had ended before': {
    progress: { succeeded: 1 },
    pods: [pod('held', { counted: true }), pod('active')],
    plan: { create: [undefined] },
  },
  'nor does a work queue wait for that one': {
    spec: { completions: undefined },
    progress: { succeeded: 1 },
    pods: [pod('held', { counted: true })],
    plan: { outcome: 'Complete Completed', stop: [] },
  },
  'a work queue keeps its number while none has succeeded': {
    spec: { completions: undefined },
    pods: [pod('active')],
    plan: { create: [undefined] },
  },
  'a work queue of which one has succeeded waits for the others': {
    spec: { completions: undefined },
    pods: [pod('succeeded'), pod('active')],
    plan: { create: [] },
  },
  'a work queue is done when all have ended': {
    spec: { completions: undefined },
    progress: { succeeded: 1 },
    pods: [pod('failed')],
    plan: { outcome: 'Complete Completed' },
  },
  'the lowest open indexes come first': {
    spec: { ...INDEXED, completions: 5 },
    progress: { succeeded: 1, succeededIndexes: [1] },
    pods: [pod('active', { index: 2 })],
    plan: { create: [0, 3] },
  },
  'an index succeeds once': {
    spec: INDEXED,
    progress: { succeeded: 1, succeededIndexes: [0] },
    pods: [pod('succeeded', { index: 0 })],
    plan: { progress: { succeeded: 1 }, create: [1, 2] },
  },
  'indexes with a limit of their own wait for themselves': {
    spec: { ...INDEXED, backoffLimitPerIndex: 1 },
    pods: [pod('failed', { index: 0 }), pod('active', { index: 1 })],
    plan: { create: [2], againAtMs: NOW + 10_000, progress: { byIndex: { 0: { count: 1, lastMs: NOW } } } },
  },
  'an index that failed too often is left': {
    spec: { ...INDEXED, backoffLimitPerIndex: 0 },
    pods: [pod('failed', { index: 0 }), pod('active', { index: 1 })],
    plan: { create: [2], progress: { failedIndexes: [0] } },
  },
  'and the Job fails when the others are done': {
    spec: { ...INDEXED, backoffLimitPerIndex: 0 },
    progress: { succeeded: 2, succeededIndexes: [1, 2], failedIndexes: [0] },
    pods: [],
    plan: { outcome: 'Failed FailedIndexes' },
  },
  'or when there are too many of them': {
    spec: { ...INDEXED, backoffLimitPerIndex: 0, maxFailedIndexes: 0 },
    pods: [pod('failed', { index: 0 }), pod('active', { index: 1 })],
    plan: { outcome: 'Failed MaxFailedIndexesExceeded', stop: ['active' as Id] },
  },
  'a rule fails the Job': {
    spec: { failureRules: [{ action: 'FailJob', exitCodes: { operator: 'In', values: [42] } }] },
    pods: [pod('failed', { code: 42 }), pod('active')],
    plan: { outcome: 'Failed PodFailurePolicy', stop: ['active' as Id] },
  },
  'a rule overlooks a failure': {
    spec: { backoffLimit: 0, failureRules: [{ action: 'Ignore', exitCodes: { operator: 'NotIn', values: [1] } }] },
    pods: [pod('failed', { code: 9 }), pod('active')],
    plan: { create: [undefined], progress: { failed: 0 } },
  },
  'the first rule that fits decides': {
    spec: {
      failureRules: [
        { action: 'Count', exitCodes: { operator: 'In', values: [1] } },
        { action: 'FailJob', exitCodes: { operator: 'NotIn', values: [2] } },
      ],
    },
    pods: [pod('failed')],
    plan: { progress: { failed: 1 }, againAtMs: NOW + 10_000 },
  },
  'a rule for another container, and one about conditions, decide nothing': {
    spec: {
      failureRules: [
        { action: 'FailJob', exitCodes: { container: 'other', operator: 'In', values: [1] } },
        { action: 'FailJob' },
      ],
    },
    pods: [pod('failed')],
    plan: { progress: { failed: 1 }, againAtMs: NOW + 10_000 },
  },
  'a rule gives an index up': {
    spec: {
      ...INDEXED,
      backoffLimitPerIndex: 5,
      failureRules: [{ action: 'FailIndex', exitCodes: { operator: 'In', values: [1] } }],
    },
    pods: [pod('failed', { index: 1 }), pod('active', { index: 0 })],
    plan: { progress: { failedIndexes: [1] }, create: [2] },
  },
  'enough indexes succeeded: done, and the others stop': {
    spec: { ...INDEXED, successRules: [{ indexes: [0, 2], count: 1 }] },
    pods: [pod('succeeded', { index: 2 }), pod('active', { index: 1 })],
    plan: { outcome: 'Complete SuccessPolicy', stop: ['active' as Id] },
  },
  'not the right ones': {
    spec: { ...INDEXED, successRules: [{ indexes: [0, 2] }] },
    pods: [pod('succeeded', { index: 2 }), pod('active', { index: 0 }), pod('active', { index: 1 })],
    plan: { create: [] },
  },
}

describe('the planner of Jobs', () => {
  for (const [name, { spec, progress, pods, startedMs, plan }] of Object.entries(cases)) {
    test(name, () => {
      const merged = { ...SPEC, ...spec }
      if (merged.completions === undefined) delete merged.completions
      const { outcome, ...planned } = planJob({
        spec: merged as JobSpec,
        progress: { ...START, ...progress },
        pods,
        ...(startedMs !== undefined && { startedMs }),
        nowMs: NOW,
      })
      const told = outcome === undefined ? undefined : `${outcome.is} ${outcome.reason}`
      expect({ ...planned, outcome: told }).toMatchObject({ outcome: undefined, ...plan })
      if (plan.againAtMs === undefined && told === undefined) expect(planned).not.toHaveProperty('againAtMs')
    })
  }

  test('changes nothing of what it is given', () => {
    const progress = structuredClone(START)
    planJob({ spec: SPEC, progress, pods: [pod('failed'), pod('succeeded')], nowMs: NOW })
    expect(progress).toEqual(START)
  })
})
