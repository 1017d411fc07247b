/** What can be refused before anything is created: names and host ports that are taken. */
import { TspodError } from '../../errors.ts'
import { type Bundle, type PodSpec, type PortSpec, servingContainers } from '../../model.ts'
import { type HostPort, portsTaken } from '../../oci/index.ts'
import type { EngineContext } from '../context.ts'
import { type PodRecord, readPods } from '../state/index.ts'
import type { PlayOptions } from '../types/index.ts'
import type { Draft } from './intents.ts'

/** Two pods of one play with the same name, or two containers with `--no-pod-prefix`. Throws NAME_IN_USE. */
export function refuseRepeatedNames(bundle: Bundle, options: PlayOptions): void {
  refuseTwice(
    bundle.pods.map(pod => pod.name),
    'pod',
  )
  if (options.noPodPrefix)
    refuseTwice(
      bundle.pods.flatMap(pod => pod.containers.map(container => container.name)),
      'container',
    )
}

function refuseTwice(names: readonly string[], what: string): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return
  throw new TspodError('NAME_IN_USE', `two ${what}s of this play are named "${twice}"`, {
    remedy: 'give each a name of its own',
  })
}

/** Names that a complete pod of an earlier play has. Throws NAME_IN_USE in Podman's words; what runs is not touched. */
export function refuseNamesInUse(existing: readonly PodRecord[]): void {
  if (existing.length === 0) return
  const text = existing.map(pod => `name "${pod.name}" is in use: pod already exists`).join('\n')
  throw new TspodError('NAME_IN_USE', `adding pod to state: ${text}`, {
    remedy: 'remove it with `tspod kube down`, or play with --replace',
  })
}

/**
 * Container names that another pod's have: they may have been renamed, and `a-b` of pod `c` is called as `b` of pod `c-a`.
 * Throws NAME_IN_USE.
 * @param replaced pods that are about to go.
 */
export async function refuseContainerNames(
  context: EngineContext,
  bundle: Bundle,
  options: PlayOptions,
  replaced: readonly string[],
): Promise<void> {
  const rows = await context.store.all(
    'SELECT container.name AS name, pod.name AS pod FROM container JOIN pod ON container.pod = pod.id',
  )
  const taken = new Map(rows.filter(row => !replaced.includes(String(row.pod))).map(row => [row.name, row.pod]))
  const wanted = bundle.pods.flatMap(pod => [
    ...pod.initContainers.map(({ name }) => `${pod.name}-${name}`),
    ...pod.containers.map(({ name }) => (options.noPodPrefix ? name : `${pod.name}-${name}`)),
  ])
  const twice = wanted.find(name => taken.has(name))
  if (twice === undefined) return
  throw new TspodError('NAME_IN_USE', `the container name "${twice}" is already in use by pod ${taken.get(twice)}`, {
    remedy: 'rename one of the two, or take that pod down',
  })
}

type Wanted = { pod: string; port: PortSpec & { hostPort: number } }

/**
 * Host ports that another pod or another program has. Throws PORT_IN_USE naming all of them and who has each.
 * @param done pods whose ports are free whenever they are at rest.
 * @param going pods that are there and make way: what they publish is taken by nobody else.
 */
export async function refusePortsInUse(
  context: EngineContext,
  bundle: Bundle,
  drafts: readonly Draft[],
  done: readonly string[] = [],
  going: readonly PodSpec[] = [],
): Promise<void> {
  const bridged = bridgedBy(drafts)
  if (bridged.length === 0) return
  const names = [...bundle.pods.map(pod => pod.name), ...done, ...going.map(pod => pod.name)]
  const complaints = await publishedTwice(context.store, bridged, names)
  const free = going.flatMap(publishedBy)
  const asked = bridged.filter(({ port }) => !free.some(other => collide(port, other.port)))
  const taken = await portsTaken(asked.map(({ port }) => port))
  for (const { pod, port } of asked) {
    if (taken.includes(port)) complaints.push(`pod ${pod}: port ${label(port)} is in use on this host`)
  }
  if (complaints.length > 0) throw portsInUse(complaints)
}

/**
 * The same in the transaction that writes the pods down, of pods on record alone: of two plays of the same moment, which
 * have both found the port free, only one can have it.
 */
export async function refusePortsOnRecord(
  tx: Reader,
  drafts: readonly Draft[],
  done: readonly string[],
): Promise<void> {
  const bridged = bridgedBy(drafts)
  if (bridged.length === 0) return
  const complaints = await publishedTwice(tx, bridged, [...drafts.map(({ spec }) => spec.name), ...done])
  if (complaints.length > 0) throw portsInUse(complaints)
}

type Reader = Parameters<typeof readPods>[0]

const bridgedBy = (drafts: readonly Draft[]): Wanted[] =>
  drafts.filter(({ plan }) => plan.mode === 'bridge').flatMap(({ spec }) => publishedBy(spec))

/** Ports of `bridged` that two of them want, or that a pod on record publishes which is none of `names`. */
async function publishedTwice(store: Reader, bridged: readonly Wanted[], names: readonly string[]): Promise<string[]> {
  const others = (await readPods(store))
    .filter(pod => !names.includes(pod.name) && pod.settings.network === 'bridge')
    .flatMap(pod => publishedBy(pod.spec))
  return bridged.flatMap((wanted, index) => {
    const twin = [...bridged.slice(0, index), ...others].find(other => collide(wanted.port, other.port))
    return twin === undefined ? [] : [`pod ${wanted.pod}: port ${label(wanted.port)} is published by pod ${twin.pod}`]
  })
}

const portsInUse = (complaints: readonly string[]): TspodError =>
  new TspodError('PORT_IN_USE', complaints.join('\n'), {
    remedy: 'choose another hostPort, or stop what uses it: ss -lntup shows who',
  })

/** True when both cannot be there at once for want of a port of the host. */
export const clashOnPorts = (a: PodSpec, b: PodSpec): boolean =>
  publishedBy(a).some(({ port }) => publishedBy(b).some(other => collide(port, other.port)))

function publishedBy(spec: PodSpec): Wanted[] {
  return servingContainers(spec).flatMap(container =>
    container.ports.flatMap(port =>
      port.hostPort === undefined ? [] : [{ pod: spec.name, port: port as Wanted['port'] }],
    ),
  )
}

const label = (port: HostPort): string => `${port.hostIp || '0.0.0.0'}:${port.hostPort}/${port.protocol}`

function collide(a: HostPort, b: HostPort): boolean {
  const everywhere = (ip: string): boolean => ip === '' || ip === '0.0.0.0' || ip === '::'
  if (a.hostPort !== b.hostPort || a.protocol !== b.protocol) return false
  return a.hostIp === b.hostIp || everywhere(a.hostIp) || everywhere(b.hostIp)
}
