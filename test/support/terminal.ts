/** A program on a terminal inside a cell, with somebody who reads and types: see terminal.py. */
import { join } from 'node:path'
import type { Place } from './place.ts'

export type Step =
  | { expect: string }
  | { send: string }
  | { resize: [rows: number, columns: number] }
  | { signal: number }
  | { close: true }

export type OnTerminal = {
  /** Everything the terminal showed, with \r\n at line ends. */
  output: string
  /** Negative: the signal that ended it. */
  code: number
  /** The terminal was left as it was found; null after hanging up. */
  restored: boolean | null
}

/** Runs `argv` on a terminal of 24 rows and 80 columns and does `steps`; throws when one of them cannot be done. */
export async function onTerminal(place: Place, argv: readonly string[], steps: readonly Step[]): Promise<OnTerminal> {
  const helper = join(place.checkout, 'test/support/terminal.py')
  const finished = await place.exec(['/usr/bin/python3', helper, JSON.stringify(steps), ...argv])
  if (finished.exitCode === 0) return JSON.parse(finished.stdout) as OnTerminal
  throw new Error(`${argv.join(' ')}: ${finished.stdout}${finished.stderr}`)
}
