/**
 * How a workload replaces its pods. What of it has no effect on one host (support.ts) is checked all the same: a manifest
 * that passes here must not fail on a cluster.
 */
import type { Rollout, Share } from '../../model.ts'
import type { Field } from '../yaml/index.ts'
import { quote } from '../yaml/index.ts'

const DEFAULT_PROGRESS_DEADLINE_SECONDS = 600

/**
 * Checks the numbers and the strategy of a Deployment, DaemonSet, StatefulSet, ReplicaSet or ReplicationController;
 * undefined when it says nothing about how its pods are replaced.
 */
export function readRollout(spec: Field): Rollout | undefined {
  for (const name of ['minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds']) notNegative(spec.at(name))
  const deadline = spec.at('progressDeadlineSeconds')
  const seconds = deadline.integer()
  const ready = spec.at('minReadySeconds').integer() ?? 0
  if ((seconds ?? DEFAULT_PROGRESS_DEADLINE_SECONDS) <= ready)
    deadline.issue('INVALID_VALUE', `must be greater than minReadySeconds, which is ${ready}`)
  const limit = spec.at('template').at('spec').at('activeDeadlineSeconds')
  if (limit.present)
    limit.issueAt(limit.key, 'FORBIDDEN', 'activeDeadlineSeconds is for pods that end', 'remove it, or use a Job')
  const rollout: Rollout = {
    ...readStrategy(spec.at('strategy'), ['RollingUpdate', 'Recreate']),
    ...readStrategy(spec.at('updateStrategy'), ['RollingUpdate', 'OnDelete']),
    ...(seconds !== undefined && { deadlineMs: seconds * 1000 }),
  }
  return Object.keys(rollout).length === 0 ? undefined : rollout
}

/** How long each of its pods has to be ready until it counts as available. */
export function readMinReady(spec: Field): { minReadyMs?: number } {
  const seconds = spec.at('minReadySeconds').integer() ?? 0
  return seconds > 0 ? { minReadyMs: seconds * 1000 } : {}
}

function readStrategy(strategy: Field, types: readonly ['RollingUpdate', 'Recreate' | 'OnDelete']): Rollout {
  const type = strategy.at('type').oneOf(types, 'RollingUpdate')
  const rolling = strategy.at('rollingUpdate')
  if (type !== 'RollingUpdate') {
    if (rolling.present)
      rolling.issueAt(rolling.key, 'FORBIDDEN', `may not be specified when the type is ${type}`, 'remove it')
    return { type: type === 'Recreate' ? 'recreate' : 'on delete' }
  }
  notNegative(rolling.at('partition'))
  const surge = share(rolling.at('maxSurge'))
  const field = rolling.at('maxUnavailable')
  const unavailable = share(field)
  if (unavailable?.percent && unavailable.amount > 100) field.issue('INVALID_VALUE', 'must not be greater than 100%')
  if (surge?.amount === 0 && unavailable?.amount === 0)
    field.issue('INVALID_VALUE', 'may not be 0 when maxSurge is 0', 'allow one of them at least 1')
  const partition = rolling.at('partition').integer() ?? 0
  return {
    ...(unavailable !== undefined && { maxUnavailable: unavailable }),
    ...(partition > 0 && { partition }),
  }
}

/** A number of pods, or of percent; undefined when it is missing or wrong. */
function share(field: Field): Share | undefined {
  const text = field.string()
  if (text === undefined) {
    notNegative(field)
    const amount = field.integer()
    return amount === undefined ? undefined : { amount }
  }
  const percent = /^([0-9]{1,6})%$/.exec(text)?.[1]
  if (percent !== undefined) return { amount: Number(percent), percent: true }
  field.issue('INVALID_VALUE', `${quote(text)} is not a percentage`, 'write a number, or a percentage such as 25%')
  return undefined
}

function notNegative(field: Field): void {
  if ((field.integer() ?? 0) < 0) field.issue('INVALID_VALUE', 'must be greater than or equal to 0')
}
