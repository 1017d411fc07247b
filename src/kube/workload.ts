/** What makes pods: Pod itself, and the kinds that make any number of pods alike from one template. */
import type { Field } from './field.ts'
import { quote } from './issue.ts'
import { readLabels, readName, readNamespace } from './metadata.ts'
import { type PodContext, type PodOrigin, type ReadPod, readPod } from './pod.ts'
import { checkLabelMap, checkSelector } from './selector.ts'

export const MAX_REPLICAS = 1000
const MAX_NAME = 253

/** Kinds whose pods are alike: a DaemonSet has one on each node, and there is one node. */
const REPLICATED: Record<string, { selector: typeof checkSelector; counted: boolean }> = {
  Deployment: { selector: checkSelector, counted: true },
  ReplicaSet: { selector: checkSelector, counted: true },
  ReplicationController: { selector: checkLabelMap, counted: true },
  DaemonSet: { selector: checkSelector, counted: false },
}

/** The pods of a document of a kind that makes some. */
export function readWorkload(kind: string, document: Field, context: PodContext): ReadPod[] {
  const how = isReplicated(kind) ? REPLICATED[kind] : undefined
  if (how === undefined) return readPodDocument(document, context)
  const spec = document.at('spec')
  how.selector(spec.at('selector'), spec.at('template').at('metadata').at('labels'))
  const replicas = how.counted ? readReplicas(spec.at('replicas')) : 1
  return readReplicated(document, { replicas, nameOf: replicaName }, context)
}

/** True for a kind that makes pods. */
export const makesPods = (kind: string): boolean => kind === 'Pod' || isReplicated(kind)

/** True for a kind whose pods are numbered. */
export const isReplicated = (kind: string): boolean => Object.hasOwn(REPLICATED, kind)

function readPodDocument(document: Field, context: PodContext): ReadPod[] {
  const metadata = document.at('metadata')
  const name = readName(document)
  const namespace = readNamespace(metadata)
  return [readPod({ name, namespace, document, metadata, spec: document.at('spec') }, context)]
}

/** How many pods a template makes, and what each is called and has of its own. */
type Replicas = {
  replicas: number
  /** `index` counts from 0. */
  nameOf: (name: string, index: number) => string
  policies?: PodOrigin['policies']
}

/** The pods of a template. With no replicas it is checked all the same. */
function readReplicated(document: Field, how: Replicas, context: PodContext): ReadPod[] {
  const name = readName(document)
  const namespace = readNamespace(document.at('metadata'))
  readLabels(document.at('metadata').at('labels'))
  refuseSettings(document.at('metadata').at('annotations'))
  const template = document.at('spec').at('template')
  const count = Math.max(1, how.replicas)
  const pods = Array.from({ length: count }, (_, index) => {
    const podName = how.nameOf(name, index)
    if (podName.length > MAX_NAME)
      document
        .at('metadata')
        .at('name')
        .issue('TOO_LONG', `the pod's name ${quote(podName)} is longer than ${MAX_NAME} characters`, 'shorten it')
    const origin: PodOrigin = {
      name: podName,
      namespace,
      document,
      metadata: template.at('metadata'),
      spec: template.at('spec'),
      policies: how.policies ?? ['Always'],
    }
    return readPod(origin, context)
  })
  refuseDoubles(pods)
  return how.replicas === 0 ? [] : pods
}

/** A port of the host can be had by one pod only. The later pods no longer claim it: once is enough to complain. */
function refuseDoubles(pods: ReadPod[]): void {
  if (pods.length < 2) return
  for (const pod of pods) {
    const { hostNetwork } = pod.spec
    pod.ports = pod.ports.filter(({ port, field }) => {
      const wanted = port.hostPort ?? (hostNetwork ? port.containerPort : undefined)
      if (wanted === undefined) return true
      field
        .at(port.hostPort === undefined ? 'containerPort' : 'hostPort')
        .issue(
          'INVALID_VALUE',
          `port ${wanted} of the host cannot be had by ${pods.length} pods at once`,
          hostNetwork ? 'make it one pod, or leave hostNetwork out' : 'make it one pod, or leave the hostPort out',
        )
      return false
    })
  }
}

/** What steers a pod must stand in the template: here it would do nothing. */
function refuseSettings(annotations: Field): void {
  for (const [key, value] of annotations.entries()) {
    if (!key.startsWith('io.tspod.')) continue
    const remedy = 'move it to spec.template.metadata.annotations'
    value.issueAt(value.key, 'FORBIDDEN', `the annotation ${quote(key)} is for pods`, remedy)
  }
}

/** NAME-pod as in Podman, then NAME-pod-2 and so on; `index` counts from 0. */
const replicaName = (name: string, index: number): string => `${name}-pod${index === 0 ? '' : `-${index + 1}`}`

/** Names of the pods of a workload by what its manifest says, never none: lenient, for taking them down. */
export function podNames(document: Field, name: string): string[] {
  const replicas = document.at('spec').at('replicas').integer() ?? 1
  // What an earlier version with one replica made goes too, when there are none now.
  const count = Math.min(Math.max(replicas, 1), MAX_REPLICAS)
  return Array.from({ length: count }, (_, index) => replicaName(name, index))
}

function readReplicas(field: Field): number {
  const replicas = field.integer() ?? 1
  if (replicas < 0) field.issue('INVALID_VALUE', 'must be greater than or equal to 0')
  if (replicas > MAX_REPLICAS)
    field.issue('TOO_MANY', `${replicas} pods on one host`, `use no more than ${MAX_REPLICAS}`)
  return replicas < 0 || replicas > MAX_REPLICAS ? 1 : replicas
}
