/** From the text of a template to tokens, in the words of Go's text/template. */
import { type Span, TemplateMistake } from './error.ts'

export type TokenKind =
  | 'text'
  /** `{{` and `}}`: where an action begins and ends. */
  | 'open'
  | 'close'
  /** `.Name`; `value` is the name. */
  | 'field'
  /** `$name` or `$`. */
  | 'variable'
  | 'word'
  | 'string'
  | 'number'
  /** `.`, `|`, `(`, `)`, `,`, `:=` and `=`. */
  | 'sign'
  | 'end'

export type Token = Span & {
  kind: TokenKind
  value: string
  /** Set when no blank stands before it: `$x.Name` is one thing, `$x .Name` are two. */
  joined: boolean
}

/** A template longer than this is no `--format`. */
const MAX_LENGTH = 64 * 1024

/**
 * The tokens of a template; the last one is `end`. In text outside of actions `\t` and `\n` stand for tab and new line,
 * as in Podman (containers/common, report.NormalizeFormat); `{{- ` and ` -}}` take the blanks beside them away.
 * Throws TemplateMistake.
 */
export function lex(text: string): Token[] {
  if (text.length > MAX_LENGTH)
    throw new TemplateMistake({ start: MAX_LENGTH, end: MAX_LENGTH + 1 }, `longer than ${MAX_LENGTH} characters`)
  const tokens: Token[] = []
  let at = 0
  let trimNext = false
  while (at < text.length) {
    const open = text.indexOf('{{', at)
    const end = open < 0 ? text.length : open
    const trims = open >= 0 && /^\{\{-\s/.test(text.slice(open, open + 4))
    pushText(tokens, text, at, end, trimNext, trims)
    trimNext = false
    if (open < 0) break
    const inside = open + (trims ? 3 : 2)
    const comment = /^\s*\/\*/.exec(text.slice(inside))
    if (comment !== null) {
      const after = commentEnd(text, open, inside + comment[0].length)
      at = after.at
      trimNext = after.trims
      continue
    }
    tokens.push({ kind: 'open', value: '{{', start: open, end: inside, joined: false })
    const closed = lexAction(tokens, text, open, inside)
    at = closed.at
    trimNext = closed.trims
  }
  tokens.push({ kind: 'end', value: '', start: text.length, end: text.length, joined: false })
  return tokens
}

function pushText(tokens: Token[], text: string, start: number, end: number, trimLeft: boolean, trimRight: boolean) {
  let value = text.slice(start, end).replaceAll('\\t', '\t').replaceAll('\\n', '\n')
  if (trimLeft) value = value.replace(/^[ \t\r\n]+/, '')
  if (trimRight) value = value.replace(/[ \t\r\n]+$/, '')
  if (value !== '') tokens.push({ kind: 'text', value, start, end, joined: false })
}

function commentEnd(text: string, open: number, from: number): { at: number; trims: boolean } {
  const end = text.indexOf('*/', from)
  if (end < 0) throw new TemplateMistake({ start: open, end: from }, 'unclosed comment')
  const close = /^(?:(\s+-)|)\}\}/.exec(text.slice(end + 2))
  if (close === null)
    throw new TemplateMistake({ start: end, end: end + 2 }, 'comment ends before closing delimiter', 'write */}}')
  return { at: end + 2 + close[0].length, trims: close[1] !== undefined }
}

const NUMBER = /^[+-]?(0[xX][0-9a-fA-F]+|\d+(\.\d+)?([eE][+-]?\d+)?)(?![\w.])/
const FIELD = /^\.([\p{L}_][\p{L}\p{Nd}_]*)/u
const VARIABLE = /^\$([\p{L}\p{Nd}_]*)/u
const WORD = /^[\p{L}_][\p{L}\p{Nd}_]*/u

/** Reads up to the `}}` of the action that begins at `open`. */
function lexAction(tokens: Token[], text: string, open: number, from: number): { at: number; trims: boolean } {
  let at = from
  for (;;) {
    const blank = /^\s*/.exec(text.slice(at))?.[0].length ?? 0
    const close = /^(?:(\s+-)|\s*)\}\}/.exec(text.slice(at))
    if (close !== null) {
      const end = at + close[0].length
      tokens.push({ kind: 'close', value: '}}', start: end - 2, end, joined: false })
      return { at: end, trims: close[1] !== undefined }
    }
    at += blank
    const token = nextToken(text, at, open)
    tokens.push({ ...token, joined: blank === 0 && at !== from })
    at = token.end
  }
}

function nextToken(text: string, at: number, open: number): Token {
  const rest = text.slice(at)
  const make = (kind: TokenKind, source: string, value: string): Token => ({
    kind,
    value,
    start: at,
    end: at + source.length,
    joined: false,
  })
  const first = rest[0]
  if (first === undefined || rest.startsWith('{{'))
    throw new TemplateMistake({ start: open, end: open + 2 }, 'unclosed action', 'end it with }}')
  const number = NUMBER.exec(rest)
  if (number !== null) return make('number', number[0], number[0])
  const field = FIELD.exec(rest)
  if (field !== null) return make('field', field[0], field[1] ?? '')
  const variable = VARIABLE.exec(rest)
  if (variable !== null) return make('variable', variable[0], variable[1] ?? '')
  const word = WORD.exec(rest)
  if (word !== null) return make('word', word[0], word[0])
  if (first === '"') return quoted(text, at)
  if (first === '`') {
    const end = text.indexOf('`', at + 1)
    if (end < 0) throw new TemplateMistake({ start: at, end: at + 1 }, 'unterminated raw quoted string')
    return make('string', text.slice(at, end + 1), text.slice(at + 1, end))
  }
  const sign = /^(:=|[.|(),=])/.exec(rest)
  if (sign !== null) return make('sign', sign[0], sign[0])
  if (first === "'")
    throw new TemplateMistake({ start: at, end: at + 1 }, 'character constants are not supported', 'use "…"')
  throw new TemplateMistake({ start: at, end: at + 1 }, `unexpected ${JSON.stringify(first)}`)
}

const ESCAPES: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '"': '"',
  '\\': '\\',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
}

/** A string in double quotes with the escapes of Go. */
function quoted(text: string, start: number): Token {
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    const letter = text[at]
    if (letter === '"') return { kind: 'string', value, start, end: at + 1, joined: false }
    if (letter === '\n') break
    if (letter !== '\\') {
      value += letter
      continue
    }
    const code = /^(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})/.exec(text.slice(at + 1))?.[0]
    const escaped = code === undefined ? ESCAPES[text[at + 1] ?? ''] : undefined
    if (code !== undefined) value += String.fromCharCode(Number.parseInt(code.slice(1), 16))
    else if (escaped !== undefined) value += escaped
    else throw new TemplateMistake({ start: at, end: at + 2 }, 'unknown escape sequence')
    at += code?.length ?? 1
  }
  throw new TemplateMistake({ start, end: start + 1 }, 'unterminated quoted string')
}
