/** `kube render`: what a manifest comes to, with workloads expanded into pods and defaults filled in. */
import type { Bundle, PodSpec } from '../../model.ts'
import { withDefaults } from '../schema/index.ts'
import { configMapDocument, currentSpec, metadataOf, volumeDocument } from './generate.ts'
import type { JsonObject } from './plain.ts'

/** The objects that a play of the bundle makes, in the order it makes them: data first, then one Pod for each pod. */
export function renderBundle(bundle: Bundle): JsonObject[] {
  const [{ services } = { services: [] }] = Object.values(bundle.manifests)
  const configMaps = new Map(Object.values(bundle.manifests).flatMap(({ configMaps: used }) => Object.entries(used)))
  return [
    ...[...configMaps].map(([name, entries]) => configMapDocument(name, entries)),
    ...bundle.secrets.map(({ name, type, data, immutable }) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name },
      type,
      ...(immutable && { immutable }),
      data: { ...data },
    })),
    ...bundle.claims.map(({ name, labels, annotations }) => volumeDocument(name, labels, annotations)),
    ...services.map(service => withDefaults(service, 'Service') as JsonObject),
    ...bundle.pods.map(pod => podDocument(pod, bundle)),
  ]
}

function podDocument(pod: PodSpec, { manifests }: Bundle): JsonObject {
  const manifest = manifests[pod.name] ?? { spec: {}, configMaps: {}, services: [] }
  const spec = currentSpec({ spec: pod, manifest, limits: {}, network: pod.hostNetwork ? 'host' : 'bridge' })
  const named = { ...spec, hostname: pod.hostname, ...policies(pod, spec) }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadataOf(pod.name, pod.labels, pod.annotations), namespace: pod.namespace },
    spec: withDefaults(named, 'PodSpec'),
  }
}

/** The pull policy depends on the tag: it is told as it was understood. */
function policies(pod: PodSpec, spec: JsonObject): JsonObject {
  const known = new Map(
    [...pod.initContainers, ...pod.containers].map(container => [container.name as string, container.pullPolicy]),
  )
  const lists = ['initContainers', 'containers'].flatMap(list => {
    const containers = spec[list]
    if (!Array.isArray(containers)) return []
    const full = containers.map(container => {
      const { name, imagePullPolicy, ...rest } = container as JsonObject
      const policy = imagePullPolicy ?? known.get(String(name)) ?? 'IfNotPresent'
      // What nothing means for the tag latest has no word of its own: Always would not let a local image serve.
      return { name: name ?? '', ...rest, ...(policy !== 'Newer' && { imagePullPolicy: policy }) }
    })
    return [[list, full] as const]
  })
  return Object.fromEntries(lists)
}
