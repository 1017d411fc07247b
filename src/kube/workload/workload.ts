/** What makes pods: Pod itself, and the kinds that make any number of pods alike from one template. */
import type { ClaimSpec, JobSpec, Rollout } from '../../model.ts'
import { readLabels, readName, readNamespace } from '../metadata.ts'
import { OBJECT_ANNOTATIONS } from '../objects.ts'
import { type PodContext, type PodOrigin, type PodOwn, type ReadPod, readPod } from '../pod/index.ts'
import type { Field } from '../yaml/index.ts'
import { quote } from '../yaml/index.ts'
import { checkCronJob } from './cronjob.ts'
import { readJob } from './job.ts'
import { readMinReady, readRollout } from './rollout.ts'
import { checkLabelMap, checkSelector } from './selector.ts'
import { readStateful, statefulName } from './stateful.ts'

const MAX_REPLICAS = 1000
const MAX_NAME = 253

type Replicated = {
  selector: typeof checkSelector
  /** A DaemonSet has one pod on each node, and there is one node. */
  single?: true
  stateful?: true
}

/** Kinds that make any number of pods from one template. */
const REPLICATED: Record<string, Replicated> = {
  Deployment: { selector: checkSelector },
  ReplicaSet: { selector: checkSelector },
  ReplicationController: { selector: checkLabelMap },
  DaemonSet: { selector: checkSelector, single: true },
  StatefulSet: { selector: checkSelector, stateful: true },
}

/** The pods of one document, and what else it makes. A Job has one pod, its template. */
export type ReadWorkload = { pods: ReadPod[]; claims: ClaimSpec[]; job?: JobSpec; rollout?: Rollout }

/** The pods of a document of a kind that makes some. */
export function readWorkload(kind: string, document: Field, context: PodContext): ReadWorkload {
  if (kind === 'Job') return readJobWorkload(document, context)
  if (kind === 'CronJob') {
    checkCronJob(document, context)
    return { pods: [], claims: [] }
  }
  const how = Object.hasOwn(REPLICATED, kind) ? REPLICATED[kind] : undefined
  if (how === undefined) return { pods: readPodDocument(document, context), claims: [] }
  const spec = document.at('spec')
  how.selector(spec.at('selector'), spec.at('template').at('metadata').at('labels'))
  const rollout = readRollout(spec)
  const replicas = how.single ? 1 : readReplicas(spec.at('replicas'))
  const stateful = how.stateful ? readStateful(document) : undefined
  const pods = readReplicated(document, { replicas, ...(stateful && { ownOf: stateful.ownOf }) }, context)
  const claims = stateful === undefined ? [] : pods.flatMap(pod => stateful.claimsOf(pod.spec.name))
  return { pods, claims, ...(rollout !== undefined && { rollout }) }
}

/** True for a kind that makes pods, now or later. */
export const makesPods = (kind: string): boolean => kind === 'Pod' || kind === 'CronJob' || isReplicated(kind)

/** True for a kind whose pods are numbered. */
export const isReplicated = (kind: string): boolean => kind === 'Job' || Object.hasOwn(REPLICATED, kind)

function readJobWorkload(document: Field, context: PodContext): ReadWorkload {
  refuseSettings(document.at('metadata').at('annotations'))
  const { job, pod, idle } = readJob(document, context)
  const atOnce = Math.min(job.parallelism, job.completions ?? job.parallelism)
  refuseDoubles([pod], atOnce)
  return idle ? { pods: [], claims: [] } : { pods: [pod], claims: [], job }
}

function readPodDocument(document: Field, context: PodContext): ReadPod[] {
  const metadata = document.at('metadata')
  const name = readName(document)
  const namespace = readNamespace(metadata)
  return [readPod({ name, namespace, document, metadata, spec: document.at('spec') }, context)]
}

/** How many pods a template makes, and what each has of its own. */
type Replicas = {
  replicas: number
  ownOf?: (podName: string, index: number) => PodOwn
}

/** The pods of a template. With no replicas it is checked all the same. */
function readReplicated(document: Field, how: Replicas, context: PodContext): ReadPod[] {
  readName(document)
  const namespace = readNamespace(document.at('metadata'))
  readLabels(document.at('metadata').at('labels'))
  refuseSettings(document.at('metadata').at('annotations'))
  const template = document.at('spec').at('template')
  const count = Math.max(1, how.replicas)
  const minReady = readMinReady(document.at('spec'))
  const pods = Array.from({ length: count }, (_, index) => {
    const podName = numberedName(document, index)
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
      policies: ['Always'],
      ...(how.ownOf && { own: how.ownOf(podName, index) }),
    }
    const pod = readPod(origin, context)
    return { ...pod, spec: { ...pod.spec, ...minReady } }
  })
  refuseDoubles(pods)
  return how.replicas === 0 ? [] : pods
}

/** A port of the host can be had by one pod only. The later pods no longer claim it: once is enough to complain. */
function refuseDoubles(pods: ReadPod[], count = pods.length): void {
  if (count < 2) return
  for (const pod of pods) {
    const { hostNetwork } = pod.spec
    pod.ports = pod.ports.filter(({ port, field }) => {
      const wanted = port.hostPort ?? (hostNetwork ? port.containerPort : undefined)
      if (wanted === undefined) return true
      field
        .at(port.hostPort === undefined ? 'containerPort' : 'hostPort')
        .issue(
          'INVALID_VALUE',
          `port ${wanted} of the host cannot be had by ${count} pods at once`,
          hostNetwork ? 'make it one pod, or leave hostNetwork out' : 'make it one pod, or leave the hostPort out',
        )
      return false
    })
  }
}

/** What steers a pod must stand in the template: here it would do nothing. */
function refuseSettings(annotations: Field): void {
  for (const [key, value] of annotations.entries()) {
    if (!key.startsWith('io.tspod.') || OBJECT_ANNOTATIONS.includes(key)) continue
    const remedy = 'move it to spec.template.metadata.annotations'
    value.issueAt(value.key, 'FORBIDDEN', `the annotation ${quote(key)} is for pods`, remedy)
  }
}

/** NAME-pod as in Podman, then NAME-pod-2 and so on; NAME-0 and so on of a StatefulSet. `index` counts from 0. */
function numberedName(document: Field, index: number): string {
  if (REPLICATED[document.at('kind').string() ?? '']?.stateful) return statefulName(document, index)
  return `${document.at('metadata').at('name').string() ?? ''}-pod${index === 0 ? '' : `-${index + 1}`}`
}

/** Names of the pods of a workload by what its manifest says, never none: lenient, for taking them down. */
export function podNames(document: Field): string[] {
  const spec = document.at('spec')
  // Those that a Job makes later are known by their record.
  const least = Math.min(spec.at('parallelism').integer() ?? 1, spec.at('completions').integer() ?? MAX_REPLICAS)
  const replicas = document.at('kind').string() === 'Job' ? least : (spec.at('replicas').integer() ?? 1)
  // What an earlier version with one replica made goes too, when there are none now.
  const count = Math.min(Math.max(replicas, 1), MAX_REPLICAS)
  return Array.from({ length: count }, (_, index) => numberedName(document, index))
}

function readReplicas(field: Field): number {
  const replicas = field.integer() ?? 1
  if (replicas < 0) field.issue('INVALID_VALUE', 'must be greater than or equal to 0')
  if (replicas > MAX_REPLICAS)
    field.issue('TOO_MANY', `${replicas} pods on one host`, `use no more than ${MAX_REPLICAS}`)
  return replicas < 0 || replicas > MAX_REPLICAS ? 1 : replicas
}
