/** From tokens to a tree: the subset of Go's text/template that scripts for Podman use. */
import { type Span, TemplateMistake } from './error.ts'
import { FUNCTIONS, GO_FUNCTIONS } from './functions.ts'
import { lex, type Token } from './lex.ts'
import { didYouMean } from './suggest.ts'

export type Operand = Span &
  (
    | { kind: 'literal'; value: string | number | boolean | null }
    | { kind: 'dot' }
    | { kind: 'variable'; name: string }
    | { kind: 'function'; name: string }
    | { kind: 'paren'; pipe: Pipe }
    | { kind: 'field'; of: Operand; name: string }
  )

export type Command = Span & { operands: readonly [Operand, ...Operand[]] }
export type Pipe = Span & { declares: readonly string[]; assigns: boolean; commands: readonly Command[] }

export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'print'; pipe: Pipe }
  | { kind: 'if' | 'with' | 'range'; pipe: Pipe; body: readonly Node[]; otherwise: readonly Node[] }

const CONTROL = ['if', 'else', 'end', 'range', 'with']
const UNSUPPORTED = ['define', 'template', 'block', 'break', 'continue']

/** The tree of a template. Throws TemplateMistake with the place of what is wrong or not supported. */
export function parse(text: string): Node[] {
  const parser = new Parser(lex(text))
  const nodes = parser.list()
  const rest = parser.peek()
  if (rest.kind !== 'end') throw new TemplateMistake(rest, `unexpected {{${parser.wordAfter(rest)}}}`)
  return nodes
}

/** Blocks within blocks; deeper ones come from nobody's keyboard. */
const MAX_DEPTH = 50

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0
  /** The names of variables in scope; `$` is always there. */
  readonly #variables: string[] = ['']

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  peek(ahead = 0): Token {
    const last = this.#tokens.length - 1
    return this.#tokens[Math.min(this.#at + ahead, last)] as Token
  }

  wordAfter(open: Token): string {
    return this.#tokens[this.#tokens.indexOf(open) + 1]?.value ?? ''
  }

  #next(): Token {
    const token = this.peek()
    this.#at += 1
    return token
  }

  /** Nodes up to an `{{else}}` or `{{end}}`, which is left, or the end of the text. */
  list(): Node[] {
    const nodes: Node[] = []
    for (;;) {
      const token = this.peek()
      if (token.kind === 'end') return nodes
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: this.#next().value })
        continue
      }
      const word = this.peek(1)
      if (word.kind === 'word' && (word.value === 'else' || word.value === 'end')) return nodes
      nodes.push(this.#action())
    }
  }

  #action(): Node {
    this.#next()
    const word = this.peek()
    if (word.kind === 'close') throw new TemplateMistake(word, 'missing value for command')
    if (word.kind === 'word' && UNSUPPORTED.includes(word.value))
      throw new TemplateMistake(word, `{{${word.value}}} is not supported`)
    if (word.kind === 'word' && CONTROL.includes(word.value)) return this.#block(this.#next())
    const pipe = this.#pipe()
    this.#expectClose()
    return { kind: 'print', pipe }
  }

  /** `if`, `with` or `range`, the word being read already; `else if` is a block within the else. */
  #block(word: Token): Node {
    const kind = word.value as 'if' | 'with' | 'range'
    if (++this.#depth > MAX_DEPTH) throw new TemplateMistake(word, 'too many blocks within blocks')
    const scope = this.#variables.length
    const pipe = this.#pipe(kind === 'range' ? 2 : 1)
    this.#expectClose()
    const body = this.list()
    const otherwise = this.#afterBody(word)
    this.#variables.length = scope
    this.#depth -= 1
    return { kind, pipe, body, otherwise }
  }

  #afterBody(opener: Token): Node[] {
    const open = this.#next()
    if (open.kind === 'end')
      throw new TemplateMistake(opener, `unexpected EOF: {{${opener.value}}} has no {{end}}`, 'add {{end}}')
    const word = this.#next()
    if (word.value === 'end') {
      this.#expectClose()
      return []
    }
    const follows = this.peek()
    if (follows.kind === 'word') {
      if (opener.value !== 'if' || follows.value !== 'if')
        throw new TemplateMistake(follows, `{{else ${follows.value}}} is not supported here`)
      return [this.#block(this.#next())]
    }
    this.#expectClose()
    const nodes = this.list()
    const end = this.#next()
    if (end.kind === 'end' || this.#next().value !== 'end')
      throw new TemplateMistake(end.kind === 'end' ? opener : end, `expected {{end}} for {{${opener.value}}}`)
    this.#expectClose()
    return nodes
  }

  #expectClose(): void {
    const token = this.#next()
    if (token.kind !== 'close') throw new TemplateMistake(token, `unexpected "${token.value}" in command`)
  }

  #pipe(mayDeclare = 1): Pipe {
    const start = this.peek().start
    const { names, assigns } = this.#declaration(mayDeclare)
    const commands = [this.#command()]
    while (this.#isSign('|')) {
      this.#next()
      commands.push(this.#command())
    }
    for (const command of commands.slice(1)) {
      const [first] = command.operands
      if (first.kind !== 'function' && first.kind !== 'field' && first.kind !== 'variable')
        throw new TemplateMistake(first, 'non executable command in pipeline')
    }
    if (!assigns) this.#variables.push(...names)
    return { start, end: this.peek(-1).end, declares: names, assigns, commands }
  }

  #isSign(value: string, ahead = 0): boolean {
    const token = this.peek(ahead)
    return token.kind === 'sign' && token.value === value
  }

  /** `$x :=`, `$x =` and, for range, `$i, $x :=`. */
  #declaration(most: number): { names: string[]; assigns: boolean } {
    const none = { names: [], assigns: false }
    const first = this.peek()
    if (first.kind !== 'variable') return none
    const names = [first.value]
    let ahead = 1
    if (most === 2 && this.#isSign(',', 1) && this.peek(2).kind === 'variable') {
      names.push(this.peek(2).value)
      ahead = 3
    }
    const assigns = this.#isSign('=', ahead)
    if (!assigns && !this.#isSign(':=', ahead)) return none
    if (assigns) for (const name of names) this.#known(name, first)
    this.#at += ahead + 1
    return { names, assigns }
  }

  #known(name: string, place: Span): void {
    if (this.#variables.includes(name)) return
    throw new TemplateMistake(place, `undefined variable "$${name}"`, 'give it a value first: {{$x := …}}')
  }

  #command(): Command {
    const operands: Operand[] = []
    for (;;) {
      const operand = this.#operand()
      if (operand === undefined) break
      operands.push(operand)
    }
    const [first, ...rest] = operands
    if (first === undefined) throw new TemplateMistake(this.peek(), 'missing value for command')
    return { operands: [first, ...rest], start: first.start, end: this.peek(-1).end }
  }

  /** One operand with the fields that hang on it; undefined where none begins. */
  #operand(): Operand | undefined {
    let operand = this.#term()
    if (operand === undefined) return undefined
    while (this.peek().kind === 'field' && this.peek().joined) {
      const field = this.#next()
      operand = { kind: 'field', of: operand, name: field.value, start: operand.start, end: field.end }
    }
    return operand
  }

  #term(): Operand | undefined {
    const token = this.peek()
    const span = { start: token.start, end: token.end }
    if (token.kind === 'sign' && token.value === '(') return this.#parenthesis()
    if (token.kind === 'close' || (token.kind === 'sign' && token.value !== '.')) return undefined
    this.#next()
    switch (token.kind) {
      case 'string':
        return { kind: 'literal', value: token.value, ...span }
      case 'number':
        return { kind: 'literal', value: Number(token.value), ...span }
      case 'sign':
        return { kind: 'dot', ...span }
      case 'field':
        return { kind: 'field', of: { kind: 'dot', ...span }, name: token.value, ...span }
      case 'variable':
        this.#known(token.value, token)
        return { kind: 'variable', name: token.value, ...span }
      case 'word':
        return wordOperand(token)
      default:
        throw new TemplateMistake(token, 'unexpected end of the template', 'end the action with }}')
    }
  }

  #parenthesis(): Operand {
    const open = this.#next()
    if (++this.#depth > MAX_DEPTH) throw new TemplateMistake(open, 'too many parentheses')
    const pipe = this.#pipe()
    if (!this.#isSign(')')) throw new TemplateMistake(open, 'unclosed left paren')
    this.#depth -= 1
    return { kind: 'paren', pipe, start: open.start, end: this.#next().end }
  }
}

const CONSTANTS: Record<string, boolean | null> = { true: true, false: false, nil: null }

function wordOperand(token: Token): Operand {
  const { value: name, start, end } = token
  if (Object.hasOwn(CONSTANTS, name)) return { kind: 'literal', value: CONSTANTS[name] ?? null, start, end }
  if (Object.hasOwn(FUNCTIONS, name)) return { kind: 'function', name, start, end }
  if (GO_FUNCTIONS.includes(name)) throw new TemplateMistake(token, `function "${name}" is not supported`)
  if (CONTROL.includes(name)) throw new TemplateMistake(token, `unexpected <${name}> in command`)
  throw new TemplateMistake(
    token,
    `function "${name}" not defined`,
    didYouMean(name, Object.keys(FUNCTIONS), `a field begins with a dot: .${name}`),
  )
}
