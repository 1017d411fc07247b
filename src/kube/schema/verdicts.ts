/** The table of support.ts as it is asked: the verdict on one field, or all of them as rows. */
import { HARMLESS, TABLE, type Verdicts } from './support.ts'

export type Verdict = 'honoured' | 'accepted' | 'refused'

/**
 * `path` is TYPE.FIELD with the names of the Kubernetes API reference, such as `Container.env`. `later`: refused, but
 * read all the same, and kept with --allow-unsupported.
 */
export type SupportRow = { path: string; verdict: Verdict; note: string; later?: true }

/** The table as rows, for the documentation and for tests. */
export const support = (): SupportRow[] => Object.keys(TABLE).flatMap(type => [...rowsOf(type).values()])

/** The verdict on a field. Throws for a field that the table does not know, which a test excludes. */
export function verdictOn(type: string, field: string): SupportRow {
  const found = rowsOf(type).get(field)
  if (found === undefined) throw new Error(`no verdict on ${type}.${field}`)
  return found
}

/** True when `value` is what happens without the field. */
export const isHarmless = (path: string, value: string | undefined): boolean =>
  value !== undefined && Object.hasOwn(HARMLESS, path) && HARMLESS[path] === value

const unpacked = new Map<string, ReadonlyMap<string, SupportRow>>()

/** The rows of one type, by field; none for a type that is below what is accepted or refused. */
export function rowsOf(type: string): ReadonlyMap<string, SupportRow> {
  const known = unpacked.get(type)
  if (known !== undefined) return known
  const verdicts: Verdicts = Object.hasOwn(TABLE, type) ? (TABLE[type] as Verdicts) : {}
  const rows = new Map<string, SupportRow>()
  const add = (field: string, verdict: Verdict, note: string, later?: true): void => {
    // Twice is a mistake that a test finds by the second row's name.
    const name = rows.has(field) ? `${field} (again)` : field
    rows.set(name, { path: `${type}.${name}`, verdict, note, ...(later && { later }) })
  }
  for (const field of (verdicts.honoured ?? '').split(' ').filter(Boolean)) add(field, 'honoured', '')
  for (const [field, note] of Object.entries(verdicts.accepted ?? {})) add(field, 'accepted', note)
  for (const [field, note] of Object.entries(verdicts.refused ?? {})) add(field, 'refused', note)
  for (const [field, note] of Object.entries(verdicts.later ?? {})) add(field, 'refused', note, true)
  unpacked.set(type, rows)
  return rows
}
