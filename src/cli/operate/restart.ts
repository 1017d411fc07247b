/** `tspod restart`, `tspod pod restart`. */

import type { ContainerView } from '../../engine/index.ts'
import type { FlagTable } from '../flags.ts'
import { FILTER_FLAG } from '../list-flags.ts'
import { defineVerb } from '../verb.ts'
import {
  actOnContainers,
  actOnPods,
  graceOf,
  ID_FILE_FLAG,
  isRegular,
  TARGET_FLAGS,
  TIME_FLAG,
  targetProblems,
} from './targets.ts'

const FLAGS = {
  ...TARGET_FLAGS,
  ...FILTER_FLAG,
  ...ID_FILE_FLAG,
  ...TIME_FLAG,
  running: { kind: 'switch', initial: false, help: 'with --all: only those that are running' },
} as const satisfies FlagTable

export const restart = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Stops containers and starts them again, on the root file system they had; one that was not running is started. ' +
    'The network of the pod stays up meanwhile.',
  examples: [
    { does: 'One container', line: 'tspod restart web-nginx' },
    { does: 'With five seconds to stop in', line: 'tspod restart -t 5 web-nginx' },
    { does: 'All that are running', line: 'tspod restart --all --running' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => targetProblems({ ...flags, all: flags.all || flags.running }, operands),
  run({ flags, operands }, world) {
    const input = { flags: { ...flags, all: flags.all || flags.running }, operands }
    const able = (view: ContainerView): boolean => isRegular(view) && (!flags.running || view.state === 'running')
    return actOnContainers(input, world, { do: 'restart', ...graceOf(flags.time) }, able)
  },
})

const POD_FLAGS = { ...TARGET_FLAGS, ...FILTER_FLAG, ...TIME_FLAG } as const satisfies FlagTable

export const podRestart = defineVerb({
  operands: 'POD [POD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description: 'Stops all containers of pods and starts them again, with the order and the rules of both.',
  examples: [
    { does: 'One pod', line: 'tspod pod restart web' },
    { does: 'All pods', line: 'tspod pod restart --all' },
  ],
  flags: POD_FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands, 'pod'),
  run: (input, world) => actOnPods(input, world, { do: 'restart', ...graceOf(input.flags.time) }),
})
