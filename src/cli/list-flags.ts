/** Flags of everything that prints a list. */
import type { FlagTable } from './flags.ts'

export const ID_FLAGS = {
  'no-trunc': { kind: 'switch', initial: false, help: 'show ids in full' },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'print ids only' },
} as const satisfies FlagTable

export const FORMAT_FLAG = {
  format: { kind: 'text', value: 'json|TEMPLATE', help: 'one JSON array, or a Go template for each: table {{.ID}}' },
} as const satisfies FlagTable

/** Flags of the lists of pods and of containers: Podman's names and letters. */
export const PODMAN_LIST_FLAGS = {
  ...ID_FLAGS,
  filter: { kind: 'list', value: 'KEY=VALUE', short: 'f', help: 'only what this is true of; all keys must be' },
  ...FORMAT_FLAG,
  latest: { kind: 'switch', initial: false, short: 'l', help: 'only the one that was created last, in any state' },
  ns: { kind: 'switch', initial: false, help: 'show namespaces' },
} as const satisfies FlagTable

export const WIDE_FLAG = {
  output: { kind: 'choice', choices: ['wide', 'json'], short: 'o', help: 'more columns, or the same as --format' },
} as const satisfies FlagTable

export const FILTER_FLAG = {
  filter: { kind: 'list', value: 'KEY=VALUE', short: 'f', help: 'those for which this is true; all keys must be' },
} as const satisfies FlagTable

/** `rm` and `prune` have --force at that letter. */
export const LONG_FILTER_FLAG = {
  filter: { kind: 'list', value: 'KEY=VALUE', help: 'those for which this is true; all keys must be' },
} as const satisfies FlagTable
