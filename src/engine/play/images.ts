/** Images for a play: found or pulled before anything is created, each once. */
import { sha256 } from '../../digest.ts'
import { TspodError } from '../../errors.ts'
import type { Bundle, ContainerSpec, LocalImage } from '../../model.ts'
import { buildImage, buildSource, type PullOptions } from '../../oci/index.ts'
import type { EngineContext } from '../context.ts'
import { tell } from '../events/index.ts'
import { takeLock } from '../state/index.ts'
import type { PlayOptions, Progress } from '../types/index.ts'

/** A pull of the same image by another process may take this long. */
const PULL_LOCK_TIMEOUT_MS = 30 * 60_000

/** `present`: it was here already. */
type Resolved = { image: LocalImage; present: boolean }
/** What decides which image a container gets. */
export type Wanted = Pick<ContainerSpec, 'image' | 'pullPolicy'>
/** The image of a container or a volume that has been looked for. */
export type ImageOf = (wanted: Wanted) => Resolved

/** What decides where images come from. */
type Sources = Pick<PlayOptions, 'pull' | 'build'>

/**
 * Resolves the image of every container and volume in the bundle: built where there is a directory to build it from, else by its
 * pull policy; all of them side by side.
 * @throws the first failure: IMAGE_NOT_FOUND for policy Never, IMAGE_PULL_FAILED and others from the pull,
 * IMAGE_BUILD_FAILED.
 */
export async function resolveImages(
  context: EngineContext,
  bundle: Bundle,
  options: Sources,
  progress: Progress,
  signal: AbortSignal,
): Promise<ImageOf> {
  const found = new Map<string, Promise<Resolved>>()
  const keyOf = (container: Wanted): string => `${container.pullPolicy} ${container.image}`
  for (const pod of bundle.pods) {
    const auths = bundle.pullAuths?.[pod.name]
    const sources = auths === undefined ? options : { ...options, pull: { ...options.pull, auths } }
    const mounted = pod.volumes.filter(volume => volume.kind === 'image')
    for (const container of [...pod.initContainers, ...pod.containers, ...mounted]) {
      const key = keyOf(container)
      if (!found.has(key)) found.set(key, resolve(context, container, sources, progress, signal))
    }
  }
  const images = new Map(await Promise.all([...found].map(async ([key, image]) => [key, await image] as const)))
  return container => {
    const image = images.get(keyOf(container))
    if (image === undefined) throw new Error(`image ${container.image} was not resolved`)
    return image
  }
}

async function resolve(
  context: EngineContext,
  { image: name, pullPolicy: policy }: Wanted,
  { pull: options, build }: Sources,
  progress: Progress,
  signal: AbortSignal,
): Promise<Resolved> {
  const local = await context.findImage(name)
  const source = build === undefined || (local && !build.always) ? undefined : buildSource(build.root, name)
  if (source !== undefined) {
    const report = (text: string): void => progress({ object: name, text })
    const building = async (): Promise<LocalImage> =>
      buildImage(context.stream, await context.storage(), name, source, options, report, signal)
    return { image: await alone(context, name, signal, building), present: false }
  }
  if (policy === 'Never') {
    if (local !== undefined) return { image: local, present: true }
    throw new TspodError('IMAGE_NOT_FOUND', `${name}: image not known`, {
      remedy: 'pull or build it first, or use another imagePullPolicy than Never',
    })
  }
  if (local !== undefined && (policy === 'IfNotPresent' || madeHere(name))) return { image: local, present: true }
  const serves = policy === 'Newer' && local !== undefined
  const pulled = async (): Promise<Resolved> => ({
    // A registry that cannot be reached takes its time to say so: there is no use in ask it three times.
    image: await pull(context, name, serves ? { ...options, once: true } : options, progress, signal),
    present: false,
  })
  if (!serves) return pulled()
  try {
    return await pulled()
  } catch (error) {
    if (signal.aborted) throw error
    progress({ object: name, text: `using the local image: ${(error as Error).message}` })
    return { image: local, present: true }
  }
}

/** True when a registry is asked for the image although it is here. */
export const pullsAnyway = ({ image, pullPolicy }: Wanted): boolean =>
  (pullPolicy === 'Always' || pullPolicy === 'Newer') && !madeHere(image)

/** `localhost/` is where builds on this host end up; no registry has a newer one. */
const madeHere = (name: string): boolean => name.startsWith('localhost/')

/** Pulls one image; of several processes that want the same one, one pulls and the others wait. */
export function pull(
  context: EngineContext,
  name: string,
  options: PullOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<LocalImage> {
  const pulling = async (): Promise<LocalImage> =>
    (await context.pulls()).pull(name, options, text => progress({ object: name, text }), signal)
  return alone(context, name, signal, () => toldPull(context, name, pulling))
}

/** Of several processes that want one image, one at a time fetches or builds it. */
async function alone(
  context: EngineContext,
  name: string,
  signal: AbortSignal,
  fetch: () => Promise<LocalImage>,
): Promise<LocalImage> {
  const { paths, clock } = context
  const key = `image-${sha256(name).slice(0, 16)}`
  const request = { paths, clock, name: key, command: `fetching ${name}`, timeoutMs: PULL_LOCK_TIMEOUT_MS, signal }
  const lock = await takeLock(request)
  try {
    return await fetch()
  } finally {
    await lock.removeFile()
    await lock[Symbol.asyncDispose]()
  }
}

/** Tells of the begin and of the end of a pull, in the kubelet's sentences. */
async function toldPull(context: EngineContext, name: string, pulling: () => Promise<LocalImage>): Promise<LocalImage> {
  const beganMs = context.clock.monotonicMs()
  const about = { kind: 'image' as const, object: '', name }
  await tell(context, about, { action: 'pulling', reason: 'Pulling', message: `Pulling image "${name}"` })
  try {
    const image = await pulling()
    const seconds = ((context.clock.monotonicMs() - beganMs) / 1000).toFixed(3)
    const message = `Successfully pulled image "${name}" in ${seconds}s`
    await tell(context, { ...about, object: image.id }, { action: 'pull', reason: 'Pulled', message })
    return image
  } catch (error) {
    const message = `Failed to pull image "${name}": ${(error as Error).message}`
    await tell(context, about, { action: 'pull-error', reason: 'Failed', warning: true, message })
    throw error
  }
}
