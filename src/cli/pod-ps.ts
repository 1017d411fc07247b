/** `tspod pod ps`: pods as a table, as `kubectl get pods` shows them. */
import type { PodView } from '../engine/index.ts'
import type { FlagTable } from './flags.ts'
import { LIST_FLAGS, WIDE_FLAG } from './list-flags.ts'
import { printable } from './output.ts'
import { containerRecord } from './ps.ts'
import { age, json, portList, shortId, table, timestamp } from './table.ts'
import { defineVerb, type Input } from './verb.ts'

const FLAGS = {
  all: { kind: 'switch', initial: false, short: 'a', help: 'without effect: pods that have ended are always listed' },
  ...LIST_FLAGS,
  ...WIDE_FLAG,
} as const satisfies FlagTable

export const podPs = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description: 'Lists all pods, oldest first, whatever their state. `tspod ps` lists containers.',
  examples: [
    { does: 'All pods', line: 'tspod pod ps' },
    { does: 'With addresses, published ports and images', line: 'tspod pod ps -o wide' },
    { does: 'Address of one pod', line: `tspod pod ps --format json | jq -r '.[] | select(.name == "web").ips[0]'` },
  ],
  flags: FLAGS,
  async run(input, world) {
    const pods = (await (await world.engine()).pods()).filter(({ kind }) => kind === 'pod')
    return { stdout: podList(pods, input.flags, world.clock.nowMs()) }
  },
})

/** The list in the wanted form; `nowMs` is what ages are counted to. */
export function podList(pods: readonly PodView[], flags: Input<typeof FLAGS>['flags'], nowMs: number): string {
  const id = (pod: PodView): string => (flags['no-trunc'] ? pod.id : shortId(pod.id))
  if (flags.quiet) return pods.map(pod => `${id(pod)}\n`).join('')
  if (flags.format === 'json' || flags.output === 'json') return json(pods.map(podRecord))
  const wide = flags.output === 'wide'
  const header = ['NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE']
  return table(
    wide ? [...header, 'IP', 'PORTS', 'IMAGES', 'ID'] : header,
    pods.map(pod => (wide ? [...cells(pod, nowMs), ...moreCells(pod), id(pod)] : cells(pod, nowMs))),
  )
}

const cells = (pod: PodView, nowMs: number): string[] => [
  pod.name,
  `${pod.ready}/${pod.total}`,
  printable(pod.reason),
  String(pod.restarts),
  age(nowMs - pod.createdMs),
]

function moreCells(pod: PodView): string[] {
  const images = pod.containers.filter(({ kind }) => kind === 'regular').map(({ image }) => image)
  const published = pod.ports.filter(port => port.hostPort !== undefined)
  return [pod.ips.join(','), portList(published), printable([...new Set(images)].join(','))]
}

/** A pod as scripts see it: these names are stable. */
function podRecord(pod: PodView): Record<string, unknown> {
  return {
    id: pod.id,
    name: pod.name,
    namespace: pod.namespace,
    labels: pod.labels,
    phase: pod.phase,
    status: pod.reason,
    ready: pod.ready,
    total: pod.total,
    restarts: pod.restarts,
    created: timestamp(pod.createdMs),
    started: timestamp(pod.startedMs),
    ips: pod.ips,
    ports: pod.ports,
    runtime: pod.runtime,
    origin: pod.origin,
    containers: pod.containers.map(containerRecord),
  }
}
