/**
 * Values of templates and how Go prints them. A plain object is a struct: a field it has not is a mistake. A Map is a
 * map: a key it has not is no value. A function is a method.
 */
import { rfc3339 } from './time.ts'

export type Struct = { readonly [field: string]: Value }
export type Method = (...args: string[]) => Value
export type Value =
  | string
  | number
  | boolean
  | null
  | undefined
  | Date
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | Method
  | Struct

export const isMap = (value: unknown): value is ReadonlyMap<string, Value> => value instanceof Map
export const isList = (value: unknown): value is readonly Value[] => Array.isArray(value)

/** True for a plain object. */
export function isStruct(value: unknown): value is Struct {
  return typeof value === 'object' && value !== null && !isList(value) && !isMap(value) && !(value instanceof Date)
}

/** Keys in the order in which Go goes through a map: sorted. */
export const sortedKeys = (map: ReadonlyMap<string, Value>): string[] => [...map.keys()].sort(byCodePoint)

const byCodePoint = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** What `if` and `with` take for true: everything but false, 0, "", nil, and empty lists and maps. */
export function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0
  if (isMap(value)) return value.size > 0
  return Boolean(value)
}

/** Go's name of the kind of a value, for messages. */
export function kindOf(value: Value): string {
  if (value === null || value === undefined) return 'nil'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'string') return 'string'
  if (typeof value === 'function') return 'func'
  if (value instanceof Date) return 'time.Time'
  if (isList(value)) return `[]${value.length > 0 ? kindOf(value[0]) : 'interface {}'}`
  if (isMap(value)) return 'map[string]interface {}'
  return 'struct'
}

/** As fmt's %v: `[a b]`, `map[k:v]`, `{1 2}`; what is not there is `<no value>`, nil is `<nil>`. */
export function print(value: Value): string {
  if (value === undefined) return '<no value>'
  return printInside(value)
}

function printInside(value: Value): string {
  if (value === null || value === undefined) return '<nil>'
  if (value instanceof Date) return goTime(value)
  if (isList(value)) return `[${value.map(printInside).join(' ')}]`
  if (isMap(value))
    return `map[${sortedKeys(value)
      .map(key => `${key}:${printInside(value.get(key))}`)
      .join(' ')}]`
  if (isStruct(value)) {
    const fields = Object.values(value).filter(field => typeof field !== 'function')
    return `{${fields.map(printInside).join(' ')}}`
  }
  return typeof value === 'number' ? printNumber(value) : String(value)
}

/**
 * As %v prints a number: a whole one is an int; of others, very small ones and those from a million on get an exponent
 * of two digits at least (strconv, format g with the shortest precision).
 */
export function printNumber(value: number): string {
  if (Number.isInteger(value) || !Number.isFinite(value)) return String(value)
  const [digits = '', power = ''] = value.toExponential().split('e')
  const exponent = Number(power)
  if (exponent >= -4 && exponent < 6) return String(value)
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

/** As Go's time.Time prints itself: `2026-01-02 15:04:05.123 +0000 UTC`. */
export const goTime = (time: Date): string => rfc3339(time).replace('T', ' ').replace(/Z$/, ' +0000 UTC')

/**
 * The value as data for JSON.stringify: maps with sorted keys, times as RFC 3339, no methods; a struct that has
 * `toJSON` says itself what it is.
 */
export function plain(value: unknown): unknown {
  if (value instanceof Date) return rfc3339(value)
  if (isList(value)) return value.map(plain)
  if (isMap(value)) return Object.fromEntries(sortedKeys(value).map(key => [key, plain(value.get(key))]))
  if (!isStruct(value)) return value
  const { toJSON } = value
  if (typeof toJSON === 'function') return plain(toJSON())
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => typeof field !== 'function' && field !== undefined)
      .map(([name, field]) => [name, plain(field)]),
  )
}
