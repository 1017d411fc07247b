/** `tspod volume ls`: named volumes as a table, as JSON, or in the form of a template. */
import type { FlagTable } from '../flags.ts'
import { FILTER_FLAG } from '../list-flags.ts'
import { LISTING_FLAGS, listOutcome } from '../listing.ts'
import { defineVerb } from '../verb.ts'
import { shownVolume } from './fields.ts'
import { volumeFilter, volumeFilterProblems } from './filter.ts'

const FLAGS = { ...FILTER_FLAG, ...LISTING_FLAGS } as const satisfies FlagTable

export const volumeLs = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Lists named volumes: what the claims of manifests are here. They outlive their pods, and go with ' +
    '`tspod volume rm`, `tspod kube down --force` or `tspod down --volumes`. PODS are those that use one, running or ' +
    'not. Filters are name, label, label!, dangling and until.',
  examples: [
    { does: 'All of them', line: 'tspod volume ls' },
    { does: 'Those that no pod uses', line: 'tspod volume ls --filter dangling=true' },
    { does: 'Where they are', line: `tspod volume ls --format '{{.Name}} {{.Mountpoint}}'` },
  ],
  flags: FLAGS,
  check: ({ flags }) => volumeFilterProblems(flags.filter),
  async run({ flags }, { engine, clock, out }) {
    const nowMs = clock.nowMs()
    const volumes = (await (await engine()).volumes()).filter(volumeFilter(flags.filter, nowMs))
    return listOutcome(volumes, flags, shownVolume(nowMs), out)
  },
})
