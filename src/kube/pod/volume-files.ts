/** The files of volumes that are made of the manifest: ConfigMaps, Secrets, the downward API, and what projects them. */
import type { ProjectedFile } from '../../model.ts'
import { type ConfigKind, type ConfigStore, findConfig, findKey } from '../config/index.ts'
import { fieldsOf } from '../schema/index.ts'
import type { Field } from '../yaml/index.ts'
import { pathProblem, quote, tidyPath } from '../yaml/index.ts'
import { readFieldRef, readResourceRef, type Self } from './downward.ts'

const DEFAULT_MODE = 0o644
const MAX_MODE = 0o777

/** Paths that items of one volume have taken. */
type Taken = Set<string>

/** The files of a ConfigMap volume. */
export function readConfigMapFiles(source: Field, store: ConfigStore): ProjectedFile[] {
  return readKeys(source, {
    kind: 'ConfigMap',
    reference: source.at('name'),
    store,
    mode: readMode(source),
    taken: new Set(),
  })
}

/** The files of a Secret volume. */
export function readSecretFiles(source: Field, store: ConfigStore): ProjectedFile[] {
  return readKeys(source, {
    kind: 'Secret',
    reference: source.at('secretName'),
    store,
    mode: readMode(source),
    taken: new Set(),
  })
}

/** The files of a downwardAPI volume. */
export function readDownwardFiles(source: Field, self: Self): ProjectedFile[] {
  return readItems(source, self, readMode(source), new Set())
}

/**
 * The files of a projected volume. As in Kubernetes two items must not have one path, and of whole ConfigMaps and
 * Secrets with the same key the later wins.
 */
export function readProjected(volume: Field, self: Self, store: ConfigStore): ProjectedFile[] {
  const mode = readMode(volume)
  const taken: Taken = new Set()
  const files = volume
    .at('sources')
    .items()
    .flatMap(item => readSource(item, { self, store, mode, taken }))
  const byPath = new Map(files.map(file => [file.path, file]))
  return [...byPath.values()]
}

type Projecting = { self: Self; store: ConfigStore; mode: number; taken: Taken }

function readSource(item: Field, { self, store, mode, taken }: Projecting): ProjectedFile[] {
  const known = fieldsOf('VolumeProjection')
  const [first, ...others] = item.members().filter(([name, value]) => value.present && known?.has(name))
  if (first === undefined) {
    item.issue('REQUIRED', 'must specify one of configMap, secret and downwardAPI', 'add one')
    return []
  }
  for (const [, value] of others)
    value.issueAt(value.key, 'FORBIDDEN', 'may not specify more than 1 volume type', 'make it an item of its own')
  const [type, source] = first
  if (type === 'downwardAPI') return readItems(source, self, mode, taken)
  if (type !== 'configMap' && type !== 'secret') return []
  const kind = type === 'secret' ? 'Secret' : 'ConfigMap'
  const files = readKeys(source, { kind, reference: source.at('name'), store, mode, taken })
  return kind === 'Secret' ? files.map(file => ({ ...file, secret: true })) : files
}

type Keys = { kind: ConfigKind; reference: Field; store: ConfigStore; mode: number; taken: Taken }
type KeyFile = { path: string; mode: number; base64: string }

/** All keys, or those that `items` lists at the paths it gives. */
function readKeys(source: Field, { kind, reference, store, mode: defaultMode, taken }: Keys): KeyFile[] {
  const optional = source.at('optional').boolean() ?? false
  const data = findConfig(store, kind, reference, optional)
  const items = source.at('items').items()
  if (items.length === 0) return [...(data ?? [])].map(([path, { base64 }]) => ({ path, mode: defaultMode, base64 }))
  const files: KeyFile[] = []
  for (const item of items) {
    const path = filePath(item.at('path'), taken)
    const itemMode = modeOf(item.at('mode')) ?? defaultMode
    const value = data === undefined ? undefined : findKey(data, kind, item.at('key'), optional)
    if (path !== undefined && value !== undefined) files.push({ path, mode: itemMode, base64: value.base64 })
  }
  return files
}

/** The items of the downward API. */
function readItems(source: Field, self: Self, defaultMode: number, taken: Taken): ProjectedFile[] {
  return source
    .at('items')
    .items()
    .flatMap(item => {
      const path = filePath(item.at('path'), taken)
      const mode = modeOf(item.at('mode')) ?? defaultMode
      const told = readTold(item, self)
      if (path === undefined || told === undefined) return []
      return 'text' in told
        ? { path, mode, base64: Buffer.from(told.text, 'utf8').toString('base64') }
        : { path, mode, ...told }
    })
}

function readTold(item: Field, self: Self): ReturnType<typeof readFieldRef> {
  const field = item.at('fieldRef')
  const resource = item.at('resourceFieldRef')
  if (field.present && resource.present) {
    resource.issueAt(
      resource.key,
      'INVALID_VALUE',
      'fieldRef and resourceFieldRef can not be specified simultaneously',
      'keep one of them',
    )
    return undefined
  }
  if (field.present) return readFieldRef(field, self, 'file')
  if (resource.present) return readResourceRef(resource, self, undefined)
  item.issue('REQUIRED', 'one of fieldRef and resourceFieldRef is required', 'add one')
  return undefined
}

function filePath(field: Field, taken: Taken): string | undefined {
  const text = field.string() ?? ''
  if (text === '') return undefined
  const tidy = tidyPath(text)
  const problem =
    pathProblem(text) ??
    (text.startsWith('..') ? "must not start with '..'" : tidy === '' ? 'must name a file' : undefined)
  if (problem !== undefined) {
    field.issue('INVALID_VALUE', `${quote(text)} ${problem}`)
    return undefined
  }
  const clash = [...taken].find(other => other === tidy || other.startsWith(`${tidy}/`) || tidy.startsWith(`${other}/`))
  if (clash !== undefined)
    field.issue('DUPLICATE', `${quote(text)} conflicts with the path ${quote(clash)}`, 'choose another path')
  taken.add(tidy)
  return tidy
}

function modeOf(field: Field): number | undefined {
  const value = field.integer()
  if (value === undefined || (value >= 0 && value <= MAX_MODE)) return value
  const written = field.node?.kind === 'scalar' ? field.node.text : ''
  const decimal = /^[1-9][0-7]{2}$/.test(written) ? `write 0${written} for octal` : undefined
  field.issue('INVALID_VALUE', 'must be a number between 0 and 0777 (octal), both inclusive', decimal)
  return undefined
}

const readMode = (source: Field): number => modeOf(source.at('defaultMode')) ?? DEFAULT_MODE
