/** `tspod ps`: containers as a table, as JSON, or in the form of a template. */

import type { ContainerView, ListedPod } from '../engine/index.ts'
import { type ContainerRow, containerFilter, containerFilterProblems } from './filter.ts'
import { groupFilters } from './filter-rules.ts'
import type { FlagTable, Problem } from './flags.ts'
import { PODMAN_LIST_FLAGS, WIDE_FLAG } from './list-flags.ts'
import { printable, printableLines } from './output.ts'
import { CONTAINER_TITLES, containerFields, containerJson, type FieldOptions, namespacesOf } from './ps-fields.ts'
import { age, json, portList, shortId, table } from './table.ts'
import { formatList, wantsJson } from './template/index.ts'
import { defineVerb, type Input, type Outcome, type World } from './verb.ts'

const SORTS = ['command', 'created', 'id', 'image', 'names', 'pod', 'runningfor', 'status'] as const

const FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'also those that have ended or were never started' },
  ...PODMAN_LIST_FLAGS,
  ...WIDE_FLAG,
  last: { kind: 'number', value: 'N', minimum: -1, short: 'n', help: 'only the last N created, in any state' },
  noheading: { kind: 'switch', initial: false, help: 'a table without its first line' },
  pod: { kind: 'switch', initial: false, short: 'p', help: 'show the ids of pods as well' },
  sort: { kind: 'choice', choices: SORTS, help: 'the order; without it by pod, oldest first, and manifest' },
  watch: { kind: 'number', value: 'SECONDS', minimum: 0, short: 'w', help: 'show it again and again' },
  sync: { kind: 'switch', initial: false, help: 'without effect: the kernel is always asked', hidden: true },
} as const satisfies FlagTable

type Flags = Input<typeof FLAGS>['flags']

export const ps = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Lists running containers, oldest pod first, in the order of their manifest. `tspod pod ps` lists pods. ' +
    'Nothing is shortened but ids. Filters, templates and the capitalised names in JSON are those of `podman ps`; ' +
    'docs/format.md lists them.',
  examples: [
    { does: 'Running containers', line: 'tspod ps' },
    { does: 'All containers, with ids, process and address', line: 'tspod ps -a -o wide' },
    { does: 'Names of what has ended', line: `tspod ps -a --filter status=exited --format '{{.Names}}'` },
    { does: 'Columns of your choice', line: `tspod ps --format 'table {{.Names}}\\t{{.Status}}\\t{{.Ports}}'` },
    {
      does: 'Names of what is not running, by jq',
      line: `tspod ps -a --format json | jq -r '.[] | select(.state != "running").name'`,
    },
  ],
  flags: FLAGS,
  refused: {
    'tspod does not measure containers: leave it out': 's|size',
    'only containers of tspod are listed': 'external',
  },
  check: ({ flags }) => [...conflicts(flags), ...containerFilterProblems(flags.filter)],
  async run({ flags }, world) {
    const engine = await world.engine()
    const show = async (): Promise<string> => {
      const text = containerList(await engine.pods(), flags, world.clock.nowMs())
      return world.out.isTerminal ? printableLines(text) : text
    }
    return flags.watch ? watch(show, flags.watch * 1000, world) : { stdout: await show() }
  },
})

/** What Podman refuses together, in its words. */
function conflicts(flags: Flags): Problem[] {
  const problems: Problem[] = []
  const refuse = (when: boolean, message: string): unknown => when && problems.push({ message })
  refuse(flags.latest && (flags.last ?? -1) >= 0, 'last and latest are mutually exclusive')
  refuse(flags.quiet && flags.ns, 'quiet conflicts with size and namespace')
  refuse((flags.watch ?? 0) > 0 && flags.latest, 'the watch and latest flags cannot be used together')
  return problems
}

async function watch(show: () => Promise<string>, everyMs: number, { out, clock, signal }: World): Promise<Outcome> {
  const stop = AbortSignal.any([signal, out.closed])
  while (!stop.aborted) {
    // The cursor goes to the top left and what was shown before is wiped away.
    out.write(`${out.rewritable ? '\x1b[H\x1b[2J' : ''}${await show()}`)
    await clock.sleep(everyMs, stop).catch(() => undefined)
  }
  return { interrupted: signal.aborted }
}

/** The list in the wanted form; `nowMs` is what ages are counted to. Throws USAGE for a mistake in a template. */
export function containerList(pods: readonly ListedPod[], flags: Flags, nowMs: number): string {
  const rows = chosen(pods, flags, nowMs)
  const { format = flags.output === 'json' ? 'json' : 'table' } = flags
  const namespaces = flags.ns || /\.(Namespaces|Cgroup|IPC|MNT|NET|PIDNS|User|UTS)\b/.test(format)
  const how: FieldOptions = { full: flags['no-trunc'], nowMs, namespaces }
  if (wantsJson(format)) return json(rows.map(row => containerJson(row, how)))
  if (format !== 'table') {
    const fields = rows.map(row => containerFields(row, how))
    return formatList(format, fields, { typeName: 'psReporter', titles: CONTAINER_TITLES, heading: !flags.noheading })
  }
  const id = (text: string): string => (flags['no-trunc'] ? text : shortId(text))
  if (flags.quiet) return rows.map(({ container }) => `${id(container.id)}\n`).join('')
  const columns = flags.ns ? namespaceColumns(id) : usualColumns(flags, id, nowMs)
  const text = table(
    columns.map(([title]) => title),
    rows.map(row => columns.map(([, cell]) => cell(row))),
  )
  return flags.noheading ? text.slice(text.indexOf('\n') + 1) : text
}

/** As in Podman, a filter by state and `--last` and `--latest` look at containers in any state. */
function chosen(pods: readonly ListedPod[], flags: Flags, nowMs: number): ContainerRow[] {
  const filters = groupFilters(flags.filter)
  const last = flags.latest ? 1 : (flags.last ?? 0)
  const anyState = flags.all || last > 0 || filters.has('status')
  const rows = pods
    .flatMap(pod => pod.containers.map(container => ({ pod, container })))
    .filter(({ container }) => anyState || isUp(container))
    .filter(containerFilter(filters, { pods, nowMs }))
  const newest =
    last > 0
      ? rows
          .toReversed()
          .toSorted((a, b) => b.container.createdMs - a.container.createdMs)
          .slice(0, last)
      : rows
  return flags.sort === undefined ? newest : newest.toSorted(ORDER[flags.sort])
}

const isUp = ({ state }: ContainerView): boolean => state === 'running' || state === 'paused' || state === 'stopping'

const by =
  (key: (row: ContainerRow) => string | number) =>
  (a: ContainerRow, b: ContainerRow): number => {
    const [left, right] = [key(a), key(b)]
    return left < right ? -1 : left > right ? 1 : 0
  }

const ORDER: { [Sort in (typeof SORTS)[number]]: (a: ContainerRow, b: ContainerRow) => number } = {
  command: by(({ container }) => container.command.join(' ')),
  created: by(({ container }) => container.createdMs),
  id: by(({ container }) => container.id),
  image: by(({ container }) => container.image),
  names: by(({ container }) => container.name),
  pod: by(({ pod }) => pod.id),
  runningfor: by(({ container }) => container.startedMs ?? 0),
  status: by(({ container }) => container.state),
}

type Column = [title: string, cell: (row: ContainerRow) => string]

function usualColumns(flags: Flags, id: (text: string) => string, nowMs: number): Column[] {
  const columns: Column[] = [
    ['NAME', ({ container }) => container.name],
    ['POD', ({ pod }) => (pod.kind === 'pod' ? pod.name : '')],
    ['READY', ({ container }) => readyCell(container)],
    ['STATUS', ({ container }) => statusCell(container)],
    ['RESTARTS', ({ container }) => String(container.restarts)],
    ['AGE', ({ container }) => age(nowMs - (container.startedMs ?? container.createdMs))],
    ['IMAGE', ({ container }) => printable(container.image)],
    ['PORTS', ({ container }) => portList(container.ports.filter(port => port.hostPort !== undefined))],
  ]
  if (flags.pod) columns.push(['POD ID', ({ pod }) => (pod.kind === 'pod' ? id(pod.id) : '')])
  if (flags.output !== 'wide') return columns
  return [
    ...columns,
    ['ID', ({ container }) => id(container.id)],
    ['KIND', ({ container }) => container.kind],
    ['PID', ({ container }) => String(container.pid ?? '')],
    ['IP', ({ pod }) => pod.ips.join(',')],
    ['RAN FOR', ({ container }) => ranFor(container)],
    ['MESSAGE', ({ container }) => printable(waitsUntil(container, nowMs))],
  ]
}

/** How long a run took that is over: what init containers and jobs are asked for. */
function ranFor({ state, startedMs, finishedMs }: ContainerView): string {
  if (startedMs === undefined || finishedMs === undefined || state === 'running') return ''
  return age(finishedMs - startedMs)
}

/** Why it is as it is, and when it will be tried again. */
function waitsUntil({ message, nextStartMs }: ContainerView, nowMs: number): string {
  return nextStartMs === undefined ? message : `${message}; next try in ${age(nextStartMs - nowMs)}`
}

/** The columns of `podman ps --ns`. */
function namespaceColumns(id: (text: string) => string): Column[] {
  const names = ['Cgroup', 'IPC', 'MNT', 'NET', 'PIDNS', 'User', 'UTS'] as const
  return [
    ['CONTAINER ID', ({ container }) => id(container.id)],
    ['NAMES', ({ container }) => container.name],
    ['PID', ({ container }) => String(container.pid ?? '')],
    ...names.map(
      (name): Column => [CONTAINER_TITLES[name] ?? name, ({ container }) => namespacesOf(container.pid)[name]],
    ),
  ]
}

/** Whether it may be counted on; of what does not serve that is not asked. */
function readyCell({ kind, ready }: ContainerView): string {
  if (kind !== 'regular' && kind !== 'sidecar') return ''
  return ready ? 'yes' : 'no'
}

/** The reason, with the exit code when the container failed. */
function statusCell({ reason, exitCode, state }: ContainerView): string {
  const failed = state === 'exited' && exitCode !== undefined && exitCode !== 0
  return printable(failed ? `${reason} (${exitCode})` : reason)
}
