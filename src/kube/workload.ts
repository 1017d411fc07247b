/** What makes pods: Pod itself and Deployment. */
import type { Field } from './field.ts'
import { quote } from './issue.ts'
import { readLabels, readName, readNamespace } from './metadata.ts'
import { type PodContext, type ReadPod, readPod } from './pod.ts'

const MAX_REPLICAS = 1000
const MAX_NAME = 253

/** The pod of a Pod document. */
export function readPodDocument(document: Field, context: PodContext): ReadPod[] {
  const metadata = document.at('metadata')
  const name = readName(document)
  const namespace = readNamespace(metadata)
  return [readPod({ name, namespace, document, metadata, spec: document.at('spec'), controlled: false }, context)]
}

/** The pods of a Deployment: NAME-pod as in Podman, then NAME-pod-2 and so on. */
export function readDeployment(document: Field, context: PodContext): ReadPod[] {
  const name = readName(document)
  const namespace = readNamespace(document.at('metadata'))
  readLabels(document.at('metadata').at('labels'))
  refuseSettings(document.at('metadata').at('annotations'))
  const template = document.at('spec').at('template')
  checkSelector(document.at('spec').at('selector'), template.at('metadata').at('labels'))
  const replicas = readReplicas(document.at('spec').at('replicas'))
  // With no replicas the template is checked all the same.
  const count = Math.max(1, replicas)
  const pods = podNames(name, count).map(podName => {
    if (podName.length > MAX_NAME)
      document
        .at('metadata')
        .at('name')
        .issue('TOO_LONG', `the pod's name ${quote(podName)} is longer than ${MAX_NAME} characters`, 'shorten it')
    const origin = {
      name: podName,
      namespace,
      document,
      metadata: template.at('metadata'),
      spec: template.at('spec'),
      controlled: true,
    }
    return readPod(origin, context)
  })
  return replicas === 0 ? [] : pods
}

/** What steers a pod must stand in the template: here it would do nothing. */
function refuseSettings(annotations: Field): void {
  for (const [key, value] of annotations.entries()) {
    if (!key.startsWith('io.tspod.')) continue
    const remedy = 'move it to spec.template.metadata.annotations'
    value.issueAt(value.key, 'FORBIDDEN', `the annotation ${quote(key)} is for pods`, remedy)
  }
}

/** Names of the pods of a Deployment. */
export function podNames(deployment: string, replicas: number): string[] {
  return Array.from({ length: replicas }, (_, index) => `${deployment}-pod${index === 0 ? '' : `-${index + 1}`}`)
}

function readReplicas(field: Field): number {
  const replicas = field.integer() ?? 1
  if (replicas < 0) field.issue('INVALID_VALUE', 'must be greater than or equal to 0')
  if (replicas > MAX_REPLICAS)
    field.issue('TOO_MANY', `${replicas} pods on one host`, `use no more than ${MAX_REPLICAS}`)
  return replicas < 0 || replicas > MAX_REPLICAS ? 1 : replicas
}

function checkSelector(selector: Field, labels: Field): void {
  if (!selector.present) return
  const wanted = selector.at('matchLabels').entries()
  const expressions = selector.at('matchExpressions').items()
  if (wanted.length === 0 && expressions.length === 0) {
    selector.issue('INVALID_VALUE', 'an empty selector would select every pod', 'add matchLabels')
    return
  }
  readLabels(selector.at('matchLabels'))
  const has = labels.stringMap()
  const missed = wanted.find(([key, value]) => value.string() !== undefined && has[key] !== value.string())
  const failed = expressions.find(expression => !matches(expression, has))
  const culprit = missed?.[1] ?? failed
  culprit?.issue(
    'INVALID_VALUE',
    'the selector does not match the labels of the template',
    'make spec.template.metadata.labels fit',
  )
}

function matches(expression: Field, labels: Record<string, string>): boolean {
  const key = expression.at('key').string() ?? ''
  const values = expression.at('values').strings() ?? []
  const operator = expression.at('operator').oneOf(['', 'In', 'NotIn', 'Exists', 'DoesNotExist'], '')
  const value = labels[key]
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      return true
  }
}
