/** `tspod secret inspect`. */
import { TspodError } from '../../errors.ts'
import { forEachName } from '../each.ts'
import type { FlagTable } from '../flags.ts'
import { formatEach, type Struct, toJson, wantsJson } from '../template/index.ts'
import { defineVerb } from '../verb.ts'
import { secretRecord } from './fields.ts'
import { secretNamed } from './find.ts'

const FLAGS = {
  format: { kind: 'text', value: 'json|TEMPLATE', short: 'f', help: 'a Go template for each, instead of JSON' },
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
    const records: Struct[] = []
    const outcome = await forEachName(operands, async asked => {
      const secret = secretNamed(all, asked)
      if (secret === undefined) {
        throw new TspodError(
          'NO_SUCH_OBJECT',
          `inspecting secret: no secret with name or id "${asked}": no such secret`,
          {
            remedy: 'see what there is: tspod secret ls',
          },
        )
      }
      const data = flags.showsecret ? { data: new Map(Object.entries(valuesOf(secret.name) ?? {})) } : {}
      records.push({ ...secretRecord(secret), ...data })
      return ''
    })
    const { format = 'json' } = flags
    const stdout = wantsJson(format) ? toJson(records) : formatEach(format, records, () => '*entities.SecretInfoReport')
    return { ...outcome, stdout }
  },
})
