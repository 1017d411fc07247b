/** The words of a plan: what the planner is told, and the steps it answers with. */
import type { Id, RestartPolicy } from '../../model.ts'
import type { ContainerGoal, ContainerKind, FailedCheck, PodFailure } from '../types/index.ts'
import type { OwnRestart } from './restart.ts'

/** What the kernel and the exit files say about one container. */
export type Observed =
  | { at: 'absent' }
  | { at: 'created'; pid: number; start: string }
  | { at: 'running'; pid: number; start: string }
  /** It runs, but its monitor is gone: nobody will record how it ends. */
  | { at: 'unmonitored'; pid: number; start: string }
  | { at: 'exited'; code: number; finishedMs: number }
  /** There was a process, it is gone, and nobody recorded how it ended. */
  | { at: 'lost' }

/** It ran, or could not be made to run, and is over. */
export const hasEnded = (observed: Observed): boolean => observed.at === 'exited' || observed.at === 'lost'

export type PlannedContainer = {
  id: Id
  kind: ContainerKind
  goal: ContainerGoal
  observed: Observed
  /** An init container that has succeeded and need not run again. */
  done: boolean
  /** Its mounts or variables need what init containers write, so it is created only after them. */
  needsInit: boolean
  /** Containers of the pod that have to be started before this one, and are stopped after it. */
  dependsOn: readonly Id[]
  /** What it says of its restarts itself; absent: nothing. */
  own?: OwnRestart
  startedMs?: number
  /** It has been started since the pod's namespaces were made, whatever became of it. */
  hasRun: boolean
  crashes: number
  /** The runtime still knows its last run. */
  leftover: boolean
  /** Its stop has begun, and somebody wants it to run after that. */
  ending: boolean
  /** It is to go while its pod stays. */
  removing: boolean
  /** Of a run that is, or was, to be ended because of that: its end is a failure. */
  failedCheck?: FailedCheck
  /** Its postStart hook: to be run once it runs, or done; absent: it has none. */
  postStart?: 'due' | 'done'
  /** Its startup probe has not succeeded yet, or will not have when it starts. */
  unstarted?: true
}

/** The kubelet's sentence for it, where there is none that says more. */
export const FAILURE_MESSAGES: Readonly<Record<PodFailure, string>> = {
  DeadlineExceeded: 'Pod was active on the node longer than the specified deadline',
  Evicted: 'The node was low on resource: ephemeral-storage.',
}

/** Why a container is ended that a probe or hook has found to be beyond help. */
export const FAILED_CHECKS: Readonly<Record<FailedCheck, string>> = {
  liveness: 'its liveness probe failed',
  startup: 'its startup probe failed',
  postStart: 'its postStart hook failed',
}

/** Namespaces and network of a pod. `changing`: whoever was making or freeing them was interrupted. */
export type SandboxState = 'down' | 'changing' | 'up'

export type PlanInput = {
  goal: 'created' | 'running' | 'stopped' | 'removed'
  restartPolicy: RestartPolicy
  sandbox: SandboxState
  /** Infra or service first, then init containers and sidecars in order, then regular ones in the order of their start. */
  containers: readonly PlannedContainer[]
  nowMs: number
  /** When it is stopped, whatever it does; absent: it may run for ever. */
  deadlineMs?: number
  /** It has failed of that, once and for all. */
  failure?: PodFailure
  /**
   * Somebody waits for the pod to be up. Otherwise nobody waits for an init container either: its end calls for the
   * next plan.
   */
  patient: boolean
}

export type StepKinds =
  // Making
  | { do: 'sandbox' }
  | { do: 'network' }
  /** `crashes` counts the restart that this begins. */
  | { do: 'discard'; container: Id; crashes: number }
  | { do: 'rootfs'; container: Id }
  | { do: 'create'; container: Id }
  | { do: 'start'; container: Id }
  /** Its postStart hook. */
  | { do: 'hook'; container: Id }
  /** The end of an init container, or the startup probe of a sidecar. */
  | { do: 'await'; container: Id }
  // Ending
  | { do: 'stop'; container: Id }
  | { do: 'delete'; container: Id }
  | { do: 'unmount'; container: Id }
  | { do: 'erase'; container: Id }
  | { do: 'drop'; container: Id }
  | { do: 'cgroup' }
  | { do: 'disconnect' }
  | { do: 'unpin' }
  | { do: 'volumes' }
  /** All that it has on disks but its run directory. */
  | { do: 'files' }
  | { do: 'rundir' }
  | { do: 'forget' }

/**
 * `id` is unique in its plan. `after` names earlier steps that must have succeeded, `order` earlier steps that must
 * only have ended: a container that did not start holds up no sibling, and one that cannot be stopped no removal.
 */
export type Step = StepKinds & { id: string; after: string[]; order: string[]; because: string }

export type Plan = {
  steps: Step[]
  /** When to look again: the earliest back-off that has not passed yet, or the pod's deadline. */
  againAtMs?: number
  /** Set when the pod can never get where it should be. */
  failed?: { container: Id; reason: string }
  /** What the pod has failed of by this plan: to be written down before its steps. */
  failure?: PodFailure
  /** Set when all its work is done and nothing of it will be started again. */
  finished?: true
}

/** Collects the steps of one plan. */
export class Steps {
  readonly list: Step[] = []

  /** Adds a step and returns its id. */
  add(step: StepKinds & { because: string }, after: readonly string[] = [], order: readonly string[] = []): string {
    const id = 'container' in step ? `${step.do} ${step.container}` : step.do
    this.list.push({ ...step, id, after: [...new Set(after)], order: [...new Set(order)] } as Step)
    return id
  }

  /** The id as a list when there is such a step, otherwise nothing to wait for. */
  ifThere(id: string): string[] {
    return this.list.some(step => step.id === id) ? [id] : []
  }
}
