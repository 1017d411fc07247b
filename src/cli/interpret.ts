/** From argv to the verb that is meant, or to the help text that is wanted. */
import { TspodError } from '../errors.ts'
import { VERSION } from '../version.ts'
import { closest } from '../words.ts'
import { COMMANDS, type Command, spellings } from './commands.ts'
import { type FlagTable, type Problem, parseFlags, refusedFlags } from './flags.ts'
import { calledHere } from './foreign-words.ts'
import { groupHelp, rootHelp, verbHelp } from './help.ts'
import { GLOBAL_FLAGS, type Input, usageError, type Verb } from './verb.ts'

export type Invocation = { kind: 'text'; text: string } | { kind: 'verb'; command: Command; verb: Verb; input: Input }

const ROOT_FLAGS = {
  ...GLOBAL_FLAGS,
  version: { kind: 'switch', initial: false, short: 'v', help: 'show the version' },
} as const

/**
 * Finds out what `argv` (without the program) asks for. Flags that every verb knows may stand before the verb.
 * Throws USAGE with everything that is wrong with the command line. `columns` is the width for help texts.
 */
export async function interpret(argv: readonly string[], columns: number): Promise<Invocation> {
  const root = parseFlags(ROOT_FLAGS, argv, { stopAtOperand: true })
  if (root.problems.length > 0) throw usageError(root.problems, 'tspod')
  if (root.values.version) return { kind: 'text', text: `tspod version ${VERSION}\n` }
  const before = argv.slice(0, argv.length - root.operands.length)
  if (root.operands[0] === 'help') return help(root.operands.slice(1), columns)
  if (root.values.help) return help(root.operands.slice(0, 3), columns)
  return findVerb([], [...before], root.operands, columns)
}

async function findVerb(words: string[], before: string[], rest: string[], columns: number): Promise<Invocation> {
  const [word, ...after] = rest
  if (word === undefined) throw missingCommand(words)
  const path = [...words, word]
  const command = commandNamed(path)
  if (command !== undefined) return readVerb(command, path.join(' '), [...before, ...after], columns)
  if (!isGroup(path)) throw unknownCommand(words, word, after)
  const group = parseFlags(GLOBAL_FLAGS, after, { stopAtOperand: true })
  if (group.problems.length > 0) throw usageError(group.problems, `tspod ${path.join(' ')}`)
  if (group.values.help) return help([...path, ...group.operands.slice(0, 1)], columns)
  const flags = after.slice(0, after.length - group.operands.length)
  return findVerb(path, [...before, ...flags], group.operands, columns)
}

async function readVerb(command: Command, called: string, args: string[], columns: number): Promise<Invocation> {
  const verb = await command.load()
  const how = verb.stopAtOperand ? { stopAtOperand: true } : {}
  const { values, operands, problems } = parseFlags(flagsOf(verb), args, how)
  if (values.help === true) return { kind: 'text', text: verbHelp(command, verb, columns) }
  const seeAlso = `tspod ${called}`
  const input: Input = { flags: values as Input['flags'], operands }
  const all = [...problems, ...miscount(verb, operands.length, seeAlso), ...(verb.check?.(input) ?? [])]
  if (all.length > 0) throw usageError(all, seeAlso)
  return { kind: 'verb', command, verb, input }
}

const flagsOf = ({ flags, refused = {} }: Verb): FlagTable => ({
  ...refusedFlags(refused),
  ...GLOBAL_FLAGS,
  ...flags,
})

function miscount(verb: Verb, count: number, called: string): Problem[] {
  const { minimum, maximum } = verb.count
  const remedy = `usage: ${called} [options] ${verb.operands}`.trimEnd()
  if (count < minimum) return [{ message: `requires at least ${minimum} arg(s), only received ${count}`, remedy }]
  if (count > maximum) return [{ message: `accepts at most ${maximum} arg(s), received ${count}`, remedy }]
  return []
}

async function help(words: string[], columns: number): Promise<Invocation> {
  if (words.length === 0) return { kind: 'text', text: rootHelp(COMMANDS, ROOT_FLAGS, columns) }
  const command = commandNamed(words) ?? commandNamed(words.slice(0, 2)) ?? commandNamed(words.slice(0, 1))
  if (command !== undefined) return { kind: 'text', text: verbHelp(command, await command.load(), columns) }
  if (isGroup(words)) return { kind: 'text', text: groupHelp(COMMANDS, words.join(' '), columns) }
  const known = isGroup(words.slice(0, 1)) ? 1 : 0
  throw unknownCommand(words.slice(0, known), words[known] ?? '')
}

const commandNamed = (path: readonly string[]): Command | undefined =>
  spellings().find(({ words }) => words.join(' ') === path.join(' '))?.command

const isGroup = (path: readonly string[]): boolean =>
  spellings().some(({ words }) => words.length > path.length && path.every((word, index) => words[index] === word))

/** The words that may follow `path`. */
function choices(path: readonly string[]): string[] {
  const next = spellings()
    .filter(({ words, command }) => command.group !== 'hidden' && path.every((word, index) => words[index] === word))
    .flatMap(({ words }) => words[path.length] ?? [])
  return [...new Set(next)]
}

function missingCommand(path: readonly string[]): TspodError {
  const called = ['tspod', ...path].join(' ')
  return new TspodError('USAGE', `missing command '${called} COMMAND'`, { remedy: `see \`${called} --help\`` })
}

function unknownCommand(path: readonly string[], word: string, rest: readonly string[] = []): TspodError {
  const called = ['tspod', ...path].join(' ')
  const here = calledHere([...path, word, ...rest.filter(each => !each.startsWith('-'))])
  const close = closest(word, choices(path))
  const guess = here === undefined ? close && `did you mean \`${called} ${close}\`?\n` : `here that is: ${here}\n`
  return new TspodError('USAGE', `unknown command "${word}" for "${called}"`, {
    remedy: `${guess ?? ''}see \`${called} --help\``,
  })
}
