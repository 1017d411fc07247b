/** `tspod ps`: containers as a table. */
import type { ContainerView, PodView } from '../engine/index.ts'
import type { FlagTable } from './flags.ts'
import { LIST_FLAGS, WIDE_FLAG } from './list-flags.ts'
import { printable } from './output.ts'
import { age, json, portList, shortId, table, timestamp } from './table.ts'
import { defineVerb, type Input } from './verb.ts'

const FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'also those that have ended or were never started' },
  ...LIST_FLAGS,
  ...WIDE_FLAG,
} as const satisfies FlagTable

export const ps = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description:
    'Lists running containers, oldest pod first, in the order of their manifest. `tspod pod ps` lists pods. ' +
    'Nothing is shortened but ids.',
  examples: [
    { does: 'Running containers', line: 'tspod ps' },
    { does: 'All containers, with ids, process and address', line: 'tspod ps -a -o wide' },
    {
      does: 'Names of what is not running',
      line: `tspod ps -a --format json | jq -r '.[] | select(.state != "running").name'`,
    },
  ],
  flags: FLAGS,
  async run(input, world) {
    const pods = await (await world.engine()).pods()
    return { stdout: containerList(pods, input.flags, world.clock.nowMs()) }
  },
})

type Row = { pod: PodView; container: ContainerView }

/** The list in the wanted form; `nowMs` is what ages are counted to. */
export function containerList(pods: readonly PodView[], flags: Input<typeof FLAGS>['flags'], nowMs: number): string {
  const rows = pods
    .flatMap(pod => pod.containers.map(container => ({ pod, container })))
    .filter(({ container }) => flags.all || isUp(container))
  const id = ({ container }: Row): string => (flags['no-trunc'] ? container.id : shortId(container.id))
  if (flags.quiet) return rows.map(row => `${id(row)}\n`).join('')
  if (flags.format === 'json' || flags.output === 'json') return json(rows.map(row => containerRecord(row.container)))
  const wide = flags.output === 'wide'
  const header = ['NAME', 'POD', 'STATUS', 'RESTARTS', 'AGE', 'IMAGE', 'PORTS']
  return table(
    wide ? [...header, 'ID', 'KIND', 'PID', 'IP'] : header,
    rows.map(row => (wide ? [...cells(row, nowMs), ...moreCells(row, id(row))] : cells(row, nowMs))),
  )
}

const isUp = ({ state }: ContainerView): boolean => state === 'running' || state === 'paused' || state === 'stopping'

function cells({ pod, container }: Row, nowMs: number): string[] {
  return [
    container.name,
    pod.kind === 'pod' ? pod.name : '',
    containerStatus(container),
    String(container.restarts),
    age(nowMs - (container.startedMs ?? container.createdMs)),
    printable(container.image),
    portList(container.ports.filter(port => port.hostPort !== undefined)),
  ]
}

const moreCells = ({ pod, container }: Row, id: string): string[] => [
  id,
  container.kind,
  container.pid === undefined ? '' : String(container.pid),
  pod.ips.join(','),
]

/** The reason, with the exit code when the container failed. */
function containerStatus({ reason, exitCode, state }: ContainerView): string {
  const failed = state === 'exited' && exitCode !== undefined && exitCode !== 0
  return printable(failed ? `${reason} (${exitCode})` : reason)
}

/** A container as scripts see it: these names are stable. */
export function containerRecord(container: ContainerView): Record<string, unknown> {
  return {
    id: container.id,
    name: container.name,
    shortName: container.shortName,
    pod: container.pod,
    podId: container.podId,
    kind: container.kind,
    image: container.image,
    imageId: container.imageId,
    state: container.state,
    status: container.reason,
    message: container.message,
    pid: container.pid ?? null,
    exitCode: container.exitCode ?? null,
    restarts: container.restarts,
    created: timestamp(container.createdMs),
    started: timestamp(container.startedMs),
    finished: timestamp(container.finishedMs),
    command: container.command,
    ports: container.ports,
    logPath: container.logPath,
  }
}
