/** Images that are present: found by reading the store's own files, without a process. */
import { join } from 'node:path'
import { isTspodError, TspodError } from '../errors.ts'
import type { ImageConfig, LocalImage } from '../model.ts'
import { parseImageConfig } from './image-config.ts'
import { localCandidates, parseImageName } from './image-name.ts'
import { readOptional, type Store } from './storage.ts'

/** One entry of containers-storage's images.json. */
type ImageRecord = {
  id: string
  digest?: string
  names?: string[]
  layer?: string
  'mapped-layers'?: string[]
  'big-data-names'?: string[]
  'big-data-digests'?: Record<string, string>
  created?: string
}
type LayerRecord = { id: string; parent?: string; 'diff-digest'?: string; 'diff-size'?: number }

/** Larger configurations and manifests are not read: skopeo itself stops at 4 MiB. */
const MAX_BLOB_LENGTH = 4 * 1024 * 1024
/** A shorter prefix could be a word that somebody meant as a name. */
const ID_PREFIX = /^(?:sha256:)?([0-9a-f]{12,64})$/

/**
 * The image that `name` means on this host: a full name, a short name (an alias of registries.conf, `localhost/`, the
 * search registries, docker.io, in this order, as Podman resolves local names), `NAME@DIGEST`, or an id of at least
 * 12 digits. Undefined when there is none. Throws IMAGE_BAD_NAME, IMAGE_BAD_CONFIG.
 */
export async function findImage(store: Store, name: string): Promise<LocalImage | undefined> {
  for (const root of imageRoots(store)) {
    const records = readImages(root)
    const record = (await findByName(records, name)) ?? findById(records, name)
    if (record !== undefined) return loadImage(root, record, readLayers(root), name)
  }
  return undefined
}

/**
 * The ids of the images that `names` mean, as `findImage` finds them; a name that means none is missing. The store's
 * list is read once for all of them, and nothing else of it.
 */
export async function findImageIds(store: Store, names: Iterable<string>): Promise<Map<string, string>> {
  const lists = imageRoots(store).map(readImages)
  const found = new Map<string, string>()
  for (const name of new Set(names)) {
    for (const records of lists) {
      const record = (await findByName(records, name)) ?? findById(records, name)
      if (record === undefined) continue
      found.set(name, record.id)
      break
    }
  }
  return found
}

/**
 * All images of the store and of its read-only additions. What cannot be run, such as a manifest list or an image for
 * another system, is listed as well, with an empty configuration.
 */
export async function listImages(store: Store): Promise<LocalImage[]> {
  return imageRoots(store).flatMap(root => {
    const layers = readLayers(root)
    return readImages(root).map(record => listed(root, record, layers))
  })
}

function listed(root: ImageRoot, record: ImageRecord, layers: ReadonlyMap<string, LayerRecord>): LocalImage {
  try {
    return loadImage(root, record, layers, record.id)
  } catch (error) {
    if (!isTspodError(error, 'IMAGE_BAD_CONFIG')) throw error
    return describe(record, layers, parseImageConfig('{}', record.id))
  }
}

/** A directory of images next to the directory of their layers. */
type ImageRoot = { images: string; layers: string }

const imageRoots = (store: Store): ImageRoot[] =>
  [store.graphRoot, ...store.additional].map(root => ({
    images: join(root, `${store.driver}-images`),
    layers: join(root, `${store.driver}-layers`),
  }))

function readImages(root: ImageRoot): ImageRecord[] {
  const text = readOptional(join(root.images, 'images.json'))
  return text ? (JSON.parse(text) as ImageRecord[]) : []
}

function readLayers(root: ImageRoot): Map<string, LayerRecord> {
  const text = readOptional(join(root.layers, 'layers.json'))
  const layers = text ? (JSON.parse(text) as LayerRecord[]) : []
  return new Map(layers.map(layer => [layer.id, layer]))
}

async function findByName(records: readonly ImageRecord[], name: string): Promise<ImageRecord | undefined> {
  const exact = records.find(record => record.names?.includes(name))
  if (exact !== undefined) return exact
  if (ID_PREFIX.test(name) && name.startsWith('sha256:')) return undefined
  const wanted = parseImageName(name)
  for (const candidate of await localCandidates(wanted)) {
    const found = records.find(record => matches(record, candidate, wanted.digest))
    if (found !== undefined) return found
  }
  return undefined
}

/** A digest decides alone, as long as the image is known under the same repository. */
function matches(
  record: ImageRecord,
  candidate: { repository: string; tag: string },
  digest: string | undefined,
): boolean {
  if (digest === undefined) return record.names?.includes(`${candidate.repository}:${candidate.tag}`) ?? false
  if (!digestsOf(record).includes(digest)) return false
  return (
    record.names?.some(
      name => name.startsWith(`${candidate.repository}:`) || name.startsWith(`${candidate.repository}@`),
    ) ?? false
  )
}

/** The image's own digest, and that of the list it was chosen from. */
function digestsOf(record: ImageRecord): string[] {
  const manifests = Object.entries(record['big-data-digests'] ?? {}).filter(
    ([key]) => key === 'manifest' || key.startsWith('manifest-'),
  )
  return [...(record.digest ? [record.digest] : []), ...manifests.map(([, digest]) => digest)]
}

function findById(records: readonly ImageRecord[], name: string): ImageRecord | undefined {
  const prefix = ID_PREFIX.exec(name)?.[1]
  if (prefix === undefined) return undefined
  const found = records.filter(record => record.id.startsWith(prefix))
  if (found.length > 1) {
    throw new TspodError('IMAGE_BAD_NAME', `${name} is the beginning of ${found.length} image ids`, {
      remedy: 'give more digits',
    })
  }
  return found[0]
}

function loadImage(
  root: ImageRoot,
  record: ImageRecord,
  layers: ReadonlyMap<string, LayerRecord>,
  name: string,
): LocalImage {
  return describe(record, layers, parseImageConfig(readConfig(root, record, name), name))
}

function describe(
  record: ImageRecord,
  layers: ReadonlyMap<string, LayerRecord>,
  { config, createdMs }: { config: ImageConfig; createdMs: number },
): LocalImage {
  return {
    id: record.id,
    digest: record.digest ?? '',
    names: record.names ?? [],
    sizeBytes: sizeOf(record, layers),
    createdMs: createdMs || Date.parse(record.created ?? '') || 0,
    config,
  }
}

/** The configuration is kept under its digest, which is the image's id except for images of the oldest format. */
function readConfig(root: ImageRoot, record: ImageRecord, name: string): string {
  const byId = `sha256:${record.id}`
  if (record['big-data-names']?.includes(byId)) return readBlob(root, record, byId, name)
  const manifest = JSON.parse(readBlob(root, record, 'manifest', name)) as { config?: { digest?: unknown } }
  if (typeof manifest.config?.digest !== 'string') throw damaged(name, 'it has no configuration')
  return readBlob(root, record, manifest.config.digest, name)
}

/** What an image is made of: its configuration as it is, and the sizes of layers by the digest of their content. */
export type ImageParts = { config: string; layerBytes: Map<string, number> }

/** The parts of an image by its full id. Throws IMAGE_NOT_FOUND, IMAGE_BAD_CONFIG. */
export function readImageParts(store: Store, id: string): ImageParts {
  for (const root of imageRoots(store)) {
    const record = readImages(root).find(one => one.id === id)
    if (record === undefined) continue
    const known = [...readLayers(root).values()].flatMap((layer): [string, number][] =>
      layer['diff-digest'] === undefined ? [] : [[layer['diff-digest'], layer['diff-size'] ?? 0]],
    )
    return { config: readConfig(root, record, id), layerBytes: new Map(known) }
  }
  throw new TspodError('IMAGE_NOT_FOUND', `image ${id.slice(0, 12)} is not on this host any more`, {
    remedy: 'pull it again',
  })
}

function readBlob(root: ImageRoot, record: ImageRecord, key: string, name: string): string {
  const blob = readOptional(join(root.images, record.id, blobFile(key)))
  if (blob === undefined) throw damaged(name, `${key} is missing in the store`)
  if (blob.length > MAX_BLOB_LENGTH) throw damaged(name, `${key} is larger than 4 MiB`)
  return blob
}

const damaged = (name: string, why: string): TspodError =>
  new TspodError('IMAGE_BAD_CONFIG', `image ${name} is damaged or no image to run: ${why}`, {
    remedy: 'remove the image and pull it again',
  })

/** containers-storage's file name for a piece of data: the key itself when it is harmless, and base64 of it otherwise. */
export function blobFile(key: string): string {
  return /^[a-z0-9.]*$/.test(key) ? key : `=${Buffer.from(key).toString('base64')}`
}

/** Sum of the layers, as far as the store knows their size. */
function sizeOf(record: ImageRecord, layers: ReadonlyMap<string, LayerRecord>): number {
  let sum = 0
  const seen = new Set<string>()
  for (let id = record.layer; id && !seen.has(id); id = layers.get(id)?.parent) {
    seen.add(id)
    sum += Math.max(0, layers.get(id)?.['diff-size'] ?? 0)
  }
  return sum
}
