/** The downward API: what a pod is told about itself, by fieldRef and resourceFieldRef, in variables and in files. */
import type { RuntimeField } from '../../model.ts'
import { goQuote } from '../../words.ts'
import type { Field } from '../yaml/index.ts'
import { didYouMean, divideUp, either, parseQuantity, qualifiedProblem, quote } from '../yaml/index.ts'

/** What a pod can be told of itself before it exists. */
export type Self = {
  podName: string
  namespace: string
  labels: Record<string, string>
  annotations: Record<string, string>
  serviceAccountName: string
  /** `resources` of the container with this name, or undefined when there is none. */
  resourcesOf: (container: string) => Field | undefined
}

/** A text, or a fact that only the pod itself can tell. */
export type Told = { text: string } | { runtime: RuntimeField; divisor?: string }

/** The divisors of a resource; `0` is what Kubernetes writes for none. */
const CPU_DIVISORS = ['0', '1m', '1']
const BYTE_DIVISORS = ['0', '1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']
const RESOURCE = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/
const SUBSCRIPT = /^metadata\.(labels|annotations)\['([^']+)'\]$/

type Use = { runtime: readonly RuntimeField[]; text: Record<string, (self: Self) => string>; subscripts: boolean }

const OF_BOTH = {
  'metadata.name': (self: Self) => self.podName,
  'metadata.namespace': (self: Self) => self.namespace,
}
/** Fields of variables, and of files: Kubernetes has a list for each. */
const USES: Record<'env' | 'file', Use> = {
  env: {
    runtime: ['metadata.uid', 'status.podIP', 'status.podIPs', 'status.hostIP', 'status.hostIPs', 'spec.nodeName'],
    text: { ...OF_BOTH, 'spec.serviceAccountName': self => self.serviceAccountName },
    subscripts: true,
  },
  file: {
    runtime: ['metadata.uid'],
    text: {
      ...OF_BOTH,
      'metadata.labels': self => formatMap(self.labels),
      'metadata.annotations': self => formatMap(self.annotations),
    },
    subscripts: true,
  },
}

/** What a fieldRef says; undefined after a mistake. */
export function readFieldRef(source: Field, self: Self, use: 'env' | 'file'): Told | undefined {
  source.at('apiVersion').oneOf(['', 'v1'], '')
  const field = source.at('fieldPath')
  const path = field.string() ?? ''
  if (path === '') return undefined
  const { runtime, text } = USES[use]
  const fact = runtime.find(known => known === path)
  if (fact !== undefined) return { runtime: fact }
  const told = Object.hasOwn(text, path) ? text[path]?.(self) : subscript(field, path, self)
  if (told !== undefined) return { text: told }
  const known = [...Object.keys(text), ...runtime, "metadata.labels['KEY']", "metadata.annotations['KEY']"]
  field.issue(
    'UNSUPPORTED_VALUE',
    `${quote(path)} is not possible here`,
    didYouMean(path, known) ?? `use ${either(known)}`,
  )
  return undefined
}

/** The value of one label or annotation, empty where there is none. */
function subscript(field: Field, path: string, self: Self): string | undefined {
  const [, list, key] = SUBSCRIPT.exec(path) ?? []
  if (key === undefined) return undefined
  const problem = qualifiedProblem(list === 'annotations' ? key.toLowerCase() : key)
  if (problem !== undefined) field.issue('INVALID_VALUE', `the key ${quote(key)} ${problem}`)
  const values = list === 'labels' ? self.labels : self.annotations
  return Object.hasOwn(values, key) ? (values[key] ?? '') : ''
}

/** All labels or annotations as a file has them: sorted, one `key="value"` a line, the value as Go quotes it. */
export function formatMap(values: Record<string, string>): string {
  const keys = Object.keys(values).sort((a, b) => (a < b ? -1 : 1))
  return keys.map(key => `${key}=${goQuote(values[key] ?? '')}`).join('\n')
}

/**
 * What a resourceFieldRef says; undefined after a mistake. `own` are the resources of the container at hand, where
 * there is one. A limit that is not set is what the host has, which only the host can say; a missing request is the
 * limit, and without one nothing.
 */
export function readResourceRef(source: Field, self: Self, own: Field | undefined): Told | undefined {
  const field = source.at('resource')
  const path = field.string() ?? ''
  const [, list, resource] = RESOURCE.exec(path) ?? []
  if (resource === undefined) {
    const remedy = 'use limits. or requests. with cpu, memory, ephemeral-storage or hugepages-SIZE'
    if (path !== '') field.issue('UNSUPPORTED_VALUE', `${quote(path)} is not possible here`, remedy)
    return undefined
  }
  const divisor = readDivisor(source.at('divisor'), resource === 'cpu' ? CPU_DIVISORS : BYTE_DIVISORS)
  const other = source.at('containerName')
  const otherName = other.string() ?? ''
  if (otherName === '' && own === undefined) {
    other.issue('REQUIRED', 'a file is of no container: say which one is meant', 'add containerName')
    return undefined
  }
  const resources = otherName === '' ? own : self.resourcesOf(otherName)
  if (resources === undefined) {
    other.issue('NOT_FOUND', `no container is called ${quote(otherName)}`, 'name a container of this pod')
    return undefined
  }
  const amount = amountOf(resources, list === 'limits' ? ['limits'] : ['requests', 'limits'], resource)
  if (list === 'limits' && amount === 0n && !resource.startsWith('hugepages-'))
    return { runtime: `limits.${resource}` as RuntimeField, divisor }
  return { text: `${divideUp(amount, parseQuantity(divisor) ?? 1_000_000_000n)}` }
}

/** In nano units; nothing and nothing sensible are zero, which the reader of `resources` complains about. */
function amountOf(resources: Field, lists: readonly string[], resource: string): bigint {
  for (const list of lists) {
    const text = resources.at(list).entry(resource).quantity()
    const amount = text === undefined ? undefined : parseQuantity(text)
    if (amount !== undefined) return amount < 0n ? 0n : amount
  }
  return 0n
}

function readDivisor(field: Field, allowed: readonly string[]): string {
  const written = field.quantity()
  if (written === undefined) return '1'
  const amount = parseQuantity(written)
  const found = allowed.find(one => parseQuantity(one) === amount)
  if (found === undefined && amount !== undefined)
    field.issue('UNSUPPORTED_VALUE', `${quote(written)} is not possible here`, `use ${either(allowed.slice(1))}`)
  return found === undefined || found === '0' ? '1' : found
}
