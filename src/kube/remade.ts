/**
 * Manifests that a tool has written anew, as kustomize and SOPS do: quotes around a variable are gone where YAML needs
 * none, and so what its author meant is told by the field alone. Each text that is one gets quotes again, and values are
 * put into them as quotes want it. Pure.
 */
import { entryOf, fieldsOf, itemOf, type TypeCode } from './schema/index.ts'
import { Issues, readDocuments, SourceFile, type YamlNode } from './yaml/index.ts'

/** `write`: how a value is written at this place of the text. */
export type Requoted = { text: string; write(offset: number, value: string): string }

type Span = { start: number; end: number }
type Style = 'single' | 'double'
type Quoted = Span & { style: Style; isNew: boolean }

/** Types whose scalars are no texts: what is put in is written as it is. */
const BARE: ReadonlySet<TypeCode> = new Set(['i', 'n', 'b', 'x', 'any'])

/** A text with variables in it, with quotes where fields want texts; one that is no YAML stays as it is. */
export function requoted(file: string, text: string): Requoted {
  const source = new SourceFile(file, text)
  const issues = new Issues('ignore')
  const found: Quoted[] = []
  const look = (span: Span, type: TypeCode): void => {
    const raw = source.text.slice(span.start, span.end)
    if (!raw.includes('${')) return
    const first = raw[0]
    if (first === '"' || first === "'")
      found.push({ ...span, style: first === '"' ? 'double' : 'single', isNew: false })
    // Values are in a text of several lines (|, >) as they are.
    else if (first !== '|' && first !== '>' && !BARE.has(type)) found.push({ ...span, style: 'single', isNew: true })
  }
  for (const document of readDocuments(source, issues)) visit(document, kindOf(document), look)
  if (issues.list.length > 0) return { text, write: (_, value) => value }
  return withQuotes(
    source.text,
    found.sort((a, b) => a.start - b.start),
  )
}

function kindOf(document: YamlNode): TypeCode {
  const kind = document.kind === 'map' ? document.entries.get('kind')?.value : undefined
  return kind?.kind === 'scalar' && fieldsOf(kind.text) !== undefined ? kind.text : 'any'
}

/** Every scalar with the type that its field has, keys as the texts that they are. */
function visit(node: YamlNode, type: TypeCode, look: (span: Span, type: TypeCode) => void): void {
  if (node.kind === 'scalar') look(node, type)
  else if (node.kind === 'list') for (const item of node.items) visit(item, itemOf(type) ?? 'any', look)
  else {
    const fields = fieldsOf(type)
    for (const [name, { key, value }] of node.entries) {
      look(key, 's')
      visit(value, entryOf(type) ?? fields?.get(name)?.type ?? 'any', look)
    }
  }
}

function withQuotes(text: string, found: readonly Quoted[]): Requoted {
  let made = ''
  let from = 0
  const places: (Span & { style: Style })[] = []
  for (const { start, end, style, isNew } of found) {
    made += text.slice(from, start)
    const raw = text.slice(start, end)
    const shown = isNew ? `'${raw.replaceAll("'", "''")}'` : raw
    places.push({ start: made.length, end: made.length + shown.length, style })
    made += shown
    from = end
  }
  made += text.slice(from)
  return {
    text: made,
    write: (offset, value) => {
      const place = places.find(({ start, end }) => start <= offset && offset < end)
      if (place === undefined) return value
      return place.style === 'single' ? value.replaceAll("'", "''") : JSON.stringify(value).slice(1, -1)
    },
  }
}
