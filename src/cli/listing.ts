/** Lists and records of what is no pod and no container: volumes, networks, Secrets. */
import { EXIT_OWN_ERROR, isTspodError } from '../errors.ts'
import { failureText } from './failure.ts'
import type { FlagTable } from './flags.ts'
import { FORMAT_FLAG } from './list-flags.ts'
import { printableLines } from './output.ts'
import { table } from './table.ts'
import { formatEach, formatList, type Struct, toJson, wantsJson } from './template/index.ts'
import type { Outcome, Output } from './verb.ts'

export const LISTING_FLAGS = {
  ...FORMAT_FLAG,
  noheading: { kind: 'switch', initial: false, short: 'n', help: 'a table without its first line' },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'print names only' },
} as const satisfies FlagTable

type ListingFlags = { format?: string | undefined; noheading: boolean; quiet: boolean }

/** How things of one kind are shown. */
export type Shown<T> = {
  /** What `--quiet` prints of one. */
  quiet(thing: T): string
  header: readonly string[]
  cells(thing: T): readonly string[]
  /** For JSON. */
  record(thing: T): Struct
  /** What a template finds, under Podman's names. */
  fields(thing: T): Struct
  /** What `table …` puts above a field. */
  titles: Readonly<Record<string, string>>
  /** What messages about a template call one. */
  typeName: string
}

/** The list in the wanted form. Throws USAGE for a mistake in a template. */
export function listOutcome<T>(things: readonly T[], flags: ListingFlags, shown: Shown<T>, out: Output): Outcome {
  const text = listText(things, flags, shown)
  return { stdout: out.isTerminal ? printableLines(text) : text }
}

function listText<T>(things: readonly T[], { format = 'table', noheading, quiet }: ListingFlags, shown: Shown<T>) {
  if (quiet) return things.map(thing => `${shown.quiet(thing)}\n`).join('')
  if (wantsJson(format)) return toJson(things.map(shown.record))
  if (format !== 'table') return formatList(format, things.map(shown.fields), { ...shown, heading: !noheading })
  const text = table(shown.header, things.map(shown.cells))
  return noheading ? text.slice(text.indexOf('\n') + 1) : text
}

export const INSPECT_FLAGS = {
  format: { kind: 'text', value: 'json|TEMPLATE', short: 'f', help: 'a Go template for each, instead of JSON' },
} as const satisfies FlagTable

/**
 * Records of all that are named, as JSON or by a template. What does not exist is told on standard error and makes the
 * exit code 125; the others are still printed.
 */
export async function inspectOutcome<T>(
  names: readonly string[],
  find: (name: string) => Promise<T>,
  { format = 'json' }: { format?: string | undefined },
  { record, fields, typeName }: Pick<Shown<T>, 'record' | 'fields' | 'typeName'>,
): Promise<Outcome> {
  const found: T[] = []
  const complaints: string[] = []
  for (const name of names) {
    try {
      found.push(await find(name))
    } catch (error) {
      if (!isTspodError(error, 'NO_SUCH_OBJECT')) throw error
      complaints.push(failureText(error).text)
    }
  }
  return {
    stdout: wantsJson(format) ? toJson(found.map(record)) : formatEach(format, found.map(fields), () => typeName),
    stderr: complaints.join(''),
    exitCode: complaints.length > 0 ? EXIT_OWN_ERROR : 0,
  }
}
