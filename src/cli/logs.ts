/** `tspod logs`: what containers have printed, one container or a whole pod. */
import type { ContainerView, Engine, Found } from '../engine/index.ts'
import { TspodError } from '../errors.ts'
import type { FlagTable, Problem } from './flags.ts'
import { type Colour, paint } from './output.ts'
import { defineVerb, type Output, usageError, type World } from './verb.ts'

const FLAGS = {
  follow: { kind: 'switch', initial: false, short: 'f', help: 'go on with what is printed from now on, until it ends' },
  since: {
    kind: 'text',
    value: 'TIME',
    help: 'only what is newer: an age (10m, 1h30m, 2d), RFC 3339 or seconds since 1970',
  },
  tail: {
    kind: 'number',
    value: 'LINES',
    minimum: -1,
    short: 'n',
    help: 'only the last lines of each container (-1: all)',
  },
  timestamps: { kind: 'switch', initial: false, short: 't', help: 'begin each line with its time' },
} as const satisfies FlagTable

export const logs = defineVerb({
  operands: 'POD|CONTAINER',
  count: { minimum: 1, maximum: 1 },
  description:
    'Prints the log of one container as it was written: standard output to standard output, standard error to ' +
    'standard error. For a pod, the lines of all its containers in the order of time, each begun by the name of its ' +
    'container. Containers that have ended, and init containers, are shown too.',
  examples: [
    { does: 'A whole pod, and what comes', line: 'tspod logs -f web' },
    { does: 'One container: the last 20 lines with their times', line: 'tspod logs --tail 20 -t web/nginx' },
    { does: 'The last ten minutes', line: 'tspod logs --since 10m web' },
  ],
  flags: FLAGS,
  async run({ flags, operands: [name = ''] }, world) {
    const sinceMs = flags.since === undefined ? undefined : parseSince(flags.since, world.clock.nowMs())
    if (sinceMs === null) {
      const problem: Problem = { message: `invalid argument "${flags.since}" for "--since" flag: no time and no age` }
      throw usageError([problem], 'tspod logs')
    }
    const engine = await world.engine()
    const found = await engine.find(name)
    const containers = withLogFile(found)
    const print = linePrinter(found, containers, flags.timestamps, world)
    const stop = AbortSignal.any([world.signal, world.out.closed])
    const { readLogs } = await import('../oci/index.ts')
    const lines = readLogs(
      containers.map(container => ({ container: container.id, path: container.logPath })),
      {
        ...(flags.tail === undefined || flags.tail < 0 ? {} : { tail: flags.tail }),
        ...(sinceMs === undefined ? {} : { sinceMs }),
        ...(flags.follow ? { follow: { isOver: endWatcher(engine, world), clock: world.clock, signal: stop } } : {}),
      },
    )
    for await (const line of lines) {
      if (stop.aborted) break
      print(line)
    }
    return { interrupted: world.signal.aborted }
  },
})

/** The containers whose logs are asked for. Throws WRONG_STATE when none of them keeps a log. */
function withLogFile(found: Found): ContainerView[] {
  const wanted = found.kind === 'container' ? [found.container] : found.pod.containers
  const readable = wanted.filter(container => container.kind !== 'infra' && container.logPath !== '')
  if (readable.length > 0) return readable
  const name = found.kind === 'container' ? found.container.name : found.pod.name
  throw new TspodError('WRONG_STATE', `${name} keeps no log that can be read`, {
    remedy: 'its log driver sends the lines elsewhere: see journalctl, or play it with --log-driver k8s-file',
  })
}

/** The state of containers is asked at most this often while following. */
const STATE_AGE_MS = 1000

/** Says whether a container has ended for good; one look at the store serves all containers of a pod. */
function endWatcher(engine: Engine, world: Pick<World, 'clock'>): (container: string) => Promise<boolean> {
  let seen: { atMs: number; live: Promise<Set<string>> } | undefined
  const look = async (): Promise<Set<string>> => {
    const pods = await engine.pods()
    const live = pods.filter(pod => pod.phase === 'Pending' || pod.phase === 'Running' || pod.phase === 'Unknown')
    const going = live.flatMap(pod => pod.containers.filter(container => !isDone(container)))
    return new Set(going.map(container => container.id))
  }
  return async container => {
    const nowMs = world.clock.monotonicMs()
    if (seen === undefined || nowMs - seen.atMs >= STATE_AGE_MS) seen = { atMs: nowMs, live: look() }
    return !(await seen.live).has(container)
  }
}

/** An init container that succeeded stays ended, though its pod goes on; others may come back while it lives. */
const isDone = ({ kind, state, exitCode }: ContainerView): boolean =>
  kind === 'init' && state === 'exited' && exitCode === 0

type Line = { container: string; time: string; stream: 'stdout' | 'stderr'; text: string }

const PREFIX_COLOURS: readonly Colour[] = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red']

/** Writes lines; those of a pod get aligned names, in colour on a terminal, and share standard output. */
function linePrinter(
  found: Found,
  containers: readonly ContainerView[],
  timestamps: boolean,
  { out, err }: Pick<World, 'out' | 'err'>,
): (line: Line) => void {
  const prefixes = found.kind === 'pod' ? logPrefixes(containers, out) : new Map<string, string>()
  return line => {
    const prefix = prefixes.get(line.container)
    const time = timestamps ? `${line.time} ` : ''
    const target = prefix === undefined && line.stream === 'stderr' ? err : out
    target.write(`${prefix ?? ''}${time}${line.text}\n`)
  }
}

/** `nginx   | `: names as wide as the widest, by container id. */
export function logPrefixes(
  containers: readonly Pick<ContainerView, 'id' | 'shortName'>[],
  out: Pick<Output, 'colour'>,
): Map<string, string> {
  const width = Math.max(...containers.map(container => container.shortName.length))
  return new Map(
    containers.map(({ id, shortName }, index) => {
      const colour = PREFIX_COLOURS[index % PREFIX_COLOURS.length] ?? 'cyan'
      return [id, paint(`${shortName.padEnd(width)} | `, colour, out.colour)]
    }),
  )
}

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds since 1970 for `--since`: an age before `nowMs`, RFC 3339 or seconds since 1970; null when it is none. */
export function parseSince(text: string, nowMs: number): number | null {
  if (/^\d{1,12}(\.\d{1,9})?$/.test(text)) return Number(text) * 1000
  if (/^(\d{1,9}(\.\d{1,9})?[smhd])+$/.test(text)) {
    const parts = [...text.matchAll(/([\d.]+)([smhd])/g)]
    return nowMs - parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? 's'] ?? 0), 0)
  }
  if (!/^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?$/.test(text)) return null
  const parsed = Date.parse(text)
  return Number.isNaN(parsed) ? null : parsed
}
