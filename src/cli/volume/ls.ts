/** `tspod volume ls`: named volumes as a table, as JSON, or in the form of a template. */
import type { VolumeView } from '../../engine/index.ts'
import type { FlagTable } from '../flags.ts'
import { FILTER_FLAG, FORMAT_FLAG } from '../list-flags.ts'
import { printable, printableLines } from '../output.ts'
import { age, table } from '../table.ts'
import { formatList, toJson, wantsJson } from '../template/index.ts'
import { defineVerb, type Input } from '../verb.ts'
import { podmanRecord, volumeRecord } from './fields.ts'
import { volumeFilter, volumeFilterProblems } from './filter.ts'

const FLAGS = {
  ...FILTER_FLAG,
  ...FORMAT_FLAG,
  noheading: { kind: 'switch', initial: false, short: 'n', help: 'a table without its first line' },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'print names only' },
} as const satisfies FlagTable

/** What `table …` puts above a field (podman volume ls). */
const TITLES: Readonly<Record<string, string>> = {
  CreatedAt: 'CREATED AT',
  Driver: 'DRIVER',
  Labels: 'LABELS',
  MountCount: 'MOUNT COUNT',
  Mountpoint: 'MOUNTPOINT',
  Name: 'VOLUME NAME',
  Options: 'OPTIONS',
  Scope: 'SCOPE',
}

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
  async run({ flags }, world) {
    const nowMs = world.clock.nowMs()
    const volumes = (await (await world.engine()).volumes()).filter(volumeFilter(flags.filter, nowMs))
    const text = volumeList(volumes, flags, nowMs)
    return { stdout: world.out.isTerminal ? printableLines(text) : text }
  },
})

/** The list in the wanted form. Throws USAGE for a bad template. */
function volumeList(volumes: readonly VolumeView[], flags: Input<typeof FLAGS>['flags'], nowMs: number): string {
  if (flags.quiet) return volumes.map(({ name }) => `${name}\n`).join('')
  const { format = 'table' } = flags
  if (wantsJson(format)) return toJson(volumes.map(volumeRecord))
  if (format !== 'table') {
    const how = { typeName: '*entities.VolumeListReport', titles: TITLES, heading: !flags.noheading }
    return formatList(format, volumes.map(podmanRecord), how)
  }
  const rows = volumes.map(({ name, pods, app, createdMs }) => [
    name,
    pods.join(','),
    printable(app ?? ''),
    age(nowMs - createdMs),
  ])
  const text = table(['NAME', 'PODS', 'APP', 'AGE'], rows)
  return flags.noheading ? text.slice(text.indexOf('\n') + 1) : text
}
