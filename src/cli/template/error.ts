/** Mistakes in a template, shown with their place the way mistakes in a manifest are. */
import { TspodError } from '../../errors.ts'

/** Offsets into the text of a template; `end` is exclusive. */
export type Span = { start: number; end: number }

/** A mistake whose place is known; the text it belongs to is added by `placed`. */
export class TemplateMistake extends Error {
  readonly span: Span
  readonly remedy: string | undefined

  constructor(span: Span, message: string, remedy?: string) {
    super(message)
    this.span = span
    this.remedy = remedy
  }
}

const HELP = 'what --format knows is in docs/format.md'

const MAX_SHOWN = 140

/** Runs `work`; a mistake in it becomes a USAGE error that quotes the line of `text` and points at the column. */
export function placed<Result>(text: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof TemplateMistake)) throw error
    const { line, column, shown, caret } = quote(text, error.span)
    throw new TspodError('USAGE', `template: --format:${line}:${column}: ${error.message}`, {
      remedy: error.remedy ?? HELP,
      details: `--format:${line}:${column}\n${shown}\n${caret}`,
      cause: error,
    })
  }
}

function quote(text: string, span: Span): { line: number; column: number; shown: string; caret: string } {
  const start = Math.min(span.start, text.length)
  const lineStart = text.lastIndexOf('\n', start - 1) + 1
  const lineEnd = text.indexOf('\n', start)
  const line = text.slice(0, start).split('\n').length
  const whole = text.slice(lineStart, lineEnd < 0 ? text.length : lineEnd)
  const column = start - lineStart
  // A long line is shown from a little before the place, so that the caret stays on the screen.
  const from = column > MAX_SHOWN - 20 ? column - 40 : 0
  const part = whole.slice(from, from + MAX_SHOWN).replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
  const width = Math.max(1, Math.min(span.end - start, part.length - (column - from)))
  const margin = `${line}`.padStart(5)
  return {
    line,
    column: column + 1,
    shown: `${margin} | ${part}`,
    caret: `${' '.repeat(margin.length)} | ${' '.repeat(column - from)}${'^'.repeat(width)}`,
  }
}
