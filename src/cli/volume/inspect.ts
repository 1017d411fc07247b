/** `tspod volume inspect`. */
import type { FlagTable } from '../flags.ts'
import { INSPECT_FLAGS, inspectOutcome } from '../listing.ts'
import { defineVerb } from '../verb.ts'
import { shownVolume } from './fields.ts'

const FLAGS = {
  ...INSPECT_FLAGS,
  all: { kind: 'switch', initial: false, short: 'a', help: 'all of them' },
} as const satisfies FlagTable

export const volumeInspect = defineVerb({
  operands: 'VOLUME [VOLUME...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Prints one JSON array with a record for each volume. Capitalised names are those of `podman volume inspect`. ' +
    'What does not exist is told on standard error and makes the exit code 125; the others are still printed.',
  examples: [
    { does: 'One of them', line: 'tspod volume inspect data' },
    { does: 'Where its files are', line: `tspod volume inspect -f '{{.Mountpoint}}' data` },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) =>
    flags.all === operands.length > 0 ? [{ message: 'name volumes, or say --all' }] : [],
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const names = flags.all ? (await engine.volumes()).map(({ name }) => name) : operands
    return inspectOutcome(names, name => engine.volume(name), flags, shownVolume(world.clock.nowMs()))
  },
})
