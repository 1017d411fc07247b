import { expect, test } from '@jest/globals'
import { isPodReady, readinessOf } from '../../../../src/engine/probe/ready.ts'
import { afterHook, atStart } from '../../../../src/engine/run/progress.ts'
import type { ContainerSpec } from '../../../../src/model.ts'
import { containerView, podView } from '../../../support/world.ts'

const running = podView()
const view = (change: Parameters<typeof containerView>[0]) => containerView(change)

test.each<[string, ReturnType<typeof containerView>[], boolean]>([
  ['all its containers run and are ready', [view({})], true],
  ['one is not ready', [view({}), view({ ready: false })], false],
  ['a sidecar is not ready', [view({ kind: 'sidecar', ready: false }), view({})], false],
  ['one is stopping', [view({ state: 'stopping' })], false],
  ['one is paused', [view({ state: 'paused' })], false],
  [
    'an init container is over, and so is not ready',
    [view({ kind: 'init', state: 'exited', ready: false }), view({})],
    true,
  ],
  ['it has no containers', [], true],
])('a pod of which %s', (_, containers, ready) => {
  expect(isPodReady(running, containers)).toBe(ready)
})

test.each([
  ['Running', true, 'ready'],
  ['Running', false, 'waiting'],
  ['Pending', true, 'waiting'],
  ['Succeeded', false, 'done'],
  ['Failed', false, 'failed'],
] as const)('who waits for a pod that is %s, its container ready: %s, is told %s', (phase, ready, told) => {
  expect(readinessOf({ phase }, [view({ ready })])).toBe(told)
})

const probe = {} as NonNullable<ContainerSpec['probes']>['liveness']
const hook = { kind: 'sleep', ms: 1 } as const

test.each<[string, Pick<ContainerSpec, 'probes' | 'hooks'>, object]>([
  ['without probes and hooks', {}, { hooked: true, started: true, ready: true }],
  [
    'with a liveness probe',
    { probes: { liveness: probe } },
    { hooked: true, started: true, ready: true, health: 'starting' },
  ],
  ['with a readiness probe', { probes: { readiness: probe } }, { hooked: true, started: true, ready: false }],
  [
    'with a startup probe',
    { probes: { startup: probe } },
    { hooked: true, started: false, ready: false, health: 'starting' },
  ],
  ['with a preStop hook', { hooks: { preStop: hook } }, { hooked: true, started: true, ready: true }],
  ['with a postStart hook', { hooks: { postStart: hook } }, { hooked: false, started: false, ready: false }],
])('what is known of a container that has just started %s', (_, spec, known) => {
  expect(atStart(spec)).toEqual(known)
})

test('after its postStart hook a container has started, unless a startup probe has to say so', () => {
  expect(afterHook({ hooks: { postStart: hook } })).toEqual({ hooked: true, started: true, ready: true })
  expect(afterHook({ hooks: { postStart: hook }, probes: { startup: probe } })).toMatchObject({ started: false })
  expect(afterHook({ hooks: { postStart: hook }, probes: { readiness: probe } })).toMatchObject({ ready: false })
})
