/** `volumes` of a pod, with the files of ConfigMaps and Secrets resolved. */
import type { HostPathType, ProjectedFile, VolumeSpec } from '../model.ts'
import type { Field } from './field.ts'
import { quote } from './issue.ts'
import { labelProblem, subdomainProblem } from './names.ts'
import { pathProblem, textProblem, tidyPath } from './path.ts'
import { parseQuantity, toUnits } from './quantity.ts'
import { fieldsOf } from './schema.ts'
import { type ConfigKind, type ConfigStore, findConfig, findKey } from './store.ts'

const HOST_PATH_TYPES: readonly HostPathType[] = [
  '',
  'DirectoryOrCreate',
  'Directory',
  'FileOrCreate',
  'File',
  'Socket',
  'CharDevice',
  'BlockDevice',
]
const DEFAULT_MODE = 0o644
const MAX_MODE = 0o777

/** What volumes need to know of the world outside the manifest. */
export type VolumeContext = { store: ConfigStore; baseDirectory: string }

/**
 * The volumes of a pod by name. A volume with a mistake is undefined, so that mounts of it are not reported as
 * missing too.
 */
export function readVolumes(list: Field, context: VolumeContext): Map<string, VolumeSpec | undefined> {
  const volumes = new Map<string, VolumeSpec | undefined>()
  for (const item of list.items()) {
    const nameField = item.at('name')
    const name = nameField.string() ?? ''
    const problem = name === '' ? undefined : labelProblem(name)
    if (problem !== undefined) nameField.issue('INVALID_VALUE', `${quote(name)} ${problem}`)
    const volume = readVolume(item, name, context)
    if (volumes.has(name))
      nameField.issue('DUPLICATE', `another volume is called ${quote(name)}`, 'choose another name')
    else if (name !== '') volumes.set(name, volume)
  }
  return volumes
}

function readVolume(item: Field, name: string, context: VolumeContext): VolumeSpec | undefined {
  const known = fieldsOf('Volume')
  const sources = item.members().filter(([field, value]) => field !== 'name' && value.present && known?.has(field))
  const [first, ...others] = sources
  if (first === undefined) {
    // `emptyDir:` with nothing behind it is null to Kubernetes, and so no volume at all.
    item.issue('REQUIRED', 'must specify a volume type', 'add one, for example emptyDir: {}')
    return undefined
  }
  for (const [field, value] of others) {
    value.issueAt(
      value.key,
      'FORBIDDEN',
      `may not specify more than 1 volume type: ${field} after ${first[0]}`,
      'remove one',
    )
  }
  const [type, source] = first
  switch (type) {
    case 'hostPath':
      return readHostPath(source, name, context.baseDirectory)
    case 'emptyDir':
      return readEmptyDir(source, name)
    case 'configMap':
      return {
        name,
        kind: 'files',
        source: 'configMap',
        files: readFiles(source, 'ConfigMap', source.at('name'), context.store),
      }
    case 'secret':
      return {
        name,
        kind: 'files',
        source: 'secret',
        files: readFiles(source, 'Secret', source.at('secretName'), context.store),
      }
    case 'persistentVolumeClaim':
      return readClaimSource(source, name)
    default:
      return undefined
  }
}

function readHostPath(source: Field, name: string, baseDirectory: string): VolumeSpec | undefined {
  const field = source.at('path')
  const type = source.at('type').oneOf(HOST_PATH_TYPES, '')
  const written = field.string() ?? ''
  if (written === '') return undefined
  const problem = written.split('/').includes('..') ? "must not contain '..'" : textProblem(written)
  if (problem !== undefined) {
    field.issue('INVALID_VALUE', `${quote(written)} ${problem}`, 'write the path in full')
    return undefined
  }
  if (!written.includes('/')) {
    const remedy = `write ./${written} for a path beside the manifest, or use persistentVolumeClaim for a named volume`
    field.issue('INVALID_VALUE', `${quote(written)} is not a path`, remedy)
    return undefined
  }
  const path = tidyPath(written.startsWith('/') ? written : `${baseDirectory}/${written}`)
  return { name, kind: 'hostPath', path, type }
}

function readEmptyDir(source: Field, name: string): VolumeSpec {
  const field = source.at('medium')
  const medium = field.string() ?? ''
  if (medium.startsWith('HugePages')) field.issue('NOT_SUPPORTED', `${medium} is not yet supported`, 'use Memory')
  else field.oneOf(['', 'Memory'], '')
  const limit = source.at('sizeLimit')
  const text = limit.quantity()
  const nano = text === undefined ? undefined : parseQuantity(text)
  if (nano !== undefined && nano < 0n) limit.issue('INVALID_VALUE', 'must not be negative')
  const bytes = nano === undefined || nano <= 0n ? undefined : toUnits(nano)
  const inMemory = medium === 'Memory'
  if (bytes !== undefined && !inMemory)
    limit.note('a directory on disk has no limit of its own; medium: Memory has one')
  const sizeBytes = bytes === undefined || bytes > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(bytes)
  return {
    name,
    kind: 'emptyDir',
    medium: inMemory ? 'memory' : 'disk',
    ...(sizeBytes !== undefined && inMemory ? { sizeBytes } : {}),
  }
}

function readClaimSource(source: Field, name: string): VolumeSpec {
  const field = source.at('claimName')
  const claim = field.string() ?? ''
  const problem = claim === '' ? undefined : subdomainProblem(claim)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(claim)} ${problem}`)
  return { name, kind: 'claim', claim, readOnly: source.at('readOnly').boolean() ?? false }
}

/** The files of a ConfigMap or Secret volume: all keys, or those that `items` lists at the paths it gives. */
function readFiles(source: Field, kind: ConfigKind, reference: Field, store: ConfigStore): ProjectedFile[] {
  const optional = source.at('optional').boolean() ?? false
  const data = findConfig(store, kind, reference, optional)
  const defaultMode = mode(source.at('defaultMode')) ?? DEFAULT_MODE
  const items = source.at('items')
  if (items.items().length === 0) {
    return [...(data ?? [])].map(([path, { base64 }]) => ({ path, mode: defaultMode, base64 }))
  }
  const files: ProjectedFile[] = []
  const taken = new Set<string>()
  for (const item of items.items()) {
    const path = filePath(item.at('path'), taken)
    const itemMode = mode(item.at('mode')) ?? defaultMode
    const value = data === undefined ? undefined : findKey(data, kind, item.at('key'), optional)
    if (path !== undefined && value !== undefined) files.push({ path, mode: itemMode, base64: value.base64 })
  }
  return files
}

function filePath(field: Field, taken: Set<string>): string | undefined {
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

function mode(field: Field): number | undefined {
  const value = field.integer()
  if (value === undefined || (value >= 0 && value <= MAX_MODE)) return value
  const written = field.node?.kind === 'scalar' ? field.node.text : ''
  const decimal = /^[1-9][0-7]{2}$/.test(written) ? `write 0${written} for octal` : undefined
  field.issue('INVALID_VALUE', 'must be a number between 0 and 0777 (octal), both inclusive', decimal)
  return undefined
}
