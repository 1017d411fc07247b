/**
 * Variables of a host in manifests, put in as text before anything is read of them. Pure.
 *
 * `${` before a letter or a `_` is a variable: `${NAME}`, or `${NAME:-default}` for one that is missing or empty. With
 * another `$` before it (`$${`) it is itself. Everything else that has a `$` in it belongs to somebody else: `$(NAME)`
 * to Kubernetes, `$NAME` and `${1}` to shells. What is put in is not looked at again.
 */
import { TspodError } from '../errors.ts'
import type { SourceText } from './index.ts'
import { requoted } from './remade.ts'

export type Variables = ReadonlyMap<string, string>

/** A place of a line, in columns from 1, in which something was put: before and after that. */
export type Piece = {
  name: string
  line: number
  before: { column: number; width: number }
  after: { column: number; width: number }
}

/** A file with the values in it; values have no line breaks, so its lines are those of `original`. */
export type Filled = SourceText & { original: string; pieces: readonly Piece[] }

type Complaint = { file: string; line: number; column: number; code: 'NOT_FOUND' | 'NOT_SUPPORTED'; message: string }

/** Kinds of `${`: escaped, whole, with a default, or none of these. */
const VARIABLE = /(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(\})|:-([^}]*)\})?/g
const LINE_BREAK = /(\r\n|\r|\n)/
const MAX_TOLD = 500

/**
 * Puts `variables` into the files. Throws MANIFEST_INVALID with every place of a variable that neither they nor a
 * default has; `where` is what messages call the file that they are from. No message has a value in it.
 * @param remade names of files that a tool has written anew, see `requoted`.
 */
export function fillIn(
  files: readonly SourceText[],
  variables: Variables,
  where: string,
  remade: readonly string[] = [],
): Filled[] {
  const complaints: Complaint[] = []
  const filled = files.map(file =>
    fillFile(file, { variables, where, isRemade: remade.includes(file.file) }, complaints),
  )
  if (complaints.length === 0) return filled
  const named = [...new Set(complaints.map(({ file }) => file))]
  const count = complaints.length
  const message = `${count} ${count === 1 ? 'error' : 'errors'} in ${named.length > 1 ? `${named.length} files` : named[0]}`
  throw new TspodError('MANIFEST_INVALID', message, {
    remedy: `give each variable a value in ${where}, or a default: \${NAME:-default}; nothing was changed`,
    details: complaints
      .slice(0, MAX_TOLD)
      .map(({ file, line, column, code, message: what }) => `${file}:${line}:${column} error ${code}\n   ${what}`)
      .join('\n\n'),
  })
}

type How = { variables: Variables; where: string; isRemade: boolean }

function fillFile(source: SourceText, { variables, where, isRemade }: How, complaints: Complaint[]): Filled {
  const { file } = source
  const pieces: Piece[] = []
  if (!source.text.includes('${')) return { file, text: source.text, original: source.text, pieces }
  const { text, write } = isRemade ? requoted(file, source.text) : { text: source.text, write: asItIs }
  // Every other part is what ends a line.
  const parts = text.split(LINE_BREAK)
  const comments = commentsAmong(parts.filter((_, index) => index % 2 === 0))
  let begin = 0
  const filled = parts.map((part, index) => {
    const line = index / 2 + 1
    const offset = begin
    begin += part.length
    if (index % 2 === 1 || comments.has(line) || !part.includes('${')) return part
    const complain = (column: number, code: Complaint['code'], message: string): void =>
      void complaints.push({ file, line, column, code, message })
    return fillLine(part, line, {
      variables,
      where,
      pieces,
      complain,
      write: (at, value) => write(offset + at, value),
    })
  })
  return { file, text: filled.join(''), original: text, pieces }
}

const asItIs = (_offset: number, value: string): string => value

type Filling = {
  write(at: number, value: string): string
  variables: Variables
  where: string
  pieces: Piece[]
  complain(column: number, code: Complaint['code'], message: string): void
}

function fillLine(text: string, line: number, filling: Filling): string {
  const { variables, where, pieces, complain, write } = filling
  let longer = 0
  return text.replace(VARIABLE, (found, dollar: string, name: string, end?: string, standIn?: string, at?: number) => {
    const column = (at ?? 0) + 1
    const put = (value: string): string => {
      const before = { column, width: found.length }
      pieces.push({ name, line, before, after: { column: column + longer, width: value.length } })
      longer += value.length - found.length
      return value
    }
    if (dollar !== '') return put(found.slice(1))
    if (end === undefined && standIn === undefined) {
      complain(column, 'NOT_SUPPORTED', `\${${name} is to end with } or :-default}; write $\${ for what is no variable`)
      return found
    }
    if (standIn?.includes('${')) {
      complain(column, 'NOT_SUPPORTED', `the default of \${${name}} has a variable in it; defaults are plain text`)
      return found
    }
    const value = variables.get(name)
    // A default stands in the text already, as its quotes want it.
    if (standIn !== undefined && !value) return put(standIn)
    if (value !== undefined) return put(write(at ?? 0, value))
    complain(column, 'NOT_FOUND', `no variable ${name} in ${where}, and no default: \${${name}:-default}`)
    return found
  })
}

/** What begins a text of several lines, at the end of a line: `key: |`, `- >-`, `key: |2 # comment`. */
const BLOCK = /^(\s*(?:- +)*).*?(?:^|\s)[|>](?:[+-]?([1-9])[+-]?|[+-])?[ \t]*(?:[ \t]#.*)?$/

/** The numbers of the lines that are comments of YAML: one with a # in such a text is part of it. */
function commentsAmong(lines: readonly string[]): ReadonlySet<number> {
  const comments = new Set<number>()
  /** How far the line that began the text is indented, and how far the text is, once that is known. */
  let outer: number | undefined
  let inner: number | undefined
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const indent = line.length - line.trimStart().length
    if (outer !== undefined) inner ??= indent > outer ? indent : Number.POSITIVE_INFINITY
    if (inner !== undefined && indent >= inner) continue
    outer = undefined
    inner = undefined
    if (line.trimStart().startsWith('#')) {
      comments.add(index + 1)
      continue
    }
    const block = BLOCK.exec(line)
    if (block === null) continue
    outer = indent
    if (block[2] !== undefined) inner = (block[1]?.length ?? 0) + Number(block[2])
  }
  return comments
}
