/** A manifest's values without their places: what is written into YAML again. */
import type { Json } from '../../model.ts'
import { entryOf, fieldsOf, itemOf, type TypeCode } from '../schema/index.ts'
import { asBoolean, asInteger, asQuantityText, asString, emptyRecord, type Field, kindOf } from '../yaml/index.ts'

export type JsonObject = { [name: string]: Json }

/**
 * The value of `field`, which has the type `type`: `yes` is a boolean or a word, as its field wants it. Null and
 * missing members are left out, as they mean the same; undefined for a missing value.
 */
export function plainValue(field: Field, type: TypeCode): Json | undefined {
  const { node } = field
  if (node === undefined || kindOf(node) === 'null') return undefined
  if (node.kind === 'list') {
    const item = itemOf(type) ?? 'any'
    return field.items().flatMap(child => plainValue(child, item) ?? [])
  }
  if (node.kind === 'map') {
    const entry = entryOf(type)
    const fields = fieldsOf(type)
    const map = emptyRecord<Json>()
    for (const [name, child] of field.members()) {
      const value = plainValue(child, entry ?? fields?.get(name)?.type ?? 'any')
      if (value !== undefined) map[name] = value
    }
    return map
  }
  return plainScalar(field, type)
}

function plainScalar({ node }: Field, type: TypeCode): Json | undefined {
  if (node?.kind !== 'scalar') return undefined
  if (type === 'b') return asBoolean(node)
  if (type === 'q') return asQuantityText(node)
  const kind = kindOf(node)
  if (kind === 'boolean') return asBoolean(node)
  if (kind === 'number') return asInteger(node) ?? Number(node.text)
  return asString(node)
}

/** True for a map. */
export const isObject = (value: Json | undefined): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
