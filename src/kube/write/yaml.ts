/** Kubernetes objects as YAML text that every reader of Kubernetes takes for the same. */
import { Document, visit } from 'yaml'
import type { Json } from '../../model.ts'
import { isObject, type JsonObject } from './plain.ts'

/** Texts that a reader of YAML 1.2 takes for numbers, whatever one of 1.1 does. */
const NUMERIC = /^[-+]?(?:0[box]|\.?[0-9])[0-9a-fA-F_.:eE+-]*$/

/** Members people look for first; the others stay in the order of the manifest. */
const FIRST = ['apiVersion', 'kind', 'metadata', 'name', 'namespace', 'image', 'command', 'args', 'type']
/** Their keys are the user's own, and their order may mean something. */
const FREE = ['data', 'binaryData', 'labels', 'annotations', 'matchLabels']

/** The documents one below the other; `comment` goes before the first, each of its lines with a `#`. */
export function manifestText(documents: readonly JsonObject[], comment = ''): string {
  const head = comment === '' ? '' : `${comment.replace(/^/gm, '# ').replace(/ +$/gm, '')}\n`
  return head + documents.map(textOf).join('---\n')
}

/** Words that YAML 1.1 takes for booleans or numbers are quoted: Kubernetes' own reader is of that age. */
function textOf(object: JsonObject): string {
  const document = new Document(ordered(object), { version: '1.1', aliasDuplicateObjects: false })
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === 'string' && NUMERIC.test(scalar.value)) scalar.type = 'QUOTE_DOUBLE'
    },
  })
  return document.toString({ lineWidth: 0, directives: false })
}

function ordered(value: Json): Json {
  if (Array.isArray(value)) return value.map(ordered)
  if (!isObject(value)) return value
  const names = Object.keys(value).sort((a, b) => rank(a) - rank(b))
  const member = (name: string): Json => value[name] ?? null
  return Object.fromEntries(names.map(name => [name, FREE.includes(name) ? member(name) : ordered(member(name))]))
}

function rank(name: string): number {
  const place = FIRST.indexOf(name)
  return place < 0 ? FIRST.length : place
}
