/**
 * What is wrong with manifests that values were put into, told about them as they are in the source: places and lines
 * are those with the variables, and no value is shown, since it may be a secret. Pure.
 */
import type { Filled, Piece, Variables } from './variables.ts'
import { printable } from './yaml/index.ts'

/** What a complaint begins with, as `renderIssues` writes it. */
const HEAD = /^(.*):(\d+):(\d+)( error [A-Z_]+)(.*)$/
/** A line of the manifest in a complaint. */
const QUOTED = /^ *\d+ \| (.*)$/
const MAX_LINE = 160
/** Shorter values are everywhere: they are looked for only where they were put. */
const TELLING_LENGTH = 4

/** The complaints of `renderIssues` about the files as they were filled. */
export function unfilled(details: string, files: readonly Filled[], variables: Variables): string {
  const byName = new Map(files.map(file => [printable(file.file), file]))
  return details
    .split('\n\n')
    .map(complaint => told(complaint.split('\n'), byName, variables))
    .join('\n\n')
}

function told(lines: readonly string[], files: ReadonlyMap<string, Filled>, variables: Variables): string {
  const [head = '', ...rest] = lines
  const [, name = '', line = '', column = '', code = '', path = ''] = HEAD.exec(head) ?? []
  const file = files.get(name)
  if (file === undefined) return lines.join('\n')
  const number = Number(line)
  const pieces = file.pieces.filter(piece => piece.line === number)
  const hide = (text: string): string => withoutValues(text, variables, new Set(pieces.map(piece => piece.name)))
  const say = hide(rest.at(-1) ?? '')
  const at = columnBefore(Number(column), pieces)
  const first = `${name}:${line}:${at}${code}${hide(path)}`
  const quoted = rest.length > 1 && QUOTED.test(rest[0] ?? '') ? rest.slice(0, -1) : []
  // A line that nothing was put into is what it was; one of a Secret stays hidden, and has no caret below it.
  if (pieces.length === 0 || quoted.length < 2) return [first, ...quoted, say].join('\n')
  const before = file.original.split(/\r\n|\r|\n/)[number - 1] ?? ''
  const from = at > MAX_LINE - 20 ? at - 40 : 0
  const margin = line.padStart(5)
  return [
    first,
    `${margin} | ${printable(before.slice(from, from + MAX_LINE))}`,
    `${' '.repeat(margin.length)} | ${' '.repeat(Math.max(0, at - 1 - from))}^`,
    say,
  ].join('\n')
}

/** Where a place of a line was before; all of a value was where its variable is. */
function columnBefore(column: number, pieces: readonly Piece[]): number {
  let moved = 0
  for (const { before, after } of pieces) {
    if (column < after.column) break
    if (column < after.column + after.width) return before.column
    moved = before.column + before.width - (after.column + after.width)
  }
  return column + moved
}

/** The text with each value replaced by its variable: those of `near` in any length, others where they tell something. */
function withoutValues(text: string, variables: Variables, near: ReadonlySet<string>): string {
  const telling = [...variables].filter(([name, value]) => value.length >= (near.has(name) ? 1 : TELLING_LENGTH))
  if (telling.length === 0) return text
  const forms = new Map(telling.flatMap(([name, value]) => formsOf(value).map(form => [form, `\${${name}}`])))
  const longestFirst = [...forms.keys()].sort((a, b) => b.length - a.length)
  const whole = text.replace(new RegExp(longestFirst.map(literal).join('|'), 'g'), form => forms.get(form) ?? '')
  return telling.reduce((shown, [name, value]) => withoutBeginning(shown, value, `\${${name}}`), whole)
}

/** A text as a pattern that fits it alone. */
const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/** As it is, and as messages have it. */
const formsOf = (value: string): string[] => [value, printable(value), JSON.stringify(value).slice(1, -1)]

/** `quote` cuts long texts: what is left of a value at the end of one. */
function withoutBeginning(text: string, value: string, variable: string): string {
  const [, escaped = ''] = formsOf(value).slice(1)
  return text.replace(/(.*?)\.\.\."/g, (cut, shown: string) => {
    for (let length = Math.min(escaped.length, shown.length); length >= TELLING_LENGTH; length--)
      if (shown.endsWith(escaped.slice(0, length))) return `${shown.slice(0, -length)}${variable}..."`
    return cut
  })
}
