/** `env` and `envFrom` of a container, with everything resolved that is known before the pod exists. */
import type { EnvEntry, FileKey } from '../../model.ts'
import { type ConfigKind, type ConfigStore, findConfig, findKey } from '../config/index.ts'
import type { Field } from '../yaml/index.ts'
import { configKeyProblem, didYouMean, envNameProblem, pathProblem, quote, tidyPath } from '../yaml/index.ts'
import { readFieldRef, readResourceRef, type Self } from './downward.ts'
import type { Volumes } from './mounts.ts'

/** What variables may refer to. */
export type EnvContext = Self & { store: ConfigStore; volumes: Volumes }

/** Of a key of an env file, as in Kubernetes. */
const MAX_FILE_KEY = 128

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
      'must specify one of configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef and fileKeyRef',
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
  if (type === 'fileKeyRef') return { name, secret: true, file: readFileKey(source, context.volumes) }
  const told =
    type === 'fieldRef'
      ? readFieldRef(source, context, 'env')
      : type === 'resourceFieldRef'
        ? readResourceRef(source, context, container.at('resources'))
        : undefined
  if (told === undefined) return undefined
  return { name, secret: false, ...('text' in told ? { text: told.text, expand: false } : told) }
}

/**
 * Where a variable is to be found once init containers have run. Files of other volumes than emptyDirs are not read, as
 * in Kubernetes: on them may be what the pod has no business with.
 */
function readFileKey(source: Field, volumes: Volumes): FileKey {
  const [volumeField, pathField, keyField] = [source.at('volumeName'), source.at('path'), source.at('key')]
  const [volume, path, key] = [volumeField.string() ?? '', pathField.string() ?? '', keyField.string() ?? '']
  if (volume !== '' && !volumes.has(volume)) {
    const remedy = didYouMean(volume, volumes.keys()) ?? 'add it to spec.volumes'
    volumeField.issue('NOT_FOUND', `no volume is called ${quote(volume)}`, remedy)
  } else if ((volumes.get(volume)?.kind ?? 'emptyDir') !== 'emptyDir') {
    volumeField.issue('UNSUPPORTED_VALUE', `${quote(volume)} is not an emptyDir`, 'name a volume of that type')
  }
  const problem = path.startsWith('..') ? "must not start with '..'" : pathProblem(path)
  if (path !== '' && problem !== undefined) pathField.issue('INVALID_VALUE', `${quote(path)} ${problem}`)
  const long = key.length > MAX_FILE_KEY ? `must be no more than ${MAX_FILE_KEY} characters` : undefined
  const wrong = key === '' ? undefined : (long ?? envNameProblem(key))
  if (wrong !== undefined) keyField.issue('INVALID_VALUE', `${quote(key)} ${wrong}`)
  return { volume, path: tidyPath(path), key, optional: source.at('optional').boolean() ?? false }
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
