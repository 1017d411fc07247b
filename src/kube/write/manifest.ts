/** What is kept of a pod's manifest, for `kube generate` and `kube render`. */
import type { Json, PodManifest } from '../../model.ts'
import type { ConfigData } from '../config/index.ts'
import { entryOf, fieldsOf, itemOf, type TypeCode } from '../schema/index.ts'
import type { Field } from '../yaml/index.ts'
import { isObject, type JsonObject, plainValue } from './plain.ts'

/** Types whose `name` is that of a ConfigMap. */
const REFERENCES = ['ConfigMapKeySelector', 'ConfigMapEnvSource', 'ConfigMapVolumeSource', 'ConfigMapProjection']

/** The manifest of a pod whose `spec` is given, with those of the ConfigMaps that it uses and of all `services`. */
export function podManifest(
  spec: Field,
  configMaps: ReadonlyMap<string, ConfigData>,
  services: readonly Field[],
): PodManifest {
  const plain = plainObject(spec, 'PodSpec')
  const names = new Set<string>()
  collectNames(plain, 'PodSpec', names)
  const used = [...names].flatMap(name => {
    const data = configMaps.get(name)
    return data === undefined ? [] : [[name, [...data].map(([key, value]) => ({ key, ...value }))] as const]
  })
  return {
    spec: plain,
    configMaps: Object.fromEntries(used),
    services: services.map(service => plainObject(service, 'Service')),
  }
}

function plainObject(field: Field, type: TypeCode): JsonObject {
  const plain = plainValue(field, type)
  return isObject(plain) ? plain : {}
}

function collectNames(value: Json, type: TypeCode, names: Set<string>): void {
  if (value === null || typeof value !== 'object') return
  if (Array.isArray(value)) {
    const item = itemOf(type)
    if (item !== undefined) for (const one of value) collectNames(one, item, names)
    return
  }
  if (REFERENCES.includes(type) && typeof value.name === 'string') names.add(value.name)
  const entry = entryOf(type)
  const fields = fieldsOf(type)
  for (const [name, member] of Object.entries(value)) {
    const known = entry ?? fields?.get(name)?.type
    if (known !== undefined) collectNames(member, known, names)
  }
}
