/** `tspod start`, `tspod pod start`. */
import type { FlagTable } from '../flags.ts'
import { defineVerb } from '../verb.ts'
import { actOnContainers, actOnPods, FILTER_FLAG, isRegular, TARGET_FLAGS, targetProblems } from './targets.ts'

const FLAGS = { ...TARGET_FLAGS, ...FILTER_FLAG } as const satisfies FlagTable

export const start = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Starts containers that were created or have ended, on the root file system they had. A pod at rest gets its ' +
    'network back first, and its init containers and sidecars come before the container; a restart in back-off does ' +
    'not have to wait any longer.',
  examples: [
    { does: 'One container', line: 'tspod start web-nginx' },
    { does: 'Everything that is not running', line: 'tspod start --all' },
    { does: 'What should always run', line: 'tspod start --all --filter restart-policy=always' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands),
  run: (input, world) => actOnContainers(input, world, { do: 'start' }, isRegular),
})

export const podStart = defineVerb({
  operands: 'POD [POD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Starts all containers of pods: the service container first where there is one, then init containers and ' +
    'sidecars in order, then the others. Init containers that succeeded before run again only with the annotation ' +
    'io.podman.annotations.init.container.type: always.',
  examples: [
    { does: 'One pod', line: 'tspod pod start web' },
    { does: 'All pods', line: 'tspod pod start --all' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands, 'pod'),
  run: (input, world) => actOnPods(input, world, { do: 'start' }),
})
