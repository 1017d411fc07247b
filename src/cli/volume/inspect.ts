/** `tspod volume inspect`. */
import type { VolumeView } from '../../engine/index.ts'
import { EXIT_OWN_ERROR, isTspodError } from '../../errors.ts'
import { failureText } from '../failure.ts'
import type { FlagTable } from '../flags.ts'
import { printableLines } from '../output.ts'
import { formatEach, toJson, wantsJson } from '../template/index.ts'
import { defineVerb } from '../verb.ts'
import { volumeRecord } from './fields.ts'

const FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'all of them' },
  format: { kind: 'text', value: 'json|TEMPLATE', short: 'f', help: 'a Go template for each, instead of JSON' },
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
    const found: VolumeView[] = flags.all ? await engine.volumes() : []
    const complaints: string[] = []
    for (const name of operands) {
      try {
        found.push(await engine.volume(name))
      } catch (error) {
        if (!isTspodError(error, 'NO_SUCH_OBJECT')) throw error
        complaints.push(failureText(error).text)
      }
    }
    const { format = 'json' } = flags
    const records = found.map(volumeRecord)
    const text = wantsJson(format)
      ? toJson(records)
      : formatEach(format, records, () => '*entities.VolumeInspectReport')
    return {
      stdout: world.out.isTerminal && !wantsJson(format) ? printableLines(text) : text,
      stderr: complaints.join(''),
      exitCode: complaints.length > 0 ? EXIT_OWN_ERROR : 0,
    }
  },
})
