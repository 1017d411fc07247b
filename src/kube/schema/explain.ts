/** `tspod explain`: what a field is, what it means and what tspod does with it, in the form of kubectl's. */
import { TspodError } from '../../errors.ts'
import { didYouMean, quote } from '../yaml/index.ts'
import { defaultsOf } from './defaults.ts'
import { type Meanings, parseMeanings } from './meanings.ts'
import { entryOf, type FieldType, fieldsOf, itemOf, type TypeCode } from './schema.ts'
import { NOTED_KINDS, PLAYED_KINDS } from './support.ts'
import { rowsOf, type SupportRow } from './verdicts.ts'

/** Short names of kubectl. */
const SHORT: Record<string, string> = {
  cj: 'CronJob',
  cm: 'ConfigMap',
  deploy: 'Deployment',
  ds: 'DaemonSet',
  po: 'Pod',
  pvc: 'PersistentVolumeClaim',
  rc: 'ReplicationController',
  rs: 'ReplicaSet',
  sts: 'StatefulSet',
  svc: 'Service',
}
const WIDTH = 80
/** Deeper than any object of the API; a schema that contains itself ends here. */
const MAX_DEPTH = 24

type Kind = { kind: string; version: string }

/** `meanings` is the text of templates/fields.txt; `recursive` shows the names and types of everything below. */
export type ExplainOptions = { meanings: string; recursive: boolean }

/** The kinds that are played, and those that are accepted and do nothing, one line for each. */
export function listKinds(meaningsText: string): string {
  const meanings = parseMeanings(meaningsText)
  const names = [...Object.keys(PLAYED_KINDS), ...Object.keys(NOTED_KINDS)]
  const width = Math.max(...names.map(name => name.length)) + 3
  const line = (kind: string): string =>
    `${kind.padEnd(width)}${NOTED_KINDS[kind] === undefined ? (meanings.get(kind)?.text ?? '') : `accepted without effect: ${NOTED_KINDS[kind]}`}`.trimEnd()
  return `${names.map(line).join('\n')}\n`
}

/**
 * Explains `path`: a kind, also in kubectl's short forms, and fields of it with dots between. Throws USAGE for a kind
 * or field that does not exist, with what may have been meant.
 */
export function explain(path: string, { meanings: text, recursive }: ExplainOptions): string {
  const [name = '', ...fields] = path.replaceAll(/\[[^\]]*\]/g, '').split('.')
  const found = kindNamed(name)
  const meanings = parseMeanings(text)
  const { type, known, judged, row, verdict } = follow(found.kind, fields)
  const field = fields.at(-1)
  const owner = row?.path.split('.')[0] ?? ''
  const meaning = field === undefined ? meanings.get(found.kind) : meanings.get(`${owner}.${field}`)
  const lines = [...header(found)]
  if (field !== undefined)
    lines.push(`FIELD: ${field} <${typeName(known.type)}>${known.required ? ' -required-' : ''}`, '')
  const description = meaning?.text || meanings.get(type)?.text || 'See the Kubernetes API reference.'
  lines.push('DESCRIPTION:', ...wrap(description, 4), '')
  if (field !== undefined) {
    lines.push(`VERDICT:  ${verdict.text}`)
    if (judged && meaning?.podman) lines.push(`PODMAN:   ${meaning.podman}${meaning.detail && `: ${meaning.detail}`}`)
    const initial = defaultsOf(owner).get(field)
    if (initial !== undefined) lines.push(`DEFAULT:  ${JSON.stringify(initial)}`)
    lines.push('')
  }
  const members = fieldsOf(type)
  if (members !== undefined) {
    lines.push('FIELDS:', ...(recursive ? tree(type, judged, 1) : table(type, judged, meanings)))
  }
  return `${lines.join('\n').trimEnd()}\n`
}

function header({ kind, version }: Kind): string[] {
  const [group, short] = version.includes('/') ? version.split('/') : ['', version]
  return [...(group === '' ? [] : [`GROUP:      ${group}`]), `KIND:       ${kind}`, `VERSION:    ${short}`, '']
}

function kindNamed(text: string): Kind {
  const kinds = Object.keys(PLAYED_KINDS).filter(kind => kind !== 'List')
  const lower = text.toLowerCase()
  const isCalled = (kind: string): boolean =>
    [`${kind}`, `${kind}s`, `${kind}es`].some(form => form.toLowerCase() === lower)
  const kind = SHORT[lower] ?? kinds.find(isCalled)
  const version = kind === undefined ? undefined : PLAYED_KINDS[kind]
  if (kind !== undefined && version !== undefined) return { kind, version }
  throw new TspodError('USAGE', `no kind ${quote(text)} that tspod plays`, {
    remedy:
      didYouMean(
        lower,
        kinds.map(known => known.toLowerCase()),
      ) ?? `use one of ${kinds.join(', ')}`,
  })
}

type Followed = {
  /** What lists and maps hold, where it is one. */
  type: TypeCode
  known: FieldType
  /** False below what is accepted or refused: there are no verdicts any more. */
  judged: boolean
  row: { path: string } | undefined
  verdict: { text: string }
}

/** Walks down from a kind. The verdict is that of the first field on the way that is not honoured. */
function follow(kind: string, fields: readonly string[]): Followed {
  let at: Followed = {
    type: kind,
    known: { type: kind, required: false },
    judged: true,
    row: undefined,
    verdict: { text: 'honoured' },
  }
  for (const field of fields) {
    const members = fieldsOf(at.type)
    const known = members?.get(field)
    if (known === undefined) {
      throw new TspodError('USAGE', `${typeName(at.type)} has no field ${quote(field)}`, {
        remedy:
          didYouMean(field, members?.keys() ?? []) ??
          `see \`tspod explain ${[kind.toLowerCase(), ...fields.slice(0, fields.indexOf(field))].join('.')}\``,
      })
    }
    const row = at.judged ? rowsOf(at.type).get(field) : undefined
    const isFirst = at.verdict.text === 'honoured'
    at = {
      type: innermost(known.type),
      known,
      judged: at.judged && (row?.verdict === 'honoured' || row?.later === true),
      row: { path: `${at.type}.${field}` },
      verdict:
        isFirst && row !== undefined ? { text: verdictText(row, field !== fields.at(-1) ? field : '') } : at.verdict,
    }
  }
  return at
}

function verdictText(row: SupportRow, of: string): string {
  const whose = of === '' || row.verdict === 'honoured' ? '' : `as ${of} is `
  if (row.verdict === 'honoured') return 'honoured'
  if (row.verdict === 'accepted') return `${whose}accepted without effect: ${row.note}`
  return `${whose}refused: ${row.note}${row.later ? ' (--allow-unsupported keeps it)' : ''}`
}

function table(type: TypeCode, judged: boolean, meanings: Meanings): string[] {
  const rows = rowsOf(type)
  return [...(fieldsOf(type) ?? [])].flatMap(([name, known]) => {
    const row = judged ? rows.get(name) : undefined
    const text = meanings.get(`${type}.${name}`)?.text ?? ''
    return [
      `  ${name}\t<${typeName(known.type)}>${known.required ? ' -required-' : ''}`,
      ...(text === '' ? [] : wrap(text, 4)),
      ...(row === undefined || row.verdict === 'honoured' ? [] : wrap(`Here ${verdictText(row, '')}.`, 4)),
      '',
    ]
  })
}

function tree(type: TypeCode, judged: boolean, depth: number): string[] {
  return [...(fieldsOf(type) ?? [])].flatMap(([name, known]) => {
    const row = judged ? rowsOf(type).get(name) : undefined
    const mark = row === undefined || row.verdict === 'honoured' ? '' : ` (${row.verdict})`
    const inner = innermost(known.type)
    const below = judged && (row?.verdict === 'honoured' || row?.later === true)
    const line = `${'  '.repeat(depth)}${name}\t<${typeName(known.type)}>${known.required ? ' -required-' : ''}${mark}`
    return [line, ...(fieldsOf(inner) === undefined || depth > MAX_DEPTH ? [] : tree(inner, below, depth + 1))]
  })
}

/** What the items of lists and the entries of maps are, however deep. */
function innermost(type: TypeCode): TypeCode {
  const inner = itemOf(type) ?? entryOf(type)
  return inner === undefined ? type : innermost(inner)
}

const NAMES: Record<string, string> = {
  s: 'string',
  b: 'boolean',
  i: 'integer',
  n: 'number',
  q: 'Quantity',
  x: 'IntOrString',
  y: 'base64',
  t: 'Time',
  any: 'Object',
}

/** As kubectl writes types: `[]Container`, `map[string]string`. */
function typeName(type: TypeCode): string {
  const item = itemOf(type)
  if (item !== undefined) return `[]${typeName(item)}`
  const entry = entryOf(type)
  if (entry !== undefined) return `map[string]${typeName(entry)}`
  return NAMES[type] ?? type
}

/** Lines of at most 80 characters, words whole. */
function wrap(text: string, indent: number): string[] {
  const lines: string[] = []
  let line = ' '.repeat(indent)
  for (const word of text.split(' ')) {
    if (line.trim() !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = ' '.repeat(indent)
    }
    line += line.trim() === '' ? word : ` ${word}`
  }
  return [...lines, line]
}
