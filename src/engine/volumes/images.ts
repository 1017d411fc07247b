/**
 * Images as volumes: each is a layer of the pod's own on top of the image, which nothing is ever written to, because
 * containers get it read-only. It is kept until the pod is removed.
 */
import { chown } from 'node:fs/promises'
import { TspodError } from '../../errors.ts'
import type { Id, PodSpec, VolumeSpec } from '../../model.ts'
import { outsideOf } from '../../namespaces.ts'
import type { PodWork } from '../context.ts'

export type ImageVolume = VolumeSpec & { kind: 'image' }

/** This many digits of the pod's id begin the ids of its image volumes: by them `fsck` knows whose they are. */
export const POD_DIGITS = 40
const DIGITS = 64

/** The ids of the layers of a pod's image volumes, by the volume's name. */
export function imageLayers(pod: PodSpec, podId: Id): Map<string, Id> {
  const layers = new Map<string, Id>()
  for (const [index, volume] of pod.volumes.entries()) {
    const number = index.toString(16).padStart(DIGITS - POD_DIGITS, '0')
    if (volume.kind === 'image') layers.set(volume.name, `${podId.slice(0, POD_DIGITS)}${number}` as Id)
  }
  return layers
}

/**
 * Mounts an image volume, or finds it mounted, and returns its path. The image is that of the play; where the layer is
 * gone, after a repair of the store, what is called so now.
 * Throws IMAGE_NOT_FOUND, COMMAND_FAILED.
 */
export async function mountImage(work: PodWork, volume: ImageVolume): Promise<string> {
  const id = imageLayers(work.pod.spec, work.pod.id).get(volume.name)
  if (id === undefined) throw new Error(`pod ${work.pod.name} has no image volume ${volume.name}`)
  const rootfs = await work.context.rootfs()
  const known = await rootfs.mounted()
  const mounted = known.get(id)
  if (mounted !== undefined) return rootfs.remount(id)
  const image = work.images.get(id) ?? (await work.context.findImage(volume.image))
  const { userns } = work.pod.settings
  if (image !== undefined) {
    const path = await rootfs.create(image, id, `${work.pod.name}-${volume.name}`, userns)
    // The store maps what the image holds, and leaves the directory itself to the host's root.
    if (userns !== undefined) await chown(path, outsideOf(userns.uids, 0) ?? 0, outsideOf(userns.gids, 0) ?? 0)
    return path
  }
  throw new TspodError(
    'IMAGE_NOT_FOUND',
    `image ${volume.image} of volume ${volume.name} is not on this host any more`,
    {
      remedy: `pull it: tspod image pull ${volume.image}`,
    },
  )
}

/** Unmounts and removes the image volumes of a pod; gone already is success. */
export async function removeImageVolumes(work: PodWork): Promise<void> {
  const layers = [...imageLayers(work.pod.spec, work.pod.id).values()]
  if (layers.length === 0) return
  const rootfs = await work.context.rootfs()
  await Promise.all(layers.map(id => rootfs.remove(id)))
}
