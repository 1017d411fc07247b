/** `tspod logs`: what containers have printed, one container or a whole pod. */
import type { ContainerView, Engine, Found } from '../engine/index.ts'
import { TspodError } from '../errors.ts'
import type { FlagTable } from './flags.ts'
import { LATEST_FLAG, latestContainer, latestProblems } from './latest.ts'
import { type Colour, paint } from './output.ts'
import { timeBounds, timeProblems } from './since.ts'
import { defineVerb, type World } from './verb.ts'

const FLAGS = {
  color: {
    kind: 'switch',
    initial: false,
    help: 'a colour for the name of each container, also where it is no terminal',
  },
  container: { kind: 'text', value: 'NAME', short: 'c', help: 'only this container of the pod' },
  details: { kind: 'switch', initial: false, hidden: true, help: 'without effect, as in Podman' },
  follow: { kind: 'switch', initial: false, short: 'f', help: 'go on with what is printed from now on, until it ends' },
  ...LATEST_FLAG,
  names: {
    kind: 'switch',
    initial: false,
    short: 'n',
    hidden: true,
    help: 'without effect: several always have names',
  },
  since: {
    kind: 'text',
    value: 'TIME',
    help: 'only what is newer: an age (10m, 1h30m, 2d), RFC 3339 or seconds since 1970',
  },
  tail: { kind: 'number', value: 'LINES', minimum: -1, help: 'only the last lines of each container (-1: all)' },
  timestamps: { kind: 'switch', initial: false, short: 't', help: 'begin each line with its time' },
  until: { kind: 'text', value: 'TIME', help: 'only what is older' },
} as const satisfies FlagTable

export const logs = defineVerb({
  operands: 'POD|CONTAINER [POD|CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Prints the log of one container as it was written: standard output to standard output, standard error to ' +
    'standard error. For a pod or several containers, the lines of all in the order of time, each begun by the name of ' +
    'its container. Containers that have ended, and init containers, are shown too.',
  examples: [
    { does: 'A whole pod, and what comes', line: 'tspod logs -f web' },
    { does: 'One container: the last 20 lines with their times', line: 'tspod logs --tail 20 -t web/nginx' },
    { does: 'The last ten minutes of two pods', line: 'tspod logs --since 10m web db' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => [
    ...latestProblems(flags, operands),
    ...timeProblems(flags),
    ...(flags.container !== undefined && operands.length > 1 ? [{ message: '--container needs one pod' }] : []),
  ],
  async run({ flags, operands }, world) {
    const nowMs = world.clock.nowMs()
    const engine = await world.engine()
    const names = flags.latest ? [await latestContainer(engine)] : operands
    const asked = await Promise.all(names.map(name => engine.find(name)))
    const found = flags.container === undefined ? asked : asked.map(one => memberOf(one, flags.container ?? ''))
    const containers = withLogFile(found)
    const print = linePrinter(found, containers, flags, world)
    const stop = AbortSignal.any([world.signal, world.out.closed])
    const { readLogs } = await import('../oci/index.ts')
    const bounds = timeBounds(flags, nowMs)
    const lines = readLogs(
      containers.map(container => ({ container: container.id, path: container.logPath })),
      {
        ...(flags.tail === undefined || flags.tail < 0 ? {} : { tail: flags.tail }),
        ...bounds,
        ...(flags.follow && {
          follow: { isOver: endWatcher(engine, world, bounds.untilMs), clock: world.clock, signal: stop },
        }),
      },
    )
    for await (const line of lines) {
      if (stop.aborted) break
      print(line)
    }
    return { interrupted: world.signal.aborted }
  },
})

/** One container of a pod, by the name it has in the manifest, its full name or the beginning of its id. */
function memberOf(found: Found, name: string): Found {
  const { pod } = found
  const container = pod.containers.find(one => one.shortName === name || one.name === name || one.id.startsWith(name))
  if (container !== undefined) return { kind: 'container', pod, container }
  const names = pod.containers.map(({ shortName }) => shortName).join(', ')
  throw new TspodError('NO_SUCH_OBJECT', `no container "${name}" in pod ${pod.name}: no such container`, {
    remedy: `it has ${names || 'none'}`,
  })
}

/** The containers whose logs are asked for, each once. Throws WRONG_STATE when none of them keeps a log. */
function withLogFile(found: readonly Found[]): ContainerView[] {
  const wanted = found.flatMap(one => (one.kind === 'container' ? [one.container] : one.pod.containers))
  const single = new Map(wanted.map(container => [container.id, container]))
  const readable = [...single.values()].filter(({ kind, logPath }) => kind !== 'infra' && logPath !== '')
  // A service container has nothing to say, and nobody has to know that it never will.
  if (readable.length > 0 || wanted.every(({ kind }) => kind === 'service')) return readable
  const name = found.map(one => (one.kind === 'container' ? one.container.name : one.pod.name)).join(', ')
  throw new TspodError('WRONG_STATE', `${name} keeps no log that can be read`, {
    remedy: 'its log driver sends the lines elsewhere: see journalctl, or play it with --log-driver k8s-file',
  })
}

/** The state of containers is asked at most this often while following. */
const STATE_AGE_MS = 1000

/** Says whether a container has ended for good; one look at the store serves all containers of a pod. */
function endWatcher(
  engine: Engine,
  world: Pick<World, 'clock'>,
  untilMs = Number.POSITIVE_INFINITY,
): (container: string) => Promise<boolean> {
  let seen: { atMs: number; live: Promise<Set<string>> } | undefined
  const look = async (): Promise<Set<string>> => {
    const pods = await engine.pods()
    const live = pods.filter(pod => pod.phase === 'Pending' || pod.phase === 'Running' || pod.phase === 'Unknown')
    const going = live.flatMap(pod => pod.containers.filter(container => !isDone(container)))
    return new Set(going.map(container => container.id))
  }
  return async container => {
    if (world.clock.nowMs() > untilMs) return true
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

/**
 * Writes lines; those of a pod or of several targets get aligned names, in colour on a terminal, and share standard
 * output. Within one pod the short names say enough.
 */
function linePrinter(
  found: readonly Found[],
  containers: readonly ContainerView[],
  { timestamps, color }: { timestamps: boolean; color: boolean },
  { out, err }: Pick<World, 'out' | 'err'>,
): (line: Line) => void {
  const onePod = new Set(found.map(({ pod }) => pod.id)).size === 1
  const shown = containers.map(({ id, name, shortName }) => ({ id, name: onePod ? shortName : name }))
  const named = found.length > 1 || found[0]?.kind === 'pod'
  const prefixes = named ? logPrefixes(shown, color || out.colour) : new Map<string, string>()
  return line => {
    const prefix = prefixes.get(line.container)
    const time = timestamps ? `${line.time} ` : ''
    const target = prefix === undefined && line.stream === 'stderr' ? err : out
    target.write(`${prefix ?? ''}${time}${line.text}\n`)
  }
}

/** `nginx   | `: names as wide as the widest, by container id. */
export function logPrefixes(shown: readonly { id: string; name: string }[], colour: boolean): Map<string, string> {
  const width = Math.max(...shown.map(({ name }) => name.length))
  return new Map(
    shown.map(({ id, name }, index) => {
      const own = PREFIX_COLOURS[index % PREFIX_COLOURS.length] ?? 'cyan'
      return [id, paint(`${name.padEnd(width)} | `, own, colour)]
    }),
  )
}
