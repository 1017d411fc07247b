/** Sources → documents of a kind that can be played, Lists taken apart. */
import { type DocumentContext, Field, firstKey, type Notes } from './field.ts'
import { didYouMean, type Issues, quote, type SourceFile } from './issue.ts'
import { readDocuments } from './read.ts'
import { knownKinds } from './schema.ts'
import { PLAYED_KINDS } from './support.ts'

/** A document with its kind; `kind` is empty when it could not be told. */
export type KindDocument = { kind: string; field: Field }

/** Reads all sources; syntax errors go to `issues`. Items of a List come in its place. */
export function readKinds(sources: readonly SourceFile[], issues: Issues, notes: Notes): KindDocument[] {
  return sources.flatMap(source => {
    const context: DocumentContext = { source, issues, notes }
    return readDocuments(source, issues).flatMap(node => unlist(new Field(context, node, firstKey(node))))
  })
}

function unlist(field: Field, depth = 0): KindDocument[] {
  const kind = field.at('kind').string() ?? ''
  // A List in a List is not a thing; without a limit its depth would be the author's choice.
  if (kind !== 'List' || depth > 0) {
    if (kind === 'Secret') hideSecrets(field)
    return [{ kind, field }]
  }
  return field
    .at('items')
    .items()
    .flatMap(item => unlist(item, depth + 1))
}

/** Values of a Secret are never quoted in a message. */
function hideSecrets(document: Field): void {
  for (const name of ['data', 'stringData']) {
    const { node } = document.at(name)
    if (node !== undefined) document.context.source.secret.push({ start: node.start, end: node.end })
  }
}

/** Checks kind and apiVersion; true when the document can be looked into. */
export function checkKind({ kind, field }: KindDocument): boolean {
  if (field.node?.kind !== 'map') {
    field.issue('WRONG_TYPE', 'a document must be a map with apiVersion, kind and metadata', 'see examples/manifests')
    return false
  }
  const kindField = field.at('kind')
  if (!kindField.present) {
    kindField.issue('REQUIRED', 'the kind of the object is missing', 'add kind: Pod, for example')
    return false
  }
  if (kind === '') {
    kindField.issue('WRONG_TYPE', 'kind must be a string')
    return false
  }
  const version = Object.hasOwn(PLAYED_KINDS, kind) && kind !== 'List' ? PLAYED_KINDS[kind] : undefined
  if (version !== undefined) return checkVersion(field.at('apiVersion'), kind, version)
  if (knownKinds.includes(kind) || knownKinds.includes(kind.replace(/List$/, '')) || kind === 'List') {
    kindField.issue(
      'NOT_SUPPORTED',
      `kind ${kind} is not yet supported`,
      `use ${Object.keys(PLAYED_KINDS).join(', ')}, or remove the document`,
    )
    return false
  }
  const remedy =
    didYouMean(kind, [...Object.keys(PLAYED_KINDS), ...knownKinds]) ?? `use ${Object.keys(PLAYED_KINDS).join(', ')}`
  kindField.issue('UNKNOWN_KIND', `no kind is called ${quote(kind)}`, remedy)
  return false
}

function checkVersion(field: Field, kind: string, version: string): boolean {
  const written = field.string()
  if (written === version) return true
  if (!field.present) field.issue('REQUIRED', 'the version of the API is missing', `add apiVersion: ${version}`)
  else field.issue('UNSUPPORTED_VALUE', `${quote(written ?? '')} has no kind ${kind}`, `use apiVersion: ${version}`)
  return true
}
