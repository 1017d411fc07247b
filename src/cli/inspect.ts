/** `tspod inspect`: everything known about pods and containers. */
import { EXIT_OWN_ERROR, isTspodError } from '../errors.ts'
import { failureText } from './failure.ts'
import type { FlagTable } from './flags.ts'
import { json } from './table.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  format: { kind: 'choice', choices: ['json'], help: 'JSON is the only form' },
} as const satisfies FlagTable

export const inspect = defineVerb({
  operands: 'NAME|ID [NAME|ID...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Prints one JSON array with a record for each pod or container that is named. Values of Secrets are left out. ' +
    'What does not exist is told on standard error and makes the exit code 125; the others are still printed.',
  examples: [
    { does: 'A pod', line: 'tspod inspect web' },
    { does: 'One container of it', line: 'tspod inspect web/nginx' },
    { does: 'Several', line: 'tspod inspect web db-postgres' },
  ],
  flags: FLAGS,
  async run({ operands }, world) {
    const engine = await world.engine()
    const found: object[] = []
    const complaints: string[] = []
    for (const name of operands) {
      try {
        found.push(await engine.inspect(name))
      } catch (error) {
        if (!isTspodError(error, 'NO_SUCH_OBJECT')) throw error
        complaints.push(failureText(error).text)
      }
    }
    return { stdout: json(found), stderr: complaints.join(''), exitCode: complaints.length > 0 ? EXIT_OWN_ERROR : 0 }
  },
})
