import { describe, expect, test } from '@jest/globals'
import type { Observed } from '../../../../src/engine/plan/index.ts'
import type { ContainerRecord, PodRecord } from '../../../../src/engine/state/records.ts'
import type { ContainerKind, PodView } from '../../../../src/engine/types/api.ts'
import { viewPod } from '../../../../src/engine/view/view.ts'
import type { PodSpec, RestartPolicy } from '../../../../src/model.ts'

const NOW = 1_000_000
const RUNNING: Observed = { at: 'running', pid: 7, start: '1' }
const CREATED: Observed = { at: 'created', pid: 7, start: '1' }
const exited = (code: number, finishedMs = NOW): Observed => ({ at: 'exited', code, finishedMs })

type One = { kind: ContainerKind; observed: Observed; record?: Partial<ContainerRecord>; oom?: boolean }
const init = (observed: Observed, record: Partial<ContainerRecord> = {}): One => ({ kind: 'init', observed, record })
const regular = (observed: Observed, record: Partial<ContainerRecord> = {}): One => ({
  kind: 'regular',
  observed,
  record,
})

/** STATUS, phase and READY of a pod with these containers. */
function status(...what: Parameters<typeof viewOf>): string {
  const view = viewOf(...what)
  return `${view.reason} ${view.phase} ${view.ready}/${view.total}`
}

function viewOf(
  containers: One[],
  restartPolicy: RestartPolicy = 'Always',
  goal: PodRecord['goal'] = 'running',
  more: Partial<PodRecord> = {},
): PodView {
  const named = containers.map((one, index) => ({ ...one, name: `c${index}` }))
  const spec = {
    namespace: 'default',
    labels: {},
    restartPolicy,
    origin: { kind: 'Pod', name: 'web' },
    initContainers: named.filter(one => one.kind === 'init').map(({ name }) => ({ name, image: 'i', ports: [] })),
    containers: named.filter(one => one.kind === 'regular').map(({ name }) => ({ name, image: 'i', ports: [] })),
  } as unknown as PodSpec
  const pod = {
    id: 'p',
    name: 'web',
    kind: 'pod',
    spec,
    goal,
    settings: {},
    createdMs: 1,
    ...more,
  } as unknown as PodRecord
  const seen = named.map(({ name, kind, observed, record, oom = false }, ordinal) => ({
    record: {
      id: name,
      pod: 'p',
      name: `web-${name}`,
      shortName: name,
      kind,
      ordinal,
      goal: 'running',
      state: observed.at === 'exited' ? 'exited' : 'running',
      restarts: 0,
      crashes: 0,
      createdMs: 1,
      reason: '',
      message: '',
      command: [],
      started: true,
      ready: true,
      ...record,
    } as unknown as ContainerRecord,
    observed,
    logPath: '',
    oom,
  }))
  return viewPod({ pod, seen, sandbox: undefined, nowMs: NOW })
}

describe('what ps says of a pod', () => {
  const cases: [string, string, string][] = [
    ['all run', status([regular(RUNNING), regular(RUNNING)]), 'Running Running 2/2'],
    ['one is not made yet', status([regular(RUNNING), regular({ at: 'absent' })]), 'ContainerCreating Pending 1/2'],
    ['one is created and not started', status([regular(CREATED)]), 'Created Pending 0/1'],
    ['created on purpose', status([regular(CREATED)], 'Always', 'created'), 'Created Pending 0/1'],
    [
      'first init container runs',
      status([init(RUNNING), init({ at: 'absent' }), regular({ at: 'absent' })]),
      'Init:0/2 Pending 0/1',
    ],
    ['second init container runs', status([init(exited(0)), init(RUNNING), regular(CREATED)]), 'Init:1/2 Pending 0/1'],
    ['an init container failed', status([init(exited(1)), regular(CREATED)], 'Never'), 'Init:Error Failed 0/1'],
    [
      'an init container crashes',
      status([init(exited(1), { crashes: 2 }), regular(CREATED)]),
      'Init:CrashLoopBackOff Pending 0/1',
    ],
    ['all are done well', status([regular(exited(0)), regular(exited(0))], 'Never'), 'Completed Succeeded 0/2'],
    ['one is done badly', status([regular(exited(0)), regular(exited(3))], 'Never'), 'Error Failed 0/2'],
    ['one of two is done', status([regular(exited(0)), regular(RUNNING)], 'Never'), 'Running Running 1/2'],
    ['one of two is not ready', status([regular(RUNNING), regular(RUNNING, { ready: false })]), 'Running Running 1/2'],
    ['a restart is in back-off', status([regular(exited(3), { crashes: 1 })]), 'CrashLoopBackOff Running 0/1'],
    [
      'one is made anew after it ended',
      status([regular({ at: 'absent' }, { state: 'configured', reason: 'Error', exitCode: 1, restarts: 1 })]),
      'Error Running 0/1',
    ],
    ['killed for memory', status([regular(exited(137), { reason: 'OOMKilled' })], 'Never'), 'OOMKilled Failed 0/1'],
    ['and nobody has recorded it', status([{ ...regular(exited(137)), oom: true }], 'Never'), 'OOMKilled Failed 0/1'],
    ['nobody knows how it ended', status([regular({ at: 'lost' })]), 'Unknown Unknown 0/1'],
    [
      'a start that failed',
      status([regular({ at: 'absent' }, { state: 'configured', reason: 'CreateContainerError' })]),
      'CreateContainerError Pending 0/1',
    ],
  ]
  for (const [name, is, wanted] of cases) test(name, () => expect(is).toBe(wanted))
})

describe('a pod that was active too long', () => {
  const failed = { failure: 'DeadlineExceeded', failedMs: NOW } as const
  const of = (observed: Observed, record: Partial<ContainerRecord> = {}, goal: PodRecord['goal'] = 'running') =>
    viewOf([regular(observed, record)], 'Always', goal, failed)

  test('has failed once all of it has ended, and says so', () => {
    const view = of(exited(0), { crashes: 3 })
    expect(view).toMatchObject({
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    })
    expect(view.containers[0]).toMatchObject({ reason: 'Completed' })
    expect(view.containers[0]).not.toHaveProperty('nextStartMs')
    expect(of(exited(0), {}, 'stopped').phase).toBe('Failed')
  })

  test('goes on until then', () => expect(of(RUNNING)).toMatchObject({ phase: 'Running', reason: 'DeadlineExceeded' }))
})
