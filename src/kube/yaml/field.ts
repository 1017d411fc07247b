/** A cursor over a document: typed reading with the place and the path of everything at hand. */
import type { Place } from '../../model.ts'
import { type IssueCode, type Issues, quote, type SourceFile, type Span } from './issue.ts'
import type { YamlNode } from './read.ts'
import { asBoolean, asInteger, asQuantityText, asString, isNull } from './scalar.ts'

/** What all fields of one document share; `allowUnsupported`: fields that do nothing yet are noted, not refused. */
export type DocumentContext = { source: SourceFile; issues: Issues; notes: Notes; allowUnsupported: boolean }

/**
 * One value of a document, or the place where it could be. Reading never complains about a wrong type: the walk
 * over the schema (check.ts) has done so already, and a value of a wrong type reads as missing.
 */
export class Field {
  readonly context: DocumentContext
  /** Undefined when the field is missing or null. */
  readonly node: YamlNode | undefined
  /** Where the key of the field stands; for a missing field, where its parent begins. */
  readonly key: Span
  readonly #parent: Field | undefined
  readonly #segment: string

  constructor(context: DocumentContext, node: YamlNode | undefined, key: Span, parent?: Field, segment = '') {
    this.context = context
    this.node = node === undefined || isNull(node) ? undefined : node
    this.key = key
    this.#parent = parent
    this.#segment = segment
  }

  get present(): boolean {
    return this.node !== undefined
  }

  /** Dotted path with `[i]` and `[key]`, as the Kubernetes API writes it. */
  get path(): string {
    const parent = this.#parent?.path ?? ''
    return parent === '' ? this.#segment.replace(/^\./, '') : `${parent}${this.#segment}`
  }

  get place(): Place {
    return this.context.source.place(this.span.start)
  }

  /** The value, or the key where there is no value worth pointing at. */
  get span(): Span {
    if (this.node === undefined || this.node.kind !== 'scalar') return this.key
    return this.node
  }

  /** The member of a struct, present or not. */
  at(name: string): Field {
    return this.#child(name, `.${name}`)
  }

  /** The entry of a map with free keys, present or not. */
  entry(name: string): Field {
    return this.#child(name, `[${name}]`)
  }

  #child(name: string, segment: string): Field {
    const found = this.node?.kind === 'map' ? this.node.entries.get(name) : undefined
    return new Field(this.context, found?.value, found?.key ?? this.key, this, segment)
  }

  /** The items of a list; none when it is missing. */
  items(): Field[] {
    if (this.node?.kind !== 'list') return []
    return this.node.items.map((item, index) => new Field(this.context, item, firstKey(item), this, `[${index}]`))
  }

  /** The entries of a map, in order. */
  entries(): [name: string, value: Field][] {
    if (this.node?.kind !== 'map') return []
    return [...this.node.entries].map(([name, entry]) => [
      name,
      new Field(this.context, entry.value, entry.key, this, `[${name}]`),
    ])
  }

  /** The members of a struct, in order. */
  members(): [name: string, value: Field][] {
    if (this.node?.kind !== 'map') return []
    return [...this.node.entries].map(([name, entry]) => [
      name,
      new Field(this.context, entry.value, entry.key, this, `.${name}`),
    ])
  }

  string(): string | undefined {
    return this.node === undefined ? undefined : asString(this.node)
  }

  boolean(): boolean | undefined {
    return this.node === undefined ? undefined : asBoolean(this.node)
  }

  integer(): number | undefined {
    return this.node === undefined ? undefined : asInteger(this.node)
  }

  quantity(): string | undefined {
    return this.node === undefined ? undefined : asQuantityText(this.node)
  }

  /** The strings of a list, without what is not a string; undefined when the list is missing. */
  strings(): string[] | undefined {
    if (this.node?.kind !== 'list') return undefined
    return this.items().flatMap(item => item.string() ?? [])
  }

  /** The string values of a map, without what is not a string. Its keys may be any text, `__proto__` too. */
  stringMap(): Record<string, string> {
    const result = emptyRecord<string>()
    for (const [name, value] of this.entries()) result[name] = value.string() ?? ''
    return result
  }

  /** One of `allowed`; anything else is reported and read as `fallback`, and so is a missing field. */
  oneOf<const Allowed extends string>(allowed: readonly Allowed[], fallback: Allowed): Allowed {
    const text = this.string()
    if (text === undefined) return fallback
    const found = allowed.find(word => word === text)
    if (found !== undefined) return found
    const words = allowed.filter(word => word !== '')
    this.issue('UNSUPPORTED_VALUE', `${quote(text)} is not possible here`, `use ${listed(words)}`)
    return fallback
  }

  issue(code: IssueCode, message: string, remedy?: string): void {
    this.issueAt(this.span, code, message, remedy)
  }

  issueAt(span: Span, code: IssueCode, message: string, remedy?: string): void {
    const { source, issues } = this.context
    issues.add({ code, source, span, path: this.path, message, ...(remedy === undefined ? {} : { remedy }) })
  }

  /** Reports that this member does not exist in its parent. */
  unknown(remedy: string): void {
    const { source, issues } = this.context
    const message = `unknown field ${quote(this.#segment.replace(/^\./, ''))}`
    issues.addField({ code: 'UNKNOWN_FIELD', source, span: this.key, path: this.path, message, remedy })
  }

  note(text: string): void {
    this.context.notes.add(this, text)
  }
}

const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`

/** A map that has no prototype, so that every key is an ordinary one. */
export const emptyRecord = <Value>(): Record<string, Value> => Object.create(null) as Record<string, Value>

/** `FILE:LINE:COLUMN PATH` of a field, as notes begin. */
export function quotedPlace(field: Field): string {
  const { file, line, column } = field.context.source.place(field.key.start)
  return `${file}:${line}:${column} ${field.path}`
}

/** Where a caret for a whole value goes: its first key, or its first characters. */
export function firstKey(node: YamlNode): Span {
  if (node.kind === 'map') {
    const first = node.entries.values().next().value
    if (first !== undefined) return first.key
  }
  return node.kind === 'scalar' ? node : { start: node.start, end: node.start + 1 }
}

/** Fields that were accepted although they do nothing here: one line for each, however often it occurs. */
export class Notes {
  readonly #lines = new Map<string, { first: string; text: string; count: number }>()
  readonly #sentences = new Set<string>()

  /** Remembers that `field` has no effect. The same field at other indexes counts as the same. */
  add(field: Field, text: string): void {
    const path = field.path
    const key = `${path.replace(/\[[^\]]*\]/g, '[]')} ${text}`
    const line = this.#lines.get(key)
    if (line !== undefined) {
      line.count += 1
      return
    }
    this.#lines.set(key, { first: quotedPlace(field), text, count: 1 })
  }

  /** A note that is about more than one field. */
  say(text: string): void {
    this.#sentences.add(text)
  }

  lines(): string[] {
    const fields = [...this.#lines.values()].map(({ first, text, count }) => {
      const more = count > 1 ? ` (and ${count - 1} more like it)` : ''
      return `${first} has no effect: ${text}${more}`
    })
    return [...fields, ...this.#sentences]
  }
}
