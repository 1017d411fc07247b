/** `tspod export`: a container's root file system as an archive. */
import { resolve } from 'node:path'
import type { FlagTable } from './flags.ts'
import { defineVerb, usageError } from './verb.ts'

const FLAGS = {
  output: { kind: 'text', value: 'FILE', short: 'o', help: 'write to a file instead of standard output' },
} as const satisfies FlagTable

export const exportVerb = defineVerb({
  operands: 'CONTAINER',
  count: { minimum: 1, maximum: 1 },
  description:
    'Writes the root file system of a container, running or not, as a tar archive. Volumes are not part of it, links ' +
    'are archived as links, owners are numbers. The file is readable for root only.',
  examples: [
    { does: 'To a file', line: 'tspod export -o web.tar web-nginx' },
    { does: 'Through a pipe', line: 'tspod export web-nginx | gzip >web.tar.gz' },
  ],
  flags: FLAGS,
  async run({ flags, operands: [name = ''] }, world) {
    if (flags.output === undefined && world.out.isTerminal) {
      const message = 'refusing to export to terminal. Use -o flag or redirect'
      throw usageError([{ message }], 'tspod export')
    }
    const output = flags.output === undefined ? undefined : resolve(world.cwd, flags.output)
    await (await world.engine()).exportRoot(name, output, world.signal)
    return {}
  },
})
