/** `tspod mount`: a container's root file system on the host. */
import type { MountedContainer } from '../engine/index.ts'
import { forEachName } from './each.ts'
import type { FlagTable } from './flags.ts'
import { LATEST_FLAG, latestContainer, latestProblems } from './latest.ts'
import { json, shortId } from './table.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'mount all containers' },
  format: { kind: 'choice', choices: ['json'], help: 'list what is mounted as JSON' },
  'no-trunc': { kind: 'switch', initial: false, help: 'show complete ids' },
  notruncate: { kind: 'switch', initial: false, hidden: true, help: 'the same' },
  ...LATEST_FLAG,
} as const satisfies FlagTable

export const mount = defineVerb({
  operands: '[CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Mounts the root file system of containers and prints where; without a name it lists what is mounted. Volumes are ' +
    'not part of it. Whoever works there follows the links a container has made, out of it as well: `tspod cp` does not.',
  examples: [
    { does: 'What is mounted', line: 'tspod mount' },
    { does: 'One container', line: 'tspod mount web-nginx' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => (flags.all || flags.latest ? latestProblems(flags, operands) : []),
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const shown = (id: string): string => (flags['no-trunc'] || flags.notruncate ? id : shortId(id))
    if (operands.length === 0 && !flags.all && !flags.latest) {
      const mounted = await engine.mounts()
      if (flags.format === 'json') return { stdout: json(mounted.map(mountRecord)) }
      return { stdout: mounted.map(({ id, path }) => `${shown(id)} ${path}\n`).join('') }
    }
    const all = async (): Promise<string[]> => (await engine.pods()).flatMap(pod => pod.containers).map(({ id }) => id)
    const names = flags.latest ? [await latestContainer(engine)] : flags.all ? await all() : operands
    const only = names.length === 1 && !flags.all
    return forEachName(names, async name => {
      const { id, path } = await engine.mount(name)
      return only ? `${path}\n` : `${shown(id)} ${path}\n`
    })
  },
})

/** With the names that Podman gives the fields. */
const mountRecord = ({ id, name, path }: MountedContainer): Record<string, unknown> => ({
  id,
  Names: [name],
  mountpoint: path,
})
