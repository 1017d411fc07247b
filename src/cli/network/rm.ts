/** `tspod network rm`. */
import type { FlagTable } from '../flags.ts'
import { removeEach, removePods } from '../removal.ts'
import { defineVerb } from '../verb.ts'

const FLAGS = {
  force: {
    kind: 'switch',
    initial: false,
    short: 'f',
    help: 'stop and remove the pods that have joined them first; what does not exist is no error',
  },
} as const satisfies FlagTable

export const networkRm = defineVerb({
  operands: 'NETWORK [NETWORK...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Removes networks. One that a pod has joined, running or not, is refused without --force. Ends with 1 when all ' +
    'that is wrong is a network that does not exist, with 2 when one is in use.',
  examples: [{ does: 'One that nobody needs any more', line: 'tspod network rm backend' }],
  flags: FLAGS,
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    return removeEach(operands, flags.force, async name => {
      if (flags.force) await removePods(engine, (await engine.network(name)).pods, world.signal)
      await engine.removeNetwork(name)
      return `${name}\n`
    })
  },
})
