/** `tspod volume rm`, `tspod volume prune`. */
import type { VolumeView } from '../../engine/index.ts'
import { forEachName } from '../each.ts'
import type { FlagTable } from '../flags.ts'
import { LONG_FILTER_FLAG } from '../list-flags.ts'
import { removeEach, removePods } from '../removal.ts'
import { defineVerb } from '../verb.ts'
import { volumeFilter, volumeFilterProblems } from './filter.ts'

const RM_FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'all of them' },
  force: {
    kind: 'switch',
    initial: false,
    short: 'f',
    help: 'stop and remove the pods that use them first; what does not exist is no error',
  },
} as const satisfies FlagTable

export const volumeRm = defineVerb({
  operands: 'VOLUME [VOLUME...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Removes named volumes with everything in them. One that a pod uses, running or not, is refused without --force. ' +
    'Ends with 1 when all that is wrong is a volume that does not exist, with 2 when one is in use.',
  examples: [
    { does: 'One that nobody needs any more', line: 'tspod volume rm data' },
    { does: 'With the pods that use it', line: 'tspod volume rm -f data' },
  ],
  flags: RM_FLAGS,
  check: ({ flags, operands }) =>
    flags.all === operands.length > 0 ? [{ message: 'name volumes, or say --all' }] : [],
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const names = flags.all ? (await engine.volumes()).map(({ name }) => name) : operands
    return removeEach(names, flags.force, async name => {
      if (flags.force) await removePods(engine, (await engine.volume(name)).pods, world.signal)
      await engine.removeVolume(name)
      return `${name}\n`
    })
  },
})

const PRUNE_FLAGS = {
  ...LONG_FILTER_FLAG,
  force: { kind: 'switch', initial: false, short: 'f', help: 'do not ask: without effect, tspod never asks' },
} as const satisfies FlagTable

export const volumePrune = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Removes every named volume that no pod uses and that belongs to no app, with everything in it. Look first: ' +
    'tspod volume ls --filter dangling=true.',
  examples: [
    { does: 'Tidy up', line: 'tspod volume prune' },
    { does: 'What is older than a month', line: 'tspod volume prune --filter until=720h' },
  ],
  flags: PRUNE_FLAGS,
  check: ({ flags }) => volumeFilterProblems(flags.filter),
  async run({ flags }, world) {
    const engine = await world.engine()
    const passes = volumeFilter(flags.filter, world.clock.nowMs())
    const isIdle = ({ pods, app }: VolumeView): boolean => pods.length === 0 && app === undefined
    const idle = (await engine.volumes()).filter(volume => isIdle(volume) && passes(volume))
    return forEachName(
      idle.map(({ name }) => name),
      async name => {
        await engine.removeVolume(name)
        return `${name}\n`
      },
    )
  },
})
