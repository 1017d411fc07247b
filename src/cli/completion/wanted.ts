/** What may stand at a place of a command line: by the tables of commands and flags. Asks nobody, and runs nothing. */
import { COMMANDS, type Command, spellings } from '../commands.ts'
import { type Flag, type FlagTable, takesValue } from '../flags.ts'
import { GLOBAL_FLAGS } from '../verb.ts'

/** A word, and what it means for shells that show that. */
export type Candidate = { word: string; help: string }

/** What there are names of. */
export type Thing = 'apps' | 'containers' | 'images' | 'networks' | 'pods' | 'secrets' | 'sources' | 'volumes'

export type Wanted = {
  words: Candidate[]
  /** The names of these things as well. */
  things: Thing[]
  /** Paths of this host as well. */
  paths?: 'files' | 'directories'
}

const NOTHING: Wanted = { words: [], things: [] }

/** What may be typed in place of the last of `words`, which begin after the program's name. */
export async function wantedAt(words: readonly string[]): Promise<Wanted> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const { path, command, rest } = commandIn(before)
  if (command === undefined) {
    const pending = flagBefore(GLOBAL_FLAGS, rest)
    if (pending !== undefined) return valuesOf(pending)
    if (current.startsWith('-')) return flagsOf(GLOBAL_FLAGS, current)
    return path === undefined ? NOTHING : { words: nextWords(path), things: [] }
  }
  const verb = await command.load()
  const table: FlagTable = { ...GLOBAL_FLAGS, ...verb.flags }
  const pending = flagBefore(table, rest)
  if (pending !== undefined) return valuesOf(pending)
  const operands = operandsIn(table, rest)
  const isOurs = !rest.includes('--') && !(verb.stopAtOperand && operands > 0)
  if (isOurs && current.startsWith('-')) return flagsOf(table, current)
  return operandAt(command, verb.operands, operands)
}

type Found = {
  /** Words of a command so far; undefined when there is no such command. */
  path: string[] | undefined
  command?: Command
  /** What comes after them, or the flags before. */
  rest: string[]
}

/** The command that these words name, if it is a whole one already. */
function commandIn(words: readonly string[]): Found {
  const path: string[] = []
  let flags: string[] = []
  for (const [at, word] of words.entries()) {
    if (word.startsWith('-') || flagBefore(GLOBAL_FLAGS, flags) !== undefined) {
      flags.push(word)
      continue
    }
    flags = []
    path.push(word)
    const command = spellings().find(spelling => spelling.words.join(' ') === path.join(' '))?.command
    if (command !== undefined) return { path, command, rest: words.slice(at + 1) }
    if (!spellings().some(spelling => isBelow(path, spelling.words))) return { path: undefined, rest: [] }
  }
  return { path, rest: flags }
}

const isBelow = (path: readonly string[], words: readonly string[]): boolean =>
  words.length > path.length && path.every((word, at) => words[at] === word)

function nextWords(path: readonly string[]): Candidate[] {
  const found = new Map<string, string>()
  // Names before aliases: these have the better explanation.
  const names = COMMANDS.filter(({ group }) => group !== 'hidden')
  for (const { words, command } of spellings(names)) {
    const next = words[path.length]
    if (next === undefined || !isBelow(path, words) || found.has(next)) continue
    found.set(next, words.length === path.length + 1 ? command.summary : '')
  }
  return [...found].map(([word, help]) => ({ word, help }))
}

function flagNamed(table: FlagTable, word: string): Flag | undefined {
  if (word.startsWith('--')) return Object.hasOwn(table, word.slice(2)) ? table[word.slice(2)] : undefined
  const letter = /^-[A-Za-z]*([A-Za-z])$/.exec(word)?.[1]
  return letter === undefined ? undefined : Object.values(table).find(({ short }) => short === letter)
}

/** The flag whose value comes next. */
function flagBefore(table: FlagTable, words: readonly string[]): Flag | undefined {
  let pending: Flag | undefined
  for (const word of words) {
    if (word === '--') return undefined
    const flag = pending === undefined && word.startsWith('-') ? flagNamed(table, word) : undefined
    pending = flag !== undefined && takesValue(flag) ? flag : undefined
  }
  return pending
}

/** How many of these words are neither flags nor their values. */
function operandsIn(table: FlagTable, words: readonly string[]): number {
  const end = words.indexOf('--')
  const own = end < 0 ? words : words.slice(0, end)
  const count = own.filter((word, at) => !word.startsWith('-') && flagBefore(table, own.slice(0, at)) === undefined)
  return count.length + (end < 0 ? 0 : words.length - end - 1)
}

/** `--flag`, or in `--flag=` its value. */
function flagsOf(table: FlagTable, current: string): Wanted {
  const [, name = ''] = /^(--[^=]+)=/.exec(current) ?? []
  if (name !== '') {
    const flag = flagNamed(table, name)
    if (flag === undefined || !takesValue(flag)) return NOTHING
    const { words, ...others } = valuesOf(flag)
    return { ...others, words: words.map(({ word, help }) => ({ word: `${name}=${word}`, help })) }
  }
  const shown = Object.entries(table).filter(([, flag]) => !flag.hidden)
  return { words: shown.map(([flag, { help }]) => ({ word: `--${flag}`, help })), things: [] }
}

function valuesOf(flag: Flag): Wanted {
  if (flag.kind === 'choice') return { words: flag.choices.map(word => ({ word, help: '' })), things: [] }
  return 'value' in flag && flag.value !== undefined ? placeholder(flag.value) : NOTHING
}

/** Words of usage lines, and what they stand for. */
const THINGS: Readonly<Record<string, Thing>> = {
  CONTAINER: 'containers',
  IMAGE: 'images',
  NETWORK: 'networks',
  POD: 'pods',
  SECRET: 'secrets',
  VOLUME: 'volumes',
}
const FILES = new Set(['FILE', 'PATH', 'PROGRAM', 'SOURCE', 'DESTINATION', 'KEYS'])

/** What NAME is a name of, by the command. */
function namesOf(command: string): Thing[] {
  if (command.startsWith('gitops ')) return command === 'gitops add' ? [] : ['sources']
  if (command === 'down') return ['apps']
  return command === 'inspect' ? ['pods', 'containers'] : []
}

/** What a word of a usage line stands for: `POD|CONTAINER`, `FILE|DIR|-`. */
function placeholder(text: string, command = ''): Wanted {
  const parts = text.split('|').map(part => part.replace(/^CONTAINER:/, '').replace(/[/.].*/, ''))
  const things = parts.flatMap(part => (part === 'NAME' ? namesOf(command) : (THINGS[part] ?? [])))
  if (parts.some(part => FILES.has(part))) return { words: [], things, paths: 'files' }
  return { words: [], things, ...(parts.includes('DIR') && { paths: 'directories' as const }) }
}

/** The operand after `count` others: `POD [COLUMN...]`, `FILE [FILE...]|URL|-`. */
function operandAt({ name }: Command, usage: string, count: number): Wanted {
  const slots = usage
    .replace(/^-f \S+(?: \| )?/, '')
    .replace(/\.\.\.|[[\]]/g, '')
    .split(' ')
  const slot = slots[count] ?? (usage.includes('...') ? slots.at(-1) : undefined)
  return slot === undefined ? NOTHING : placeholder(slot, name)
}
