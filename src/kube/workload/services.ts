/**
 * What the Services of a play mean for its pods. There is no address of a Service here: its name leads to the pods
 * themselves, in the DNS that all pods of a network share, for as long as they are up. So a client reaches the port that
 * the containers listen on, and that is what the variables of the Service say.
 */
import { type EnvEntry, type PodSpec, servingContainers } from '../../model.ts'
import type { ReadPod } from '../pod/index.ts'
import { CLUSTER_DOMAIN, portsClash } from '../pod/index.ts'
import { quote } from '../yaml/index.ts'
import type { Service, ServicePort } from './service.ts'

/** Gives the pods the names, published ports and variables of the Services; notes what of them leads nowhere. */
export function applyServices(services: readonly Service[], pods: readonly ReadPod[]): void {
  const served = services.map(service => ({ service, backends: backendsOf(service, pods) }))
  for (const { service, backends } of served) {
    noteEmpty(service, backends)
    for (const port of service.ports) publish(service, port, backends)
  }
  for (const pod of pods) {
    const names = dnsNames(pod.spec, served)
    if (names !== undefined) pod.spec.dnsNames = names
    if (pod.serviceLinks && !pod.spec.hostNetwork) addLinks(pod.spec, served)
  }
}

type Served = { service: Service; backends: readonly ReadPod[] }

function backendsOf({ selector, namespace }: Service, pods: readonly ReadPod[]): ReadPod[] {
  if (selector === undefined) return []
  const wanted = Object.entries(selector)
  return pods.filter(
    ({ spec }) => spec.namespace === namespace && wanted.every(([key, value]) => spec.labels[key] === value),
  )
}

function noteEmpty({ field, selector, name }: Service, backends: readonly ReadPod[]): void {
  const place = field.at('spec').at('selector')
  if (selector === undefined) place.note('without a selector nobody says which pods are meant')
  else if (backends.length === 0) place.note(`no pod of this play has these labels: the name ${name} leads nowhere`)
  else if (backends.every(({ spec }) => spec.hostNetwork))
    place.note('pods with hostNetwork are reached at the addresses of the host')
}

/** What a Service is called from any namespace. */
const forms = (name: string, namespace: string): string[] => [
  `${name}.${namespace}`,
  `${name}.${namespace}.svc`,
  `${name}.${namespace}.svc.${CLUSTER_DOMAIN}`,
]

/**
 * The names of one pod: its containers', as in Podman, and those of its Services. A container must not answer for a
 * Service of the same name that does not mean its pod. Undefined where there is nothing to say.
 */
function dnsNames(spec: PodSpec, served: readonly Served[]): string[] | undefined {
  const foreign = new Set(served.map(({ service }) => service.name))
  const names: string[] = []
  for (const { service, backends } of served) {
    if (!backends.some(backend => backend.spec === spec)) continue
    foreign.delete(service.name)
    names.push(service.name, ...forms(service.name, service.namespace))
    if (spec.subdomain === service.name) names.push(...ownNames(spec))
  }
  // The Service of a StatefulSet may stand in another file, or nowhere.
  if (spec.origin.kind === 'StatefulSet') names.push(...ownNames(spec))
  if (served.length + names.length === 0) return undefined
  const own = servingContainers(spec).map(container => container.name as string)
  return [...new Set([...own.filter(name => !foreign.has(name)), ...names])]
}

/** HOSTNAME.SUBDOMAIN and its longer forms. */
function ownNames({ hostname, subdomain, namespace }: PodSpec): string[] {
  if (subdomain === undefined) return []
  const name = `${hostname}.${subdomain}`
  return [name, ...forms(name, namespace)]
}

/** The number that a port of a Service leads to in a pod; undefined when none of its containers has that name. */
function targetIn({ target, protocol }: ServicePort, spec: PodSpec): number | undefined {
  if (typeof target === 'number') return target
  const ports = servingContainers(spec).flatMap(container => container.ports)
  return ports.find(port => port.name === target && port.protocol === protocol)?.containerPort
}

/** A port of the host leads to one pod: the first that is selected. */
function publish(service: Service, port: ServicePort, backends: readonly ReadPod[]): void {
  const { field, nodePort, target } = port
  const [first] = backends
  if (first === undefined) return
  const number = targetIn(port, first.spec)
  if (number === undefined) {
    field.at('targetPort').note(`no container of ${first.spec.name} has a port called ${quote(String(target))}`)
    return
  }
  if (number !== port.port && !service.headless)
    field.at('port').note(`clients use port ${number}: the name ${service.name} leads to the pods themselves`)
  if (service.type === 'ClusterIP') return
  if (nodePort === undefined) {
    field.at('port').note('it is not published: that takes a nodePort, since none is chosen here')
    return
  }
  const reachable = backends.find(({ spec }) => !spec.hostNetwork)
  if (reachable === undefined) return
  if (backends.length > 1)
    field.at('nodePort').note(`for pods other than ${reachable.spec.name}: a port of the host leads to one pod`)
  addPort(reachable, port, targetIn(port, reachable.spec) ?? number, nodePort)
}

function addPort(
  { spec, ports }: ReadPod,
  { field, protocol }: ServicePort,
  containerPort: number,
  hostPort: number,
): void {
  const serving = servingContainers(spec)
  const owner = serving.find(({ ports }) =>
    ports.some(port => port.containerPort === containerPort && port.protocol === protocol),
  )
  const published = { containerPort, hostPort, hostIp: '', protocol }
  const list = (owner ?? serving[0])?.ports
  // A pod that `kube generate` wrote has it already.
  if (
    list?.some(
      port => port.hostPort === hostPort && port.containerPort === containerPort && portsClash(port, published),
    )
  )
    return
  list?.push(published)
  ports.push({ port: published, field, key: 'nodePort' })
}

/** The variables that Kubernetes sets for each Service with an address, in Docker's form as well. */
function addLinks(spec: PodSpec, served: readonly Served[]): void {
  const entries = served
    .filter(({ service }) => service.namespace === spec.namespace && !service.headless && service.ports.length > 0)
    .flatMap(links)
  // One list for each container: what is added to one must not show up in another.
  for (const container of [...spec.initContainers, ...spec.containers]) container.env.unshift(...entries)
}

function links({ service, backends }: Served): EnvEntry[] {
  const name = service.name.toUpperCase().replaceAll('-', '_')
  const host = service.name
  const [first] = backends
  const reached = service.ports.map(port => ({
    ...port,
    number: (first === undefined ? undefined : targetIn(port, first.spec)) ?? port.port,
  }))
  const pairs: [string, string][] = [[`${name}_SERVICE_HOST`, host]]
  for (const [index, { number, name: portName, protocol }] of reached.entries()) {
    if (index === 0)
      pairs.push([`${name}_SERVICE_PORT`, `${number}`], [`${name}_PORT`, `${protocol}://${host}:${number}`])
    const suffix = portName.toUpperCase().replaceAll('-', '_')
    if (suffix !== '') pairs.push([`${name}_SERVICE_PORT_${suffix}`, `${number}`])
  }
  for (const { number, port, protocol } of reached) {
    const prefix = `${name}_PORT_${port}_${protocol.toUpperCase()}`
    pairs.push([prefix, `${protocol}://${host}:${number}`], [`${prefix}_PROTO`, protocol])
    pairs.push([`${prefix}_PORT`, `${number}`], [`${prefix}_ADDR`, host])
  }
  return pairs.map(([variable, text]) => ({ name: variable, secret: false, text, expand: false }))
}
