/** `tspod pause` and `unpause`, of containers and of pods. */

import type { FlagTable } from '../flags.ts'
import { FILTER_FLAG } from '../list-flags.ts'
import { defineVerb } from '../verb.ts'
import { actOnContainers, actOnPods, ID_FILE_FLAG, TARGET_FLAGS, targetProblems } from './targets.ts'

const FLAGS = { ...TARGET_FLAGS, ...FILTER_FLAG, ...ID_FILE_FLAG } as const satisfies FlagTable
const POD_FLAGS = { ...TARGET_FLAGS } as const satisfies FlagTable

export const pause = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description: 'Freezes all processes of containers where they are. They keep their memory and get no processor time.',
  examples: [{ does: 'Freeze, and let go on', line: 'tspod pause web-nginx; tspod unpause web-nginx' }],
  flags: FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands),
  run: (input, world) =>
    actOnContainers(input, world, { do: 'pause' }, view => view.kind !== 'service' && view.state === 'running'),
})

export const unpause = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description: 'Lets paused containers go on.',
  examples: [{ does: 'All that are paused', line: 'tspod unpause --all' }],
  flags: FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands),
  run: (input, world) => actOnContainers(input, world, { do: 'unpause' }, view => view.state === 'paused'),
})

export const podPause = defineVerb({
  operands: 'POD [POD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description: 'Freezes every running container of pods.',
  examples: [{ does: 'A pod', line: 'tspod pod pause web' }],
  flags: POD_FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands, 'pod'),
  run: (input, world) => actOnPods(input, world, { do: 'pause' }),
})

export const podUnpause = defineVerb({
  operands: 'POD [POD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description: 'Lets every paused container of pods go on.',
  examples: [{ does: 'All pods', line: 'tspod pod unpause --all' }],
  flags: POD_FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands, 'pod'),
  run: (input, world) => actOnPods(input, world, { do: 'unpause' }),
})
