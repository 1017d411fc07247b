/** `tspod stats` and `tspod pod stats`: what containers use, once or again and again. */
import type { Engine, Reading, StatsRequest } from '../engine/index.ts'
import type { FlagTable } from './flags.ts'
import { LATEST_FLAG, LATEST_POD_FLAG, latestContainer, latestPod } from './latest.ts'
import { type Figures, figures } from './stats-figures.ts'
import { json, shortId, table } from './table.ts'
import { formatList, type Struct, wantsJson } from './template/index.ts'
import { defineVerb, type Outcome, type World } from './verb.ts'

const SHARED_FLAGS = {
  format: { kind: 'text', value: 'json|TEMPLATE', help: 'one JSON array, or a Go template for each: table {{.Name}}' },
  interval: { kind: 'number', value: 'SECONDS', minimum: 1, short: 'i', help: 'time between two lists (default 5)' },
  'no-reset': { kind: 'switch', initial: false, help: 'do not clear the terminal between two lists' },
  'no-stream': { kind: 'switch', initial: false, help: 'one list and no more' },
  'no-trunc': { kind: 'switch', initial: false, help: 'show complete ids' },
} as const satisfies FlagTable

const FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'also those that do not run' },
  ...SHARED_FLAGS,
  ...LATEST_FLAG,
} as const satisfies FlagTable

const POD_FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'without effect: without a name it is all pods anyway' },
  ...SHARED_FLAGS,
  ...LATEST_POD_FLAG,
} as const satisfies FlagTable

const WHAT =
  'A figure that this host cannot tell is shown as `--` and is null in JSON. CPU % is that of one CPU since the list ' +
  'before; the first list takes a moment for it.'

export const stats = defineVerb({
  operands: '[CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description: `Shows CPU, memory, network, block devices and processes of containers, all running ones without a name. ${WHAT}`,
  examples: [
    { does: 'All, again and again', line: 'tspod stats' },
    { does: 'One list of two', line: 'tspod stats --no-stream web-nginx db-postgres' },
    { does: 'For a script', line: "tspod stats --no-stream --format '{{.Name}} {{.MemUsage}}'" },
  ],
  flags: FLAGS,
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const names = flags.latest ? [await latestContainer(engine)] : operands
    return watch(world, engine, { names, pods: false, all: flags.all }, flags, CONTAINER_FORMS)
  },
})

export const podStats = defineVerb({
  operands: '[POD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description: `Shows what the running containers of pods use, of all pods without a name. ${WHAT}`,
  examples: [
    { does: 'All pods, again and again', line: 'tspod pod stats' },
    { does: 'One list of one pod', line: 'tspod pod stats --no-stream web' },
  ],
  flags: POD_FLAGS,
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const names = flags.latest ? [await latestPod(engine)] : operands
    return watch(world, engine, { names, pods: true, all: false }, flags, POD_FORMS)
  },
})

/** How the figures of containers, or of the containers of pods, are shown. */
type Forms = {
  table(all: readonly Measured[], id: ShownId): string
  record(one: Measured, id: ShownId): Record<string, unknown>
  fields(one: Measured, id: ShownId): Struct
  titles: Readonly<Record<string, string>>
  typeName: string
}

type WatchFlags = {
  format: string | undefined
  'no-stream': boolean
  'no-reset': boolean
  'no-trunc': boolean
  interval: number | undefined
}

function shown(all: readonly Measured[], flags: WatchFlags, forms: Forms): string {
  const { format, 'no-trunc': whole } = flags
  const id = (text: string): string => (whole ? text : shortId(text))
  if (format === undefined || format === 'table') return forms.table(all, id)
  if (wantsJson(format)) return json(all.map(one => forms.record(one, id)))
  const { titles, typeName } = forms
  const fields = all.map(one => forms.fields(one, id))
  return formatList(format, fields, { titles, typeName, heading: true })
}

/** Long enough for a share of CPU time, short enough to wait for. */
const FIRST_MS = 500
const DEFAULT_INTERVAL_S = 5
const CLEAR = '\u001b[2J\u001b[H'

type Measured = { reading: Reading; shown: Figures }

async function watch(
  world: World,
  engine: Engine,
  request: StatsRequest,
  flags: WatchFlags,
  forms: Forms,
): Promise<Outcome> {
  const stop = AbortSignal.any([world.signal, world.out.closed])
  let before = await engine.stats(request)
  for (let pauseMs = FIRST_MS; ; pauseMs = (flags.interval ?? DEFAULT_INTERVAL_S) * 1000) {
    await world.clock.sleep(pauseMs, stop).catch(() => undefined)
    if (stop.aborted) return { interrupted: world.signal.aborted }
    const now = await engine.stats(request)
    const known = new Map(before.map(reading => [reading.id, reading]))
    const measured = now.map(reading => ({ reading, shown: figures(reading, known.get(reading.id)) }))
    const text = shown(measured, flags, forms)
    if (flags['no-stream']) return { stdout: text }
    world.out.write(world.out.rewritable && !flags['no-reset'] ? `${CLEAR}${text}` : text)
    before = now
  }
}

const UNKNOWN = '--'
const or = (text: string | null): string => text ?? UNKNOWN
/** Two figures in one cell: unknown ones stay so, side by side. */
const pair = (text: string | null): string => text ?? `${UNKNOWN} / ${UNKNOWN}`

type ShownId = (id: string) => string

function containerTable(all: readonly Measured[], id: ShownId): string {
  return table(
    ['ID', 'NAME', 'CPU %', 'MEM USAGE / LIMIT', 'MEM %', 'NET IO', 'BLOCK IO', 'PIDS', 'CPU TIME', 'AVG CPU %'],
    all.map(({ reading, shown }) => [
      id(reading.id),
      reading.name,
      or(shown.cpu),
      pair(shown.memory),
      or(shown.memoryShare),
      pair(shown.net),
      pair(shown.io),
      or(shown.pids),
      or(shown.cpuTime),
      or(shown.averageCpu),
    ]),
  )
}

/** With the names that Podman gives the fields. */
const containerRecord = ({ reading, shown }: Measured, id: ShownId): Record<string, unknown> => ({
  id: id(reading.id),
  name: reading.name,
  cpu_time: shown.cpuTime,
  cpu_percent: shown.cpu,
  avg_cpu: shown.averageCpu,
  mem_usage: shown.memory,
  mem_percent: shown.memoryShare,
  net_io: shown.net,
  block_io: shown.io,
  pids: shown.pids,
})

/** The fields of a row in templates, and their titles, as `podman stats` has them. */
const containerFields = ({ reading, shown }: Measured, id: ShownId): Struct => ({
  ID: id(reading.id),
  ContainerID: reading.id,
  Name: reading.name,
  CPUPerc: or(shown.cpu),
  AVGCPU: or(shown.averageCpu),
  MemUsage: pair(shown.memory),
  MemUsageBytes: pair(shown.memoryBytes),
  MemPerc: or(shown.memoryShare),
  NetIO: pair(shown.net),
  BlockIO: pair(shown.io),
  PIDS: or(shown.pids),
  UpTime: or(shown.cpuTime),
})

const CONTAINER_TITLES = {
  ID: 'ID',
  ContainerID: 'CONTAINER ID',
  Name: 'NAME',
  CPUPerc: 'CPU %',
  AVGCPU: 'AVG CPU %',
  MemUsage: 'MEM USAGE / LIMIT',
  MemUsageBytes: 'MEM USAGE / LIMIT',
  MemPerc: 'MEM %',
  NetIO: 'NET IO',
  BlockIO: 'BLOCK IO',
  PIDS: 'PIDS',
  UpTime: 'CPU TIME',
}

function podTable(all: readonly Measured[], id: ShownId): string {
  return table(
    ['POD', 'CID', 'NAME', 'CPU %', 'MEM USAGE / LIMIT', 'MEM %', 'NET IO', 'BLOCK IO', 'PIDS'],
    all.map(({ reading, shown }) => [
      id(reading.podId),
      id(reading.id),
      reading.name,
      or(shown.cpu),
      pair(shown.memory),
      or(shown.memoryShare),
      pair(shown.net),
      pair(shown.io),
      or(shown.pids),
    ]),
  )
}

const podFields = (measured: Measured, id: ShownId): Struct =>
  Object.fromEntries(
    Object.entries(podRecord(measured, id)).map(([field, value]) => [
      field,
      typeof value === 'string' ? value : /IO$|^MemUsage/.test(field) ? pair(null) : UNKNOWN,
    ]),
  )

const POD_TITLES = {
  Pod: 'POD',
  CID: 'CID',
  Name: 'NAME',
  CPU: 'CPU %',
  MemUsage: 'MEM USAGE/ LIMIT',
  MemUsageBytes: 'MEM USAGE/ LIMIT',
  Mem: 'MEM %',
  NetIO: 'NET IO',
  BlockIO: 'BLOCK IO',
  PIDS: 'PIDS',
}

const podRecord = ({ reading, shown }: Measured, id: ShownId): Record<string, unknown> => ({
  CPU: shown.cpu,
  MemUsage: shown.memory,
  MemUsageBytes: shown.memoryBytes,
  Mem: shown.memoryShare,
  NetIO: shown.net,
  BlockIO: shown.io,
  PIDS: shown.pids,
  Pod: id(reading.podId),
  CID: id(reading.id),
  Name: reading.name,
})

const CONTAINER_FORMS: Forms = {
  table: containerTable,
  record: containerRecord,
  fields: containerFields,
  titles: CONTAINER_TITLES,
  typeName: 'containerStats',
}

const POD_FORMS: Forms = {
  table: podTable,
  record: podRecord,
  fields: podFields,
  titles: POD_TITLES,
  typeName: 'podStatsReportWrapper',
}
