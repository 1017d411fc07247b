/** Images taken away: by name or id, or all that nobody uses. */
import { isTspodError, TspodError } from '../errors.ts'
import type { LocalImage } from '../model.ts'
import { deleteImage, findImage, imageLabel, listImages, nameMeant, removeImageName } from '../oci/index.ts'
import type { EngineContext } from './context.ts'
import { tell } from './events/index.ts'
import { readContainers } from './state/index.ts'
import type { RemovedImage } from './types/index.ts'

/**
 * Takes a name from an image, and deletes it with its last one; an id means all of its names, of which there may be
 * several only with `force`. Throws NO_SUCH_OBJECT, WRONG_STATE while a container has it.
 */
export async function removeImage(
  context: EngineContext,
  nameOrId: string,
  { force }: { force: boolean },
): Promise<RemovedImage> {
  const store = await context.storage()
  const image = await findImage(store, nameOrId)
  if (image === undefined) {
    throw new TspodError('NO_SUCH_OBJECT', `${nameOrId}: image not known`, {
      remedy: 'see what there is: tspod image ls',
    })
  }
  const { names } = image
  const name = await nameMeant(image, nameOrId)
  if (name === undefined && names.length > 1 && !force) {
    throw new TspodError(
      'WRONG_STATE',
      `unable to delete image ${image.id.slice(0, 12)} by ID with more than one tag (${names.join(', ')})`,
      { remedy: 'remove it by its names, or with --force' },
    )
  }
  if (name !== undefined && names.length > 1) {
    await removeImageName(context.run, store, image, name)
    await tell(context, about(image, name), { action: 'untag', reason: '' })
    return { untagged: [name] }
  }
  await refuseInUse(context, image)
  return remove(context, image)
}

const about = ({ id, names }: LocalImage, name = names[0] ?? '') => ({
  kind: 'image' as const,
  object: id,
  name,
  labels: {},
})

async function remove(context: EngineContext, image: LocalImage): Promise<RemovedImage> {
  await deleteImage(context.run, await context.storage(), image)
  await tell(context, about(image), { action: 'remove', reason: '' })
  return { untagged: image.names, deleted: image.id }
}

async function refuseInUse({ store }: EngineContext, image: LocalImage): Promise<void> {
  const user = (await readContainers(store)).find(({ imageId }) => imageId === image.id)
  if (user === undefined) return
  throw new TspodError('WRONG_STATE', `image ${imageLabel(image)} is in use by container ${user.name}`, {
    remedy: 'remove its pod first, or have it use another image',
  })
}

/**
 * Deletes those of the images that `passes` lets through and no container of any program uses. Answers what went; one
 * that cannot go now, since somebody uses it, stays without a word.
 */
export async function pruneImages(
  context: EngineContext,
  passes: (image: LocalImage) => boolean,
): Promise<RemovedImage[]> {
  const used = new Set((await readContainers(context.store)).map(({ imageId }) => imageId))
  const removed: RemovedImage[] = []
  for (const image of await listImages(await context.storage())) {
    if (used.has(image.id) || !passes(image)) continue
    try {
      removed.push(await remove(context, image))
    } catch (error) {
      if (!isTspodError(error, 'WRONG_STATE')) throw error
    }
  }
  return removed
}
