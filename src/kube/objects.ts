/** Documents as objects that an app owns: what their own annotations say about that. */
import type { ManifestObject, Protection } from '../model.ts'
import type { Field } from './yaml/index.ts'
import { quote } from './yaml/index.ts'

const APP = 'io.tspod.app'
const WAVE = 'io.tspod.wave'
const PRUNE = 'io.tspod.prune'
const DRIFT = 'io.tspod.drift'

/** Annotations that are about a document as a whole, whatever kind it is of. */
export const OBJECT_ANNOTATIONS: readonly string[] = [APP, DRIFT, PRUNE, WAVE, 'io.tspod.depends-on']

/** What a document says about itself as an object; `content` is what is kept of it. */
export function readObject(
  kind: string,
  name: string,
  document: Field,
  content?: ManifestObject['content'],
): ManifestObject {
  const metadata = document.at('metadata')
  const annotation = (key: string): Field => metadata.at('annotations').entry(key)
  const app = annotation(APP).string() ?? metadata.at('labels').entry(APP).string()
  const wave = readWave(annotation(WAVE))
  const prune = readPrune(annotation(PRUNE))
  const drift = readDrift(annotation(DRIFT))
  return {
    kind,
    name,
    place: document.place,
    ...(app !== undefined && { app }),
    ...(wave !== 0 && { wave }),
    ...(prune !== undefined && { prune }),
    ...(drift !== undefined && { drift }),
    ...(content !== undefined && { content }),
  }
}

function readWave(field: Field): number {
  const text = field.string()
  if (text === undefined) return 0
  if (/^-?[0-9]{1,6}$/.test(text)) return Number(text)
  field.issue('INVALID_VALUE', `${quote(text)} is not a whole number`, `write it as ${WAVE}: "1"`)
  return 0
}

function readPrune(field: Field): Protection | undefined {
  const text = field.string()
  if (text === undefined) return undefined
  if (text === 'disabled' || text === 'confirm') return text
  field.issue('UNSUPPORTED_VALUE', `${quote(text)} is not possible here`, 'use disabled or confirm')
  return undefined
}

function readDrift(field: Field): ManifestObject['drift'] {
  const text = field.string()
  if (text === undefined || text === 'ignore') return text
  field.issue('UNSUPPORTED_VALUE', `${quote(text)} is not possible here`, 'use ignore, or leave it out')
  return undefined
}
