/** The walk over a document along the schema: unknown fields, wrong types, missing fields, verdicts. */

import type { YamlNode } from '../yaml/index.ts'
import {
  asBoolean,
  asInteger,
  asQuantityText,
  didYouMean,
  type Field,
  isDoubtfulWord,
  kindOf,
  parseQuantity,
  quote,
  quotedPlace,
} from '../yaml/index.ts'
import { entryOf, type FieldType, fieldsOf, itemOf, type TypeCode } from './schema.ts'
import { isHarmless, rowsOf, verdictOn } from './verdicts.ts'

/** Required by the API, but an empty text is a value too. */
const MAY_BE_EMPTY = new Set(['Sysctl.value', 'HTTPHeader.value'])
const LATER_REMEDY = 'remove it, or keep it for later with --allow-unsupported'

/**
 * Reports everything about `field` that the schema alone decides. Below a field that is accepted without effect,
 * types are checked and nothing else; a field that is refused is not looked into.
 */
export function checkField(field: Field, type: TypeCode, judged = true): void {
  const { node } = field
  if (node === undefined || type === 'any') return
  const item = itemOf(type)
  const entry = entryOf(type)
  const fields = fieldsOf(type)
  if (item !== undefined) checkList(field, item, judged)
  else if (entry !== undefined) checkMap(field, entry, judged)
  else if (fields !== undefined) checkStruct(field, type, fields, judged)
  else checkScalar(field, type)
}

function checkList(field: Field, item: TypeCode, judged: boolean): void {
  if (field.node?.kind !== 'list') wrongType(field, 'a list')
  for (const child of field.items()) {
    if (child.present) checkField(child, item, judged)
    else child.issue('WRONG_TYPE', 'an empty item', 'remove the item or give it a value')
  }
}

function checkMap(field: Field, entry: TypeCode, judged: boolean): void {
  if (field.node?.kind !== 'map') wrongType(field, 'a map')
  for (const [, child] of field.entries()) checkField(child, entry, judged)
}

function checkStruct(field: Field, type: TypeCode, fields: ReadonlyMap<string, FieldType>, judged: boolean): void {
  if (field.node?.kind !== 'map') {
    wrongType(field, 'a map')
    return
  }
  for (const [name, child] of field.members()) {
    const known = fields.get(name)
    if (known === undefined) {
      child.unknown(placeBelow(type, name) ?? didYouMean(name, fields.keys()) ?? 'remove it')
    } else if (child.present) {
      checkMember(child, type, name, known, judged)
    }
  }
  if (!judged) return
  for (const [name, known] of fields) {
    if (known.required && verdictOn(type, name).verdict === 'honoured') checkRequired(field.at(name), `${type}.${name}`)
  }
}

/** Where a field belongs that was written one or two levels too high, such as runAsUser beside securityContext. */
function placeBelow(type: TypeCode, name: string): string | undefined {
  let level: readonly { type: TypeCode; path: string }[] = [{ type, path: '' }]
  for (let depth = 0; depth < 2; depth++) {
    level = level.flatMap(({ type, path }) =>
      [...(fieldsOf(type) ?? [])].flatMap(([field, known]) => {
        const rows = rowsOf(type)
        // Below what is accepted without effect there are no verdicts.
        if (rows.size > 0 && rows.get(field)?.verdict !== 'honoured') return []
        const item = itemOf(known.type)
        return { type: item ?? known.type, path: `${path}${field}${item === undefined ? '' : '[]'}.` }
      }),
    )
    const found = level.find(({ type }) => fieldsOf(type)?.has(name))
    if (found !== undefined) return `did you mean ${quote(`${found.path}${name}`)}?`
  }
  return undefined
}

function checkMember(child: Field, type: TypeCode, name: string, known: FieldType, judged: boolean): void {
  const row = judged ? verdictOn(type, name) : undefined
  if (row === undefined || row.verdict === 'honoured') {
    checkField(child, known.type, judged)
    return
  }
  if (row.later) {
    if (child.context.allowUnsupported) child.note(row.note)
    else child.issueAt(child.key, 'NOT_SUPPORTED', `${name} is ${row.note}`, LATER_REMEDY)
    checkField(child, known.type)
    return
  }
  const { node } = child
  const emptyList = node?.kind === 'list' && node.items.length === 0
  const emptyMap = node?.kind === 'map' && node.entries.size === 0
  const harmless = isHarmless(row.path, node?.kind === 'scalar' ? node.text : undefined)
  if (row.verdict === 'accepted') {
    if (!emptyList && !emptyMap && !harmless) child.note(row.note)
    checkField(child, known.type, false)
  } else if (!emptyList && !harmless) {
    child.issueAt(child.key, 'NOT_SUPPORTED', `${name} is not yet supported`, row.note)
  }
}

function checkRequired(field: Field, path: string): void {
  const { node } = field
  const emptyText = field.string() === '' && !MAY_BE_EMPTY.has(path)
  if (node !== undefined && !emptyText && !(node.kind === 'list' && node.items.length === 0)) return
  field.issue('REQUIRED', 'a value is required', `add "${path.slice(path.indexOf('.') + 1)}: …"`)
}

function checkScalar(field: Field, type: TypeCode): void {
  const { node } = field
  if (node === undefined) return
  const { fits, wanted } = SCALARS[type] ?? unknownType(type)
  if (!fits(node)) wrongType(field, wanted)
  else if (type === 'q') checkQuantity(field)
  else if (type === 's' && isDoubtfulWord(node)) {
    const word = quote(field.string() ?? '')
    const known = `Kubernetes refuses a boolean here, and Podman makes ${quote(`${asBoolean(node)}`)} of it`
    field.context.notes.say(`${quotedPlace(field)} is the text ${word}: ${known}; quote it`)
  }
}

const SCALARS: Record<string, { fits: (node: YamlNode) => boolean; wanted: string }> = {
  s: { fits: node => kindOf(node) === 'string', wanted: 'a string' },
  y: { fits: node => kindOf(node) === 'string', wanted: 'a string' },
  t: { fits: node => kindOf(node) === 'string', wanted: 'a string' },
  b: { fits: node => asBoolean(node) !== undefined, wanted: 'true or false' },
  i: { fits: node => asInteger(node) !== undefined, wanted: 'a whole number' },
  n: { fits: node => kindOf(node) === 'number', wanted: 'a number' },
  x: { fits: node => kindOf(node) === 'string' || asInteger(node) !== undefined, wanted: 'a whole number or a string' },
  q: { fits: node => asQuantityText(node) !== undefined, wanted: 'a quantity' },
}

function unknownType(type: string): never {
  throw new Error(`unknown type ${type} in the schema`)
}

function checkQuantity(field: Field): void {
  const text = field.quantity() ?? ''
  if (parseQuantity(text) !== undefined) return
  field.issue(
    'INVALID_VALUE',
    `${quote(text)} is not a quantity`,
    'write a number with a unit such as 500m, 64Mi or 1G',
  )
}

function wrongType(field: Field, wanted: string): void {
  const { node } = field
  if (node === undefined) return
  const kind = kindOf(node)
  const found = {
    null: 'nothing',
    boolean: 'a boolean',
    number: 'a number',
    string: 'a string',
    map: 'a map',
    list: 'a list',
  }[kind]
  const span = node.kind === 'scalar' ? node : field.key
  const shown = node.kind === 'scalar' && !field.context.source.hides(node.start, node.end) ? node.text : undefined
  const message =
    kind === 'number' && wanted === 'a whole number' ? 'must be a whole number' : `must be ${wanted}, not ${found}`
  field.issueAt(span, 'WRONG_TYPE', message, remedyFor(shown, kind, wanted))
}

function remedyFor(text: string | undefined, kind: string, wanted: string): string {
  const isScalar = kind === 'number' || kind === 'boolean'
  if (wanted === 'a string' && isScalar) return text === undefined ? 'quote it' : `quote it: ${quote(text)}`
  if (wanted === 'a list' && kind === 'string' && text !== undefined) {
    // What a shell would do with quotes and signs cannot be told; plain words can.
    const words = /^[\w./:=,@ -]+$/.test(text) ? text.split(/ +/).filter(Boolean) : [text]
    return `write it as a list: [${words.map(word => JSON.stringify(word)).join(', ')}]`
  }
  if (wanted === 'a list' && kind === 'map') return 'begin each item with "- "'
  if (kind === 'string' && text !== undefined && /^(?:\d+|true|false)$/.test(text)) return 'remove the quotes'
  const digits = wanted === 'a whole number' && kind === 'string' ? /^(\d+) ?[a-z]+$/i.exec(text ?? '')?.[1] : undefined
  if (digits !== undefined) return `write ${digits}, without a unit`
  return `write ${wanted}`
}
