/** `tspod secret inspect`. */
import type { FlagTable } from '../flags.ts'
import { INSPECT_FLAGS, inspectOutcome } from '../listing.ts'
import { defineVerb } from '../verb.ts'
import { secretRecord, shownSecret } from './fields.ts'
import { noSecret, secretNamed } from './find.ts'

const FLAGS = {
  ...INSPECT_FLAGS,
  showsecret: { kind: 'switch', initial: false, help: 'print the values as well, base64 as in a manifest' },
} as const satisfies FlagTable

export const secretInspect = defineVerb({
  operands: 'SECRET [SECRET...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Prints one JSON array with a record for each Secret: what it is and the names of its keys, and with --showsecret ' +
    'the values. Capitalised names are those of `podman secret inspect`.',
  examples: [
    { does: 'What is known of it', line: 'tspod secret inspect db-password' },
    {
      does: 'A value',
      line: `tspod secret inspect --showsecret db-password | jq -r '.[0].data.password' | base64 -d`,
    },
  ],
  flags: FLAGS,
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const [all, valuesOf] = await Promise.all([engine.secrets(), engine.storedSecrets()])
    const find = async (asked: string) => {
      const secret = secretNamed(all, asked)
      if (secret !== undefined) return secret
      throw noSecret(asked, 'inspecting secret: ')
    }
    const dataOf = (name: string) => (flags.showsecret ? { data: new Map(Object.entries(valuesOf(name) ?? {})) } : {})
    const { typeName } = shownSecret(world.clock.nowMs())
    const record: typeof secretRecord = secret => ({ ...secretRecord(secret), ...dataOf(secret.name) })
    return inspectOutcome(operands, find, flags, { record, fields: record, typeName })
  },
})
