/** `volumes` of a pod, with the files of ConfigMaps and Secrets resolved. */
import { INDEX_MARK, NUMBER_MARK } from '../../job.ts'
import type { HostPathType, VolumeSpec } from '../../model.ts'
import { type ConfigStore, judgeVolumeAnnotations } from '../config/index.ts'
import { readAnnotations, readLabels } from '../metadata.ts'
import { fieldsOf } from '../schema/index.ts'
import type { Field } from '../yaml/index.ts'
import { labelProblem, parseQuantity, quote, subdomainProblem, textProblem, tidyPath, toUnits } from '../yaml/index.ts'
import type { Self } from './downward.ts'
import { readImage } from './image.ts'
import { readConfigMapFiles, readDownwardFiles, readProjected, readSecretFiles } from './volume-files.ts'

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
/** The sizes of huge pages that kernels have, as Kubernetes writes them. */
const HUGE_PAGES = /^HugePages(?:-([1-9][0-9]*[KMG]i))?$/

/** What volumes need to know of the world outside the manifest. */
export type VolumeContext = Self & { store: ConfigStore; baseDirectory: string }

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
      return { name, kind: 'files', source: type, files: readConfigMapFiles(source, context.store) }
    case 'secret':
      return { name, kind: 'files', source: type, files: readSecretFiles(source, context.store) }
    case 'downwardAPI':
      return { name, kind: 'files', source: type, files: readDownwardFiles(source, context) }
    case 'projected':
      return { name, kind: 'files', source: type, files: readProjected(source, context, context.store) }
    case 'image':
      return { name, kind: 'image', ...readImage(source.at('reference'), source.at('pullPolicy'), 'an image volume') }
    case 'ephemeral':
      return readEphemeral(source, name, context.podName)
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
  const text = field.string() ?? ''
  const [huge, page] = HUGE_PAGES.exec(text) ?? []
  const medium = text === 'Memory' ? 'memory' : huge === undefined ? 'disk' : 'hugepages'
  if (medium === 'disk' && text !== '')
    field.issue('UNSUPPORTED_VALUE', `${quote(text)} is not possible here`, 'use Memory, HugePages or HugePages-SIZE')
  const limit = source.at('sizeLimit')
  const bytes = bytesOf(limit)
  const mode = readDirectoryMode(source.at('mode'))
  const pageBytes = page === undefined ? undefined : Number(toUnits(parseQuantity(page) ?? 0n))
  return {
    name,
    kind: 'emptyDir',
    medium,
    ...(bytes !== undefined && { sizeBytes: bytes }),
    ...(pageBytes !== undefined && { pageBytes }),
    ...(mode !== undefined && { mode }),
  }
}

const MAX_DIRECTORY_MODE = 0o1777

function readDirectoryMode(field: Field): number | undefined {
  const mode = field.integer()
  if (mode === undefined || (mode >= 0 && mode <= MAX_DIRECTORY_MODE)) return mode
  field.issue('INVALID_VALUE', 'must be a number between 0 and 01777 (octal), both inclusive')
  return undefined
}

/** Zero is no limit, and neither is more than any host has. */
function bytesOf(limit: Field): number | undefined {
  const text = limit.quantity()
  const nano = text === undefined ? undefined : parseQuantity(text)
  if (nano !== undefined && nano < 0n) limit.issue('INVALID_VALUE', 'must not be negative')
  const bytes = nano === undefined || nano <= 0n ? undefined : toUnits(nano)
  return bytes === undefined || bytes > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(bytes)
}

/** A claim of the pod's own: it is called POD-VOLUME, as in Kubernetes. */
function readEphemeral(source: Field, name: string, podName: string): VolumeSpec {
  const template = source.at('volumeClaimTemplate')
  if (!template.present) template.issue('REQUIRED', 'a volumeClaimTemplate is required', 'add it')
  const claim = `${podName}-${name}`
  const problem = subdomainProblem(claim.replaceAll(NUMBER_MARK, '').replaceAll(INDEX_MARK, ''))
  if (problem !== undefined)
    source.issueAt(source.key, 'INVALID_VALUE', `the name of its claim, ${quote(claim)}, ${problem}`)
  const metadata = template.at('metadata')
  judgeVolumeAnnotations(metadata)
  const ephemeral = { labels: readLabels(metadata.at('labels')), annotations: readAnnotations(metadata, {}) }
  return { name, kind: 'claim', claim, readOnly: false, ephemeral }
}

function readClaimSource(source: Field, name: string): VolumeSpec {
  const field = source.at('claimName')
  const claim = field.string() ?? ''
  const problem = claim === '' ? undefined : subdomainProblem(claim)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(claim)} ${problem}`)
  return { name, kind: 'claim', claim, readOnly: source.at('readOnly').boolean() ?? false }
}
