/** `tspod container prune`, `tspod pod prune`. */

import type { ContainerView, PodView } from '../../engine/index.ts'
import { containerFilter, containerFilterProblems, podFilter, podFilterProblems } from '../filter.ts'
import { groupFilters } from '../filter-rules.ts'
import type { FlagTable } from '../flags.ts'
import { LONG_FILTER_FLAG } from '../list-flags.ts'
import { defineVerb } from '../verb.ts'
import { report } from './targets.ts'

const FLAGS = {
  ...LONG_FILTER_FLAG,
  force: { kind: 'switch', initial: false, short: 'f', help: 'do not ask: without effect, tspod never asks' },
} as const satisfies FlagTable

export const containerPrune = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Removes every container that has ended for good: stopped by hand, or finished in a pod that will not run it ' +
    'again. A restart in back-off and what an init container did for a living pod are left alone.',
  examples: [{ does: 'Tidy up', line: 'tspod container prune -f' }],
  flags: FLAGS,
  check: ({ flags }) => containerFilterProblems(flags.filter),
  async run({ flags }, world) {
    const engine = await world.engine()
    const pods = await engine.pods()
    const passes = containerFilter(groupFilters(flags.filter), { pods, nowMs: world.clock.nowMs() })
    const over = pods.flatMap(pod =>
      pod.containers.filter(container => isOver(pod, container) && passes({ pod, container })),
    )
    const ids = over.map(({ id }) => id)
    const outcomes = await engine.operateContainers(ids, { do: 'remove' }, world.signal)
    return report(
      over.map(({ id }) => ({ asked: id })),
      outcomes,
      [],
    )
  },
})

function isOver(pod: PodView, { state, kind, goal, nextStartMs }: ContainerView): boolean {
  if (kind !== 'regular' || (state !== 'exited' && state !== 'stopped')) return false
  return nextStartMs === undefined && (goal === 'stopped' || isAtRest(pod))
}

const isAtRest = (pod: PodView): boolean =>
  pod.phase === 'Succeeded' || pod.phase === 'Failed' || pod.reason === 'Stopped'

/** An ended container that was made again, by `init`, holds a process, though the pod has done its work. */
const isStill = (pod: PodView): boolean =>
  pod.containers.every(({ state }) => state === 'configured' || state === 'exited' || state === 'stopped')

export const podPrune = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description: 'Removes every pod that is at rest: stopped by hand, or with all its work done.',
  examples: [{ does: 'Tidy up', line: 'tspod pod prune -f' }],
  flags: FLAGS,
  check: ({ flags }) => podFilterProblems(flags.filter),
  async run({ flags }, world) {
    const engine = await world.engine()
    const pods = await engine.pods()
    const passes = podFilter(groupFilters(flags.filter), { pods, nowMs: world.clock.nowMs() })
    const over = pods.filter(pod => pod.kind === 'pod' && isAtRest(pod) && isStill(pod) && passes(pod))
    const ids = over.map(({ id }) => id)
    const outcomes = await engine.operatePods(ids, { do: 'remove', force: false }, world.signal)
    return report(
      over.map(({ id }) => ({ asked: id })),
      outcomes,
      [],
    )
  },
})
