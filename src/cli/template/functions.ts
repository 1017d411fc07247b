/** The functions of templates: Go's own and those that Podman adds (containers/common, report.DefaultFuncs). */
import { sprintf, unknownVerbs, VERBS } from './printf.ts'
import { isList, isMap, isTrue, kindOf, plain, print, type Value } from './value.ts'

/** Thrown by a function that cannot work with what it is given; the evaluator adds the place. */
export class FunctionMistake extends Error {}

export type Fn = { least: number; most: number; call: (args: readonly Value[]) => Value }

const MANY = Number.POSITIVE_INFINITY
/** Nobody's column is wider. */
const MAX_PADDING = 10_000

const fn = (least: number, most: number, call: Fn['call']): Fn => ({ least, most, call })

/** `and` and `or` are here for their names; the evaluator calls them, because they stop at the first that decides. */
export const FUNCTIONS: { readonly [name: string]: Fn } = {
  and: fn(1, MANY, args => args.find(value => !isTrue(value)) ?? args.at(-1)),
  or: fn(1, MANY, args => args.find(isTrue) ?? args.at(-1)),
  not: fn(1, 1, ([value]) => !isTrue(value)),
  eq: fn(2, MANY, ([first, ...rest]) => rest.some(value => equal(first, value))),
  ne: fn(2, 2, ([a, b]) => !equal(a, b)),
  lt: fn(2, 2, ([a, b]) => compare(a, b) < 0),
  le: fn(2, 2, ([a, b]) => compare(a, b) <= 0),
  gt: fn(2, 2, ([a, b]) => compare(a, b) > 0),
  ge: fn(2, 2, ([a, b]) => compare(a, b) >= 0),
  index: fn(1, MANY, ([value, ...keys]) => keys.reduce(indexOne, value)),
  slice: fn(1, 3, ([value, ...bounds]) => slice(value, bounds)),
  len: fn(1, 1, ([value]) => length(value)),
  print: fn(0, MANY, args => printArgs(args)),
  println: fn(0, MANY, args => `${args.map(value => print(value ?? null)).join(' ')}\n`),
  printf: fn(1, MANY, ([format, ...args]) => printf(text(format), args)),
  json: fn(1, 1, ([value]) => json(value)),
  join: fn(2, 2, ([list, separator]) => strings(list).join(text(separator))),
  split: fn(2, 2, ([value, separator]) => text(value).split(text(separator))),
  lower: fn(1, 1, ([value]) => text(value).toLowerCase()),
  upper: fn(1, 1, ([value]) => text(value).toUpperCase()),
  title: fn(1, 1, ([value]) => text(value).replace(/(?<![\p{L}\p{Nd}_'])\p{L}/gu, letter => letter.toUpperCase())),
  truncate: fn(2, 2, ([value, most]) => text(value).slice(0, count(most))),
  pad: fn(3, 3, ([value, before, after]) => pad(text(value), count(before), count(after))),
}

/** Functions that Go's templates have and these have not. */
export const GO_FUNCTIONS: readonly string[] = ['call', 'html', 'js', 'urlquery']

function text(value: Value): string {
  if (typeof value === 'string') return value
  throw new FunctionMistake(`wrong type for value; expected string; got ${kindOf(value)}`)
}

function count(value: Value): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_PADDING) return value
  throw new FunctionMistake(`wrong type for value; expected int between 0 and ${MAX_PADDING}; got ${print(value)}`)
}

function strings(value: Value): string[] {
  if (isList(value)) return value.map(text)
  if (value === null || value === undefined) return []
  throw new FunctionMistake(`wrong type for value; expected []string; got ${kindOf(value)}`)
}

const pad = (value: string, before: number, after: number): string =>
  value === '' ? '' : ' '.repeat(before) + value + ' '.repeat(after)

function printf(format: string, args: readonly Value[]): string {
  const [unknown] = unknownVerbs(format)
  if (unknown !== undefined && unknown !== '' && unknown !== '!')
    throw new FunctionMistake(`%${unknown} is not supported; the verbs are ${VERBS.map(verb => `%${verb}`).join(' ')}`)
  return sprintf(format, args)
}

/** As Go writes JSON: the two line ends that JavaScript once took for its own are escaped. */
const json = (value: Value): string =>
  JSON.stringify(plain(value ?? null)).replace(/[\u2028\u2029]/g, end => `\\u${end.charCodeAt(0).toString(16)}`)

/** Blanks come only between operands of which neither is a string, as with fmt.Sprint. */
function printArgs(args: readonly Value[]): string {
  return args.reduce<string>((line, value, at) => {
    const gap = at > 0 && typeof value !== 'string' && typeof args[at - 1] !== 'string' ? ' ' : ''
    return line + gap + print(value ?? null)
  }, '')
}

function length(value: Value): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (isList(value)) return value.length
  if (isMap(value)) return value.size
  throw new FunctionMistake(
    value === null || value === undefined ? 'len of nil pointer' : `len of type ${kindOf(value)}`,
  )
}

function indexOne(value: Value, key: Value): Value {
  if (value === null || value === undefined) throw new FunctionMistake('index of untyped nil')
  if (isMap(value)) {
    if (typeof key !== 'string') throw new FunctionMistake(`value has type ${kindOf(key)}; should be string`)
    return value.has(key) ? value.get(key) : zeroOf(value)
  }
  if (!isList(value) && typeof value !== 'string')
    throw new FunctionMistake(`can't index item of type ${kindOf(value)}`)
  if (typeof key !== 'number' || !Number.isInteger(key))
    throw new FunctionMistake(`cannot index slice/array with type ${kindOf(key)}`)
  if (key < 0 || key >= value.length) throw new FunctionMistake(`index out of range: ${key}`)
  return typeof value === 'string' ? value.charCodeAt(key) : value[key]
}

/** What a map gives for a key it has not: the zero value of its elements. */
function zeroOf(map: ReadonlyMap<string, Value>): Value {
  const [some] = map.values()
  if (some === undefined || typeof some === 'string') return ''
  if (typeof some === 'number') return 0
  return isList(some) ? [] : null
}

function slice(value: Value, bounds: readonly Value[]): Value {
  if (typeof value !== 'string' && !isList(value))
    throw new FunctionMistake(`can't slice item of type ${kindOf(value)}`)
  const [from = 0, to = value.length] = bounds.map(count)
  if (to > value.length || from > to) throw new FunctionMistake(`index out of range: ${Math.max(from, to)}`)
  return value.slice(from, to)
}

function equal(a: Value, b: Value): boolean {
  const empty = (value: Value): boolean => value === null || value === undefined
  if (empty(a) || empty(b)) return empty(a) && empty(b)
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime()
  basics(a, b)
  return a === b
}

function compare(a: Value, b: Value): number {
  basics(a, b)
  if (typeof a === 'boolean') throw new FunctionMistake('invalid type for comparison')
  const [left, right] = [a as string | number, b as string | number]
  return left < right ? -1 : left > right ? 1 : 0
}

function basics(a: Value, b: Value): void {
  const basic = (value: Value): boolean => ['string', 'number', 'boolean'].includes(typeof value)
  if (!basic(a) || !basic(b)) throw new FunctionMistake('non-comparable type: only strings, numbers and booleans are')
  if (typeof a !== typeof b) throw new FunctionMistake('incompatible types for comparison')
}
