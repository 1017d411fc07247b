/** `env` and `envFrom` of a container, with everything resolved that is known before the pod exists. */
import type { EnvEntry, RuntimeField } from '../model.ts'
import type { Field } from './field.ts'
import { didYouMean, quote } from './issue.ts'
import { configKeyProblem, envNameProblem, qualifiedProblem } from './names.ts'
import { divideUp, parseQuantity } from './quantity.ts'
import { readResources } from './resources.ts'
import { type ConfigKind, type ConfigStore, findConfig, findKey } from './store.ts'

/** What variables may refer to. */
export type EnvContext = {
  store: ConfigStore
  podName: string
  namespace: string
  labels: Record<string, string>
  annotations: Record<string, string>
  serviceAccountName: string
  /** `resources` of the container with this name, or undefined when there is none. */
  resourcesOf: (container: string) => Field | undefined
}

const RUNTIME_FIELDS: readonly RuntimeField[] = [
  'metadata.uid',
  'status.podIP',
  'status.podIPs',
  'status.hostIP',
  'status.hostIPs',
  'spec.nodeName',
]
const STATIC_FIELDS = ['metadata.name', 'metadata.namespace', 'spec.serviceAccountName'] as const
const CPU_DIVISORS = ['0', '1m', '1']
const MEMORY_DIVISORS = ['0', '1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']

/** The variables of a container in the order of evaluation: `envFrom`, then `env`; later ones win. */
export function readEnv(container: Field, context: EnvContext): EnvEntry[] {
  const from = container
    .at('envFrom')
    .items()
    .flatMap(item => readEnvFrom(item, context.store))
  return [
    ...from,
    ...container
      .at('env')
      .items()
      .flatMap(item => readVariable(item, container, context) ?? []),
  ]
}

function readEnvFrom(item: Field, store: ConfigStore): EnvEntry[] {
  const prefixField = item.at('prefix')
  const prefix = prefixField.string() ?? ''
  const problem = prefix === '' ? undefined : envNameProblem(prefix)
  if (problem !== undefined) prefixField.issue('INVALID_VALUE', `${quote(prefix)} ${problem}`)
  const configMap = item.at('configMapRef')
  const secret = item.at('secretRef')
  if (configMap.present === secret.present) {
    const code = configMap.present ? 'FORBIDDEN' : 'REQUIRED'
    item.issue(
      code,
      'must specify exactly one of configMapRef and secretRef',
      configMap.present ? 'use two items' : 'add one',
    )
    return []
  }
  const kind: ConfigKind = configMap.present ? 'ConfigMap' : 'Secret'
  const reference = configMap.present ? configMap : secret
  const data = findConfig(store, kind, reference.at('name'), reference.at('optional').boolean() ?? false)
  return [...(data ?? [])].flatMap(([key, value]) => {
    const text = value.binary ? undefined : decode(value.base64, reference, key)
    return text === undefined ? [] : { name: `${prefix}${key}`, secret: kind === 'Secret', text, expand: false }
  })
}

function readVariable(item: Field, container: Field, context: EnvContext): EnvEntry | undefined {
  const nameField = item.at('name')
  const name = nameField.string() ?? ''
  const problem = name === '' ? undefined : envNameProblem(name)
  if (problem !== undefined) nameField.issue('INVALID_VALUE', `${quote(name)} ${problem}`)
  const value = item.at('value')
  const from = item.at('valueFrom')
  if (!from.present) {
    const text = value.string() ?? ''
    if (text.includes('\0')) value.issue('INVALID_VALUE', 'must not contain a NUL character')
    return { name, secret: false, text, expand: true }
  }
  if (value.present && value.string() !== '') {
    from.issueAt(
      from.key,
      'INVALID_VALUE',
      'may not be specified when `value` is not empty',
      'remove value or valueFrom',
    )
  }
  const sources = from.members().filter(([, source]) => source.present)
  const [first, second] = sources
  if (first === undefined) {
    from.issue(
      'REQUIRED',
      'must specify one of configMapKeyRef, secretKeyRef, fieldRef and resourceFieldRef',
      'add one',
    )
    return undefined
  }
  if (second !== undefined) {
    second[1].issueAt(
      second[1].key,
      'FORBIDDEN',
      'may not have more than one field specified at a time',
      'keep one of them',
    )
    return undefined
  }
  const [type, source] = first
  if (type === 'configMapKeyRef') return keyValue(name, source, 'ConfigMap', context.store)
  if (type === 'secretKeyRef') return keyValue(name, source, 'Secret', context.store)
  if (type === 'fieldRef') return fieldValue(name, source, context)
  return type === 'resourceFieldRef' ? resourceValue(name, source, container, context) : undefined
}

function keyValue(name: string, source: Field, kind: ConfigKind, store: ConfigStore): EnvEntry | undefined {
  const keyField = source.at('key')
  const key = keyField.string() ?? ''
  const problem = key === '' ? undefined : configKeyProblem(key)
  if (problem !== undefined) keyField.issue('INVALID_VALUE', `${quote(key)} ${problem}`)
  const optional = source.at('optional').boolean() ?? false
  const data = findConfig(store, kind, source.at('name'), optional)
  const usable = data !== undefined && key !== '' && problem === undefined
  const value = usable ? findKey(data, kind, keyField, optional) : undefined
  if (value?.binary) {
    keyField.issue(
      'INVALID_VALUE',
      `the key ${quote(key)} is in binaryData: it cannot be a variable`,
      'mount it as a file',
    )
    return undefined
  }
  const text = value === undefined ? undefined : decode(value.base64, keyField, key)
  return text === undefined ? undefined : { name, secret: kind === 'Secret', text, expand: false }
}

/** Bytes that no variable can hold are refused here; they would be cut or replaced on the way otherwise. */
function decode(base64: string, reference: Field, key: string): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(base64, 'base64'))
    if (!text.includes('\0')) return text
  } catch {
    // Not UTF-8: the same message as for a NUL.
  }
  reference.issue(
    'INVALID_VALUE',
    `the value of the key ${quote(key)} is not text: it cannot be a variable`,
    'mount it as a file',
  )
  return undefined
}

function fieldValue(name: string, source: Field, context: EnvContext): EnvEntry | undefined {
  const version = source.at('apiVersion')
  version.oneOf(['', 'v1'], '')
  const field = source.at('fieldPath')
  const path = field.string() ?? ''
  if (path === '') return undefined
  const runtime = RUNTIME_FIELDS.find(known => known === path)
  if (runtime !== undefined) return { name, secret: false, runtime }
  const text = staticValue(field, path, context)
  return text === undefined ? undefined : { name, secret: false, text, expand: false }
}

function staticValue(field: Field, path: string, context: EnvContext): string | undefined {
  if (path === 'metadata.name') return context.podName
  if (path === 'metadata.namespace') return context.namespace
  if (path === 'spec.serviceAccountName') return context.serviceAccountName
  const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path)
  const [, list, key] = subscript ?? []
  if (key === undefined) {
    const known = [...STATIC_FIELDS, ...RUNTIME_FIELDS, "metadata.labels['KEY']", "metadata.annotations['KEY']"]
    const hint = didYouMean(path, known) ?? `use ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`
    field.issue('UNSUPPORTED_VALUE', `${quote(path)} is not possible here`, hint)
    return undefined
  }
  const problem = qualifiedProblem(list === 'annotations' ? key.toLowerCase() : key)
  if (problem !== undefined) field.issue('INVALID_VALUE', `the key ${quote(key)} ${problem}`)
  const values = list === 'labels' ? context.labels : context.annotations
  return values[key] ?? ''
}

function resourceValue(name: string, source: Field, container: Field, context: EnvContext): EnvEntry | undefined {
  const field = source.at('resource')
  const path = field.string() ?? ''
  const match = /^(limits|requests)\.(cpu|memory)$/.exec(path)
  if (match === null) {
    if (path === '') return undefined
    if (/^(limits|requests)\.(ephemeral-storage|hugepages-.+)$/.test(path))
      field.issue('NOT_SUPPORTED', `${path} is not yet supported`, 'remove it')
    else
      field.issue(
        'UNSUPPORTED_VALUE',
        `${quote(path)} is not possible here`,
        'use limits.cpu, limits.memory, requests.cpu or requests.memory',
      )
    return undefined
  }
  const [, list = '', resource = ''] = match
  const divisor = readDivisor(source.at('divisor'), resource === 'cpu' ? CPU_DIVISORS : MEMORY_DIVISORS)
  const other = source.at('containerName')
  const otherName = other.string() ?? ''
  const resources = otherName === '' ? container.at('resources') : context.resourcesOf(otherName)
  if (resources === undefined) {
    other.issue('NOT_FOUND', `no container is called ${quote(otherName)}`, 'name a container of this pod')
    return undefined
  }
  const spec = readResources(resources)
  const milli = list === 'limits' ? spec.cpuLimitMilli : (spec.cpuRequestMilli ?? 0)
  const bytes = list === 'limits' ? spec.memoryLimitBytes : (spec.memoryRequestBytes ?? 0)
  const amount = resource === 'cpu' ? milli : bytes
  if (amount === undefined)
    return { name, secret: false, runtime: resource === 'cpu' ? 'limits.cpu' : 'limits.memory', divisor }
  const nano = BigInt(amount) * (resource === 'cpu' ? 1_000_000n : 1_000_000_000n)
  return { name, secret: false, text: `${divideUp(nano, parseQuantity(divisor) ?? 1_000_000_000n)}`, expand: false }
}

function readDivisor(field: Field, allowed: readonly string[]): string {
  const written = field.quantity()
  if (written === undefined) return '1'
  const amount = parseQuantity(written)
  const found = allowed.find(one => parseQuantity(one) === amount)
  if (found === undefined && amount !== undefined) {
    field.issue(
      'UNSUPPORTED_VALUE',
      `${quote(written)} is not possible here`,
      `use ${allowed.slice(1, -1).join(', ')} or ${allowed.at(-1)}`,
    )
  }
  return found === undefined || found === '0' ? '1' : found
}
