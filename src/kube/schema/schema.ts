/** Fields and types of Kubernetes objects, unpacked from the generated table as they are needed. */
import { KINDS, TYPES } from './schema.generated.ts'

/** A type as the table writes it: `s`, `b`, `i`, `n`, `q`, `x`, `y`, `t`, `any`, `[T]`, `{T}` or a name. */
export type TypeCode = string
export type FieldType = { type: TypeCode; required: boolean }

const unpacked = new Map<string, ReadonlyMap<string, FieldType>>()

/** The fields of a named type, or undefined when the code is not the name of a type. */
export function fieldsOf(type: TypeCode): ReadonlyMap<string, FieldType> | undefined {
  const known = unpacked.get(type)
  if (known !== undefined) return known
  const packed = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
  if (packed === undefined) return undefined
  const fields = new Map<string, FieldType>()
  for (const part of packed.split(' ')) {
    const colon = part.indexOf(':')
    const required = part[colon - 1] === '!'
    fields.set(part.slice(0, required ? colon - 1 : colon), { type: part.slice(colon + 1), required })
  }
  unpacked.set(type, fields)
  return fields
}

/** `T` of `[T]`, else undefined. */
export const itemOf = (type: TypeCode): TypeCode | undefined => (type.startsWith('[') ? type.slice(1, -1) : undefined)
/** `T` of `{T}`, else undefined. */
export const entryOf = (type: TypeCode): TypeCode | undefined => (type.startsWith('{') ? type.slice(1, -1) : undefined)

/** Every kind of the Kubernetes API. */
export const knownKinds: readonly string[] = KINDS.split(' ')
