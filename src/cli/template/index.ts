/** `--format`: a subset of Go's text/template, as Podman's commands take it. Pure. */
import { placed } from './error.ts'
import { evaluate } from './evaluate.ts'
import { parse } from './parse.ts'
import { plain, type Struct, type Value } from './value.ts'

export { humanDuration, rfc3339, ZERO_TIME } from './time.ts'
export { goTime, type Struct, type Value } from './value.ts'

const TABLE = /^table\s+/

/** True for what asks for JSON: `json`, `{{json .}}` (containers/common, report.IsJSON). */
export const wantsJson = (format: string): boolean => /^\s*(json|\{\{\s*json\s*\.?\s*\}\})\s*$/.test(format)

/** One JSON document as Podman's: maps sorted, times as RFC 3339, an indent of two blanks and a line end. */
export const toJson = (value: unknown): string => `${JSON.stringify(plain(value), null, 2)}\n`

/** The same on one line. */
export const toJsonLine = (value: unknown): string => `${JSON.stringify(plain(value))}\n`

export type ListFormat = {
  /** What messages call the type of a row. */
  typeName: string
  /** The titles of columns by field, for `table …`; a field that is not here has no title. */
  titles: Readonly<Record<string, string>>
  heading: boolean
}

/**
 * The rows in a user's format: one line each, or what the template makes of the whole list when it goes through it by
 * itself (`{{range .}}`). `table …` puts tabs where blanks are, columns under titles, unless `heading` is false.
 * Throws USAGE with the place of what is wrong.
 */
export function formatList(format: string, rows: readonly Struct[], how: ListFormat): string {
  const { text, isTable } = prepared(format)
  return placed(text, () => {
    const nodes = parse(text)
    const fill = (list: readonly Value[]): string =>
      (RANGES_OVER_ALL.test(text) ? [list] : list).map(one => evaluate(nodes, one, how.typeName)).join('')
    if (!isTable) return fill(rows)
    const titles = new Map<string, Value>(Object.entries(how.titles))
    return columns((how.heading ? fill([titles]) : '') + fill(rows))
  })
}

/** What the template makes of each of the values. Throws USAGE with the place of what is wrong. */
export function formatEach(format: string, values: readonly Struct[], typeName: (value: Struct) => string): string {
  const { text, isTable } = prepared(format)
  return placed(text, () => {
    const nodes = parse(text)
    const lines = values.map(value => evaluate(nodes, value, typeName(value))).join('')
    return isTable ? columns(lines) : lines
  })
}

const RANGES_OVER_ALL = /^\s*\{\{-?\s*range\s+(\$\w+\s*(,\s*\$\w+\s*)?:=\s*)?\.\s*-?\}\}/

/** Without the word `table`, with tabs for blanks outside of actions then; each thing ends its line. */
function prepared(format: string): { text: string; isTable: boolean } {
  const isTable = TABLE.test(format)
  const text = isTable
    ? format.replace(TABLE, '').replace(/\{\{.*?\}\}|[ ]+/gs, part => (part.startsWith('{{') ? part : '\t'))
    : format
  return { text: /(\n|\\n)$/.test(text) ? text : `${text}\n`, isTable }
}

const CELL = 12
const GAP = 2

/** Aligns what tabs separate: each column at least 12 wide, two blanks between (as Podman's tabwriter). */
function columns(text: string): string {
  const lines = text
    .replace(/\n$/, '')
    .split('\n')
    .map(one => one.split('\t'))
  const widths: number[] = []
  for (const cells of lines) {
    // The last cell of a line belongs to no column.
    cells.slice(0, -1).forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? CELL, [...cell].length + GAP)
    })
  }
  const shown = lines.map(cells =>
    cells.map((cell, at) => (at < cells.length - 1 ? cell.padEnd(widths[at] ?? 0) : cell)).join(''),
  )
  return text === '' ? '' : `${shown.join('\n')}\n`
}
