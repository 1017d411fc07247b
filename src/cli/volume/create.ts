/** `tspod volume create`. */
import { isTspodError } from '../../errors.ts'
import { randomHex } from '../../random.ts'
import type { FlagTable, Problem } from '../flags.ts'
import { defineVerb } from '../verb.ts'

const FLAGS = {
  ignore: { kind: 'switch', initial: false, help: 'one that exists is no error' },
  label: { kind: 'list', value: 'KEY=VALUE', short: 'l', help: 'a label' },
} as const satisfies FlagTable

/** What a claim of a manifest may be called (RFC 1123), since that is what it is for. */
const NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/
/** Hexadecimal digits of a name that nobody has chosen, as Podman's. */
const NAME_DIGITS = 64

export const volumeCreate = defineVerb({
  operands: '[NAME]',
  count: { minimum: 0, maximum: 1 },
  description:
    'Makes an empty named volume, for a pod with a claim of this name, and prints its name. A manifest that has or ' +
    'uses a claim makes its volume by itself: this is for filling one before its first pod. Without NAME it gets one ' +
    'of 64 digits.',
  examples: [
    { does: 'Before its first pod', line: 'tspod volume create data' },
    { does: 'With a label', line: 'tspod volume create --label app=shop data' },
  ],
  flags: FLAGS,
  refused: {
    'a volume with a driver or options comes from a claim with annotations volume.podman.io/…: play it':
      'd|driver= o|opt=',
  },
  check: ({ flags, operands: [name] }) => [...nameProblems(name), ...flags.label.flatMap(labelProblems)],
  async run({ flags, operands: [name = randomHex(NAME_DIGITS / 2)] }, world) {
    const labels = Object.fromEntries(flags.label.map(text => text.split(/=(.*)/s) as [string, string]))
    try {
      await (await world.engine()).createVolume(name, labels)
    } catch (error) {
      if (!flags.ignore || !isTspodError(error, 'NAME_IN_USE')) throw error
    }
    return { stdout: `${name}\n` }
  },
})

function nameProblems(name: string | undefined): Problem[] {
  if (name === undefined || NAME.test(name)) return []
  return [{ message: `"${name}" is no name of a claim`, remedy: 'use lower-case letters, digits, - and .' }]
}

const labelProblems = (text: string): Problem[] =>
  text.indexOf('=') > 0 ? [] : [{ message: `"${text}" is no label`, remedy: 'write KEY=VALUE' }]
