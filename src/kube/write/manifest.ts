/** What is kept of a pod's manifest, for `kube generate` and `kube render`. */
import type { Json, PodManifest } from '../../model.ts'
import type { ConfigData } from '../config/index.ts'
import { entryOf, fieldsOf, itemOf, type TypeCode } from '../schema/index.ts'
import type { Field } from '../yaml/index.ts'
import { isObject, type JsonObject, plainValue } from './plain.ts'

/** Members whose text is the name of a ConfigMap, and of a Secret, by the type they are in. */
const CONFIG_MAPS: Names = {
  ConfigMapKeySelector: 'name',
  ConfigMapEnvSource: 'name',
  ConfigMapVolumeSource: 'name',
  ConfigMapProjection: 'name',
}
const SECRETS: Names = {
  SecretKeySelector: 'name',
  SecretEnvSource: 'name',
  SecretVolumeSource: 'secretName',
  SecretProjection: 'name',
}

type Names = { [Type in TypeCode]?: string }

/** The manifest of a pod whose `spec` is given, with those of the ConfigMaps that it uses and of all `services`. */
export function podManifest(
  spec: Field,
  configMaps: ReadonlyMap<string, ConfigData>,
  services: readonly Field[],
): PodManifest {
  const plain = plainObject(spec, 'PodSpec')
  const used = [...namesIn(plain, CONFIG_MAPS)].flatMap(name => {
    const data = configMaps.get(name)
    return data === undefined ? [] : [[name, [...data].map(([key, value]) => ({ key, ...value }))] as const]
  })
  return {
    spec: plain,
    configMaps: Object.fromEntries(used),
    services: services.map(service => plainObject(service, 'Service')),
    secrets: [...namesIn(plain, SECRETS)].sort(),
  }
}

/** A ConfigMap or a Service as its document has it, without what is about the object and not in it. */
export function plainContent(document: Field, kind: 'ConfigMap' | 'Service'): JsonObject {
  const { apiVersion: _, kind: __, metadata: ___, status: ____, ...content } = plainObject(document, kind)
  return content
}

function plainObject(field: Field, type: TypeCode): JsonObject {
  const plain = plainValue(field, type)
  return isObject(plain) ? plain : {}
}

function namesIn(spec: JsonObject, references: Names): Set<string> {
  const names = new Set<string>()
  collectNames(spec, 'PodSpec', references, names)
  return names
}

function collectNames(value: Json, type: TypeCode, references: Names, names: Set<string>): void {
  if (value === null || typeof value !== 'object') return
  if (Array.isArray(value)) {
    const item = itemOf(type)
    if (item !== undefined) for (const one of value) collectNames(one, item, references, names)
    return
  }
  const name = Object.hasOwn(references, type) ? value[references[type] ?? ''] : undefined
  if (typeof name === 'string') names.add(name)
  const entry = entryOf(type)
  const fields = fieldsOf(type)
  for (const [name, member] of Object.entries(value)) {
    const known = entry ?? fields?.get(name)?.type
    if (known !== undefined) collectNames(member, known, references, names)
  }
}
