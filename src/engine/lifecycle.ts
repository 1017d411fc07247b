/**
 * The life of a container as one table: state × event → state.
 *
 *   configured ──created──► created ──started──► running ⇄ paused
 *       ▲                      │                   │  ╲
 *       │                      │                stopping ──exited──► stopped
 *       └──────reset───────────┴──── exited ◄──────┘
 *
 * `stopped` was stopped on purpose, `exited` ended by itself; `unknown` is what cannot be known after a crash: it is
 * stopped before it is started again. `removing` is final.
 */
import { TspodError } from '../errors.ts'
import type { ContainerState } from './types.ts'

export type LifecycleEvent =
  | 'created'
  | 'started'
  | 'paused'
  | 'resumed'
  | 'stopRequested'
  | 'exited'
  | 'failed'
  | 'lost'
  | 'reset'
  | 'removeRequested'

type Transitions = { readonly [S in ContainerState]: Partial<Record<LifecycleEvent, ContainerState>> }

export const TRANSITIONS: Transitions = {
  configured: {
    created: 'created',
    failed: 'exited',
    lost: 'unknown',
    reset: 'configured',
    removeRequested: 'removing',
  },
  created: {
    started: 'running',
    exited: 'exited',
    failed: 'exited',
    lost: 'unknown',
    stopRequested: 'stopping',
    reset: 'configured',
    removeRequested: 'removing',
  },
  running: { paused: 'paused', stopRequested: 'stopping', exited: 'exited', lost: 'unknown' },
  paused: { resumed: 'running', stopRequested: 'stopping', exited: 'exited', lost: 'unknown' },
  stopping: { stopRequested: 'stopping', exited: 'stopped', lost: 'unknown' },
  stopped: { reset: 'configured', removeRequested: 'removing' },
  exited: { reset: 'configured', removeRequested: 'removing' },
  removing: { removeRequested: 'removing' },
  unknown: {
    exited: 'exited',
    stopRequested: 'stopping',
    lost: 'unknown',
    reset: 'configured',
    removeRequested: 'removing',
  },
}

/** The state after `event`; throws ILLEGAL_TRANSITION when the table has no such pair. */
export function advance(state: ContainerState, event: LifecycleEvent): ContainerState {
  const next = TRANSITIONS[state][event]
  if (next === undefined) {
    throw new TspodError('ILLEGAL_TRANSITION', `a container that is ${state} cannot be ${event}`, {
      remedy: 'look at the pod with `tspod inspect` and try again',
    })
  }
  return next
}
