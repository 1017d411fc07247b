/** Images that are present: found by reading the store's own files, without a process. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, TspodError } from '../errors.ts'
import type { LocalImage } from '../model.ts'
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
type LayerRecord = { id: string; parent?: string; 'diff-size'?: number }

/** Larger configurations and manifests are not read: skopeo itself stops at 4 MiB. */
const MAX_BLOB_BYTES = 4 * 1024 * 1024
/** A shorter prefix could be a word that somebody meant as a name. */
const ID_PREFIX = /^(?:sha256:)?([0-9a-f]{12,64})$/

/**
 * The image that `name` means on this host: a full name, a short name (an alias of registries.conf, `localhost/`, the
 * search registries, docker.io, in this order, as Podman resolves local names), `NAME@DIGEST`, or an id of at least
 * 12 digits. Undefined when there is none. Throws IMAGE_BAD_NAME, IMAGE_BAD_CONFIG.
 */
export async function findImage(store: Store, name: string): Promise<LocalImage | undefined> {
  for (const root of imageRoots(store)) {
    const records = await readImages(root)
    const record = (await findByName(records, name)) ?? findById(records, name)
    if (record !== undefined) return loadImage(root, record, await readLayers(root), name)
  }
  return undefined
}

/** All images of the store and of its read-only additions. Throws IMAGE_BAD_CONFIG. */
export async function listImages(store: Store): Promise<LocalImage[]> {
  const lists = await Promise.all(
    imageRoots(store).map(async root => {
      const [records, layers] = await Promise.all([readImages(root), readLayers(root)])
      return Promise.all(
        records.map(record => loadImage(root, record, layers, record.names?.[0] ?? record.id.slice(0, 12))),
      )
    }),
  )
  return lists.flat()
}

/** A directory of images next to the directory of their layers. */
type ImageRoot = { images: string; layers: string }

const imageRoots = (store: Store): ImageRoot[] =>
  [store.graphRoot, ...store.additional].map(root => ({
    images: join(root, `${store.driver}-images`),
    layers: join(root, `${store.driver}-layers`),
  }))

async function readImages(root: ImageRoot): Promise<ImageRecord[]> {
  const text = await readOptional(join(root.images, 'images.json'))
  return text ? (JSON.parse(text) as ImageRecord[]) : []
}

async function readLayers(root: ImageRoot): Promise<Map<string, LayerRecord>> {
  const text = await readOptional(join(root.layers, 'layers.json'))
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

async function loadImage(
  root: ImageRoot,
  record: ImageRecord,
  layers: ReadonlyMap<string, LayerRecord>,
  name: string,
): Promise<LocalImage> {
  const { config, createdMs } = parseImageConfig(await readConfig(root, record, name), name)
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
async function readConfig(root: ImageRoot, record: ImageRecord, name: string): Promise<string> {
  const byId = `sha256:${record.id}`
  if (record['big-data-names']?.includes(byId)) return readBlob(root, record, byId, name)
  const manifest = JSON.parse(await readBlob(root, record, 'manifest', name)) as { config?: { digest?: string } }
  return readBlob(root, record, String(manifest.config?.digest), name)
}

async function readBlob(root: ImageRoot, record: ImageRecord, key: string, name: string): Promise<string> {
  const damaged = (why: string, cause?: unknown): TspodError =>
    new TspodError('IMAGE_BAD_CONFIG', `image ${name} is damaged: ${why}`, {
      remedy: 'remove the image and pull it again',
      cause,
    })
  try {
    const blob = await readFile(join(root.images, record.id, blobFile(key)))
    if (blob.length > MAX_BLOB_BYTES) throw damaged('its configuration is larger than 4 MiB')
    return blob.toString('utf8')
  } catch (error) {
    if (isMissing(error)) throw damaged('its configuration is missing in the store', error)
    throw error
  }
}

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
