/** Standard output and standard error, with what is known about who reads them. */
import { hostTrouble, TspodError } from '../errors.ts'
import { printable } from '../words.ts'
import type { Output } from './verb.ts'

/** The part of a Node stream that is needed, so that tests can bring their own. */
export type TextStream = {
  write(text: string | Uint8Array): unknown
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

const DEFAULT_COLUMNS = 100

/**
 * Wraps a stream. When its reader has gone (EPIPE) what is written later is dropped and `closed` is aborted, so that
 * `tspod ps | head -1` ends quietly and a play whose output nobody wants any more is still finished.
 * Colour needs a terminal that has it and no NO_COLOR (https://no-color.org).
 */
export function makeOutput(stream: TextStream, env: Readonly<Record<string, string | undefined>>): Output {
  const gone = new AbortController()
  stream.on('error', error => {
    gone.abort(error)
  })
  const isTerminal = stream.isTTY === true
  const rewritable = isTerminal && env.TERM !== 'dumb'
  return {
    write: text => {
      if (!gone.signal.aborted && text !== '') stream.write(text)
    },
    isTerminal,
    rewritable,
    colour: rewritable && !env.NO_COLOR,
    columns: stream.columns ?? DEFAULT_COLUMNS,
    closed: gone.signal,
  }
}

/** A full disk or quota: the reader is there and has not got all. A reader that has gone, or hung up, wanted no more. */
const LOSSES: readonly unknown[] = ['ENOSPC', 'EDQUOT']

/** What to say of output that was lost, if any was: the exit code may not tell that all went well. */
export function lostOutput({ closed }: Pick<Output, 'closed'>): TspodError | undefined {
  const reason = closed.reason as NodeJS.ErrnoException | undefined
  if (!LOSSES.includes(reason?.code)) return undefined
  const { message, remedy } = hostTrouble(reason) ?? {}
  return new TspodError('HOST_EXHAUSTED', `cannot write standard output: ${message}`, {
    remedy: remedy ?? 'free some space',
    cause: reason,
  })
}

const COLOURS = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, bold: 1 } as const

export type Colour = keyof typeof COLOURS

/** `text` in a colour, or as it is when `on` is false. */
export const paint = (text: string, colour: Colour, on: boolean): string =>
  on ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text

export { printable }

/** The same for text of several lines with tabs, such as what a template makes for a terminal. */
export const printableLines = (text: string): string => text.replace(/[^\t\n]+/g, part => printable(part))
