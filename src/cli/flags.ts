/**
 * Flags as data: one table per verb says what a flag is called, takes and means. Parsing, `--help` and every
 * complaint come from that table. The words of the complaints are those of cobra, which Podman users know.
 */
import { parseArgs } from 'node:util'

type FlagBase = {
  /** One letter. */
  short?: string
  /** What it does, for `--help`: a phrase without a full stop. */
  help: string
  /** Understood, but not shown: old spellings and flags without an effect. */
  hidden?: true
}

export type SwitchFlag = FlagBase & { kind: 'switch'; initial: boolean }
/** A switch that knows when nobody set it. */
export type TristateFlag = FlagBase & { kind: 'tristate' }
export type TextFlag = FlagBase & { kind: 'text'; value: string }
export type NumberFlag = FlagBase & { kind: 'number'; value: string; minimum: number }
export type ChoiceFlag = FlagBase & { kind: 'choice'; choices: readonly string[] }
/** May be given several times; a comma separates values only where `comma` says so. */
export type ListFlag = FlagBase & {
  kind: 'list'
  value: string
  comma?: true
  /** At the end of a line its letter may stand alone: nothing is added then. */
  mayEndLine?: true
}

export type Flag = SwitchFlag | TristateFlag | TextFlag | NumberFlag | ChoiceFlag | ListFlag
export type FlagTable = { readonly [name: string]: Flag }

type ValueOf<F extends Flag> = F extends SwitchFlag
  ? boolean
  : F extends TristateFlag
    ? boolean | undefined
    : F extends NumberFlag
      ? number | undefined
      : F extends ChoiceFlag
        ? F['choices'][number] | undefined
        : F extends ListFlag
          ? string[]
          : string | undefined

export type FlagValues<F extends FlagTable> = { -readonly [Name in keyof F]: ValueOf<F[Name]> }

/** One thing wrong with a command line. */
export type Problem = { message: string; remedy?: string }

export type Parsed<F extends FlagTable> = {
  values: FlagValues<F>
  operands: string[]
  problems: Problem[]
}

type OptionToken = { rawName: string; name: string; value: string | undefined; inline: boolean }

/**
 * Reads `args` by the table and reports everything wrong at once in `problems`.
 * With `stopAtOperand` the first word that is no flag ends the flags: everything from there on is an operand,
 * because it belongs to another command (`exec`).
 */
export function parseFlags<F extends FlagTable>(
  table: F,
  args: readonly string[],
  how: { stopAtOperand?: boolean } = {},
): Parsed<F> {
  const { tokens } = parseArgs({
    args: [...args],
    options: nodeOptions(table),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values: Record<string, unknown> = initialValues(table)
  const problems: Problem[] = []
  const operands: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (how.stopAtOperand) {
        operands.push(...args.slice(token.index))
        break
      }
      operands.push(token.value)
    } else if (token.kind === 'option') {
      const { rawName, name, value, inlineValue } = token
      applyOption(table, values, problems, { rawName, name, value, inline: inlineValue === true })
    }
  }
  return { values: values as FlagValues<F>, operands, problems }
}

function nodeOptions(table: FlagTable): Record<string, { type: 'string' | 'boolean'; short?: string }> {
  return Object.fromEntries(
    Object.entries(table).map(([name, flag]) => [
      name,
      { type: takesValue(flag) ? 'string' : 'boolean', ...(flag.short === undefined ? {} : { short: flag.short }) },
    ]),
  )
}

/** True when the flag needs a word of its own after it. */
export const takesValue = (flag: Flag): boolean => flag.kind !== 'switch' && flag.kind !== 'tristate'

function initialValues(table: FlagTable): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(table).map(([name, flag]) => [
      name,
      flag.kind === 'switch' ? flag.initial : flag.kind === 'list' ? [] : undefined,
    ]),
  )
}

function applyOption(table: FlagTable, values: Record<string, unknown>, problems: Problem[], token: OptionToken): void {
  const flag = Object.hasOwn(table, token.name) ? table[token.name] : undefined
  if (flag === undefined) {
    problems.push(unknownFlag(table, token))
    return
  }
  const short = !token.rawName.startsWith('--')
  const text = short && token.inline ? token.value?.replace(/^=/, '') : token.value
  if (text === undefined && takesValue(flag)) {
    if (short && flag.kind === 'list' && flag.mayEndLine) return
    const which = short ? `'${flag.short}' in -${flag.short}` : `--${token.name}`
    problems.push({ message: `flag needs an argument: ${which}` })
    return
  }
  const refuse = (want: string): void => {
    problems.push({ message: `invalid argument "${text}" for "${flagNames(token.name, flag)}" flag: ${want}` })
  }
  switch (flag.kind) {
    case 'switch':
    case 'tristate': {
      const on = text === undefined ? true : booleanOf(text)
      if (on === undefined) refuse('want true or false')
      else values[token.name] = on
      return
    }
    case 'number': {
      const number = /^-?[0-9]{1,15}$/.test(text ?? '') ? Number(text) : undefined
      if (number === undefined || number < flag.minimum) refuse(`want a whole number, ${flag.minimum} or more`)
      else values[token.name] = number
      return
    }
    case 'choice':
      if (flag.choices.includes(text ?? '')) values[token.name] = text
      else refuse(`want ${alternatives(flag.choices)}`)
      return
    case 'list': {
      const list = values[token.name] as string[]
      list.push(...(flag.comma ? (text ?? '').split(',') : [text ?? '']))
      return
    }
    case 'text':
      values[token.name] = text
  }
}

/** The spellings of a boolean that Go's flag packages take, so that scripts written for Podman go on working. */
function booleanOf(text: string): boolean | undefined {
  if (/^(1|t|T|true|True|TRUE)$/.test(text)) return true
  if (/^(0|f|F|false|False|FALSE)$/.test(text)) return false
  return undefined
}

/** `-a, --all` or `--all`. */
export const flagNames = (name: string, flag: Flag): string =>
  flag.short === undefined ? `--${name}` : `-${flag.short}, --${name}`

function unknownFlag(table: FlagTable, token: OptionToken): Problem {
  if (!token.rawName.startsWith('--')) return { message: `unknown shorthand flag: '${token.name}'` }
  const visible = Object.keys(table).filter(name => !table[name]?.hidden)
  const close = closest(token.name, visible)
  const problem = { message: `unknown flag: --${token.name}` }
  return close === undefined ? problem : { ...problem, remedy: `did you mean --${close}?` }
}

/** "a", "a or b", "a, b or c". */
export function alternatives(words: readonly string[]): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** The candidate that `word` most likely stood for, if any is close: at most two edits, or a third of the word. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.min(2, Math.floor(word.length / 3)))
  let best: { candidate: string; edits: number } | undefined
  for (const candidate of candidates) {
    const edits = editDistance(word, candidate)
    if (edits <= limit && (best === undefined || edits < best.edits)) best = { candidate, edits }
  }
  return best?.candidate ?? candidates.find(candidate => word.length >= 3 && candidate.startsWith(word))
}

/** Edits (insert, delete, replace, swap neighbours) between two short words; long ones count as far apart. */
export function editDistance(from: string, to: string): number {
  if (from.length > 64 || to.length > 64) return Number.POSITIVE_INFINITY
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Number.POSITIVE_INFINITY
  for (let row = 1; row <= from.length; row++) {
    const line = [row]
    rows.push(line)
    for (let column = 1; column <= to.length; column++) {
      const replace = from[row - 1] === to[column - 1] ? 0 : 1
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      line.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + replace,
          swapped ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
  }
  return at(from.length, to.length)
}
