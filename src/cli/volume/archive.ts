/** `tspod volume export`, `tspod volume import`. */
import { resolve } from 'node:path'
import type { FlagTable } from '../flags.ts'
import { defineVerb, usageError } from '../verb.ts'

const EXPORT_FLAGS = {
  output: { kind: 'text', value: 'FILE', short: 'o', help: 'write to a file instead of standard output' },
} as const satisfies FlagTable

export const volumeExport = defineVerb({
  operands: 'VOLUME',
  count: { minimum: 1, maximum: 1 },
  description:
    'Writes what is in a named volume as a tar archive. Links are archived as links, owners are numbers. What a pod ' +
    'writes meanwhile may be in it half: stop the pod, or use the dump of its program, where that matters. The file ' +
    'is readable for root only.',
  examples: [
    { does: 'A backup', line: 'tspod volume export -o data.tar data' },
    { does: 'Compressed', line: 'tspod volume export data | gzip >data.tar.gz' },
  ],
  flags: EXPORT_FLAGS,
  async run({ flags, operands: [name = ''] }, world) {
    if (flags.output === undefined && world.out.isTerminal) {
      const message = 'refusing to export to terminal. Use -o flag or redirect'
      throw usageError([{ message }], 'tspod volume export')
    }
    const output = flags.output === undefined ? undefined : resolve(world.cwd, flags.output)
    await (await world.engine()).exportVolume(name, output, world.signal)
    return {}
  },
})

export const volumeImport = defineVerb({
  operands: 'VOLUME [FILE]',
  count: { minimum: 1, maximum: 2 },
  description:
    'Fills an empty named volume from a tar archive, or from standard input (-, or nothing). A pod that uses it must ' +
    'not run meanwhile. What fails half way leaves the volume empty.',
  examples: [
    { does: 'A backup, after `tspod volume create data`', line: 'tspod volume import data data.tar' },
    { does: 'One that is compressed', line: 'gunzip <data.tar.gz | tspod volume import data -' },
  ],
  flags: {},
  async run({ operands: [name = '', file = '-'] }, world) {
    const from = file === '-' ? undefined : resolve(world.cwd, file)
    await (await world.engine()).importIntoVolume(name, from, world.signal)
    return {}
  },
})
