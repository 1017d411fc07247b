/** `tspod container cleanup`: what the exit hook calls when a container has ended; see templates/exit-hook. */
import { isTspodError } from '../errors.ts'
import { appendToLogFile } from '../log.ts'
import { failureText } from './failure.ts'
import type { FlagTable } from './flags.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  exec: { kind: 'text', value: 'SESSION', help: 'look at an ended exec session of the container, not at its pod' },
} as const satisfies FlagTable

export const cleanup = defineVerb({
  operands: 'ID',
  count: { minimum: 1, maximum: 1 },
  description:
    'Brings the pod of an ended container to where it should be. Nobody reads the standard error of an exit hook, so ' +
    'errors are written to tspod.log in the log directory.',
  examples: [{ does: 'What the exit hook does', line: 'tspod container cleanup 4f1c…' }],
  flags: FLAGS,
  refused: { '`tspod pod cleanup` is for people': 'a|all l|latest rm rmi' },
  async run({ flags, operands }, world) {
    const [id = ''] = operands
    try {
      const engine = await world.engine()
      await (flags.exec === undefined ? engine.cleanup(id) : engine.cleanupExec(id))
      return {}
    } catch (error) {
      // A pod that was removed meanwhile needs no cleaning up.
      if (isTspodError(error, 'NO_SUCH_OBJECT')) return {}
      const { text, exitCode } = failureText(error)
      appendToLogFile(world.paths.logRoot, world.clock.nowMs(), `cleanup of container ${id}: ${text}`)
      return { stderr: text, exitCode }
    }
  },
})
