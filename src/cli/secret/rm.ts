/** `tspod secret rm`. */
import { forEachName } from '../each.ts'
import type { FlagTable } from '../flags.ts'
import { defineVerb } from '../verb.ts'
import { noSecret, secretNamed } from './find.ts'

const FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'all of them' },
  ignore: { kind: 'switch', initial: false, short: 'i', help: 'what does not exist is no error' },
} as const satisfies FlagTable

export const secretRm = defineVerb({
  operands: 'SECRET [SECRET...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Removes Secrets and prints their ids. Pods that have one go on with it, also when they restart; a later play that ' +
    'needs it has to bring it again.',
  examples: [{ does: 'One that nobody needs any more', line: 'tspod secret rm db-password' }],
  flags: FLAGS,
  check: ({ flags, operands }) =>
    flags.all === operands.length > 0 ? [{ message: 'name secrets, or say --all' }] : [],
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const all = await engine.secrets()
    return forEachName(flags.all ? all.map(({ name }) => name) : operands, async asked => {
      const secret = secretNamed(all, asked)
      const [id] = secret === undefined ? [] : await engine.removeSecrets([secret.name])
      if (id !== undefined) return `${id}\n`
      if (flags.ignore) return ''
      throw noSecret(asked)
    })
  },
})
