/** `tspod image rm`, `tspod image prune`. */
import type { RemovedImage } from '../engine/index.ts'
import type { LocalImage } from '../model.ts'
import { badTime, groupFilters, hasLabel, passesAll, problemsOf, type Rules, timeOf } from './filter-rules.ts'
import type { FlagTable } from './flags.ts'
import { LONG_FILTER_FLAG } from './list-flags.ts'
import { removeEach } from './removal.ts'
import { defineVerb } from './verb.ts'

const RM_FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'all that nobody uses' },
  force: { kind: 'switch', initial: false, short: 'f', help: 'an id means all of its names' },
  ignore: { kind: 'switch', initial: false, short: 'i', help: 'what does not exist is no error' },
} as const satisfies FlagTable

export const imageRm = defineVerb({
  operands: 'IMAGE [IMAGE...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Takes names from images; one goes with its last name. The storage is shared: what a container of tspod, Podman ' +
    'or Buildah uses is refused. Ends with 1 when all that is wrong is an image that does not exist, with 2 when one ' +
    'is in use.',
  examples: [
    { does: 'By name', line: 'tspod image rm docker.io/library/nginx:1.27' },
    { does: 'With all its names', line: 'tspod image rm -f d88e84e7343e' },
  ],
  flags: RM_FLAGS,
  check: ({ flags, operands }) => (flags.all === operands.length > 0 ? [{ message: 'name images, or say --all' }] : []),
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    if (flags.all) return { stdout: (await engine.pruneImages(() => true)).map(removedText).join('') }
    return removeEach(operands, flags.ignore, async name =>
      removedText(await engine.removeImage(name, { force: flags.force })),
    )
  },
})

const removedText = ({ untagged, deleted }: RemovedImage): string =>
  [...untagged.map(name => `Untagged: ${name}\n`), ...(deleted === undefined ? [] : [`Deleted: ${deleted}\n`])].join('')

const RULES: Rules<LocalImage, { nowMs: number }> = {
  label: { passes: ({ config }, values) => values.every(value => hasLabel(config.labels, value)) },
  'label!': { passes: ({ config }, values) => !values.some(value => hasLabel(config.labels, value)) },
  until: {
    wrong: badTime,
    passes: ({ createdMs }, values, { nowMs }) => values.every(value => createdMs < timeOf(value, nowMs)),
  },
}

const PRUNE_FLAGS = {
  ...LONG_FILTER_FLAG,
  all: { kind: 'switch', initial: false, short: 'a', help: 'those with a name as well' },
  force: { kind: 'switch', initial: false, short: 'f', help: 'do not ask: without effect, tspod never asks' },
} as const satisfies FlagTable

export const imagePrune = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Removes images that have lost their name to a newer one and that no container of any program uses, with --all ' +
    'every image that none uses, and prints their ids. A rollback of a GitOps source may want one of those: it is ' +
    'fetched again then. Filters are label, label! and until.',
  examples: [
    { does: 'Tidy up', line: 'tspod image prune' },
    { does: 'What nobody has used for a month', line: 'tspod image prune --all --filter until=720h' },
  ],
  flags: PRUNE_FLAGS,
  check: ({ flags }) => problemsOf(RULES, flags.filter, text => `invalid filter ${JSON.stringify(text)}`),
  async run({ flags }, world) {
    const passes = passesAll(RULES, groupFilters(flags.filter), { nowMs: world.clock.nowMs() })
    const isMeant = (image: LocalImage): boolean => (flags.all || image.names.length === 0) && passes(image)
    const removed = await (await world.engine()).pruneImages(isMeant)
    return { stdout: removed.map(({ deleted }) => `${deleted}\n`).join('') }
  },
})
