/** `tspod unmount`: takes a `tspod mount` back. */
import { forEachName } from './each.ts'
import type { FlagTable } from './flags.ts'
import { LATEST_FLAG, latestContainer, latestProblems } from './latest.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'what is mounted of any container' },
  force: { kind: 'switch', initial: false, short: 'f', help: 'take all mounts of a container back, not only one' },
  ...LATEST_FLAG,
} as const satisfies FlagTable

export const unmount = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Takes one `tspod mount` of each container back. What a running container stands on is never unmounted: that is ' +
    'an error, and with --all it is passed over.',
  examples: [
    { does: 'One container', line: 'tspod unmount web-nginx' },
    { does: 'Everything that was mounted by hand', line: 'tspod umount --all --force' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => latestProblems(flags, operands),
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const { force } = flags
    if (flags.all) return { stdout: (await engine.unmountAll({ force })).map(id => `${id}\n`).join('') }
    const names = flags.latest ? [await latestContainer(engine)] : operands
    return forEachName(names, async name => {
      await engine.unmount(name, { force })
      return `${name}\n`
    })
  },
})
