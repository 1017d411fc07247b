/**
 * YAML text → trees with places, as Kubernetes reads YAML, within limits that hold before memory is spent.
 *
 * The scanner runs first and is stopped by size, number of tokens or depth; only what passes is composed. Anchors,
 * merge keys and duplicate keys are handled here and not by the library, whose own ways are quadratic or recursive.
 */
import { Composer, type CST, type Document, isAlias, isMap, isScalar, isSeq, Lexer, type Pair, Parser } from 'yaml'
import type { Issue, Issues, SourceFile, Span } from './issue.ts'
import { badCharacter, syntaxProblem } from './syntax.ts'

export type ScalarNode = Span & { kind: 'scalar'; text: string; plain: boolean; tag?: string }
export type MapNode = Span & { kind: 'map'; entries: Map<string, Entry> }
export type ListNode = Span & { kind: 'list'; items: YamlNode[] }
export type YamlNode = ScalarNode | MapNode | ListNode
export type Entry = { key: Span; value: YamlNode }

/**
 * Limits on one source. A container with a name and an image is 18 tokens and 3 values, a busy one 200 tokens: 10000 of
 * the first kind or 1500 of the second pass, in 1.3 s and 280 MiB. Reading 100000 tokens takes 0.25 s and 25 MiB,
 * composing them half of that again, so that what meets a limit ends within 2 s and 256 MiB. One text may be as long
 * as an object of Kubernetes may be in all.
 */
const LIMITS = {
  characters: 4_000_000,
  tokens: 300_000,
  nodes: 200_000,
  scalar: 1_500_000,
  depth: 100,
  documents: 2_000,
}

/** One character that YAML forbids: behind an apostrophe it stands in for the backslash before it. */
const FILLER = '\uffff'

/**
 * The documents of a source, without the empty ones. Mistakes go to `issues`; a document that has some is left
 * out, because what the parser made of it is a guess.
 */
export function readDocuments(source: SourceFile, issues: Issues): YamlNode[] {
  const report: Report = (code, span, message, remedy, path = '') => {
    const issue = { code, source, span, path, message, ...(remedy === undefined ? {} : { remedy }) }
    if (code === 'DUPLICATE_KEY') issues.addField(issue)
    else issues.add(issue)
  }
  const bad = unreadable(source.text)
  if (bad !== undefined) {
    report(bad.code, { start: bad.at, end: bad.at + 1 }, bad.message, bad.remedy)
    return []
  }
  const tokens: CST.Token[] = []
  const stopped = scan(source.text, tokens)
  if (stopped !== undefined) {
    report(
      'YAML_LIMIT',
      { start: stopped.at, end: stopped.at + 1 },
      stopped.message,
      'split the manifest or remove what is not needed',
    )
    return []
  }
  const documents: YamlNode[] = []
  let nodes = 0
  // The failsafe schema leaves every scalar a string: what it means depends on the field (scalar.ts).
  const composer = new Composer({ schema: 'failsafe', resolveKnownTags: false, uniqueKeys: false, prettyErrors: false })
  for (const document of composer.compose(tokens, false, source.text.length)) {
    if (reportSyntax(source, document, report)) continue
    const builder = new Builder(report, nodes)
    const tree = builder.document(document)
    nodes = builder.nodes
    if (builder.stopped) return documents
    if (tree !== undefined) documents.push(tree)
  }
  return documents
}

type Report = (code: Issue['code'], span: Span, message: string, remedy?: string, path?: string) => void

function unreadable(text: string): { code: Issue['code']; at: number; message: string; remedy: string } | undefined {
  if (text.length > LIMITS.characters) {
    const message = `the file is larger than ${LIMITS.characters / 1_000_000} MB`
    return { code: 'YAML_LIMIT', at: 0, message, remedy: 'split the manifest' }
  }
  const bad = badCharacter(text)
  return bad === undefined ? undefined : { code: 'YAML_SYNTAX', ...bad }
}

/** `\'` is an escape to Kubernetes' parser and none to ours; the length stays. Pairs of backslashes are no part of it. */
function withoutEscapedApostrophes(lexeme: string): string {
  const parts = lexeme.split('\\\\')
  return parts.map(part => part.replaceAll("\\'", `'${FILLER}`)).join('\\\\')
}

/** Tokenizes and parses into `tokens`; returns where and why it stopped when a limit was met. */
function scan(text: string, tokens: CST.Token[]): { at: number; message: string } | undefined {
  const parser = new Parser()
  let lexemes = 0
  let documents = 0
  for (const lexeme of new Lexer().lex(text)) {
    const at = parser.offset
    lexemes += 1
    if (lexemes > LIMITS.tokens) return { at, message: `more than ${LIMITS.tokens} YAML tokens` }
    if (lexeme.length > LIMITS.scalar) return { at, message: `a text of more than ${LIMITS.scalar} characters` }
    const source = lexeme.startsWith('"') && lexeme.includes("\\'") ? withoutEscapedApostrophes(lexeme) : lexeme
    for (const token of parser.next(source)) {
      tokens.push(token)
      if (token.type === 'document') documents += 1
    }
    // Each level of nesting holds one entry of the parser's stack; two more are the document and the scalar.
    if (parser.stack.length > LIMITS.depth + 2) return { at, message: `nested more than ${LIMITS.depth} levels deep` }
    if (documents > LIMITS.documents) return { at, message: `more than ${LIMITS.documents} YAML documents` }
  }
  for (const token of parser.end()) tokens.push(token)
  return undefined
}

/** Reports the syntax error of a document; true when there was one. */
function reportSyntax(source: SourceFile, document: Document.Parsed, report: Report): boolean {
  const problem = syntaxProblem(document, source.text)
  if (problem === undefined) return false
  if (/kind["']?\s*:\s*["']?Secret\b/.test(source.text.slice(document.range[0], document.range[2]))) {
    source.secret.push({ start: document.range[0], end: document.range[2] })
  }
  report('YAML_SYNTAX', { start: problem.at, end: problem.end }, problem.message, problem.remedy)
  return true
}

/** Turns one composed document into a tree of our own. */
class Builder {
  readonly #report: Report
  readonly #anchors = new Map<string, { node: YamlNode; size: number } | 'open'>()
  /** From the root to the node that is built: `.name` or `[index]`. */
  readonly #path: string[] = []
  nodes: number
  stopped = false

  constructor(report: Report, nodes: number) {
    this.#report = report
    this.nodes = nodes
  }

  /** The tree, or undefined for an empty document. */
  document(document: Document.Parsed): YamlNode | undefined {
    const content: unknown = document.contents
    if (content === null || (isScalar(content) && content.type === 'PLAIN' && content.source === '')) return undefined
    return this.#node(content, 0)
  }

  #node(input: unknown, depth: number): YamlNode {
    if (isAlias(input)) return this.#alias(input.source, rangeOf(input))
    const before = this.nodes
    const span = rangeOf(input)
    this.#count(1, span, depth)
    const anchor = (input as { anchor?: string } | null)?.anchor
    if (anchor !== undefined) this.#anchors.set(anchor, 'open')
    const node = this.stopped ? empty(span) : this.#build(input, span, depth)
    if (anchor !== undefined) this.#anchors.set(anchor, { node, size: this.nodes - before })
    return node
  }

  #build(input: unknown, span: Span, depth: number): YamlNode {
    if (isMap(input)) {
      this.#collectionTag(input.tag, 'map', span)
      return { kind: 'map', ...span, entries: this.#entries(input.items, depth) }
    }
    if (isSeq(input)) {
      this.#collectionTag(input.tag, 'seq', span)
      const items: YamlNode[] = []
      for (const [index, item] of input.items.entries()) {
        this.#path.push(`[${index}]`)
        items.push(this.#node(item, depth + 1))
        this.#path.pop()
        if (this.stopped) break
      }
      return { kind: 'list', ...span, items }
    }
    if (!isScalar(input)) return empty(span)
    const text = String(input.value ?? '').replaceAll(`'${FILLER}`, "'")
    if (!text.isWellFormed())
      this.#report('YAML_SYNTAX', span, 'an escape that is half a character', 'write the character itself')
    const plain = input.type === 'PLAIN'
    const tag = input.tag === undefined ? undefined : this.#scalarTag(input.tag, span)
    return { kind: 'scalar', ...span, text, plain, ...(tag === undefined ? {} : { tag }) }
  }

  #entries(pairs: readonly unknown[], depth: number): Map<string, Entry> {
    const entries = new Map<string, Entry>()
    const merges: YamlNode[] = []
    for (const pair of pairs) {
      if (this.stopped) break
      const { key, value } = pair as Pair
      if (!isScalar(key)) {
        this.#report('YAML_SYNTAX', rangeOf(key ?? value), 'a key must be plain text')
        continue
      }
      const span = rangeOf(key)
      const name = String(key.value ?? '').replaceAll(`'${FILLER}`, "'")
      this.#path.push(`.${name}`)
      const node = value === null || value === undefined ? empty(span) : this.#node(value, depth + 1)
      const path = entries.has(name) ? this.#path.join('').slice(1) : ''
      this.#path.pop()
      if (name === '<<' && key.type === 'PLAIN') merges.push(node)
      else {
        // Where that is let through the last one counts, as in every decoder of Kubernetes.
        if (entries.has(name))
          this.#report(
            'DUPLICATE_KEY',
            span,
            `the key ${JSON.stringify(name)} is given twice`,
            'keep one of them',
            path,
          )
        entries.set(name, { key: span, value: node })
      }
    }
    for (const merge of merges) this.#merge(entries, merge)
    return entries
  }

  /** YAML 1.1 merge key: what the map itself says wins, then the first of a list. */
  #merge(entries: Map<string, Entry>, merge: YamlNode): void {
    for (const from of merge.kind === 'list' ? merge.items : [merge]) {
      if (from.kind !== 'map') {
        this.#report('YAML_SYNTAX', from, '"<<" merges maps only')
        continue
      }
      this.#count(from.entries.size, from, 0)
      if (this.stopped) return
      for (const [name, entry] of from.entries) if (!entries.has(name)) entries.set(name, entry)
    }
  }

  #alias(name: string, span: Span): YamlNode {
    const target = this.#anchors.get(name)
    if (target === undefined) this.#report('YAML_SYNTAX', span, `no anchor &${name} before this alias`)
    else if (target === 'open') this.#report('YAML_SYNTAX', span, `*${name} contains itself`)
    else {
      this.#count(target.size, span, 0)
      return target.node
    }
    return empty(span)
  }

  #count(nodes: number, span: Span, depth: number): void {
    this.nodes += nodes
    if (this.stopped || (this.nodes <= LIMITS.nodes && depth <= LIMITS.depth)) return
    this.stopped = true
    const what =
      depth > LIMITS.depth
        ? `nested more than ${LIMITS.depth} levels deep`
        : `more than ${LIMITS.nodes} values, aliases counted in full`
    this.#report('YAML_LIMIT', span, what, 'split the manifest or remove what is not needed')
  }

  #scalarTag(tag: string, span: Span): string | undefined {
    const short = /^tag:yaml\.org,2002:(str|int|float|bool|null)$/.exec(tag)?.[1]
    if (short === undefined && tag !== '!')
      this.#report('YAML_SYNTAX', span, `the tag ${shortTag(tag)} has no meaning in a manifest`, 'remove it')
    return tag === '!' ? 'str' : short
  }

  #collectionTag(tag: string | undefined, known: string, span: Span): void {
    if (tag === undefined || tag === '!' || tag === `tag:yaml.org,2002:${known}`) return
    this.#report(
      'YAML_SYNTAX',
      { start: span.start, end: span.start + 1 },
      `the tag ${shortTag(tag)} has no meaning in a manifest`,
      'remove it',
    )
  }
}

const shortTag = (tag: string): string => tag.replace(/^tag:yaml\.org,2002:/, '!!')

function rangeOf(node: unknown): Span {
  const range = (node as { range?: [number, number, number] | null } | null)?.range
  return { start: range?.[0] ?? 0, end: Math.max(range?.[1] ?? 1, (range?.[0] ?? 0) + 1) }
}

const empty = (span: Span): ScalarNode => ({ kind: 'scalar', start: span.start, end: span.end, text: '', plain: true })
