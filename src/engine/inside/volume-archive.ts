/** `volume export` and `volume import`: a backup of what is in a named volume, and the way back. */
import { chmod, mkdir, readdir, rename, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMissing, TspodError } from '../../errors.ts'
import { removeTree } from '../../files.ts'
import type { EngineContext } from '../context.ts'
import type { VolumeView } from '../types/index.ts'
import { loadAll } from '../view/index.ts'
import { findVolume, isBehind, readMountPoints, underVolumeLock } from '../volumes/index.ts'
import { packTree, unpackArchive } from './archive.ts'
import { makePrivate } from './mount.ts'

/** Writes what is in a named volume as an archive to `output`, or to standard output. Throws NO_SUCH_OBJECT. */
export async function exportVolume(
  context: EngineContext,
  name: string,
  output: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const volume = await findVolume(context, name)
  refuseUnmounted(volume)
  // Nothing has used it yet: it is empty.
  await mkdir(volume.directory, { recursive: true, mode: 0o700 })
  if (output !== undefined) await makePrivate(output)
  await packTree(context, volume.directory, output, signal)
}

/**
 * Fills an empty named volume from an archive, `file` or that on standard input. It is unpacked where nobody else can
 * reach it, and becomes the volume's when that has succeeded. Throws NO_SUCH_OBJECT, WRONG_STATE for a volume that is
 * not empty or has a pod that runs.
 */
export async function importIntoVolume(
  context: EngineContext,
  name: string,
  file: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  await underVolumeLock(context, async () => {
    const volume = await findVolume(context, name)
    refuseUnmounted(volume)
    await refuseRunning(context, volume)
    const { directory } = volume
    if ((await namesIn(directory)).length > 0) {
      throw new TspodError('WRONG_STATE', `volume ${name} is not empty`, {
        remedy: `import into a new one, or empty it first: ${directory}`,
      })
    }
    const stage = join(dirname(directory), '_import')
    await removeTree(stage)
    await mkdir(stage, { recursive: true, mode: 0o700 })
    try {
      await unpackArchive(context, { directory: stage, ...(file !== undefined && { file }) }, signal)
      const mode = await stat(directory).then(
        ({ mode }) => mode & 0o7777,
        () => 0o777,
      )
      await chmod(stage, mode)
      // Fails when somebody has put something there meanwhile.
      await rmdir(directory).catch(ignoreMissing)
      await rename(stage, directory)
    } catch (error) {
      await removeTree(stage)
      throw error
    }
  })
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(error => {
    if (isMissing(error)) return []
    throw error
  })
}

function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error
}

/** What a device holds is there while it is mounted, which is while a pod needs it. */
function refuseUnmounted({ name, annotations, directory }: VolumeView): void {
  if (!isBehind(annotations) || readMountPoints().some(({ path }) => path === directory)) return
  throw new TspodError('WRONG_STATE', `volume ${name} is a file system of its own, and not mounted now`, {
    remedy: 'mount the device by hand, or start a pod that uses it',
  })
}

async function refuseRunning(context: EngineContext, { name, pods }: VolumeView): Promise<void> {
  const all = await loadAll(context)
  const isUp = (pod: string): boolean =>
    all.some(({ view }) => view.name === pod && view.containers.some(({ pid }) => pid !== undefined))
  const running = pods.find(isUp)
  if (running === undefined) return
  throw new TspodError('WRONG_STATE', `volume ${name} is being used by pod ${running}, which runs`, {
    remedy: `stop it first: tspod pod stop ${running}`,
  })
}
