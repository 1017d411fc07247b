/** Flags of everything that prints a list. */
import type { FlagTable } from './flags.ts'

export const LIST_FLAGS = {
  format: { kind: 'choice', choices: ['table', 'json'], help: 'a table for people or one JSON array for scripts' },
  'no-trunc': { kind: 'switch', initial: false, help: 'show ids in full' },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'print ids only' },
} as const satisfies FlagTable

export const WIDE_FLAG = {
  output: { kind: 'choice', choices: ['wide', 'json'], short: 'o', help: 'more columns, or the same as --format' },
} as const satisfies FlagTable
