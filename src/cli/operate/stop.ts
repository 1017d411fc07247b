/** `tspod stop`, `tspod pod stop`. */

import type { FlagTable } from '../flags.ts'
import { FILTER_FLAG } from '../list-flags.ts'
import { defineVerb } from '../verb.ts'
import {
  actOnContainers,
  actOnPods,
  graceOf,
  ID_FILE_FLAG,
  IGNORE_FLAG,
  isRegular,
  POD_ID_FILE_FLAG,
  TARGET_FLAGS,
  TIME_FLAG,
  targetProblems,
} from './targets.ts'

const FLAGS = {
  ...TARGET_FLAGS,
  ...FILTER_FLAG,
  ...ID_FILE_FLAG,
  ...IGNORE_FLAG,
  ...TIME_FLAG,
} as const satisfies FlagTable
const POD_FLAGS = {
  ...TARGET_FLAGS,
  ...FILTER_FLAG,
  ...POD_ID_FILE_FLAG,
  ...IGNORE_FLAG,
  ...TIME_FLAG,
} as const satisfies FlagTable

export const stop = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Asks containers to stop with the signal of their image, and kills them when they have not ended in time. A ' +
    'container that was stopped stays so until somebody starts it, whatever its restartPolicy says. When the last one ' +
    'of a pod has ended, the pod is at rest: its network and namespaces are given back.',
  examples: [
    { does: 'One container', line: 'tspod stop web-nginx' },
    { does: 'At once', line: 'tspod stop -t 0 web-nginx' },
    { does: 'All of them, two seconds each', line: 'tspod stop -a -t 2' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands),
  run: (input, world) => actOnContainers(input, world, { do: 'stop', ...graceOf(input.flags.time) }, isRegular),
})

export const podStop = defineVerb({
  operands: 'POD [POD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Stops all containers of pods: regular ones first, dependants before what they depend on, then sidecars in ' +
    'reverse order. Network and namespaces are given back; volumes, logs and root file systems stay for the next start.',
  examples: [
    { does: 'One pod', line: 'tspod pod stop web' },
    { does: 'All pods', line: 'tspod pod stop --all' },
  ],
  flags: POD_FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands, 'pod'),
  run: (input, world) => actOnPods(input, world, { do: 'stop', ...graceOf(input.flags.time) }),
})
