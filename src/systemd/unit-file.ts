/**
 * The syntax of unit files, as systemd.syntax(7) has it: sections, assignments, comments, lines that go on after a
 * backslash, quoting, specifiers. Read for options beside a manifest and for Quadlet's files, written for drop-ins. Pure.
 */

export type Assignment = { key: string; value: string; line: number; column: number }
export type Section = { name: string; line: number; assignments: Assignment[] }

/** Something wrong, at a place; lines and columns count from 1. */
export type UnitFileIssue = { file: string; line: number; column: number; message: string; remedy?: string }

export type UnitFile = { sections: Section[]; issues: UnitFileIssue[] }

/** Systemd's limit for a line, here for a whole file. */
const MAX_CHARACTERS = 1024 * 1024

/** Reads a unit file. What cannot be read is an issue, and the rest is read nevertheless. */
export function readUnitFile(text: string, file: string): UnitFile {
  const sections: Section[] = []
  const issues: UnitFileIssue[] = []
  const refuse = (line: number, column: number, message: string, remedy?: string): void => {
    issues.push({ file, line, column, message, ...(remedy !== undefined && { remedy }) })
  }
  if (text.length > MAX_CHARACTERS) {
    refuse(1, 1, `the file is larger than ${MAX_CHARACTERS / 1024} KiB`)
    return { sections, issues }
  }
  for (const { line, indent, text: content } of logicalLines(text)) {
    if (/[\0]/.test(content)) {
      refuse(line, content.indexOf('\0') + 1, 'the line holds a NUL')
    } else if (content.startsWith('[')) {
      const name = /^\[([^[\]]+)\]$/.exec(content)?.[1]
      if (name === undefined) refuse(line, indent + 1, `"${clipped(content)}" is no section`, 'write [NAME]')
      else sections.push({ name, line, assignments: [] })
    } else {
      const [, key = '', gap = '', value = ''] = /^([^=]*?)\s*=(\s*)(.*)$/s.exec(content) ?? []
      const section = sections.at(-1)
      if (key === '') refuse(line, indent + 1, `"${clipped(content)}" is no assignment`, 'write KEY=VALUE')
      else if (section === undefined) refuse(line, indent + 1, `${key}= stands before the first section`)
      else {
        const column = indent + content.indexOf('=') + gap.length + 2
        section.assignments.push({ key, value, line, column })
      }
    }
  }
  return { sections, issues }
}

type LogicalLine = { line: number; indent: number; text: string }

/** Lines with what follows a backslash at their end joined to them; comments are left out, between joined ones too. */
function logicalLines(text: string): LogicalLine[] {
  const lines: LogicalLine[] = []
  let open: LogicalLine | undefined
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    const trimmed = raw.trimStart()
    if (/^[#;]/.test(trimmed)) continue
    const current: LogicalLine = open ?? { line: index + 1, indent: raw.length - trimmed.length, text: '' }
    const goesOn = (/\\+$/.exec(trimmed)?.[0].length ?? 0) % 2 === 1
    current.text += goesOn ? `${trimmed.slice(0, -1)} ` : trimmed
    open = goesOn ? current : undefined
    if (!goesOn) lines.push(current)
  }
  if (open !== undefined) lines.push(open)
  return lines.map(line => ({ ...line, text: line.text.trim() })).filter(line => line.text !== '')
}

const clipped = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text)

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  s: ' ',
  t: '\t',
  v: '\v',
}
const NUMERIC = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/

/** The words of a value, with quotes and escapes taken away; a string that says what is wrong instead. */
export function wordsOf(value: string): string[] | string {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < value.length; at++) {
    const character = value[at] ?? ''
    if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (character === quote) {
      quote = ''
    } else if (quote === '' && /["']/.test(character)) {
      quote = character
      word ??= ''
    } else if (character === '\\') {
      const found = escapeAt(value.slice(at + 1))
      if (found === undefined) return `"\\${value.slice(at + 1, at + 2)}" is no escape`
      word = (word ?? '') + found.text
      at += found.length
    } else {
      word = (word ?? '') + character
    }
  }
  if (quote !== '') return `the quote ${quote} is not closed`
  return word === undefined ? words : [...words, word]
}

function escapeAt(rest: string): { text: string; length: number } | undefined {
  const [first = ''] = rest
  if (/["'\\]/.test(first)) return { text: first, length: 1 }
  const known = ESCAPES[first]
  if (known !== undefined) return { text: known, length: 1 }
  const [whole, byte, short, long, octal] = NUMERIC.exec(rest) ?? []
  if (whole === undefined) return undefined
  const code = octal === undefined ? Number.parseInt(byte ?? short ?? long ?? '', 16) : Number.parseInt(octal, 8)
  // Half of a pair is no character, and NUL ends a string.
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined
  return { text: String.fromCodePoint(code), length: whole.length }
}

/** One word, quoted where a value of several words has to keep it together; `wordsOf` reads it back. */
export function quotedWord(word: string): string {
  if (word !== '' && !/[\s"'\\\p{C}]/u.test(word)) return word
  const escaped = word.replace(/["\\\p{C}]/gu, character => {
    if (/["\\]/.test(character)) return `\\${character}`
    const code = character.codePointAt(0) ?? 0
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`
    return `\\U${code.toString(16).padStart(8, '0')}`
  })
  return `"${escaped}"`
}

/** The value with `%%` as `%`, and the other specifiers in it, which nobody expands here. */
export function withoutSpecifiers(value: string): { text: string; specifiers: string[] } {
  const specifiers: string[] = []
  const text = value.replace(/%(.?)/gsu, (whole, letter: string) => {
    if (letter === '%') return '%'
    specifiers.push(whole)
    return whole
  })
  return { text, specifiers }
}

/** 1, yes, true, on and their opposites, in any case; undefined for anything else. */
export function booleanValue(value: string): boolean | undefined {
  if (/^(1|yes|y|true|t|on)$/i.test(value)) return true
  if (/^(0|no|n|false|f|off)$/i.test(value)) return false
  return undefined
}

/** All issues as lines for people: `FILE:LINE:COLUMN message`, each with its remedy below. */
export const unitFileIssueText = (issues: readonly UnitFileIssue[]): string =>
  issues
    .flatMap(({ file, line, column, message, remedy }) => [
      `${file}:${line}:${column} ${message}`,
      ...(remedy === undefined ? [] : [`  ${remedy}`]),
    ])
    .join('\n')
