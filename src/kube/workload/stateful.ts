/**
 * StatefulSet: pods with names, host names and claims of their own, one after the other.
 *
 * The pods are called NAME-0, NAME-1, … and not NAME-pod as those of other workloads: their names are what programs in
 * them reckon with (the host name, NAME-0.SERVICE), and the claims are named after them. Podman has no StatefulSet
 * whose habit could be kept.
 */
import type { ClaimSpec, PodName, VolumeSpec } from '../../model.ts'
import { judgeVolumeAnnotations } from '../config/index.ts'
import { readAnnotations, readLabels, readName } from '../metadata.ts'
import type { PodOwn } from '../pod/index.ts'
import type { Field } from '../yaml/index.ts'
import { labelProblem, quote } from '../yaml/index.ts'

/** A claim of a StatefulSet is called by this and the number of its pod. */
export type ClaimPrefix = { prefix: string; withWorkload: boolean }

export type StatefulPods = {
  /** What the pod at `index`, counted from 0, has of its own. */
  ownOf: (podName: string, index: number) => PodOwn
  /** The claims of a pod. */
  claimsOf: (podName: string) => ClaimSpec[]
}

/** What a StatefulSet says beyond its replicas and its template. */
export function readStateful(document: Field): StatefulPods {
  const spec = document.at('spec')
  const ordered = spec.at('podManagementPolicy').oneOf(['OrderedReady', 'Parallel'], 'OrderedReady') === 'OrderedReady'
  const subdomain = readServiceName(spec.at('serviceName'))
  readRetention(spec.at('persistentVolumeClaimRetentionPolicy'))
  const templates = spec.at('volumeClaimTemplates').items().map(readTemplate)
  const first = firstOrdinal(document)
  if (first < 0) spec.at('ordinals').at('start').issue('INVALID_VALUE', 'must be greater than or equal to 0')
  const hostname = spec.at('template').at('spec').at('hostname')
  if (hostname.present) hostname.note('the pods of a StatefulSet are named after themselves')
  const selected = spec.at('selector').at('matchLabels').stringMap()
  return {
    ownOf: (podName, index) => ({
      labels: {
        'statefulset.kubernetes.io/pod-name': podName,
        'apps.kubernetes.io/pod-index': `${first + index}`,
      },
      hostname: podName.slice(0, 63).replace(/[-.]+$/, ''),
      ...(subdomain !== '' && { subdomain }),
      ...(ordered && index > 0 && { startAfter: [statefulName(document, index - 1) as PodName] }),
      volumes: templates.map(
        ({ name }): VolumeSpec => ({ name, kind: 'claim', claim: `${name}-${podName}`, readOnly: false }),
      ),
    }),
    claimsOf: podName =>
      templates.map(({ name, labels, annotations }) => ({
        name: `${name}-${podName}`,
        labels: { ...labels, ...selected },
        annotations,
      })),
  }
}

/** NAME-0, NAME-1, …, from another number where `ordinals.start` says so; `index` counts from 0. */
export const statefulName = (document: Field, index: number): string =>
  `${document.at('metadata').at('name').string() ?? ''}-${firstOrdinal(document) + index}`

const firstOrdinal = (document: Field): number => document.at('spec').at('ordinals').at('start').integer() ?? 0

/** How the claims of a StatefulSet begin, and whether they go with it: lenient, for taking it down. */
export function claimPrefixes(document: Field, name: string): ClaimPrefix[] {
  const spec = document.at('spec')
  const withWorkload = spec.at('persistentVolumeClaimRetentionPolicy').at('whenDeleted').string() === 'Delete'
  return spec
    .at('volumeClaimTemplates')
    .items()
    .flatMap(template => {
      const claim = template.at('metadata').at('name').string()
      return claim === undefined ? [] : { prefix: `${claim}-${name}-`, withWorkload }
    })
}

function readTemplate(template: Field): ClaimSpec {
  const metadata = template.at('metadata')
  const name = readName(template)
  const problem = name === '' ? undefined : labelProblem(name)
  // It is the name of a volume as well.
  if (problem !== undefined) metadata.at('name').issue('INVALID_VALUE', `${quote(name)} ${problem}`)
  judgeVolumeAnnotations(metadata)
  return { name, labels: readLabels(metadata.at('labels')), annotations: readAnnotations(metadata, {}) }
}

function readServiceName(field: Field): string {
  const name = field.string() ?? ''
  const problem = name === '' ? undefined : labelProblem(name)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(name)} ${problem}`)
  return problem === undefined ? name : ''
}

function readRetention(field: Field): void {
  field.at('whenDeleted').oneOf(['Retain', 'Delete'], 'Retain')
  const scaled = field.at('whenScaled').oneOf(['Retain', 'Delete'], 'Retain')
  if (scaled === 'Delete') {
    field.at('whenScaled').note('the claims of pods that are no longer wanted stay until `tspod kube down --force`')
  }
}
