/** `tspod system tick`: what the timekeeper calls when a time has come; see templates/timekeeper. */
import { appendToLogFile } from '../log.ts'
import { failureText } from './failure.ts'
import { defineVerb } from './verb.ts'

export const tick = defineVerb({
  operands: '[POD-ID…]',
  count: { minimum: 0, maximum: 10_000 },
  description:
    'Does what is due: restarts whose back-off has passed, Jobs, and the pods given, which seem to use more disk space than they may. ' +
    'Prints the seconds to wait before the next call, or nothing ' +
    'when nothing waits any more. Errors are written to tspod.log in the log directory.',
  examples: [{ does: 'What the timekeeper does', line: 'tspod system tick' }],
  flags: {},
  async run({ operands }, world) {
    try {
      const waitMs = await (await world.engine()).tick(operands)
      // Whole seconds, never early: an early call would find nothing to do.
      return waitMs === undefined ? {} : { stdout: `${Math.max(1, Math.ceil(waitMs / 1000))}\n` }
    } catch (error) {
      const { text, exitCode } = failureText(error)
      appendToLogFile(world.paths.logRoot, world.clock.nowMs(), `tick: ${text}`)
      return { stderr: text, exitCode }
    }
  },
})
