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
import { TspodError } from '../../errors.ts'
import type { ContainerState } from '../types/index.ts'

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

/** What somebody may ask of a container. */
export type Operation =
  | 'init'
  | 'start'
  | 'stop'
  | 'kill'
  | 'pause'
  | 'unpause'
  | 'restart'
  | 'checkpoint'
  | 'restore'
  | 'remove'

type Rule = {
  /** States in which it is done. */
  from: readonly ContainerState[]
  /** States in which there is nothing to do, which is a success. */
  already: readonly ContainerState[]
  /** Why not, in Podman's words. */
  refusal(name: string, state: string): string
  remedy: string
}

const ENDED = ['exited', 'stopped', 'unknown'] as const
const NOT_YET = ['configured', 'created'] as const
const UP = ['running', 'paused', 'stopping'] as const

/** The states in which each operation may be asked for; the transitions it leads to are those of the table above. */
export const OPERATIONS: Readonly<Record<Operation, Rule>> = {
  init: {
    from: ['configured', ...ENDED],
    already: [],
    refusal: name => `container ${name} has already been created in runtime: container state improper`,
    remedy: 'start it: tspod start',
  },
  start: {
    from: [...NOT_YET, ...ENDED],
    already: ['running'],
    refusal: name => `container ${name} must be in Created or Stopped state to be started: container state improper`,
    remedy: 'see its state: tspod ps -a; a paused container goes on after tspod unpause',
  },
  stop: {
    from: ['created', ...UP],
    already: ['configured', ...ENDED],
    refusal: (name, state) =>
      `can only stop created or running containers. ${name} is in state ${state}: container state improper`,
    remedy: 'see its state: tspod ps -a',
  },
  kill: {
    from: [...UP],
    already: [],
    refusal: (name, state) =>
      `can only kill running containers. ${name} is in state ${state}: container state improper`,
    remedy: 'see its state: tspod ps -a',
  },
  pause: {
    from: ['running'],
    already: [],
    refusal: (name, state) =>
      state === 'paused'
        ? `"${name}" is already paused: container state improper`
        : `"${name}" is not running, can't pause: container state improper`,
    remedy: 'see its state: tspod ps -a',
  },
  unpause: {
    from: ['paused'],
    already: [],
    refusal: name => `"${name}" is not paused, can't unpause: container state improper`,
    remedy: 'see its state: tspod ps -a',
  },
  restart: {
    from: [...NOT_YET, ...ENDED, 'running', 'stopping'],
    already: [],
    refusal: () => 'unable to restart a container in a paused or unknown state: container state improper',
    remedy: 'let it go on first: tspod unpause',
  },
  checkpoint: {
    from: ['running'],
    already: [],
    refusal: (_, state) => `"${state}" is not running, cannot checkpoint: container state improper`,
    remedy: 'see its state: tspod ps -a',
  },
  restore: {
    from: ['configured', ...ENDED],
    already: [],
    refusal: name => `container ${name} is running or paused, cannot restore: container state improper`,
    remedy: 'stop it first: tspod stop',
  },
  remove: {
    from: [...NOT_YET, ...ENDED, 'removing'],
    already: [],
    refusal: (name, state) =>
      `cannot remove container ${name} as it is ${state} - running or paused containers cannot be removed without ` +
      'force: container state improper',
    remedy: 'stop it first, or use --force',
  },
}

/** Podman's words for states where they differ: it calls "created" what is only configured. */
export function podmanState(state: ContainerState): string {
  if (state === 'configured') return 'created'
  return state === 'created' ? 'initialized' : state
}

/**
 * True when `operation` has something to do for a container in `state`, false when that has been done already.
 * Throws WRONG_STATE in Podman's words when it cannot be asked for.
 */
export function mayDo(operation: Operation, name: string, state: ContainerState): boolean {
  const { from, already, refusal, remedy } = OPERATIONS[operation]
  if (from.includes(state)) return true
  if (already.includes(state)) return false
  throw new TspodError('WRONG_STATE', refusal(name, podmanState(state)), { remedy })
}
