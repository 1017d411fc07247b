/** `kube generate`: pods and volumes that are there as the YAML that would make them again. */
import { type PodManifest, type PodSpec, type PortSpec, servingContainers } from '../../model.ts'
import { isObject, type JsonObject } from './plain.ts'

/** A pod as it is: its manifest, and what was changed by flags and commands since. */
export type PlayedManifest = {
  spec: PodSpec
  manifest: PodManifest
  /** By the container's name in the pod. */
  limits: Record<string, { memoryBytes?: number; cpuQuotaUs?: number; cpuPeriodUs?: number }>
  network: 'host' | 'none' | 'bridge'
}

export type GenerateOptions = {
  type: 'pod' | 'deployment' | 'daemonset' | 'job'
  replicas: number
  /** A Service of type NodePort beside the pod. */
  service: boolean
}

const DEFAULT_CPU_PERIOD_US = 100_000

/**
 * The documents of one pod: the ConfigMaps it uses, the Services it was played with and the one that was asked for, the pod itself or its workload.
 * The names of workloads are Podman's: POD-deployment and so on.
 */
export function generate(pod: PlayedManifest, options: GenerateOptions): JsonObject[] {
  const configMaps = Object.entries(pod.manifest.configMaps).map(([name, data]) => configMapDocument(name, data))
  const labels: Record<string, string> = { ...pod.spec.labels }
  const selects = options.service || options.type === 'deployment' || options.type === 'daemonset'
  // A selector needs something to select by, and other pods must not have it.
  if (selects && labels.app === undefined) labels.app = pod.spec.name
  const services = pod.manifest.services.map(withoutNodePorts)
  const service = options.service ? [serviceDocument(pod.spec, labels)] : []
  const metadata = metadataOf(pod.spec.name, labels, pod.spec.annotations)
  if (pod.spec.namespace !== 'default') metadata.namespace = pod.spec.namespace
  return [...configMaps, ...services, ...service, workload(pod.spec.name, metadata, labels, currentSpec(pod), options)]
}

function workload(
  name: string,
  metadata: JsonObject,
  labels: Record<string, string>,
  spec: JsonObject,
  { type, replicas }: GenerateOptions,
): JsonObject {
  if (type === 'pod') return { apiVersion: 'v1', kind: 'Pod', metadata, spec }
  const template = { metadata: { ...metadata, name }, spec }
  const own = { name: `${name}-${type}`, labels }
  if (type === 'job') {
    const once = { ...template, spec: { ...spec, restartPolicy: spec.restartPolicy ?? 'Never' } }
    return {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: own,
      spec: { completions: 1, parallelism: 1, template: once },
    }
  }
  const selector = { matchLabels: labels }
  if (type === 'daemonset') {
    return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: own, spec: { selector, template } }
  }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: own, spec: { replicas, selector, template } }
}

/** The spec of the manifest, with what flags, `update` and the workload of the pod have made of it. */
export function currentSpec({ spec: pod, manifest, limits, network }: PlayedManifest): JsonObject {
  const spec: JsonObject = { ...manifest.spec }
  if (network === 'host') spec.hostNetwork = true
  if (spec.hostname === undefined && pod.hostname !== pod.name.slice(0, 63)) spec.hostname = pod.hostname
  if (pod.subdomain !== undefined) spec.subdomain = pod.subdomain
  const serving = new Map(servingContainers(pod).map(container => [container.name as string, container.ports]))
  for (const list of ['initContainers', 'containers']) {
    const containers = spec[list]
    if (!Array.isArray(containers)) continue
    spec[list] = containers.map(container => {
      if (!isObject(container)) return container
      const name = String(container.name)
      const indexed = withIndex(container, pod.job?.index)
      return withLimits(withPorts(indexed, network === 'host' ? undefined : serving.get(name)), limits[name])
    })
  }
  const volumes = Array.isArray(spec.volumes) ? spec.volumes : []
  const claims = pod.volumes.flatMap(volume =>
    volume.kind !== 'claim' || volumes.some(written => isObject(written) && written.name === volume.name)
      ? []
      : [{ name: volume.name, persistentVolumeClaim: { claimName: volume.claim } }],
  )
  if (claims.length > 0) spec.volumes = [...volumes, ...claims]
  return spec
}

/** A Job gives its pods their completion index; without the Job, they say it themselves. */
function withIndex(container: JsonObject, index: number | undefined): JsonObject {
  if (index === undefined) return container
  const written = Array.isArray(container.env) ? container.env : []
  return { ...container, env: [...written, { name: 'JOB_COMPLETION_INDEX', value: `${index}` }] }
}

function withPorts(container: JsonObject, ports: readonly PortSpec[] | undefined): JsonObject {
  if (ports === undefined || ports.length === 0) return container
  const written = ports.map(({ name, containerPort, hostPort, hostIp, protocol }) => ({
    ...(name !== undefined && { name }),
    containerPort,
    ...(hostPort !== undefined && { hostPort }),
    ...(hostIp !== '' && { hostIP: hostIp }),
    protocol: protocol.toUpperCase(),
  }))
  return { ...container, ports: written }
}

function withLimits(container: JsonObject, changed: PlayedManifest['limits'][string] | undefined): JsonObject {
  const { memoryBytes, cpuQuotaUs, cpuPeriodUs = DEFAULT_CPU_PERIOD_US } = changed ?? {}
  const limits: JsonObject = {}
  if (memoryBytes !== undefined && memoryBytes > 0) limits.memory = `${memoryBytes}`
  if (cpuQuotaUs !== undefined && cpuQuotaUs > 0) limits.cpu = `${Math.ceil((cpuQuotaUs * 1000) / cpuPeriodUs)}m`
  if (Object.keys(limits).length === 0) return container
  const resources = isObject(container.resources) ? container.resources : {}
  const before = isObject(resources.limits) ? resources.limits : {}
  return { ...container, resources: { ...resources, limits: { ...before, ...limits } } }
}

/** A port of the host leads to one pod of a Service, and stands with that pod: alone, another would claim it. */
function withoutNodePorts(service: JsonObject): JsonObject {
  if (!isObject(service.spec)) return service
  const { type: _, ports, ...spec } = service.spec
  if (!Array.isArray(ports)) return { ...service, spec }
  const inner = ports.map(port => {
    if (!isObject(port)) return port
    const { nodePort: __, ...rest } = port
    return rest
  })
  return { ...service, spec: { ...spec, ports: inner } }
}

/** A ConfigMap whose values are text where they are, and base64 where the manifest had base64. */
export function configMapDocument(name: string, entries: PodManifest['configMaps'][string]): JsonObject {
  const data: Record<string, string> = {}
  const binaryData: Record<string, string> = {}
  for (const { key, base64, binary } of entries) {
    if (binary) binaryData[key] = base64
    else data[key] = Buffer.from(base64, 'base64').toString('utf8')
  }
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    ...(Object.keys(data).length > 0 && { data }),
    ...(Object.keys(binaryData).length > 0 && { binaryData }),
  }
}

function serviceDocument({ name, containers }: PodSpec, labels: Record<string, string>): JsonObject {
  const ports = containers
    .flatMap(container => container.ports)
    .map(({ containerPort, protocol }) => ({
      name: `${containerPort}-${protocol}`,
      port: containerPort,
      targetPort: containerPort,
      protocol: protocol.toUpperCase(),
    }))
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels },
    spec: { type: 'NodePort', selector: labels, ports },
  }
}

/** A named volume as the claim that makes it; a size has to be named, and means nothing on one host. */
export function volumeDocument(
  name: string,
  labels: Record<string, string>,
  annotations: Record<string, string>,
): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: metadataOf(name, labels, annotations),
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  }
}

/** Name, and labels and annotations where there are some. */
export function metadataOf(
  name: string,
  labels: Record<string, string>,
  annotations: Record<string, string>,
): JsonObject {
  return {
    name,
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  }
}
