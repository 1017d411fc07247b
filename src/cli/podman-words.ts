/** Podman's words for states, where they differ from ours: scripts compare with them. */
import type { ContainerView, ListedPod } from '../engine/index.ts'
import { humanDuration } from './template/index.ts'

/** Podman's states of a container (libpod/define, ContainerStatus). */
export const CONTAINER_STATES = [
  'created',
  'initialized',
  'running',
  'paused',
  'exited',
  'stopped',
  'stopping',
  'removing',
  'unknown',
] as const

export type PodmanState = (typeof CONTAINER_STATES)[number]

/**
 * A container's state as Podman calls it. What is configured here is `created` there, and what is created for the
 * runtime `initialized`; a container that was stopped is `exited`, as in Podman once it has been cleaned up.
 */
export function containerState({ state }: Pick<ContainerView, 'state'>): PodmanState {
  if (state === 'configured') return 'created'
  if (state === 'created') return 'initialized'
  return state === 'stopped' ? 'exited' : state
}

/** The STATUS of `podman ps`: `Up 5 minutes`, `Exited (1) 2 hours ago`, or the state; `nowMs` is what ages count to. */
export function containerStatus(container: ContainerView, nowMs: number): string {
  const state = containerState(container)
  if (state === 'running') {
    const health = container.health === undefined ? '' : ` (${container.health})`
    return `Up ${humanDuration(nowMs - (container.startedMs ?? container.createdMs))}${health}`
  }
  if (state === 'exited') {
    const ago = humanDuration(nowMs - (container.finishedMs ?? container.createdMs))
    return `Exited (${container.exitCode ?? 0}) ${ago} ago`
  }
  return state[0]?.toUpperCase() + state.slice(1)
}

/** Podman's states of a pod. */
export const POD_STATES = ['Created', 'Running', 'Degraded', 'Paused', 'Stopped', 'Exited', 'Dead', 'Error'] as const

/** Podman's name of a restart policy, which kube play gives to a pod's containers. */
export const restartPolicyName = (policy: ListedPod['restartPolicy']): 'always' | 'on-failure' | 'no' =>
  policy === 'Always' ? 'always' : policy === 'OnFailure' ? 'on-failure' : 'no'
