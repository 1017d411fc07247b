/** Ports: of containers in the manifest, and of the flags --publish and --publish-all. */
import { TspodError } from '../../errors.ts'
import { type PodSpec, type PortSpec, type Protocol, servingContainers } from '../../model.ts'
import type { Field } from '../yaml/index.ts'
import { isIp, portNameProblem, quote } from '../yaml/index.ts'

export const MAX_PORT = 65535

/** The ports of one container. With the host's network nothing is published: the ports are the host's already. */
export function readPorts(list: Field, hostNetwork: boolean): PortSpec[] {
  const names = new Set<string>()
  return list.items().flatMap(item => {
    const containerPort = port(item.at('containerPort'), 1)
    const hostPort = port(item.at('hostPort'), 0)
    const protocol = item.at('protocol').oneOf(['TCP', 'UDP', 'SCTP'], 'TCP').toLowerCase() as Protocol
    const hostIp = item.at('hostIP').string() ?? ''
    if (hostIp !== '' && !isIp(hostIp))
      item.at('hostIP').issue('INVALID_VALUE', `${quote(hostIp)} is not an IP address`)
    const name = portName(item.at('name'), names)
    if (containerPort === undefined) return []
    if (hostNetwork && hostPort && hostPort !== containerPort) {
      item
        .at('hostPort')
        .issue(
          'INVALID_VALUE',
          'must match containerPort when hostNetwork is true',
          `write ${containerPort}, or remove it`,
        )
    }
    const published = hostPort && !hostNetwork ? { hostPort } : {}
    return { ...(name === undefined ? {} : { name }), containerPort, ...published, hostIp, protocol }
  })
}

function port(field: Field, least: number): number | undefined {
  const value = field.integer()
  if (value === undefined || (value >= least && value <= MAX_PORT)) return value
  field.issue('INVALID_VALUE', `must be between 1 and ${MAX_PORT}, inclusive`)
  return undefined
}

function portName(field: Field, taken: Set<string>): string | undefined {
  const name = field.string()
  if (name === undefined || name === '') return undefined
  const problem = portNameProblem(name)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(name)} ${problem}`)
  if (taken.has(name))
    field.issue('DUPLICATE', `another port of this container is called ${quote(name)}`, 'choose another name')
  taken.add(name)
  return name
}

/** One `--publish`, ranges taken apart. */
export type Published = { hostIp: string; hostPort: number; containerPort: number; protocol: Protocol }

/**
 * The ports of `--publish` values: `[ip:]hostPort:containerPort[/protocol]`, ranges of equal length, several with
 * commas. Throws USAGE for anything else; a free host port is not chosen by tspod.
 */
export function parsePublish(values: readonly string[]): Published[] {
  return values.flatMap(value => value.split(',')).flatMap(parseOnePublish)
}

function parseOnePublish(text: string): Published[] {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[0-9.]*):)?(?:([0-9-]*):)?([0-9]+(?:-[0-9]+)?)(?:\/([a-zA-Z]+))?$/.exec(text)
  if (match === null) throw usage(`--publish ${quote(text)} is not [ip:]hostPort:containerPort[/protocol]`)
  const [, first = '', second, container = '', protocolText = 'tcp'] = match
  // With a single colon, what stands before it is the host port and not an address.
  const hostText = second ?? first
  const hostIp = second === undefined ? '' : first.replace(/^\[|\]$/g, '')
  if (hostIp !== '' && !isIp(hostIp)) throw usage(`--publish ${quote(text)}: ${quote(hostIp)} is not an IP address`)
  const protocol = protocolText.toLowerCase()
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp')
    throw usage(`--publish ${quote(text)}: no protocol ${quote(protocolText)}`)
  if (hostText === '') throw usage(`--publish ${quote(text)} names no host port`)
  const hostPorts = range(hostText, text)
  const containerPorts = range(container, text)
  if (hostPorts.length !== containerPorts.length) throw usage(`--publish ${quote(text)}: the ranges differ in length`)
  return containerPorts.map((containerPort, index) => ({
    hostIp,
    hostPort: hostPorts[index] ?? 0,
    containerPort,
    protocol,
  }))
}

function range(text: string, whole: string): number[] {
  const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text)
  const from = Number(match?.[1] ?? 0)
  const to = Number(match?.[2] ?? from)
  if (match === null || from < 1 || to > MAX_PORT || to < from)
    throw usage(`--publish ${quote(whole)}: ${quote(text)} is no port from 1 to ${MAX_PORT}`)
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

const usage = (message: string): TspodError =>
  new TspodError('USAGE', message, { remedy: 'write it as 8080:80, 127.0.0.1:8080:80 or 5353:53/udp' })

/**
 * Applies the flags to the pods. A `--publish` replaces what the manifest says about the same container port and
 * protocol; a port that no container declares goes to the first container of the only pod. Returns notes.
 */
export function publishPorts(pods: readonly PodSpec[], published: readonly Published[], publishAll: boolean): string[] {
  const notes: string[] = []
  const reachable = pods.filter(pod => !pod.hostNetwork)
  if (published.length > 0 && reachable.length < pods.length) {
    notes.push('--publish has no effect on pods with hostNetwork: their ports are the ports of the host')
  }
  for (const wanted of reachable.length === 0 ? [] : published) publishOne(reachable, wanted)
  if (!publishAll) return notes
  for (const container of reachable.flatMap(servingContainers)) {
    for (const declared of container.ports) declared.hostPort ??= declared.containerPort
  }
  return notes
}

function publishOne(pods: readonly PodSpec[], wanted: Published): void {
  const { hostPort, hostIp, containerPort, protocol } = wanted
  const isSame = (declared: PortSpec): boolean =>
    declared.containerPort === containerPort && declared.protocol === protocol
  const declaring = pods
    .flatMap(servingContainers)
    .flatMap(container => container.ports)
    .filter(isSame)
  if (declaring.length > 0) {
    for (const declared of declaring) Object.assign(declared, { hostPort, hostIp })
    return
  }
  const [pod, other] = pods
  if (other !== undefined) {
    throw new TspodError(
      'USAGE',
      `--publish: no container declares port ${containerPort}/${protocol}, and there are ${pods.length} pods`,
      {
        remedy: 'add the port to the container that listens on it',
      },
    )
  }
  pod?.containers[0]?.ports.push({ containerPort, hostPort, hostIp, protocol })
}

/** Two ports that cannot both be bound on this host. */
export function portsClash(a: PortSpec, b: PortSpec): boolean {
  if (a.hostPort === undefined || a.hostPort !== b.hostPort || a.protocol !== b.protocol) return false
  const isAny = (ip: string): boolean => ip === '' || ip === '0.0.0.0' || ip === '::'
  return a.hostIp === b.hostIp || isAny(a.hostIp) || isAny(b.hostIp)
}
