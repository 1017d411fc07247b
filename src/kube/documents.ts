/** Sources → documents of a kind that can be played, Lists taken apart. */

import { knownKinds, NOTED_KINDS, PLAYED_KINDS } from './schema/index.ts'
import {
  type DocumentContext,
  didYouMean,
  either,
  Field,
  firstKey,
  type Issues,
  type Notes,
  quote,
  readDocuments,
  type SourceFile,
  type TreeMemory,
} from './yaml/index.ts'

/** A document with its kind; `kind` is empty when it could not be told. */
export type KindDocument = { kind: string; field: Field }

/** Reads all sources; syntax errors go to `issues`. Items of a List come in its place. */
export function readKinds(
  sources: readonly SourceFile[],
  issues: Issues,
  notes: Notes,
  { allowUnsupported = false, memory }: { allowUnsupported?: boolean; memory?: TreeMemory } = {},
): KindDocument[] {
  return sources.flatMap(source => {
    const context: DocumentContext = { source, issues, notes, allowUnsupported }
    return readDocuments(source, issues, memory).flatMap(node => unlist(new Field(context, node, firstKey(node))))
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

/** The documents that are played. `complete` is false when some of them could not be told what they are. */
export type SortedKinds = { played: KindDocument[]; complete: boolean }

/**
 * Checks kind and apiVersion of all documents. What needs a cluster is left out with one note for all of them, and
 * refused where there is nothing else.
 */
export function sortKinds(documents: readonly KindDocument[]): SortedKinds {
  const sorted = documents.map(document => ({ document, as: classify(document) }))
  const of = (wanted: Kind): KindDocument[] => sorted.flatMap(({ document, as }) => (as === wanted ? document : []))
  for (const { kind, field } of of('noted')) field.at('kind').note(NOTED_KINDS[kind] ?? '')
  const clusterOnly = of('cluster')
  if (sorted.every(({ as }) => as === 'cluster')) {
    for (const { kind, field } of clusterOnly)
      field.at('kind').issue('NOT_SUPPORTED', `kind ${kind} needs a cluster`, `use ${either(USABLE)}`)
  } else noteLeftOut(clusterOnly)
  return { played: of('played'), complete: of('bad').length === 0 }
}

function noteLeftOut(documents: readonly KindDocument[]): void {
  const [first] = documents
  if (first === undefined) return
  const named = documents.map(({ kind, field }) => {
    const name = field.at('metadata').at('name').string()
    return `${kind}${name === undefined ? '' : ` ${name}`} (line ${field.place.line})`
  })
  first.field.context.notes.say(`left out, because it needs a cluster: ${named.join(', ')}`)
}

type Kind = 'played' | 'noted' | 'cluster' | 'bad'

const USABLE = Object.keys(PLAYED_KINDS)

/** What is to become of a document; what is wrong with its kind or version is reported. */
function classify({ kind, field }: KindDocument): Kind {
  if (field.node?.kind !== 'map') {
    field.issue('WRONG_TYPE', 'a document must be a map with apiVersion, kind and metadata', 'see examples/manifests')
    return 'bad'
  }
  const kindField = field.at('kind')
  if (!kindField.present) {
    kindField.issue('REQUIRED', 'the kind of the object is missing', 'add kind: Pod, for example')
    return 'bad'
  }
  if (kind === '') {
    kindField.issue('WRONG_TYPE', 'kind must be a string')
    return 'bad'
  }
  if (isForeign(field.at('apiVersion').string() ?? '')) return 'cluster'
  if (Object.hasOwn(NOTED_KINDS, kind)) return 'noted'
  const version = Object.hasOwn(PLAYED_KINDS, kind) && kind !== 'List' ? PLAYED_KINDS[kind] : undefined
  if (version !== undefined) {
    checkVersion(field.at('apiVersion'), kind, version)
    return 'played'
  }
  if (knownKinds.includes(kind) || knownKinds.includes(kind.replace(/List$/, ''))) return 'cluster'
  const hint = didYouMean(kind, [...USABLE, ...knownKinds])
  // An extension of the API that no table of ours can know.
  if (hint === undefined && (field.at('apiVersion').string() ?? '').includes('.')) return 'cluster'
  kindField.issue('UNKNOWN_KIND', `no kind is called ${quote(kind)}`, hint ?? `use ${either(USABLE)}`)
  return 'bad'
}

/** Of a group that Kubernetes does not have: a Service of Knative is not a Service. */
function isForeign(apiVersion: string): boolean {
  const group = apiVersion.slice(0, Math.max(0, apiVersion.indexOf('/')))
  return group.includes('.') && !group.endsWith('.k8s.io')
}

function checkVersion(field: Field, kind: string, version: string): void {
  const written = field.string()
  if (written === version) return
  if (!field.present) field.issue('REQUIRED', 'the version of the API is missing', `add apiVersion: ${version}`)
  else field.issue('UNSUPPORTED_VALUE', `${quote(written ?? '')} has no kind ${kind}`, `use apiVersion: ${version}`)
}
