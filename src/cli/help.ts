/** Help texts, made from the tables that the parser reads. */
import type { Command } from './commands.ts'
import { type Flag, type FlagTable, flagNames, takesValue } from './flags.ts'
import { GLOBAL_FLAGS, type Verb } from './verb.ts'

const MAX_COLUMNS = 100
const MIN_COLUMNS = 60

/** `tspod --help`. */
export function rootHelp(commands: readonly Command[], flags: FlagTable, columns: number): string {
  const groups: [group: Command['group'], title: string][] = [
    ['Run', 'Run pods'],
    ['Look', 'Look at them'],
    ['Pods', 'Whole pods'],
    ['Inside', 'Look into containers'],
    ['Images', 'Images'],
    ['Data', 'Volumes, networks and Secrets'],
    ['Units', 'Manifests as systemd units'],
    ['GitOps', 'Directories and repositories of manifests'],
    ['Host', 'This host'],
  ]
  return joinSections([
    'Run Kubernetes YAML on this host, without a daemon and without a cluster',
    section('Usage', ['  tspod [options] COMMAND']),
    ...groups.map(([group, title]) =>
      section(
        title,
        commandRows(
          commands.filter(command => command.group === group),
          columns,
        ),
      ),
    ),
    section('Options', flagRows(flags, columns)),
    section('Examples', [
      '  tspod kube play app.yaml',
      '  tspod pod ps',
      '  tspod logs -f web',
      '  tspod kube down app.yaml',
    ]),
    'tspod COMMAND --help tells more. An error of tspod itself ends with code 125.',
  ])
}

/** `tspod kube --help`: the commands that begin with a word. */
export function groupHelp(commands: readonly Command[], word: string, columns: number): string {
  const members = commands.flatMap(command => {
    const name = [command.name, ...command.aliases].find(spelling => spelling.startsWith(`${word} `))
    return name === undefined || command.group === 'hidden' ? [] : [{ ...command, name, aliases: [] }]
  })
  return joinSections([
    section('Usage', [`  tspod ${word} COMMAND`]),
    section('Commands', commandRows(members, columns)),
    `tspod ${word} COMMAND --help tells more.`,
  ])
}

/** `tspod kube play --help`. */
export function verbHelp(command: Command, verb: Verb, columns: number): string {
  const width = clamp(columns)
  const options = flagRows(verb.flags, columns)
  return joinSections([
    command.summary,
    wrap(verb.description, width).join('\n'),
    section('Usage', [`  tspod ${command.name} [options]${verb.operands === '' ? '' : ` ${verb.operands}`}`]),
    command.aliases.length === 0
      ? ''
      : section(
          'Also',
          command.aliases.map(alias => `  tspod ${alias}`),
        ),
    section(
      'Examples',
      verb.examples.flatMap(({ does, line }) => [`  # ${does}`, `  ${line}`]),
    ),
    options.length === 0 ? '' : section('Options', options),
    section('Options of every command', flagRows(GLOBAL_FLAGS, columns)),
  ])
}

const section = (title: string, lines: readonly string[]): string => [`${title}:`, ...lines].join('\n')
const joinSections = (sections: readonly string[]): string => `${sections.filter(text => text !== '').join('\n\n')}\n`
const clamp = (columns: number): number => Math.min(MAX_COLUMNS, Math.max(MIN_COLUMNS, columns))

function commandRows(commands: readonly Command[], columns: number): string[] {
  return twoColumns(
    commands.map(command => [command.name, command.summary]),
    columns,
  )
}

function flagRows(flags: FlagTable, columns: number): string[] {
  const shown = Object.entries(flags)
    .filter(([, flag]) => !flag.hidden)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return twoColumns(
    shown.map(([name, flag]) => [flagTitle(name, flag), flagText(flag)]),
    columns,
  )
}

function flagTitle(name: string, flag: Flag): string {
  const names = flag.short === undefined ? `    ${flagNames(name, flag)}` : flagNames(name, flag)
  if (!takesValue(flag)) return names
  if (flag.kind === 'choice') return `${names} ${flag.choices.join('|')}`
  return `${names} ${'value' in flag ? flag.value : ''}`
}

function flagText(flag: Flag): string {
  if (flag.kind === 'list') return `${flag.help} (repeatable${flag.comma ? ' or separated by commas' : ''})`
  if (flag.kind === 'switch' && flag.initial) return `${flag.help} (default true)`
  return flag.help
}

/** Names on the left, explanations wrapped on the right; a long name gets a line of its own. */
function twoColumns(rows: readonly [left: string, right: string][], columns: number): string[] {
  const longest = Math.max(...rows.map(([left]) => left.length))
  const indent = Math.min(longest, 28) + 4
  return rows.flatMap(([left, right]) => {
    const lines = wrap(right, clamp(columns) - indent)
    const first = `  ${left}`
    const padded = lines.map(line => `${' '.repeat(indent)}${line}`)
    if (first.length + 2 > indent) return [first, ...padded]
    return [`${first.padEnd(indent)}${lines[0] ?? ''}`, ...padded.slice(1)]
  })
}

/** Breaks text at blanks; lines end where `text` has line ends. */
function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap(paragraph => {
    const lines: string[] = []
    let line = ''
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line)
        line = word
      } else {
        line = line === '' ? word : `${line} ${word}`
      }
    }
    return [...lines, line]
  })
}
