import { describe, expect, test } from '@jest/globals'
import { type Observed, type PlanInput, type PlannedContainer, planPod } from '../../../../src/engine/plan/index.ts'
import type { ContainerKind } from '../../../../src/engine/types/api.ts'
import type { Id } from '../../../../src/model.ts'

const NOW = 1_000_000
const RUNNING: Observed = { at: 'running', pid: 7, start: '1' }
const exited = (code: number): Observed => ({ at: 'exited', code, finishedMs: NOW })

function container(
  id: string,
  kind: ContainerKind,
  observed: Observed = { at: 'absent' },
  more: Partial<PlannedContainer> = {},
): PlannedContainer {
  return {
    id: id as Id,
    kind,
    goal: 'running',
    observed,
    done: false,
    needsInit: false,
    dependsOn: [],
    hasRun: false,
    crashes: 0,
    leftover: false,
    ending: false,
    removing: false,
    ...more,
  }
}

function input(containers: PlannedContainer[], more: Partial<PlanInput> = {}): PlanInput {
  return { goal: 'running', restartPolicy: 'Always', sandbox: 'up', containers, nowMs: NOW, patient: true, ...more }
}

/** `id (after; order)` of each step, in order. */
const shape = (plan: ReturnType<typeof planPod>): string[] =>
  plan.steps.map(step => `${step.id} (${step.after.join(', ')}; ${step.order.join(', ')})`)

const cases: Record<string, { input: PlanInput; steps: string[] }> = {
  'all is well: nothing to do': { input: input([container('a', 'regular', RUNNING)]), steps: [] },
  'a fresh pod: root file system at once, start after network and creation': {
    input: input([container('a', 'regular')], { sandbox: 'down' }),
    steps: [
      'sandbox (; )',
      'network (sandbox; )',
      'rootfs a (; )',
      'create a (sandbox, rootfs a; )',
      'start a (create a, network; )',
    ],
  },
  'a new sandbox after a reboot: init containers run again before whoever had run': {
    input: input(
      [container('i', 'init', exited(0), { startedMs: 1 }), container('a', 'regular', exited(255), { startedMs: 1 })],
      { sandbox: 'down' },
    ),
    steps: [
      'sandbox (; )',
      'network (sandbox; )',
      'discard i (; )',
      'rootfs i (discard i; )',
      'create i (sandbox, rootfs i, discard i; )',
      'start i (create i, network; )',
      'await i (start i; )',
      'discard a (; )',
      'rootfs a (discard a; )',
      'create a (sandbox, rootfs a, discard a; )',
      'start a (create a, await i; )',
    ],
  },
  'regular containers start in order, but need only what they depend on': {
    input: input([container('a', 'regular'), container('b', 'regular')]),
    steps: [
      'rootfs a (; )',
      'create a (rootfs a; )',
      'start a (create a; )',
      'rootfs b (; )',
      'create b (rootfs b; )',
      'start b (create b; start a)',
    ],
  },
  'a sidecar in back-off holds up what comes after it': {
    input: input([
      container('s', 'sidecar', exited(1), { startedMs: NOW, crashes: 3 }),
      container('t', 'sidecar'),
      container('a', 'regular'),
    ]),
    steps: [],
  },
  'and nothing any more once a regular container has run, as in Kubernetes': {
    input: input([
      container('s', 'sidecar', exited(1), { startedMs: NOW, crashes: 3 }),
      container('t', 'sidecar'),
      container('a', 'regular', RUNNING),
    ]),
    steps: ['rootfs t (; )', 'create t (rootfs t; )', 'start t (create t; )'],
  },
  'a stop that has begun is ended before its container runs again': {
    input: input([container('a', 'regular', RUNNING, { ending: true }), container('b', 'regular', RUNNING)]),
    steps: ['stop a (; )'],
  },
  'init containers run one by one and gate the rest': {
    input: input([container('i', 'init'), container('j', 'init'), container('a', 'regular')]),
    steps: [
      'rootfs i (; )',
      'create i (rootfs i; )',
      'start i (create i; )',
      'await i (start i; )',
      'rootfs j (; )',
      'create j (rootfs j; )',
      'start j (create j, await i; )',
      'await j (start j; )',
      'rootfs a (; )',
      'create a (rootfs a; )',
      'start a (create a, await j; )',
    ],
  },
  'an init container whose monitor is gone is stopped, and nothing comes after it before it has succeeded': {
    input: input([
      container('i', 'init', { at: 'unmonitored', pid: 1, start: '1' }),
      container('s', 'sidecar'),
      container('a', 'regular'),
    ]),
    steps: ['stop i (; )'],
  },
  'what init containers may still make is mounted only after them': {
    input: input([container('i', 'init'), container('a', 'regular', { at: 'absent' }, { needsInit: true })]),
    steps: [
      'rootfs i (; )',
      'create i (rootfs i; )',
      'start i (create i; )',
      'await i (start i; )',
      'rootfs a (; )',
      'create a (await i, rootfs a; )',
      'start a (create a, await i; )',
    ],
  },
  'nor is it made where its init container is not to start yet': {
    input: input([container('i', 'init'), container('a', 'regular', { at: 'absent' }, { needsInit: true })], {
      goal: 'created',
    }),
    steps: ['rootfs i (; )', 'create i (rootfs i; )'],
  },
  'the infra container owns the PID namespace: all others are created after it started': {
    input: input([container('p', 'infra'), container('a', 'regular')]),
    steps: [
      'create p (; )',
      'start p (create p; )',
      'rootfs a (; )',
      'create a (create p, rootfs a; )',
      'start a (create a, start p; )',
    ],
  },
  'a finished init container is not run again': {
    input: input([container('i', 'init', exited(0), { done: true }), container('a', 'regular', RUNNING)]),
    steps: [],
  },
  'where nobody waits, an init container is started and left alone': {
    input: input([container('i', 'init'), container('a', 'regular')], { patient: false }),
    steps: ['rootfs i (; )', 'create i (rootfs i; )', 'start i (create i; )'],
  },
  'an init container that runs is waited for': {
    input: input([container('i', 'init', RUNNING), container('a', 'regular', { at: 'created', pid: 1, start: '1' })]),
    steps: ['await i (; )', 'start a (await i; )'],
  },
  'an ended container is discarded before it is made again': {
    input: input([container('a', 'regular', exited(1))]),
    steps: ['discard a (; )', 'rootfs a (discard a; )', 'create a (rootfs a, discard a; )', 'start a (create a; )'],
  },
  'a lost container is discarded as well': {
    input: input([container('a', 'regular', { at: 'lost' })]),
    steps: ['discard a (; )', 'rootfs a (discard a; )', 'create a (rootfs a, discard a; )', 'start a (create a; )'],
  },
  'Never: an ended container stays ended': {
    input: input([container('a', 'regular', exited(1)), container('b', 'regular', RUNNING)], {
      restartPolicy: 'Never',
    }),
    steps: [],
  },
  'create only: nothing is started': {
    input: input([container('i', 'init'), container('a', 'regular')], { goal: 'created' }),
    steps: ['rootfs i (; )', 'create i (rootfs i; )', 'rootfs a (; )', 'create a (rootfs a; )'],
  },
}

Object.assign(cases, {
  'a hook follows the start of its container, and the next one waits for it to end': {
    input: input([
      container('a', 'regular', { at: 'created', pid: 1, start: '1' }, { postStart: 'done' }),
      container('b', 'regular', { at: 'created', pid: 2, start: '1' }, { dependsOn: ['a' as Id] }),
      container('c', 'regular', { at: 'created', pid: 3, start: '1' }),
    ]),
    steps: ['start a (; )', 'hook a (start a; )', 'start b (hook a; hook a)', 'start c (; start b)'],
  },
  'a hook that nobody saw end is run again': {
    input: input([container('a', 'regular', RUNNING, { postStart: 'due' })]),
    steps: ['hook a (; )'],
  },
  'the startup probe of a sidecar gates what comes after it': {
    input: input([
      container('s', 'sidecar', { at: 'created', pid: 1, start: '1' }, { unstarted: true }),
      container('a', 'regular', { at: 'created', pid: 2, start: '1' }),
    ]),
    steps: ['start s (; )', 'await s (start s; )', 'start a (await s; )'],
  },
  'a sidecar that has started gates nothing any more': {
    input: input([
      container('s', 'sidecar', RUNNING),
      container('a', 'regular', { at: 'created', pid: 2, start: '1' }),
    ]),
    steps: ['start a (; )'],
  },
  'where nobody waits, the end of its startup probe calls for the next plan': {
    input: input([container('s', 'sidecar', RUNNING, { unstarted: true }), container('a', 'regular')], {
      patient: false,
    }),
    steps: [],
  },
  'once the pod is initialised a sidecar starts anew behind nobody': {
    input: input([
      container('s', 'sidecar', RUNNING, { unstarted: true }),
      container('a', 'regular', RUNNING),
      container('b', 'regular', { at: 'created', pid: 2, start: '1' }),
    ]),
    steps: ['start b (; )'],
  },
  'a container whose probe has failed is stopped, and nothing else': {
    input: input([container('a', 'regular', RUNNING, { failedCheck: 'liveness' }), container('b', 'regular', RUNNING)]),
    steps: ['stop a (; )'],
  },
  'what a probe has ended with code 0 starts again under OnFailure': {
    input: input([container('a', 'regular', exited(0), { failedCheck: 'liveness', startedMs: 1 })], {
      restartPolicy: 'OnFailure',
    }),
    steps: ['discard a (; )', 'rootfs a (discard a; )', 'create a (rootfs a, discard a; )', 'start a (create a; )'],
  },
} satisfies typeof cases)

describe('planPod', () => {
  for (const [name, { input, steps }] of Object.entries(cases)) {
    test(name, () => {
      const plan = planPod(input)
      expect(shape(plan)).toEqual(steps)
      expect(plan.steps.every(step => step.because !== '')).toBe(true)
    })
  }

  test('a restart in back-off is not planned but announced, and the earliest one counts', () => {
    const plan = planPod(
      input([
        container('a', 'regular', exited(1), { crashes: 3 }),
        container('b', 'regular', exited(1), { crashes: 1 }),
      ]),
    )
    expect(plan.steps).toEqual([])
    expect(plan.againAtMs).toBe(NOW + 10_000)
  })

  test('an init container in back-off blocks all that comes later', () => {
    const plan = planPod(input([container('i', 'init', exited(1), { crashes: 1 }), container('a', 'regular')]))
    expect(plan).toEqual({ steps: [], againAtMs: NOW + 10_000 })
  })

  test('an init container that is stopped while it runs lets nothing later start', () => {
    const init = container('i', 'init', RUNNING, { goal: 'stopped' })
    expect(shape(planPod(input([init, container('a', 'regular', { at: 'created', pid: 1, start: '1' })])))).toEqual([
      'stop i (; )',
    ])
  })

  test('a failed init container under Never fails the pod', () => {
    const plan = planPod(
      input([container('i', 'init', exited(1)), container('a', 'regular')], { restartPolicy: 'Never' }),
    )
    expect(plan.steps.map(step => step.do)).toEqual([
      'disconnect',
      'delete',
      'delete',
      'unmount',
      'unmount',
      'cgroup',
      'unpin',
    ])
    expect(plan.failed).toEqual({ container: 'i', reason: 'exited with code 1; restartPolicy is Never' })
  })

  describe('of a pod with a deadline', () => {
    const running = [container('a', 'regular', RUNNING)]
    const over = { do: 'stop', because: 'it was active longer than its deadline' }

    test('waits for it, and not for more than five minutes in one go', () => {
      expect(planPod(input(running, { deadlineMs: NOW + 7_000 }))).toEqual({ steps: [], againAtMs: NOW + 7_000 })
      expect(planPod(input(running, { deadlineMs: NOW + 900_000 })).againAtMs).toBe(NOW + 300_000)
      const crashed = [container('a', 'regular', exited(1), { crashes: 1 })]
      expect(planPod(input(crashed, { deadlineMs: NOW + 900_000 })).againAtMs).toBe(NOW + 10_000)
    })

    test('stops everything and fails when it has come', () => {
      const plan = planPod(input(running, { deadlineMs: NOW }))
      expect(plan).toMatchObject({ failure: 'DeadlineExceeded', finished: true })
      expect(plan.steps[0]).toMatchObject(over)
    })

    test('starts nothing once it has failed, whatever the clock says', () => {
      const crashed = container('b', 'regular', exited(1))
      const plan = planPod(input([...running, crashed], { deadlineMs: NOW + 1, failure: 'DeadlineExceeded' }))
      expect(plan.steps[0]).toMatchObject(over)
      expect(plan.steps.map(step => step.do)).not.toContain('start')
      expect(plan.againAtMs).toBeUndefined()
    })

    test('lets be what has ended before, and what is not to run', () => {
      const done = input([container('a', 'regular', exited(0))], { restartPolicy: 'Never', deadlineMs: NOW })
      expect(planPod(done)).not.toHaveProperty('failure')
      expect(planPod(input(running, { goal: 'created', deadlineMs: NOW }))).toEqual({ steps: [] })
      expect(planPod(input(running, { goal: 'stopped', deadlineMs: NOW }))).not.toHaveProperty('failure')
    })
  })

  test('a restart is counted, a first start is not', () => {
    const restarted = planPod(input([container('a', 'regular', exited(1))])).steps.find(step => step.do === 'discard')
    const first = planPod(input([container('a', 'regular')])).steps.find(step => step.do === 'discard')
    expect(restarted).toMatchObject({ crashes: 1 })
    expect(first).toBeUndefined()
  })
})
