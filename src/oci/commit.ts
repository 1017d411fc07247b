/**
 * An image from a container: the layers of its image and one more. They are described as an OCI layout that holds
 * nothing but the new layer, and skopeo copies it: layers that the store has already are not read.
 */
import type { Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../errors.ts'
import { mustSucceed, type Run } from '../process.ts'
import type { ImageParts } from './image.ts'
import { localCandidates, parseImageName } from './image-name.ts'
import { type Store, storageReference } from './storage.ts'

const OCI = 'application/vnd.oci.image'
/** Copying a layer of gigabytes takes its time. */
const COPY_TIMEOUT_MS = 30 * 60_000

export type CommitInput = {
  /** A directory of our own for the layout, with the new layer in the file `layer` of it. */
  directory: string
  layer: string
  base: ImageParts
  /** Short names get `localhost/`; without a name the image is known by its id alone. */
  name: string | undefined
  /** The new `config` of the image. */
  change(config: ConfigPart): ConfigPart
  author: string
  comment: string
  createdBy: string
  nowMs: number
}

/** The `config` of an OCI image, with the names of the image specification; whatever else is in it stays. */
export type ConfigPart = Record<string, unknown>

/**
 * Makes the image and returns its id.
 * @throws IMAGE_BAD_NAME, IMAGE_BAD_CONFIG when the base image is damaged, COMMAND_FAILED when skopeo could not.
 */
export async function commitImage(run: Run, store: Store, input: CommitInput, signal: AbortSignal): Promise<string> {
  const name = input.name === undefined ? undefined : await fullName(input.name)
  // Loading it costs every command 8 ms otherwise: see random.ts.
  const { createHash } = await import('node:crypto')
  const blobs = join(input.directory, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true, mode: 0o700 })
  const put = async (text: string): Promise<Descriptor> => {
    const digest = createHash('sha256').update(text).digest('hex')
    await writeFile(join(blobs, digest), text, { mode: 0o600 })
    return { digest: `sha256:${digest}`, size: Buffer.byteLength(text) }
  }
  const layer = await describe(input.layer, createHash('sha256'))
  await rename(input.layer, join(blobs, layer.digest.slice('sha256:'.length)))
  const { document, below } = newDocument(input, layer.digest)
  const config = await put(JSON.stringify(document))
  const layers = [...below.map(digest => ({ digest, size: input.base.layerBytes.get(digest) ?? 0 })), layer]
  const manifest = await put(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: { mediaType: `${OCI}.config.v1+json`, ...config },
      layers: layers.map(one => ({ mediaType: `${OCI}.layer.v1.tar`, ...one })),
    }),
  )
  const manifests = [{ mediaType: `${OCI}.manifest.v1+json`, ...manifest }]
  await writeFile(join(input.directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
  await writeFile(join(input.directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  const id = config.digest.slice('sha256:'.length)
  // Made here this moment: there is nothing that a signature policy could say about it.
  const argv = ['skopeo', '--insecure-policy', '--tmpdir', input.directory, 'copy', '--quiet'] as const
  const target = storageReference(store, name ?? `@${id}`)
  const command = { argv: [...argv, `oci:${input.directory}`, target] as const, timeoutMs: COPY_TIMEOUT_MS }
  mustSucceed(await run({ ...command, argv: [...command.argv] }, signal), 'cannot store the image')
  return id
}

type Descriptor = { digest: string; size: number }

async function describe(file: string, hash: Hash): Promise<Descriptor> {
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return { digest: `sha256:${hash.digest('hex')}`, size: (await stat(file)).size }
}

/** The base image's configuration with one more layer, and the layers below that. */
function newDocument(input: CommitInput, layer: string): { document: object; below: string[] } {
  const base = JSON.parse(input.base.config) as {
    config?: ConfigPart
    rootfs?: { diff_ids?: unknown }
    history?: unknown
  }
  const below = base.rootfs?.diff_ids
  if (!Array.isArray(below) || !below.every(digest => typeof digest === 'string')) {
    throw new TspodError('IMAGE_BAD_CONFIG', 'the image of the container does not name its layers', {
      remedy: 'build the image again, or pull it again',
    })
  }
  const created = new Date(input.nowMs).toISOString()
  const event = { created, created_by: input.createdBy, author: input.author, comment: input.comment }
  const filled = Object.fromEntries(Object.entries(event).filter(([, text]) => text !== ''))
  const document = {
    ...base,
    created,
    ...(input.author !== '' && { author: input.author }),
    config: input.change(base.config ?? {}),
    rootfs: { type: 'layers', diff_ids: [...below, layer] },
    history: [...(Array.isArray(base.history) ? base.history : []), filled],
  }
  return { document, below }
}

async function fullName(name: string): Promise<string> {
  const parsed = parseImageName(name)
  if (parsed.digest !== undefined) {
    throw new TspodError('IMAGE_BAD_NAME', `${name} has a digest, which a new image cannot be given`, {
      remedy: 'name it REPOSITORY[:TAG]',
    })
  }
  const candidates = await localCandidates(parsed)
  const own = candidates.find(({ repository }) => repository.startsWith('localhost/')) ?? candidates[0]
  return `${own?.repository}:${own?.tag}`
}
