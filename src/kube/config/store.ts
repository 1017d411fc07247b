/** ConfigMaps and Secrets that a manifest may refer to, by name. */
import type { Field } from '../yaml/index.ts'
import { didYouMean, quote } from '../yaml/index.ts'

/** `binary`: of binaryData, which is for files and never for variables. */
export type ConfigValue = { base64: string; binary: boolean }
export type ConfigData = ReadonlyMap<string, ConfigValue>

export type ConfigStore = {
  configMaps: ReadonlyMap<string, ConfigData>
  secrets: ReadonlyMap<string, ConfigData>
  /** Secrets of earlier plays: key → base64. */
  storedSecret: (name: string) => Record<string, string> | undefined
  /** Some document could not be read: what seems to be missing may be in there. */
  incomplete: boolean
}

export type ConfigKind = 'ConfigMap' | 'Secret'

/**
 * The data of the object that `reference` names. Missing and not optional is reported at the name; undefined then,
 * and when it is missing and optional.
 */
export function findConfig(
  store: ConfigStore,
  kind: ConfigKind,
  reference: Field,
  optional: boolean,
): ConfigData | undefined {
  const name = reference.string() ?? ''
  if (name === '') {
    if (!reference.present || reference.string() === '')
      reference.issue('REQUIRED', `the name of a ${kind} is required`, 'add it')
    return undefined
  }
  const found = (kind === 'ConfigMap' ? store.configMaps : store.secrets).get(name) ?? stored(store, kind, name)
  if (found === undefined && !optional && !store.incomplete) {
    const known = kind === 'ConfigMap' ? store.configMaps : store.secrets
    const elsewhere =
      kind === 'ConfigMap'
        ? 'add its document, or give its file to --configmap'
        : 'add its document, or play the Secret first'
    reference.issue('NOT_FOUND', `no ${kind} is called ${quote(name)}`, didYouMean(name, known.keys()) ?? elsewhere)
  }
  return found
}

/** The value of a key. A missing key that is not optional is reported at the key. */
export function findKey(data: ConfigData, kind: ConfigKind, key: Field, optional: boolean): ConfigValue | undefined {
  const name = key.string()
  if (name === undefined) return undefined
  const value = data.get(name)
  if (value === undefined && !optional) {
    const remedy = didYouMean(name, data.keys()) ?? 'add the key, or set optional: true'
    key.issue('NOT_FOUND', `the ${kind} has no key ${quote(name)}`, remedy)
  }
  return value
}

function stored(store: ConfigStore, kind: ConfigKind, name: string): ConfigData | undefined {
  const data = kind === 'Secret' ? store.storedSecret(name) : undefined
  return data === undefined ? undefined : secretData(data)
}

/** The data of a Secret, key → base64, as it is looked up. */
export function secretData(data: Record<string, string>): ConfigData {
  return new Map(Object.entries(data).map(([key, base64]) => [key, { base64, binary: false }]))
}
