/** A claim that is filled from an archive when it is made: Podman's annotation volume.podman.io/import-source. */
import { chmod, chown, mkdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { removeTree } from '../../files.ts'
import type { ClaimSpec } from '../../model.ts'
import { volumeDirectory } from '../../paths.ts'
import { mustSucceed } from '../../process.ts'
import type { EngineContext } from '../context.ts'
import { insertVolume, isVolume, ownerIn, underVolumeLock } from '../volumes/index.ts'
import { unpackArchive } from './archive.ts'

/**
 * Makes the volume of a claim with what is in its archive; one that exists is left as it is. The archive is unpacked
 * where nobody else can reach it, and becomes the volume when that has succeeded: otherwise there is none.
 * Throws VOLUME_INVALID for what is no file and for device nodes, and what unpacking throws.
 */
export async function importVolume(
  context: EngineContext,
  claim: ClaimSpec & { importSource: string },
  signal: AbortSignal,
): Promise<void> {
  await underVolumeLock(context, async () => {
    if (await isVolume(context.store, claim.name)) return
    const directory = volumeDirectory(context.paths, claim.name)
    // Of somebody who was killed before there was a record.
    await removeTree(directory)
    const stage = join(directory, '_import')
    await mkdir(stage, { recursive: true, mode: 0o700 })
    try {
      await unpack(context, claim, stage, signal)
      const owner = ownerIn(claim.annotations)
      if (owner !== undefined) await chown(stage, owner.uid, owner.gid)
      await chmod(stage, owner === undefined ? 0o777 : 0o755)
      await rename(stage, join(directory, '_data'))
      await context.store.write(tx => insertVolume(tx, context, claim))
    } catch (error) {
      await removeTree(directory)
      throw error
    }
  })
}

async function unpack(
  context: EngineContext,
  { name, importSource }: ClaimSpec & { importSource: string },
  stage: string,
  signal: AbortSignal,
): Promise<void> {
  const refused = (why: string): TspodError =>
    new TspodError('VOLUME_INVALID', `volume ${name}: ${importSource} ${why}`, {
      remedy: 'correct volume.podman.io/import-source: it names a tar archive of this host',
    })
  const found = await stat(importSource).catch(() => undefined)
  if (found === undefined) throw refused('does not exist')
  if (!found.isFile()) throw refused('is not a file')
  await unpackArchive(context, { directory: stage, file: importSource }, signal)
  const argv = ['find', stage, '-xdev', '(', '-type', 'b', '-o', '-type', 'c', ')', '-print', '-quit'] as const
  const devices = mustSucceed(await context.run({ argv: [...argv] }), 'cannot look into the archive')
  if (devices.stdout !== '') throw refused('holds device nodes, which no volume is made with')
}
