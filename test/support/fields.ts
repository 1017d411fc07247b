/** Which fields of the Kubernetes API a manifest sets, by type, as the table of verdicts names them. */
import { parseAllDocuments } from 'yaml'
import { entryOf, fieldsOf, itemOf } from '../../src/kube/schema/index.ts'

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }
type JsonMap = { [name: string]: Json }

/** One place where a field is set: `owner[key]` is its value. */
export type Occurrence = { path: string; owner: JsonMap; key: string }

/** The objects of a manifest as plain data, Lists taken apart. Octal modes and booleans are those of YAML 1.1. */
export function objectsOf(text: string): JsonMap[] {
  return parseAllDocuments(text, { version: '1.1' }).flatMap(document => {
    const value = document.toJS() as JsonMap | null
    if (value === null) return []
    return value.kind === 'List' ? (value.items as JsonMap[]) : [value]
  })
}

/** Every field that is set in `objects`, as `Container.image`, from the outside in. */
export const occurrencesIn = (objects: readonly JsonMap[]): Occurrence[] =>
  objects.flatMap(object => below(object, String(object.kind)))

function below(value: Json | undefined, type: string): Occurrence[] {
  if (typeof value !== 'object' || value === null) return []
  const item = itemOf(type)
  if (item !== undefined) return Array.isArray(value) ? value.flatMap(each => below(each, item)) : []
  if (Array.isArray(value)) return []
  const entry = entryOf(type)
  if (entry !== undefined) return Object.values(value).flatMap(each => below(each, entry))
  const fields = fieldsOf(type)
  return Object.keys(value).flatMap(key => {
    const known = fields?.get(key)
    if (known === undefined) return []
    return [{ path: `${type}.${key}`, owner: value, key }, ...below(value[key], known.type)]
  })
}
