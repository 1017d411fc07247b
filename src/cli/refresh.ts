/** `tspod system refresh`: after a reboot. */

import { EXIT_OWN_ERROR } from '../errors.ts'
import { failureText } from './failure.ts'
import type { FlagTable } from './flags.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  start: { kind: 'switch', initial: false, help: 'start again what should run, by the restartPolicy of each pod' },
} as const satisfies FlagTable

export const refresh = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Brings the records to what a reboot has left. The first command after a reboot does that anyway, also when the run ' +
    'directory has survived the reboot: nothing has to be deleted by hand. With --start pods come back: all containers ' +
    'of restartPolicy Always, of OnFailure those that had not succeeded, of Never none that had run; init containers run ' +
    'again (the end of one starts the next; nothing waits for them here), and what was stopped by hand stays stopped. The names of the pods that were looked after are printed. ' +
    'The unit tspod-restart.service does this at boot: systemctl enable tspod-restart.service.',
  examples: [
    { does: 'What the unit does at boot', line: 'tspod system refresh --start' },
    { does: 'Only the records', line: 'tspod system refresh' },
  ],
  flags: FLAGS,
  async run({ flags }, world) {
    const engine = await world.engine()
    if (!flags.start) return {}
    const outcomes = await engine.startAfterReboot()
    const complaints = outcomes.flatMap(({ error }) => (error === undefined ? [] : [failureText(error).text]))
    return {
      stdout: outcomes.flatMap(({ name, error }) => (error === undefined ? [`${name}\n`] : [])).join(''),
      stderr: complaints.join(''),
      exitCode: complaints.length > 0 ? EXIT_OWN_ERROR : 0,
    }
  },
})
