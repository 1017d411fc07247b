/** `tspod stats` and `tspod pod stats`: what containers use, once or again and again. */
import type { Engine, Reading, StatsRequest } from '../engine/index.ts'
import type { FlagTable } from './flags.ts'
import { LATEST_FLAG, latestContainer } from './latest.ts'
import { type Figures, figures } from './stats-figures.ts'
import { json, shortId, table } from './table.ts'
import { defineVerb, type Outcome, type World } from './verb.ts'

const FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'also those that do not run' },
  format: { kind: 'choice', choices: ['json', 'table'], help: 'as JSON' },
  interval: { kind: 'number', value: 'SECONDS', minimum: 1, short: 'i', help: 'time between two lists (default 5)' },
  'no-reset': { kind: 'switch', initial: false, help: 'do not clear the terminal between two lists' },
  'no-stream': { kind: 'switch', initial: false, help: 'one list and no more' },
  'no-trunc': { kind: 'switch', initial: false, help: 'show complete ids' },
  ...LATEST_FLAG,
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
    { does: 'For a script', line: "tspod stats --no-stream --format json | jq -r '.[] | .name, .mem_usage'" },
  ],
  flags: FLAGS,
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const names = flags.latest ? [await latestContainer(engine)] : operands
    const id = shownId(flags['no-trunc'])
    return watch(world, engine, { names, pods: false, all: flags.all }, flags, all =>
      flags.format === 'json' ? json(all.map(one => containerRecord(one, id))) : containerTable(all, id),
    )
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
  flags: FLAGS,
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const latest = async (): Promise<string[]> => (await engine.pods()).slice(-1).map(pod => pod.id)
    const names = flags.latest ? await latest() : operands
    const id = shownId(flags['no-trunc'])
    return watch(world, engine, { names, pods: true, all: false }, flags, all =>
      flags.format === 'json' ? json(all.map(one => podRecord(one, id))) : podTable(all, id),
    )
  },
})

const shownId = (whole: boolean) => (id: string) => (whole ? id : shortId(id))

/** Long enough for a share of CPU time, short enough to wait for. */
const FIRST_MS = 500
const DEFAULT_INTERVAL_S = 5
const CLEAR = '\u001b[2J\u001b[H'

type Measured = { reading: Reading; shown: Figures }
type WatchFlags = { 'no-stream': boolean; 'no-reset': boolean; interval: number | undefined }

async function watch(
  world: World,
  engine: Engine,
  request: StatsRequest,
  flags: WatchFlags,
  render: (all: readonly Measured[]) => string,
): Promise<Outcome> {
  const stop = AbortSignal.any([world.signal, world.out.closed])
  let before = await engine.stats(request)
  for (let pauseMs = FIRST_MS; ; pauseMs = (flags.interval ?? DEFAULT_INTERVAL_S) * 1000) {
    await world.clock.sleep(pauseMs, stop).catch(() => undefined)
    if (stop.aborted) return { interrupted: world.signal.aborted }
    const now = await engine.stats(request)
    const known = new Map(before.map(reading => [reading.id, reading]))
    const text = render(now.map(reading => ({ reading, shown: figures(reading, known.get(reading.id)) })))
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
