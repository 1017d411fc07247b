/** The way back: a pod as it was before an apply replaced it is kept on record until its successor is up. */
import { TspodError } from '../../errors.ts'
import type { Bundle } from '../../model.ts'
import { DEFAULT_NETWORK, loadNetwork } from '../../oci/index.ts'
import type { EngineContext } from '../context.ts'
import { type ImageOf, PLAIN_OPTIONS, play } from '../play/index.ts'
import type { PodBefore, PodSettings } from '../state/index.ts'
import type { PlayOptions } from '../types/index.ts'
import { manifestOf } from './compare.ts'
import { startReason } from './standing-pod.ts'
import type { SeenPod } from './world.ts'

/** What is kept of a pod; `isGood`: it was up, so that it is what should come back. */
export function beforeOf(app: string, standing: SeenPod): { before: PodBefore; isGood: boolean } {
  const { spec, settings, images, containers, record } = standing
  const manifest = manifestOf(standing)
  const regular = containers.filter(({ kind }) => kind === 'regular')
  const before = {
    app,
    spec,
    settings,
    ...(manifest !== undefined && { manifest }),
    images: Object.fromEntries(images),
    noPodPrefix: regular.length > 0 && regular.every(({ name, shortName }) => name === shortName),
  }
  return { before, isGood: record.complete && startReason(standing) === undefined }
}

/**
 * Plays a pod as it was, in the place of the one that did not come up. Throws what a play throws, and START_FAILED when
 * the old one does not start any more either.
 */
export async function restorePod(context: EngineContext, before: PodBefore): Promise<void> {
  const { spec, manifest } = before
  const bundle: Bundle = {
    pods: [spec],
    manifests: manifest === undefined ? {} : { [spec.name]: manifest },
    workloads: [],
    secrets: [],
    claims: [],
    configMaps: [],
  }
  const images = await imagesBefore(context, before)
  const options = await optionsBefore(context, before)
  const signal = new AbortController().signal
  const report = await play(context, bundle, options, () => undefined, signal, {}, images)
  const [failure] = report.pods.flatMap(pod => pod.failures)
  if (failure === undefined) return
  throw new TspodError('START_FAILED', `the old pod ${spec.name} does not start any more: ${failure.message}`, {
    remedy: 'correct its manifest and apply it again',
  })
}

/** Names of images may mean others by now: what the containers were made of counts, as long as it is here. */
async function imagesBefore(context: EngineContext, { spec, images }: PodBefore): Promise<ImageOf> {
  const containers = [...spec.initContainers, ...spec.containers]
  const byWish = new Map(
    await Promise.all(
      containers.map(async container => {
        const id = images[container.name]
        const found = (id ? await context.findImage(id) : undefined) ?? (await context.findImage(container.image))
        return [container, found] as const
      }),
    ),
  )
  const mounted = await Promise.all(
    spec.volumes.flatMap(volume =>
      volume.kind === 'image' ? [context.findImage(volume.image).then(image => [volume.image, image] as const)] : [],
    ),
  )
  const byName = new Map(mounted)
  return wanted => {
    const image = byWish.get(wanted as (typeof containers)[number]) ?? byName.get(wanted.image)
    if (image !== undefined) return { image, present: true }
    throw new TspodError('IMAGE_NOT_FOUND', `the image ${wanted.image} of the old pod is not here any more`, {
      remedy: 'correct the manifest and apply it again',
    })
  }
}

/** The flags of a play that makes the pod what it was. */
async function optionsBefore({ paths }: EngineContext, { settings, noPodPrefix }: PodBefore): Promise<PlayOptions> {
  const { log, noHosts, noHostname, runtime } = settings
  const usual = (await loadNetwork(paths, DEFAULT_NETWORK)).name
  return {
    ...PLAIN_OPTIONS,
    replace: true,
    networks: networksOf(settings, usual),
    logDriver: log.driver,
    logOptions: [`max-size=${log.maxBytes}b`, ...(log.path === undefined ? [] : [`path=${log.path}`])],
    noHosts,
    noHostname,
    noPodPrefix,
    pull: { quiet: true },
    ...(runtime !== undefined && { runtime }),
  }
}

function networksOf({ network, attachments }: PodSettings, usual: string): string[] {
  if (network !== 'bridge') return [network]
  const names = attachments.map(attachment => attachment.network)
  return names.length === 1 && names[0] === usual ? [] : names.map(name => (name === usual ? DEFAULT_NETWORK : name))
}
