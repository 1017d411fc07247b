/** `tspod events`: what has happened and what happens, in Podman's lines, as JSON, by a template, or as kubectl's table. */
import type { EventView } from '../engine/index.ts'
import { eventFilter, eventFilterProblems } from './event-filter.ts'
import type { FlagTable, Problem } from './flags.ts'
import { printable, printableLines } from './output.ts'
import { timeBounds, timeProblems } from './since.ts'
import { age, shortId } from './table.ts'
import { formatEach, goTime, type Struct, toJsonLine, wantsJson } from './template/index.ts'
import { defineVerb, type Input, type World } from './verb.ts'

const FLAGS = {
  filter: {
    kind: 'list',
    value: 'KEY=VALUE',
    short: 'f',
    mayEndLine: true,
    help: 'only events of which this is true; values of one key are alternatives',
  },
  follow: {
    kind: 'switch',
    initial: false,
    help: 'go on with what happens: what it does anyway without --stream=false',
  },
  format: {
    kind: 'text',
    value: 'json|TEMPLATE',
    help: 'one JSON object a line, or a Go template for each: {{.Status}}',
  },
  'no-trunc': { kind: 'switch', initial: true, help: 'show ids in full' },
  output: {
    kind: 'choice',
    choices: ['table', 'json'],
    short: 'o',
    help: "kubectl's columns, for what Kubernetes has a reason for; or the same as --format",
  },
  since: {
    kind: 'text',
    value: 'TIME',
    help: 'also what happened since: an age (10m, 1h30m), RFC 3339 or seconds since 1970',
  },
  stream: { kind: 'tristate', help: 'false: print what has happened, and end (default true)' },
  until: { kind: 'text', value: 'TIME', help: 'end with what happened until then; in the future: +10m' },
} as const satisfies FlagTable

type Flags = Input<typeof FLAGS>['flags']

export const events = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Prints events as they happen until it is interrupted, as `podman events` does; with --since or --until also those ' +
    'before, and with --stream=false only those. As in Podman -f is --filter; without a value, at the end of the line, ' +
    'it is --follow, which is what happens anyway. Filters: container, pod, image, volume, secret and name (a name or ' +
    'the beginning of an id), event or status, type, reason, label (KEY or KEY=VALUE). The last 10,000 events are kept.',
  examples: [
    { does: 'What happens from now on', line: 'tspod events' },
    { does: 'The last ten minutes, and no more', line: 'tspod events --since 10m --stream=false' },
    { does: "The same with Kubernetes' reasons", line: 'tspod events --since 10m --stream=false -o table' },
    {
      does: 'Ends of one container, for a script',
      line: 'tspod events -f container=web-nginx -f event=died --format json',
    },
    {
      does: 'Columns of your choice',
      line: `tspod events --since 1h --format '{{.Time}} {{.Type}} {{.Status}} {{.Name}}'`,
    },
  ],
  flags: FLAGS,
  check: ({ flags }) => [...timeProblems(flags), ...conflicts(flags), ...eventFilterProblems(flags.filter)],
  async run({ flags }, world) {
    const follow = flags.stream ?? true
    const bounds = timeBounds(flags, world.clock.nowMs())
    const request = { past: !follow || Object.keys(bounds).length > 0, follow, ...bounds }
    const show = shower(flags, world)
    const passes = eventFilter(flags.filter)
    const stop = AbortSignal.any([world.signal, world.out.closed])
    for await (const event of (await world.engine()).events(request, stop)) {
      if (passes(event)) world.out.write(show(event))
    }
    // Interrupting is how it ends: no failure.
    return {}
  },
})

const conflicts = ({ follow, stream, format, output }: Flags): Problem[] => [
  ...(follow && stream === false ? [{ message: '--follow and --stream=false exclude each other' }] : []),
  ...(format !== undefined && output !== undefined ? [{ message: '--format and --output exclude each other' }] : []),
]

/** Puts one event into the wanted form. It throws USAGE for a mistake in a template. */
function shower(flags: Flags, world: World): (event: EventView) => string {
  const id = (text: string): string => (flags['no-trunc'] ? text : shortId(text))
  const { format = flags.output === 'json' ? 'json' : '' } = flags
  const safe = (text: string): string => (world.out.isTerminal ? printableLines(text) : text)
  if (wantsJson(format)) return event => toJsonLine(eventFields(event))
  if (format !== '') {
    return event => safe(formatEach(format, [eventFields(event)], () => 'Event'))
  }
  if (flags.output === 'table') return tableRows(world)
  return event => `${printable(eventLine(event, id))}\n`
}

/** The names that Podman's events have, and ours for what it does not tell. */
function eventFields(event: EventView): Struct {
  const { exitCode, image, ...facts } = event.facts
  const failed = event.kind === 'image' && event.warning
  return {
    ContainerExitCode: exitCode === undefined ? undefined : Number(exitCode),
    ID: event.object,
    Image: image ?? '',
    Name: event.name,
    Status: event.action,
    Time: Math.floor(event.atMs / 1000),
    TimeNano: event.atMs * 1e6,
    Type: event.kind,
    Error: failed ? event.message : '',
    Attributes: new Map(Object.entries({ ...event.labels, ...facts })),
    PodID: event.podId,
    PodName: event.podName,
    Reason: event.reason,
    Message: event.message,
    Warning: event.warning,
    toJSON: () => ({
      ...(exitCode !== undefined && { ContainerExitCode: Number(exitCode) }),
      ID: event.object,
      ...(image !== undefined && { Image: image }),
      Name: event.name,
      Status: event.action,
      time: Math.floor(event.atMs / 1000),
      timeNano: event.atMs * 1e6,
      Type: event.kind,
      ...(failed && { Error: event.message }),
      Attributes: new Map(Object.entries({ ...event.labels, ...facts })),
      ...(event.podId !== '' && { PodID: event.podId, PodName: event.podName }),
      Reason: event.reason,
      Message: event.message,
      Warning: event.warning,
    }),
  }
}

/** The line that `podman events` prints. */
function eventLine(event: EventView, id: (text: string) => string): string {
  const { kind, action, name, object, podId, labels } = event
  const { image = '', ...facts } = event.facts
  const begin = `${goTime(new Date(event.atMs))} ${kind} ${action}`
  switch (kind) {
    case 'container':
    case 'pod':
    case 'job':
    case 'service': {
      const pod = kind === 'container' && podId !== '' ? [['pod_id', podId]] : []
      const more = [...pod, ...Object.entries({ ...labels, ...facts })].map(([key, value]) => `, ${key}=${value}`)
      return `${begin} ${id(object)} (image=${image}, name=${name}${more.join('')})`
    }
    case 'image':
      return `${begin} ${id(object)} ${name}${event.warning ? ` ${event.message}` : ''}`
    case 'gitops':
      return `${begin} ${name}${event.message === '' ? '' : `: ${event.message}`}`
    case 'secret':
      return `${begin} ${id(object)}`
    case 'volume':
    case 'system':
      return name === '' ? begin : `${begin} ${name}`
  }
}

const WIDTHS = [10, 8, 18, 30]

/** Columns of fixed width: what comes later is not known yet. */
function tableRows({ clock }: World): (event: EventView) => string {
  let headed = false
  const row = (...cells: string[]): string => {
    const padded = cells.map((cell, index) => `${cell.padEnd((WIDTHS[index] ?? 0) - 1)} `)
    return `${padded.join('').trimEnd()}\n`
  }
  return event => {
    if (event.reason === '') return ''
    const heading = headed ? '' : row('LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE')
    headed = true
    const type = event.warning ? 'Warning' : 'Normal'
    const object = `${event.kind}/${event.name}`
    return heading + row(age(clock.nowMs() - event.atMs), type, event.reason, object, printable(event.message))
  }
}
