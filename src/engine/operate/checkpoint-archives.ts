/** Checkpoints that leave the pod's directory and come back, as archives. */
import { mkdir, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, TspodError } from '../../errors.ts'
import { processStart, removeTree, writeAtomic } from '../../files.ts'
import type { Id } from '../../model.ts'
import { type CheckpointFacts, readArchive, writeArchive } from '../../oci/index.ts'
import { randomHex } from '../../random.ts'
import type { EngineContext } from '../context.ts'
import {
  type ContainerRecord,
  type PodRecord,
  readContainer,
  readContainers,
  readPod,
  readPodById,
  specNamed,
} from '../state/index.ts'
import { withPod } from './batch.ts'
import { checkpointDirectory, hasCheckpoint, noCheckpoint } from './checkpoint.ts'

const KEY_BYTES = 32

/**
 * The key that this installation seals its archives with; made when first needed. Whoever has it decides what runs
 * as root, so only root can read it.
 */
async function sealingKey(context: EngineContext): Promise<Buffer> {
  const file = join(context.paths.root, 'checkpoint.key')
  try {
    const key = Buffer.from((await readFile(file, 'utf8')).trim(), 'hex')
    if (key.length === KEY_BYTES) return key
    throw new TspodError('STORE_CORRUPT', `${file} does not hold a key`, {
      remedy: 'remove it: a new one is made, and older archives are not accepted any more',
    })
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  await writeAtomic(file, `${randomHex(KEY_BYTES)}\n`, 0o600)
  return sealingKey(context)
}

/**
 * Writes the checkpoint of a container to the new file `file`.
 * @throws NO_SUCH_OBJECT, WRONG_STATE without a checkpoint, COMMAND_FAILED when the file cannot be made.
 */
export async function exportCheckpoint(context: EngineContext, id: Id, file: string): Promise<void> {
  const record = await readContainer(context.store, id)
  const pod = record && (await readPodById(context.store, record.pod))
  if (record === undefined || pod === undefined) throw isGone(id)
  if (!hasCheckpoint(context, record)) throw noCheckpoint(record)
  const key = await sealingKey(context)
  const facts: CheckpointFacts = {
    pod: pod.name,
    container: record.shortName,
    imageId: record.imageId,
    createdMs: context.clock.nowMs(),
  }
  try {
    await writeArchive(join(checkpointDirectory(context, record), 'images'), file, facts, key)
  } catch (cause) {
    if (cause instanceof TspodError) throw cause
    throw new TspodError('COMMAND_FAILED', `cannot export the checkpoint of ${record.name}: ${messageOf(cause)}`, {
      remedy: 'name a new file in a directory with enough space',
      cause,
    })
  }
}

/**
 * Takes an archive for the container that it was made of, and answers that container's id. Only names are taken from
 * it, and compared: pod, container and image have to be here already.
 * @throws UNSAFE_PATH for an archive that this installation did not write, NO_SUCH_OBJECT, WRONG_STATE.
 */
export async function importCheckpoint(context: EngineContext, file: string, signal: AbortSignal): Promise<Id> {
  const stage = join(context.paths.root, `import-${process.pid}-${randomHex(8)}`)
  await sweepStages(context.paths.root)
  await mkdir(join(stage, 'images'), { recursive: true, mode: 0o700 })
  try {
    const facts = await unpacked(context, file, join(stage, 'images'))
    const record = await meant(context, facts)
    await withPod(context, record.pod, 'tspod restore', { signal }, async work => {
      const directory = checkpointDirectory(work.context, record)
      await removeTree(directory)
      await mkdir(join(directory, '..'), { recursive: true, mode: 0o700 })
      await rename(stage, directory)
    })
    return record.id
  } finally {
    await removeTree(stage)
  }
}

/** What an import left that was killed. */
async function sweepStages(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const pid = /^import-(\d+)-[0-9a-f]{16}$/.exec(name)?.[1]
    if (pid !== undefined && processStart(Number(pid)) === undefined) await removeTree(join(root, name))
  }
}

async function unpacked(context: EngineContext, file: string, into: string): Promise<CheckpointFacts> {
  const key = await sealingKey(context)
  try {
    return await readArchive(file, into, key)
  } catch (cause) {
    if (cause instanceof TspodError) throw cause
    throw new TspodError('COMMAND_FAILED', `cannot import ${file}: ${messageOf(cause)}`, {
      remedy: 'name an archive that `tspod checkpoint --export` wrote',
      cause,
    })
  }
}

/** The container of this store that the archive was made of. */
async function meant(context: EngineContext, facts: CheckpointFacts): Promise<ContainerRecord> {
  const pod = await readPod(context.store, facts.pod)
  const all = pod === undefined ? [] : await readContainers(context.store, [pod.id])
  const record = all.find(({ shortName }) => shortName === facts.container)
  const name = JSON.stringify(`${facts.pod}/${facts.container}`)
  if (record === undefined) {
    throw new TspodError('NO_SUCH_OBJECT', `the archive is of container ${name}, which does not exist here`, {
      remedy: 'play its manifest first: tspod kube play --start=false',
    })
  }
  if (facts.imageId !== '' && facts.imageId === (await imageIdOf(context, pod, record))) return record
  throw new TspodError('WRONG_STATE', `the archive is of container ${name} with another image than it has here`, {
    remedy: 'restore it with the image that it was made with',
  })
}

/** The image that it has, or would be made with. */
async function imageIdOf(
  context: EngineContext,
  pod: PodRecord | undefined,
  record: ContainerRecord,
): Promise<string | undefined> {
  if (record.imageId !== '') return record.imageId
  const spec = pod && specNamed(pod.spec, record.shortName)
  return spec && (await context.findImage(spec.image))?.id
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const isGone = (id: string): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `no container with name or ID "${id}" found: no such container`, {
    remedy: 'see what there is: tspod ps -a',
  })
