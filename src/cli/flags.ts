/**
 * Flags as data: one table per verb says what a flag is called, takes and means. Parsing, `--help` and every
 * complaint come from that table. The words of the complaints are those of cobra, which Podman users know.
 */
import { parseArgs } from 'node:util'
import { closest, either } from '../words.ts'

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

/** One that Podman has and tspod has not: understood so far that the answer can say why. Made by `refusedFlags`. */
type RefusedFlag = FlagBase & { kind: 'refused'; value?: string }

export type Flag = RefusedFlag | SwitchFlag | TristateFlag | TextFlag | NumberFlag | ChoiceFlag | ListFlag
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
  let grouped = -1
  for (const token of tokens) {
    if (token.index === grouped) continue
    const group = token.kind === 'option' ? switchGroup(table, args[token.index] ?? '') : undefined
    if (group !== undefined) {
      for (const one of group) applyOption(table, values, problems, one)
      grouped = token.index
    } else if (token.kind === 'positional') {
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

/**
 * `-qa=false`: letters of switches, the last one with a value. Node would take every character for a letter, all of
 * them with the same index. Undefined for any other word.
 */
function switchGroup(table: FlagTable, word: string): OptionToken[] | undefined {
  const [, letters = '', value] = /^-([A-Za-z]+)=(.*)$/s.exec(word) ?? []
  if (value === undefined) return undefined
  const flags = [...letters].map(letter => Object.entries(table).find(([, { short }]) => short === letter))
  if (flags.some(entry => entry !== undefined && takesValue(entry[1]))) return undefined
  return [...letters].map((letter, index) => {
    const last = index === letters.length - 1
    return { rawName: `-${letter}`, name: flags[index]?.[0] ?? letter, value: last ? value : undefined, inline: last }
  })
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
export const takesValue = (flag: Flag): boolean =>
  flag.kind === 'refused' ? flag.value !== undefined : flag.kind !== 'switch' && flag.kind !== 'tristate'

/**
 * Flags of Podman's that a verb refuses, by reason: `{ 'the manifest says it': 'dns= p|publish= infra' }`. One that
 * ends with `=` takes a value, so that its value is not taken for a name.
 */
export type Refusals = Readonly<Record<string, string>>

/** The same as a table for the parser; what is refused never shows in `--help`. */
export function refusedFlags(refusals: Refusals): FlagTable {
  const rows = Object.entries(refusals).flatMap(([why, words]) =>
    words.split(' ').map((word): [string, Flag] => {
      const [, short, name = '', value] = /^(?:(\w)\|)?([^=]+)(=?)$/.exec(word) ?? []
      const base = { kind: 'refused', help: why, hidden: true } as const
      return [name, { ...base, ...(short && { short }), ...(value && { value }) }]
    }),
  )
  return Object.fromEntries(rows)
}

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
  if (flag.kind === 'refused') {
    problems.push({ message: `--${token.name} is not supported`, remedy: flag.help })
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
      else refuse(`want ${either(flag.choices)}`)
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
