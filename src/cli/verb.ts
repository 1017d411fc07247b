/** What a verb is, and the part of the world it may touch. */
import type { Readable } from 'node:stream'
import type { Clock } from '../clock.ts'
import type { Engine } from '../engine/index.ts'
import { TspodError } from '../errors.ts'
import type { Paths } from '../paths.ts'
import type { Run } from '../process.ts'
import type { Notifier, Scope, Units } from '../systemd/index.ts'
import type { Terminal } from '../terminal.ts'
import type { FlagTable, FlagValues, Problem, Refusals } from './flags.ts'

/** Where text, or the bytes of a file, go. After the reader has gone away (`| head`) writing is silently without effect. */
export type Output = {
  write(text: string | Uint8Array): void
  readonly isTerminal: boolean
  /** A line can be rewritten in place: a terminal that is not dumb. */
  readonly rewritable: boolean
  readonly colour: boolean
  readonly columns: number
  /** Aborted once nobody reads any more. */
  readonly closed: AbortSignal
}

/** Everything a verb may use; main.ts builds it, tests build their own. */
export type World = {
  out: Output
  err: Output
  /** Opened when first asked for: an open standard input would keep the process alive. */
  stdin(): Readable & { readonly isTTY?: boolean }
  /** The same streams for verbs that pass bytes through; opens standard input as well. */
  terminal(): Terminal
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  clock: Clock
  run: Run
  paths: Paths
  /** The text of a file that is installed beside the program. */
  template(name: string): Promise<string>
  /** Absolute path of the `tspod` that runs, for units that are to call it. */
  launcher: string
  /** The units of one systemd; whoever asked closes it. */
  units(scope: Scope): Promise<Units>
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  signal: AbortSignal
  /** The door to the service manager that started this process; undefined when none did. */
  notifier(): Promise<Notifier | undefined>
  /** Opens the engine when first called; main.ts closes it. */
  engine(): Promise<Engine>
}

/** What a verb has to say once it is done. */
export type Outcome = {
  stdout?: string
  stderr?: string
  exitCode?: number
  /** Ended by a signal as it was meant to be (`logs -f`): nothing to complain about, but the exit code tells. */
  interrupted?: boolean
}

export const GLOBAL_FLAGS = {
  root: {
    kind: 'text',
    value: 'DIR',
    help: 'state, volumes and logs of another installation (default /var/lib/tspod)',
  },
  runroot: { kind: 'text', value: 'DIR', help: 'run-time files of another installation (default /run/tspod)' },
  runtime: { kind: 'text', value: 'NAME|PATH', help: 'OCI runtime; without it crun, then runc, by what works here' },
  'log-level': {
    kind: 'choice',
    choices: ['debug', 'info', 'warn', 'error'],
    help: 'tell more on standard error; also by the variable TSPOD_LOG',
  },
  help: { kind: 'switch', initial: false, short: 'h', help: 'show this help' },
} as const satisfies FlagTable

export type GlobalFlags = typeof GLOBAL_FLAGS
export type Input<F extends FlagTable = FlagTable> = { flags: FlagValues<F & GlobalFlags>; operands: string[] }

export type Example = { does: string; line: string }

export type Verb<F extends FlagTable = FlagTable> = {
  /** What comes after the verb, for the usage line. */
  operands: string
  count: { minimum: number; maximum: number }
  /** Sentences below the summary in `--help`. */
  description: string
  examples: readonly Example[]
  flags: F
  /** What Podman takes here and tspod does not, with the reasons. */
  refused?: Refusals
  /** The words after the first operand are not ours. */
  stopAtOperand?: true
  /** Works without being root. */
  anyUser?: true
  /** Everything wrong with flags and operands that can be told without looking at anything else. */
  check?(input: Input<F>): Problem[]
  run(input: Input<F>, world: World): Promise<Outcome>
}

/** Only there so that the flag table's exact type is inferred. */
export const defineVerb = <const F extends FlagTable>(verb: Verb<F>): Verb<F> => verb

/** One error for everything that is wrong with a command line; `seeAlso` is the command whose help explains it. */
export function usageError(problems: readonly Problem[], seeAlso: string): TspodError {
  const help = `see \`${seeAlso} --help\``
  const [first] = problems
  if (first !== undefined && problems.length === 1) {
    const remedy = first.remedy === undefined ? help : `${first.remedy}\n${help}`
    return new TspodError('USAGE', first.message, { remedy })
  }
  const lines = problems.map(({ message, remedy }) => `Error: ${message}${remedy ? `\n  ${remedy}` : ''}`)
  return new TspodError('USAGE', `${problems.length} mistakes in the command line`, {
    remedy: help,
    details: lines.join('\n'),
  })
}
