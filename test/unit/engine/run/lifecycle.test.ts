import { describe, expect, test } from '@jest/globals'
import { advance, type LifecycleEvent, TRANSITIONS } from '../../../../src/engine/run/lifecycle.ts'
import type { ContainerState } from '../../../../src/engine/types/api.ts'

const EVENTS: LifecycleEvent[] = [
  'created',
  'started',
  'paused',
  'resumed',
  'stopRequested',
  'exited',
  'lost',
  'reset',
  'removeRequested',
]
const STATES = Object.keys(TRANSITIONS) as ContainerState[]

describe('every pair of state and event', () => {
  for (const state of STATES) {
    for (const event of EVENTS) {
      const next = TRANSITIONS[state][event]
      test(`${state} + ${event} → ${next ?? 'refused'}`, () => {
        if (next === undefined)
          expect(() => advance(state, event)).toThrow(`a container that is ${state} cannot be ${event}`)
        else expect(advance(state, event)).toBe(next)
      })
    }
  }
})

test('what is unknown is stopped or reset before it is started again', () => {
  expect(TRANSITIONS.unknown.started).toBeUndefined()
})

test('nothing comes back from removing', () => {
  expect(Object.values(TRANSITIONS.removing)).toEqual(['removing'])
})

test('every state but configured can be reached', () => {
  const reached = new Set(STATES.flatMap(state => Object.values(TRANSITIONS[state])))
  expect(STATES.filter(state => !reached.has(state))).toEqual([])
})
