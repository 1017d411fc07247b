/** Mistakes in manifests, collected and printed the way a compiler does. */
import { editDistance } from '../../words.ts'

export { either } from '../../words.ts'

export type IssueCode =
  | 'YAML_SYNTAX'
  | 'YAML_LIMIT'
  | 'DUPLICATE_KEY'
  | 'UNKNOWN_KIND'
  | 'UNKNOWN_FIELD'
  | 'WRONG_TYPE'
  | 'REQUIRED'
  | 'INVALID_VALUE'
  | 'UNSUPPORTED_VALUE'
  | 'NOT_SUPPORTED'
  | 'DUPLICATE'
  | 'NOT_FOUND'
  | 'FORBIDDEN'
  | 'TOO_LONG'
  | 'TOO_MANY'

/** Offsets into the text of one source; `end` is exclusive. */
export type Span = { start: number; end: number }

export type Issue = {
  code: IssueCode
  source: SourceFile
  span: Span
  /** Field path as the Kubernetes API writes it; empty for a whole document or file. */
  path: string
  /** What is wrong. */
  message: string
  /** What to do about it, where the message does not say so already. */
  remedy?: string
}

/** One input file with what is needed to print places in it. */
export class SourceFile {
  readonly file: string
  readonly text: string
  /** Ranges that hold the values of Secrets: their lines are never printed. */
  readonly secret: Span[] = []
  #lineStarts: number[] | undefined

  constructor(file: string, text: string) {
    this.file = file
    // A line may end in CR alone; the offsets stay what they are.
    this.text = text.includes('\r') ? text.replace(/\r(?!\n)/g, '\n') : text
  }

  /** True when a value of a Secret lies between the offsets. */
  hides(start: number, end: number): boolean {
    return this.secret.some(range => range.start < end && range.end > start)
  }

  /** Line and column of an offset, both counted from 1. */
  place(offset: number): { file: string; line: number; column: number } {
    const starts = this.#starts()
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { file: this.file, line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }

  /** The text of a line (from 1) and the offset where it begins. */
  line(number: number): { text: string; start: number } {
    const starts = this.#starts()
    const start = starts[number - 1] ?? 0
    const next = starts[number] ?? this.text.length + 1
    const end = this.text[next - 2] === '\r' ? next - 2 : next - 1
    return { text: this.text.slice(start, end), start }
  }

  #starts(): number[] {
    if (this.#lineStarts === undefined) {
      this.#lineStarts = [0]
      for (let at = this.text.indexOf('\n'); at !== -1; at = this.text.indexOf('\n', at + 1))
        this.#lineStarts.push(at + 1)
    }
    return this.#lineStarts
  }
}

/** Thrown by `Issues.add` when there are so many that nobody reads them all. */
class TooManyIssues extends Error {}

const MAX_ISSUES = 500

/**
 * What is to be done about fields that do not exist or are given twice: refused, noted, or neither. The API server's
 * `fieldValidation`; nothing else is ever let through.
 */
export type FieldValidation = 'strict' | 'warn' | 'ignore'

/** Every mistake of one translation. */
export class Issues {
  readonly list: Issue[] = []
  readonly #seen = new Set<string>()
  readonly #fields: FieldValidation
  readonly #warn: (text: string) => void

  /** `warn` takes one line for each field that is only noted. */
  constructor(fields: FieldValidation = 'strict', warn: (text: string) => void = () => {}) {
    this.#fields = fields
    this.#warn = warn
  }

  /** Adds an issue about an unknown or repeated field, as far as these are mistakes here. Throws as `add`. */
  addField(issue: Issue): void {
    if (this.#fields === 'strict') this.add(issue)
    if (this.#fields !== 'warn') return
    const { source, span, path, message } = issue
    const { file, line, column } = source.place(span.start)
    this.#warn(`${file}:${line}:${column} ${path === '' ? '' : `${path}: `}${message}`)
  }

  /**
   * Adds an issue unless the same was found at the same place (replicas are translated one by one). Throws
   * TooManyIssues at the limit: a hostile manifest must not cost more than a wrong one.
   */
  add(issue: Issue): void {
    const key = `${issue.source.file}:${issue.span.start}:${issue.code}:${issue.path}:${issue.message}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    this.list.push(issue)
    if (this.list.length >= MAX_ISSUES) throw new TooManyIssues()
  }
}

const MAX_LINE = 160

/** What `work` returns, or nothing when it was cut short by the number of issues, which are in `issues` then. */
export function collecting<Result>(issues: Issues, work: () => Result[]): Result[] {
  try {
    return work()
  } catch (error) {
    if (error instanceof TooManyIssues && issues.list.length > 0) return []
    throw error
  }
}

/** An issue for programs. */
export type Mistake = {
  file: string
  line: number
  column: number
  code: IssueCode
  path: string
  message: string
  remedy?: string
}

/** The issues in the order of files and places, as data. */
export function mistakesOf(issues: readonly Issue[], sources: readonly SourceFile[]): Mistake[] {
  return inOrder(issues, sources).map(({ source, span, code, path, message, remedy }) => ({
    ...source.place(span.start),
    code,
    path,
    message,
    ...(remedy !== undefined && { remedy }),
  }))
}

function inOrder(issues: readonly Issue[], sources: readonly SourceFile[]): Issue[] {
  const order = new Map(sources.map((source, index) => [source, index]))
  return issues.toSorted(
    (a, b) => (order.get(a.source) ?? 0) - (order.get(b.source) ?? 0) || a.span.start - b.span.start,
  )
}

/** The issues in the order of files and places, as text for a terminal or a log. */
export function renderIssues(issues: readonly Issue[], sources: readonly SourceFile[]): string {
  const sorted = inOrder(issues, sources)
  const printed = sorted.map(renderIssue)
  if (sorted.length >= MAX_ISSUES) printed.push(`too many errors: there may be more than these ${MAX_ISSUES}`)
  return printed.join('\n\n')
}

function renderIssue(issue: Issue): string {
  const { source, span } = issue
  const { file, line, column } = source.place(span.start)
  const head = `${printable(file)}:${line}:${column} error ${issue.code}${issue.path === '' ? '' : ` ${printable(issue.path)}`}`
  const margin = `${line}`.padStart(5)
  const blank = ' '.repeat(margin.length)
  const say = `   ${printable(issue.remedy === undefined ? issue.message : `${issue.message}; ${issue.remedy}`)}`
  const { text, start } = source.line(line)
  if (!/\S/.test(text)) return [head, say].join('\n')
  if (source.hides(start, start + text.length)) {
    return [head, `${margin} | (not shown: it belongs to a Secret)`, say].join('\n')
  }
  // A very long line is shown from a little before the place, so that the caret stays on the screen.
  const from = column > MAX_LINE - 20 ? column - 40 : 0
  const shown = printable(text.slice(from, from + MAX_LINE))
  const caret = column - 1 - from
  const width = Math.max(1, Math.min(span.end - span.start, shown.length - caret))
  return [head, `${margin} | ${shown}`, `${blank} | ${' '.repeat(caret)}${'^'.repeat(width)}`, say].join('\n')
}

/** Control characters become blanks, one for one: a manifest must not steer the terminal it is quoted on. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, ' ')
}

/** A value as a message quotes it: in double quotes, shortened. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text)
}

/** The candidate that `word` is most probably a slip of, or undefined when none is near. */
function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > 64) return undefined
  const wanted = word.toLowerCase()
  let best: string | undefined
  let bestDistance = Math.min(3, Math.floor(word.length / 3)) + 1
  const all = [...candidates]
  for (const candidate of all) {
    // Each letter more or less is an edit.
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue
    const distance = candidate === word ? bestDistance : editDistance(wanted, candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best ?? all.find(candidate => shortens(candidate.toLowerCase(), wanted))
}

/** `workdir` for workingDir, `environment` for env: letters left out, or words drawn out. */
function shortens(candidate: string, word: string): boolean {
  if (candidate.length >= 3 && word.startsWith(candidate)) return true
  if (word.length < 4 || candidate === word || candidate[0] !== word[0]) return false
  let at = 0
  for (const letter of candidate) if (letter === word[at]) at += 1
  return at === word.length
}

/** `did you mean "x"?`, or undefined. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const candidate = nearest(word, candidates)
  return candidate === undefined ? undefined : `did you mean ${quote(candidate)}?`
}
