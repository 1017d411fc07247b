/** `tspod kube validate`: what is wrong with manifests, and nothing else. */
import { EXIT_OWN_ERROR, isTspodError } from '../errors.ts'
import type { Examined } from '../kube/index.ts'
import type { FlagTable } from './flags.ts'
import { MANIFEST_FLAGS, manifestFlagProblems, manifestOptions } from './manifest-flags.ts'
import { printable } from './output.ts'
import { manifestsBelow, readSources, sourceProblems } from './source.ts'
import { json, table } from './table.ts'
import { defineVerb, type World } from './verb.ts'

const FLAGS = {
  ...MANIFEST_FLAGS,
  output: { kind: 'choice', choices: ['json'], short: 'o', help: 'everything as JSON, for programs' },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'do not tell which fields have no effect' },
} as const satisfies FlagTable

/** One manifest and what was found in it. */
type Verdict = Examined & { file: string }

export const validate = defineVerb({
  operands: 'FILE [FILE...]|DIR|URL|-',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Translates manifests as `tspod kube play` would, and reports every mistake with its place and what to do about ' +
    'it. Nothing is created, no image or database is looked at, and root is not needed. Files that are named count as ' +
    'one manifest, as they do for kube play; each file of a directory (*.yaml, *.yml, *.json, below it too) is one of ' +
    'its own.\nThe exit code is 0 when all of them can be played, else 125.',
  examples: [
    { does: 'Check a manifest before it is committed', line: 'tspod kube validate app.yaml' },
    { does: 'All manifests of a directory', line: 'tspod kube validate --quiet manifests/' },
    { does: 'For an editor or a pipeline', line: 'tspod kube validate -o json app.yaml' },
  ],
  flags: FLAGS,
  anyUser: true,
  check: ({ flags, operands }) => [...sourceProblems(operands), ...manifestFlagProblems(flags)],
  async run({ flags, operands }, world) {
    const { examine } = await import('../kube/index.ts')
    const options = await manifestOptions(flags, world)
    const verdicts: Verdict[] = []
    const { together, alone } = await manifests(operands, world)
    if (together.length > 0)
      verdicts.push({ file: together.join(', '), ...examine(await readSources(together, world), options) })
    for (const file of alone) {
      const read = await readSources([file], world).catch(unreadable(file))
      verdicts.push({ file, ...(Array.isArray(read) ? examine(read, options) : read) })
    }
    const refused = verdicts.filter(({ mistakes }) => mistakes.length > 0)
    const exitCode = refused.length > 0 ? EXIT_OWN_ERROR : 0
    if (flags.output === 'json') return { stdout: asJson(verdicts), exitCode }
    const notes = flags.quiet ? [] : verdicts.flatMap(verdict => verdict.notes)
    const said = [...notes.map(note => `note: ${printable(note)}`), ...refused.map(({ text }) => `${text}\n`)]
    return { stdout: summary(verdicts), stderr: said.map(line => `${line}\n`).join(''), exitCode }
  },
})

/** The operands as manifests: the files named are one together, each one below a directory is one of its own. */
async function manifests(operands: readonly string[], world: World): Promise<{ together: string[]; alone: string[] }> {
  const together: string[] = []
  const alone: string[] = []
  for (const name of operands) {
    const below = name === '-' || /^https?:/i.test(name) ? undefined : await manifestsBelow(name, world)
    if (below === undefined) together.push(name)
    else alone.push(...below)
  }
  return { together, alone }
}

/** One file of a directory that cannot be read is a verdict on that file, and the others have theirs. */
const unreadable =
  (file: string) =>
  (cause: unknown): Examined => {
    if (!isTspodError(cause, 'MANIFEST_UNREADABLE')) throw cause
    const { message, remedy } = cause
    const mistake = { file, line: 1, column: 1, code: 'YAML_SYNTAX', path: '', message, remedy } as const
    return { notes: [], mistakes: [mistake], text: `${printable(file)}: ${message}\n   ${remedy}` }
  }

function summary(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ file, mistakes, notes }) => {
    const told = notes.length > 0 ? count(notes.length, 'note') : ''
    return [printable(file), mistakes.length > 0 ? `refused: ${count(mistakes.length, 'error')}` : 'ok', told]
  })
  const bad = verdicts.filter(({ mistakes }) => mistakes.length > 0).length
  const total =
    verdicts.length === 1 ? '' : `${count(verdicts.length, 'manifest')}: ${verdicts.length - bad} ok, ${bad} refused\n`
  return table(['MANIFEST', 'VERDICT', 'NOTES'], rows) + total
}

const count = (number: number, thing: string): string => `${number} ${thing}${number === 1 ? '' : 's'}`

const asJson = (verdicts: readonly Verdict[]): string =>
  json(verdicts.map(({ file, mistakes, notes }) => ({ file, valid: mistakes.length === 0, errors: mistakes, notes })))
