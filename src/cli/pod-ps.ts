/** `tspod pod ps`: pods as a table, as `kubectl get pods` shows them, as JSON, or in the form of a template. */

import type { ListedPod } from '../engine/index.ts'
import { podFilter, podFilterProblems } from './filter.ts'
import { groupFilters } from './filter-rules.ts'
import type { FlagTable, Problem } from './flags.ts'
import { PODMAN_LIST_FLAGS, WIDE_FLAG } from './list-flags.ts'
import { printable, printableLines } from './output.ts'
import { POD_TITLES, podFields, podJson } from './pod-fields.ts'
import { containerState } from './podman-words.ts'
import { age, json, portList, shortId, table } from './table.ts'
import { formatList, wantsJson } from './template/index.ts'
import { defineVerb, type Input } from './verb.ts'

const SORTS = ['created', 'id', 'name', 'number', 'status'] as const

const FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'without effect: pods that have ended are always listed' },
  ...PODMAN_LIST_FLAGS,
  ...WIDE_FLAG,
  'ctr-ids': { kind: 'switch', initial: false, help: 'show the ids of containers' },
  'ctr-names': { kind: 'switch', initial: false, help: 'show the names of containers' },
  'ctr-status': { kind: 'switch', initial: false, help: 'show the states of containers' },
  noheading: { kind: 'switch', initial: false, short: 'n', help: 'a table without its first line' },
  sort: { kind: 'choice', choices: SORTS, help: 'the order; without it oldest first, by created newest first' },
} as const satisfies FlagTable

type Flags = Input<typeof FLAGS>['flags']

export const podPs = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Lists all pods, oldest first, whatever their state. `tspod ps` lists containers. Filters, templates and the ' +
    'capitalised names in JSON are those of `podman pod ps`; docs/format.md lists them.',
  examples: [
    { does: 'All pods', line: 'tspod pod ps' },
    { does: 'With addresses, published ports and images', line: 'tspod pod ps -o wide' },
    { does: 'Names of pods that are not whole', line: `tspod pod ps --filter status=degraded --format '{{.Name}}'` },
    { does: 'Address of one pod', line: `tspod pod ps --format json | jq -r '.[] | select(.name == "web").ips[0]'` },
  ],
  flags: FLAGS,
  check: ({ flags }) => [...conflicts(flags), ...podFilterProblems(flags.filter)],
  async run(input, world) {
    const pods = await (await world.engine()).pods()
    const text = podList(pods, input.flags, world.clock.nowMs())
    return { stdout: world.out.isTerminal ? printableLines(text) : text }
  },
})

function conflicts({ quiet, format }: Flags): Problem[] {
  const both = quiet && format !== undefined && format !== 'table' && format !== 'json'
  return both ? [{ message: 'quiet and format cannot be used together' }] : []
}

/** The list in the wanted form; `nowMs` is what ages are counted to. Throws USAGE for a mistake in a template. */
export function podList(all: readonly ListedPod[], flags: Flags, nowMs: number): string {
  const pods = chosen(all, flags, nowMs)
  const id = (text: string): string => (flags['no-trunc'] ? text : shortId(text))
  if (flags.quiet) return pods.map(pod => `${id(pod.id)}\n`).join('')
  const { format = flags.output === 'json' ? 'json' : 'table' } = flags
  if (wantsJson(format)) return json(pods.map(podJson))
  if (format !== 'table') {
    const fields = pods.map(pod => podFields(pod, { full: flags['no-trunc'], nowMs }))
    return formatList(format, fields, { typeName: 'ListPodReporter', titles: POD_TITLES, heading: !flags.noheading })
  }
  const columns = columnsOf(flags, id, nowMs)
  const text = table(
    columns.map(([title]) => title),
    pods.map(pod => columns.map(([, cell]) => cell(pod))),
  )
  return flags.noheading ? text.slice(text.indexOf('\n') + 1) : text
}

function chosen(all: readonly ListedPod[], flags: Flags, nowMs: number): ListedPod[] {
  // A service has a pod of its own, which Podman's users do not know.
  const passing = all
    .filter(({ kind }) => kind === 'pod')
    .filter(podFilter(groupFilters(flags.filter), { pods: all, nowMs }))
  const newest = passing.toReversed().toSorted((a, b) => b.createdMs - a.createdMs)
  const pods = flags.latest ? newest.slice(0, 1) : passing
  switch (flags.sort) {
    case undefined:
      return pods
    case 'created':
      return flags.latest ? pods : newest
    case 'number':
      return pods.toSorted((a, b) => a.containers.length - b.containers.length)
    case 'id':
      return pods.toSorted((a, b) => compare(a.id, b.id))
    case 'name':
      return pods.toSorted((a, b) => compare(a.name, b.name))
    case 'status':
      return pods.toSorted((a, b) => compare(a.state, b.state))
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

type Column = [title: string, cell: (pod: ListedPod) => string]

function columnsOf(flags: Flags, id: (text: string) => string, nowMs: number): Column[] {
  const columns: Column[] = [
    ['NAME', pod => pod.name],
    ['READY', pod => `${pod.ready}/${pod.total}`],
    ['STATUS', pod => printable(pod.reason)],
    ['RESTARTS', pod => String(pod.restarts)],
    ['AGE', pod => age(nowMs - pod.createdMs)],
  ]
  if (flags['ctr-ids']) columns.push(['IDS', pod => pod.containers.map(container => id(container.id)).join(',')])
  if (flags['ctr-names']) columns.push(['NAMES', pod => pod.containers.map(({ name }) => name).join(',')])
  if (flags['ctr-status']) columns.push(['STATUS', pod => pod.containers.map(containerState).join(',')])
  if (flags.ns) columns.push(['CGROUP', pod => pod.cgroup], ['NAMESPACE', pod => pod.namespace])
  if (flags.output !== 'wide') return columns
  return [
    ...columns,
    ['IP', pod => pod.ips.join(',')],
    ['PORTS', pod => portList(pod.ports.filter(port => port.hostPort !== undefined))],
    ['IMAGES', imagesCell],
    ['ID', pod => id(pod.id)],
  ]
}

function imagesCell(pod: ListedPod): string {
  const images = pod.containers.filter(({ kind }) => kind === 'regular').map(({ image }) => image)
  return printable([...new Set(images)].join(','))
}
