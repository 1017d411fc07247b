/**
 * YAML text → trees with places, as Kubernetes reads YAML, within limits that hold before memory is spent.
 *
 * The scanner is stopped by size, number of tokens or depth; a document that passes is composed and
 * its tokens are forgotten. Anchors, merge keys and duplicate keys are handled here and not by the library, whose own
 * ways are quadratic or recursive.
 */
import { Composer, type CST, type Document, isAlias, isMap, isScalar, isSeq, Lexer, type Pair, Parser } from 'yaml'
import type { Issue, Issues, SourceFile, Span } from './issue.ts'
import { badCharacter, syntaxProblem } from './syntax.ts'
import type { TreeMemory } from './trees.ts'

export type ScalarNode = Span & { kind: 'scalar'; text: string; plain: boolean; tag?: string }
export type MapNode = Span & { kind: 'map'; entries: Map<string, Entry> }
export type ListNode = Span & { kind: 'list'; items: YamlNode[] }
export type YamlNode = ScalarNode | MapNode | ListNode
export type Entry = { key: Span; value: YamlNode }

/**
 * Limits on one source. A container with a name and an image is 18 tokens and 3 values, a busy one 220 and 60: a pod may
 * have 10000 of the first kind or 1100 of the second, in 1.4 s and 250 MiB, and a file of many pods 1800 of the second,
 * in 1.7 s and 170 MiB. Reading 100000 tokens takes 0.23 s and, in a large document, 40 MiB; composing them half of that
 * again; what was read of small documents is forgotten. So what meets a limit ends within 1.2 s and 225 MiB. One text
 * may be as long as an object of Kubernetes may be in all.
 */
const LIMITS = {
  characters: 8_000_000,
  tokens: 400_000,
  tokensOfLarge: 250_000,
  tokensOfSmall: 5_000,
  aliases: 10_000,
  nodes: 150_000,
  scalar: 1_500_000,
  depth: 100,
  documents: 2_000,
}

/** One character that YAML forbids: behind an apostrophe it stands in for the backslash before it. */
const FILLER = '\uffff'

/**
 * The documents of a source, without the empty ones. Mistakes go to `issues`; a document that has some is left
 * out, because what the parser made of it is a guess. `memory` is asked first, and told what was read.
 */
export function readDocuments(source: SourceFile, issues: Issues, memory?: TreeMemory): YamlNode[] {
  const known = memory?.recall(source.text)
  if (known !== undefined) return known
  let isClean = true
  const report: Report = (code, span, message, remedy, path = '') => {
    isClean = false
    const issue = { code, source, span, path, message, ...(remedy === undefined ? {} : { remedy }) }
    if (code === 'DUPLICATE_KEY') issues.addField(issue)
    else issues.add(issue)
  }
  const bad = unreadable(source.text)
  if (bad !== undefined) {
    report(bad.code, { start: bad.at, end: bad.at + 1 }, bad.message, bad.remedy)
    return []
  }
  const documents: YamlNode[] = []
  let nodes = 0
  // The failsafe schema leaves every scalar a string: what it means depends on the field (scalar.ts).
  const composer = new Composer({ schema: 'failsafe', resolveKnownTags: false, uniqueKeys: false, prettyErrors: false })
  /** Of a text with aliases trees share branches, which is what keeps them small. */
  let hasAliases = false
  /** False when a limit was met. */
  const take = (composed: Iterable<Document.Parsed>): boolean => {
    for (const document of composed) {
      if (reportSyntax(source, document, report)) continue
      const builder = new Builder(report, nodes)
      const tree = builder.document(document)
      nodes = builder.nodes
      hasAliases ||= builder.hasAliases
      if (builder.stopped) return false
      if (tree !== undefined) documents.push(tree)
    }
    return true
  }
  const stopped = scan(source.text, token => take(untraced(() => [...composer.next(token)])))
  if (stopped === undefined) take(untraced(() => [...composer.end(false, source.text.length)]))
  else if (stopped.message !== '') {
    const remedy = 'split the manifest or remove what is not needed'
    report('YAML_LIMIT', { start: stopped.at, end: stopped.at + 1 }, stopped.message, remedy)
    return []
  }
  if (isClean && !hasAliases) memory?.keep(source.text, documents)
  return documents
}

/**
 * What `compose` gives. The library makes an Error of each mistake, of which words and place are read alone: the stack
 * traces would take longer than all the rest where a hostile text has a mistake in every character.
 */
function untraced<Result>(compose: () => Result): Result {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return compose()
  } finally {
    Error.stackTraceLimit = limit
  }
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

/**
 * Tokenizes and parses, and gives `take` each token of the uppermost level, documents among them, as soon as it is
 * complete. Returns where and why it stopped when a limit was met; without a message where `take` wanted no more.
 */
function scan(text: string, take: (token: CST.Token) => boolean): { at: number; message: string } | undefined {
  const parser = new Parser()
  const counts: Counts = { all: 0, large: 0, document: 0, aliases: 0, documents: 0 }
  for (const lexeme of new Lexer().lex(text)) {
    const at = parser.offset
    counts.all += 1
    counts.document += 1
    if (lexeme.startsWith('*')) counts.aliases += 1
    if (lexeme.length > LIMITS.scalar) return { at, message: `a text of more than ${LIMITS.scalar} characters` }
    const source = lexeme.startsWith('"') && lexeme.includes("\\'") ? withoutEscapedApostrophes(lexeme) : lexeme
    for (const token of parser.next(source)) {
      if (token.type === 'document') {
        counts.documents += 1
        if (counts.document > LIMITS.tokensOfSmall) counts.large += counts.document
        counts.document = 0
      }
      if (!take(token)) return { at, message: '' }
    }
    const tooMany = excess(counts, parser.stack.length)
    if (tooMany !== undefined) return { at, message: tooMany }
  }
  for (const token of parser.end()) if (!take(token)) return { at: parser.offset, message: '' }
  return undefined
}

/** Tokens in all, in the large documents so far and in the one that is read; and aliases and documents. */
type Counts = { all: number; large: number; document: number; aliases: number; documents: number }

/** Which limit is exceeded, in words; `stacked`: the entries of the parser's stack. */
function excess({ all, large, document, aliases, documents }: Counts, stacked: number): string | undefined {
  if (all > LIMITS.tokens) return `more than ${LIMITS.tokens} YAML tokens`
  if (large + document > LIMITS.tokensOfLarge) return `more than ${LIMITS.tokensOfLarge} YAML tokens in large documents`
  // One of them costs as much to compose as twenty other tokens.
  if (aliases > LIMITS.aliases) return `more than ${LIMITS.aliases} YAML aliases`
  // Each level of nesting holds one entry of the stack; two more are the document and the scalar.
  if (stacked > LIMITS.depth + 2) return `nested more than ${LIMITS.depth} levels deep`
  return documents > LIMITS.documents ? `more than ${LIMITS.documents} YAML documents` : undefined
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
  hasAliases = false

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
    this.hasAliases = true
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
