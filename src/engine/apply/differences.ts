/** What differs between two pieces of JSON, by paths as a manifest has them: `spec.containers[web].image`. Pure. */
import type { FieldChange } from '../types/index.ts'

/** Longer texts are cut: a plan is for reading. */
const MAX_SHOWN = 120
/** Members that tell the items of a list apart, the first that all have. */
const KEYS = ['name', 'mountPath', 'containerPort', 'port', 'ip', 'key', 'path']

type Map = { [name: string]: unknown }

const isMap = (value: unknown): value is Map => value !== null && typeof value === 'object' && !Array.isArray(value)

/** All that differs below `path`; members that are undefined are not there. */
export function differences(before: unknown, after: unknown, path: string): FieldChange[] {
  if (isMap(before) && isMap(after)) return inMaps(before, after, path)
  if (Array.isArray(before) && Array.isArray(after)) return inLists(before, after, path)
  if (same(before, after)) return []
  return [{ path, ...side('before', before), ...side('after', after) }]
}

/** True when both are the same data, whatever the order of their members. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => same(item, b[index]))
  if (!isMap(a) || !isMap(b)) return false
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  return names.every(name => same(a[name], b[name]))
}

function inMaps(before: Map, after: Map, path: string): FieldChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return names.flatMap(name => differences(before[name], after[name], path === '' ? name : joined(path, name)))
}

/** Names that are no words of Kubernetes stand in brackets, as its messages have them. */
const joined = (path: string, name: string): string =>
  /^[A-Za-z][A-Za-z0-9]*$/.test(name) ? `${path}.${name}` : `${path}[${name}]`

function inLists(before: unknown[], after: unknown[], path: string): FieldChange[] {
  const key = KEYS.find(name => [before, after].every(list => areKeyed(list, name)))
  if (key === undefined || before.length + after.length === 0) {
    const length = Math.max(before.length, after.length)
    // Words of a command line are read as a whole.
    if ([...before, ...after].every(item => typeof item === 'string'))
      return same(before, after) ? [] : [{ path, ...side('before', before), ...side('after', after) }]
    return Array.from({ length }, (_, index) => differences(before[index], after[index], `${path}[${index}]`)).flat()
  }
  const [old, next] = [before, after].map(list => new Map((list as Map[]).map(item => [String(item[key]), item])))
  const changes = [...new Set([...(old?.keys() ?? []), ...(next?.keys() ?? [])])].flatMap(name =>
    differences(old?.get(name), next?.get(name), `${path}[${name}]`),
  )
  const order = (list: unknown[]): string[] => (list as Map[]).map(item => String(item[key]))
  if (changes.length > 0 || same(order(before), order(after))) return changes
  return [{ path, before: `order ${order(before).join(', ')}`, after: `order ${order(after).join(', ')}` }]
}

/** Every item is a map with a text or a number of its own there. */
function areKeyed(list: readonly unknown[], key: string): boolean {
  const values = list.map(item => (isMap(item) ? item[key] : undefined))
  return (
    values.every(value => typeof value === 'string' || typeof value === 'number') &&
    new Set(values).size === values.length
  )
}

function side(name: 'before' | 'after', value: unknown): Partial<FieldChange> {
  return value === undefined ? {} : { [name]: shown(value) }
}

/** A value on one line. */
export function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const line = /[\n\r\t]/.test(text) ? JSON.stringify(text) : text
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line
}
