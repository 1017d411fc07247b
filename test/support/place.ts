/** Where a test runs tspod: a cell of this host or a booted machine. Both take commands alike. */
import { join } from 'node:path'
import type { Finished } from '../../src/process.ts'

export type ExecOptions = { input?: string; env?: Record<string, string>; timeoutMs?: number }

export type Place = {
  readonly name: string
  /** The checkout as seen from inside. */
  readonly checkout: string
  exec(argv: readonly [string, ...string[]], options?: ExecOptions): Promise<Finished>
  /** The same for a line of shell. */
  sh(line: string, options?: ExecOptions): Promise<Finished>
  /** Ends everything inside and removes its files. */
  remove(): Promise<void>
}

/** The pinned Node of the checkout, as seen from inside. */
export const nodeOf = (place: Place): string => join(place.checkout, `node_modules/node-linux-${process.arch}/bin/node`)

/** The argv that runs a TypeScript program of the checkout inside. */
export const program = (place: Place, path: string, ...args: string[]): [string, ...string[]] => [
  nodeOf(place),
  '--disable-warning=ExperimentalWarning',
  join(place.checkout, path),
  ...args,
]
