/** `commit`: an image from what a container has written. */
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { commitImage, readImageParts } from '../../oci/index.ts'
import type { EngineContext } from '../context.ts'
import { tellOf } from '../events/index.ts'
import { configOf } from '../play/index.ts'
import { mapLayer } from './archive.ts'
import { applyChange } from './image-change.ts'
import { makeStage } from './stage.ts'
import { hasOwnDirectory, mapsIn, mountedPath, subjectOf } from './subject.ts'
import type { CommitRequest } from './types.ts'

/**
 * Makes an image of a container's image and what has changed of it since, and returns its id. Volumes are not part of
 * it, and neither is what the manifest says of environment and command: Secrets would become part of the image.
 * @throws NO_SUCH_OBJECT, WRONG_STATE without a root file system, IMAGE_BAD_NAME, USAGE for an unknown change.
 */
export async function commit(
  context: EngineContext,
  nameOrId: string,
  request: CommitRequest,
  signal: AbortSignal,
): Promise<string> {
  const { container } = await subjectOf(context, nameOrId)
  if (hasOwnDirectory(container)) {
    throw new TspodError('WRONG_STATE', `container ${container.name} has no image: container state improper`, {
      remedy: 'name a container of the manifest',
    })
  }
  const config = await configOf(context, container.id)
  const { release } = await mountedPath(context, container, config)
  const { directory, remove } = await makeStage(context)
  try {
    const store = await context.storage()
    const base = readImageParts(store, container.imageId)
    const layer = join(directory, 'layer.tar')
    await (await context.rootfs()).writeLayer(container.id, layer, signal)
    const ids = config && mapsIn(config)
    if (ids !== undefined) await mapLayer(context, layer, ids, signal)
    const id = await commitImage(
      context.run,
      store,
      {
        directory,
        layer,
        base,
        name: request.image,
        change: config => request.changes.reduce(applyChange, config),
        author: request.author,
        comment: request.message,
        createdBy: `tspod commit ${container.name}`,
        nowMs: context.clock.nowMs(),
      },
      signal,
    )
    await tellOf(context, container, { action: 'commit', reason: '' })
    return id
  } finally {
    await release()
    await remove()
  }
}
