/** Artifacts: small files that are kept with a container and go with it. */
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, TspodError } from '../../errors.ts'
import { readBeneath, writeAtomic } from '../../files.ts'
import { artifactDirectory } from '../../paths.ts'
import type { EngineContext } from '../context.ts'
import { subjectOf } from './subject.ts'
import type { Artifact } from './types.ts'

const MAX_ARTIFACT_BYTES = 1024 * 1024
const MAX_ARTIFACTS = 100
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/

async function directoryOf(context: EngineContext, nameOrId: string): Promise<string> {
  const { pod, container } = await subjectOf(context, nameOrId)
  return artifactDirectory(context.paths, pod.id, container.id)
}

/**
 * Keeps `data` under `name`, for root only to read.
 * @throws NO_SUCH_OBJECT, NAME_IN_USE, USAGE for a bad name, more than 1 MiB or more than a hundred artifacts.
 */
export async function addArtifact(
  context: EngineContext,
  nameOrId: string,
  name: string,
  data: Uint8Array,
): Promise<void> {
  checkName(name)
  if (data.length > MAX_ARTIFACT_BYTES) throw tooLarge(name)
  const directory = await directoryOf(context, nameOrId)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if ((await namesIn(directory)).length >= MAX_ARTIFACTS) throw tooMany(nameOrId)
  await claim(join(directory, name), name)
  await writeAtomic(join(directory, name), data, 0o600)
}

/** The content of an artifact. @throws NO_SUCH_OBJECT. */
export async function getArtifact(context: EngineContext, nameOrId: string, name: string): Promise<Buffer> {
  checkName(name)
  const directory = await directoryOf(context, nameOrId)
  const data = (await namesIn(directory)).includes(name) ? readBeneath(directory, name, MAX_ARTIFACT_BYTES) : undefined
  if (data === undefined) throw noSuchArtifact(nameOrId, name)
  return data
}

/** All artifacts of a container by name. @throws NO_SUCH_OBJECT. */
export async function listArtifacts(context: EngineContext, nameOrId: string): Promise<Artifact[]> {
  const directory = await directoryOf(context, nameOrId)
  const names = await namesIn(directory)
  return Promise.all(
    names.map(async name => {
      const { size, mtimeMs } = await lstat(join(directory, name))
      return { name, sizeBytes: size, createdMs: Math.floor(mtimeMs) }
    }),
  )
}

/** Forgets an artifact. @throws NO_SUCH_OBJECT. */
export async function removeArtifact(context: EngineContext, nameOrId: string, name: string): Promise<void> {
  checkName(name)
  await unlink(join(await directoryOf(context, nameOrId), name)).catch(error => {
    throw isMissing(error) ? noSuchArtifact(nameOrId, name) : error
  })
}

/** The name belongs to who makes the file; a crash before its content is written leaves an empty one. */
async function claim(path: string, name: string): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const file = await open(path, flags, 0o600).catch(error => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new TspodError('NAME_IN_USE', `artifact ${name} already exists`, {
      remedy: 'choose another name, or remove it first: tspod container artifact rm',
    })
  })
  await file.close()
}

/** Files that are being written have names that begin with a dot. */
async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter(name => NAME.test(name)).sort()
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

function checkName(name: string): void {
  if (NAME.test(name)) return
  throw new TspodError('USAGE', `"${name}" is no name for an artifact`, {
    remedy: 'use up to 128 letters, digits, "-", "_" and ".", beginning with a letter or digit',
  })
}

const tooLarge = (name: string): TspodError =>
  new TspodError('USAGE', `artifact ${name} is larger than ${MAX_ARTIFACT_BYTES / 1024 ** 2} MiB`, {
    remedy: 'keep it in a volume',
  })

const tooMany = (container: string): TspodError =>
  new TspodError('USAGE', `${container} has ${MAX_ARTIFACTS} artifacts already`, { remedy: 'remove some of them' })

const noSuchArtifact = (container: string, name: string): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `container ${container} has no artifact "${name}": no such artifact`, {
    remedy: `see what it has: tspod container artifact ls ${container}`,
  })
