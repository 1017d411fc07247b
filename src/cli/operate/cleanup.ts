/** `tspod pod cleanup`: brings pods to where they should be. */
import { defineVerb } from '../verb.ts'
import { actOnPods, TARGET_FLAGS, targetProblems } from './targets.ts'

export const podCleanup = defineVerb({
  operands: 'POD [POD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Looks at pods and does what is due: ends are recorded, restarts happen, and a pod whose work is done gives back ' +
    'its network and namespaces. The end of a container sets off the same by itself.',
  examples: [{ does: 'All pods', line: 'tspod pod cleanup --all' }],
  flags: TARGET_FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands, 'pod'),
  run: (input, world) => actOnPods(input, world, { do: 'cleanup' }),
})
