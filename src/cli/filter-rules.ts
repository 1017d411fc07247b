/** What filters of lists are made of: rules by key, and the patterns, labels and times in their values. */
import type { Problem } from './flags.ts'
import { parseSince } from './since.ts'

export type Rule<Row, Around> = {
  /** What is wrong with a value, in Podman's words; undefined when nothing is. */
  wrong?(value: string): string | undefined
  /** True for the rows that any of the values lets through. */
  passes(row: Row, values: readonly string[], around: Around): boolean
}

export type Rules<Row, Around> = { readonly [key: string]: Rule<Row, Around> }

export type Filters = ReadonlyMap<string, readonly string[]>

/** The values by key: several of one key are alternatives (but for labels), several keys must all let a row through. */
export function groupFilters(texts: readonly string[]): Filters {
  const groups = new Map<string, string[]>()
  for (const text of texts) {
    const [key = '', value = ''] = text.split(/=(.*)/s)
    groups.set(key, [...(groups.get(key) ?? []), value])
  }
  return groups
}

/** What is wrong with these filters, by the rules there are. */
export function problemsOf<Row, Around>(
  rules: Rules<Row, Around>,
  texts: readonly string[],
  malformed: (text: string) => string,
): Problem[] {
  return texts.flatMap(text => {
    const [key = '', value] = text.split(/=(.*)/s)
    if (value === undefined) return [{ message: malformed(text), remedy: 'write KEY=VALUE, for example name=web' }]
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
    if (rule === undefined)
      return [{ message: `${key} is an invalid filter`, remedy: `filters are ${Object.keys(rules).join(', ')}` }]
    const wrong = rule.wrong?.(value)
    return wrong === undefined ? [] : [{ message: wrong }]
  })
}

/** The test for rows that every key lets through. */
export function passesAll<Row, Around>(
  rules: Rules<Row, Around>,
  filters: Filters,
  around: Around,
): (row: Row) => boolean {
  return row => [...filters].every(([key, values]) => rules[key]?.passes(row, values, around) ?? false)
}

/** A pattern of a filter; `badPattern` has seen it. */
export const pattern = (text: string): RegExp => new RegExp(text, 'u')

/** What is wrong with a value that is to be a pattern. */
export function badPattern(value: string): string | undefined {
  try {
    pattern(value)
    return undefined
  } catch {
    return `invalid filter value ${JSON.stringify(value)}: no regular expression`
  }
}

/** `KEY` or `KEY=VALUE`; a key may end with `*`. */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', value = ''] = wanted.split(/=(.*)/s)
  return Object.entries(labels).some(([label, text]) => {
    const named = key.endsWith('*') ? label.startsWith(key.slice(0, -1)) : label === key
    return named && (value === '' || text === value)
  })
}

/** A time, or an age, in milliseconds since 1970. */
export const timeOf = (value: string, nowMs: number): number => parseSince(value, nowMs) ?? Number.NaN

/** What is wrong with a value that is to be a time or an age. */
export function badTime(value: string): string | undefined {
  return parseSince(value, 0) === undefined
    ? `invalid filter value ${JSON.stringify(value)}: no time and no age`
    : undefined
}
