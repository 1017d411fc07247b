/**
 * Writes docs/kubernetes.md from the table of verdicts (src/kube/support.ts) and the meanings of fields
 * (templates/fields.txt). Run after either changes:
 *
 *   node scripts/generate-support.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { support } from '../src/kube/index.ts'
import { type Meanings, parseMeanings } from '../src/kube/schema/meanings.ts'
import { PLAYED_KINDS } from '../src/kube/schema/support.ts'
import type { SupportRow } from '../src/kube/schema/verdicts.ts'

const TARGET = new URL('../docs/kubernetes.md', import.meta.url)
const FIELDS = new URL('../templates/fields.txt', import.meta.url)

/** Nothing is said of a verdict that no field has. */
const LATER = support().some(({ later }) => later)
  ? ' *Later* is refused too, unless `--allow-unsupported` is given: then it is checked and kept, and does nothing yet.'
  : ''

const HEADER = `# Kubernetes fields

Written by scripts/generate-support.ts: do not edit. \`tspod explain KIND.FIELD\` says the same on a terminal.

Every field of the Kubernetes API has one verdict: **honoured**, **accepted** (it cannot have an effect on a single host; a note says so once) or **refused** with what to do instead.${LATER} What is not listed, below an accepted or refused field, shares its verdict. The last column is Podman 6's \`kube play\`, where "ignored" means: without a word.
`

const VERDICTS = { honoured: '**honoured**', accepted: 'accepted', refused: 'refused' } as const

/** The text of docs/kubernetes.md. */
export function supportText(): string {
  const meanings = parseMeanings(readFileSync(FIELDS, 'utf8'))
  const rows = support()
  const types = [...new Set(rows.map(row => typeOf(row)))]
  return [HEADER, summary(rows, meanings), ...types.map(type => section(type, rows, meanings))].join('\n')
}

const typeOf = ({ path }: SupportRow): string => path.split('.')[0] ?? ''

function summary(rows: readonly SupportRow[], meanings: Meanings): string {
  const count = (test: (row: SupportRow) => boolean): number => rows.filter(test).length
  const podman = (level: string): number => count(({ path }) => (meanings.get(path)?.podman ?? 'ignored') === level)
  return `Of ${rows.length} fields ${count(row => row.verdict === 'honoured')} are honoured, ${count(row => row.verdict === 'accepted')} accepted and ${count(row => row.verdict === 'refused')} refused. Podman honours ${podman('yes')} of them and part of ${podman('partly')} more.
`
}

function section(type: string, rows: readonly SupportRow[], meanings: Meanings): string {
  const version = PLAYED_KINDS[type]
  const title = version === undefined ? type : `${type} (${version})`
  const lines = rows.filter(row => typeOf(row) === type).map(row => line(row, meanings))
  const about = meanings.get(type)?.text ?? ''
  return `## ${title}
${about === '' ? '' : `${about}\n`}
| field | | what it does | Podman |
|---|---|---|---|
${lines.join('\n')}
`
}

function line({ path, verdict, note, later }: SupportRow, meanings: Meanings): string {
  const { text = '', podman = 'ignored', detail = '' } = meanings.get(path) ?? {}
  const told = verdict === 'honoured' ? text : `${text}${text === '' ? '' : ' '}*${note}*`
  const other = `${podman}${detail === '' ? '' : `: ${detail}`}`
  return `| \`${path.split('.')[1]}\` | ${later ? 'later' : VERDICTS[verdict]} | ${cell(told)} | ${cell(other)} |`
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

if (import.meta.main) writeFileSync(TARGET, supportText())
