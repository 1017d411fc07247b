/** Before the first change: images are here, and everything that can be refused has been. */
import type { Bundle, ContainerSpec, PodSpec } from '../../model.ts'
import { objectLabel } from '../../words.ts'
import type { EngineContext } from '../context.ts'
import {
  clashOnPorts,
  draftPods,
  type ImageOf,
  pullsAnyway,
  refuseContainerNames,
  refusePortsInUse,
  resolveImages,
  type Wanted,
} from '../play/index.ts'
import type { ApplyRequest, Progress } from '../types/index.ts'
import { worldOf } from './ahead.ts'
import { gatherWanted } from './gather.ts'
import { planAll } from './plan.ts'
import { playOptions } from './play-options.ts'
import { isMade, type Planned, type WantedOf, type World } from './world.ts'

/** A plan that can be carried out. `imageOf`: absent when no pod is made. */
export type Prepared = { world: World; wantedOf: WantedOf; planned: Planned[]; imageOf?: ImageOf }

/** Pods that the plan makes, and the bundle that makes them. */
export function madeBy(planned: readonly Planned[], { bundle }: ApplyRequest): Bundle {
  const pods = planned.flatMap(({ pods: own }) => own.filter(isMade).map(({ spec }) => spec))
  const jobs = planned.flatMap(({ job }) => job ?? [])
  const manifests = Object.fromEntries(
    pods.flatMap(({ name }) => (bundle.manifests[name] === undefined ? [] : [[name, bundle.manifests[name]]])),
  )
  return {
    pods,
    manifests,
    jobs,
    // Pods of other workloads are replaced by their names: those that stay the same stay.
    workloads: jobs.map(({ name }) => ({ kind: 'Job', name })),
    secrets: [],
    claims: [],
    configMaps: [],
    ...(bundle.pullAuths !== undefined && { pullAuths: bundle.pullAuths }),
  }
}

/** Those of the pods that are called so, with all that they need. */
export function partOf(bundle: Bundle, names: ReadonlySet<string>): Bundle {
  const pods = bundle.pods.filter(({ name }) => names.has(name))
  const jobs = bundle.jobs?.filter(job => pods.some(pod => pod.job?.name === job.name)) ?? []
  return { ...bundle, pods, jobs, workloads: jobs.map(({ name }) => ({ kind: 'Job', name })) }
}

/** Others may change what there is while images are fetched, but not for ever. */
const MAX_ROUNDS = 3

/** Fetches the images that a first plan needs or that a registry may have newer ones of, and plans again. */
export async function prepare(
  context: EngineContext,
  request: ApplyRequest,
  first: Prepared,
  progress: Progress,
  signal: AbortSignal,
): Promise<Prepared> {
  let prepared = first
  let fetched: readonly PodSpec[] = []
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const made = madeBy(prepared.planned, request).pods
    const others = round > 0 ? [] : request.bundle.pods.filter(pod => !made.includes(pod) && isAskedFor(pod))
    if (made.every(pod => fetched.includes(pod)) && others.length === 0) break
    const imageOf = await fetchImages(context, request, { made, others, progress }, signal)
    if (isAsPlanned(prepared, [...made, ...others], imageOf)) {
      prepared = { ...prepared, imageOf }
      break
    }
    fetched = [...made, ...others]
    // A pull takes its time, and may have made another image of a name.
    prepared = { ...(await look(context, request)), imageOf }
  }
  await preflight(context, request, prepared)
  return prepared
}

/** Nothing had to be fetched, which takes no time, and every name means the image that it was planned with. */
function isAsPlanned({ wantedOf }: Prepared, pods: readonly PodSpec[], imageOf: ImageOf): boolean {
  return pods.every(pod => {
    const { images } = wantedOf(pod)
    const isSame = (wanted: Wanted): boolean => imageOf(wanted).present
    const isSameImage = (container: ContainerSpec): boolean =>
      isSame(container) && imageOf(container).image.id === images.get(container.name)
    const volumes = pod.volumes.filter(volume => volume.kind === 'image')
    return [...pod.initContainers, ...pod.containers].every(isSameImage) && volumes.every(isSame)
  })
}

/** A registry that does not answer is in the way of a pod that is to be made, and of no other. */
async function fetchImages(
  context: EngineContext,
  request: ApplyRequest,
  { made, others, progress }: { made: readonly PodSpec[]; others: readonly PodSpec[]; progress: Progress },
  signal: AbortSignal,
): Promise<ImageOf> {
  const { bundle, pull } = request
  const calm = others.map(withLocalServing)
  const [needed, wished] = await Promise.all([
    resolveImages(context, { ...bundle, pods: [...made] }, { pull }, progress, signal),
    resolveImages(context, { ...bundle, pods: calm }, { pull }, progress, signal),
  ])
  const known = new Set(made.flatMap(wantedBy).map(wishText))
  return wanted => (known.has(wishText(wanted)) ? needed(wanted) : wished(localServing(wanted)))
}

const wishText = ({ image, pullPolicy }: Wanted): string => `${pullPolicy} ${image}`

const wantedBy = ({ initContainers, containers, volumes }: PodSpec): Wanted[] => [
  ...initContainers,
  ...containers,
  ...volumes.filter(volume => volume.kind === 'image'),
]

const localServing = <Of extends Wanted>(wanted: Of): Of =>
  wanted.pullPolicy === 'Always' ? { ...wanted, pullPolicy: 'Newer' } : wanted

const withLocalServing = (pod: PodSpec): PodSpec => ({
  ...pod,
  initContainers: pod.initContainers.map(localServing),
  containers: pod.containers.map(localServing),
  volumes: pod.volumes.map(volume => (volume.kind === 'image' ? localServing(volume) : volume)),
})

/** What there is, and what is to be done about it. Reads only. */
export async function look(context: EngineContext, request: ApplyRequest): Promise<Prepared> {
  const [world, wantedOf] = await Promise.all([worldOf(context), gatherWanted(context, request)])
  return { world, wantedOf, planned: planAll(request, world, wantedOf) }
}

/** A Job that has begun is not begun again for an image. */
const isAskedFor = (pod: PodSpec): boolean => pod.job === undefined && wantedBy(pod).some(pullsAnyway)

/** Labels of the objects for which an apply of this plan asks a registry although their images are here. */
export function askedFor(request: ApplyRequest, planned: readonly Planned[]): string[] {
  const made = new Set(madeBy(planned, request).pods)
  const pods = request.bundle.pods.filter(pod => (made.has(pod) ? wantedBy(pod).some(pullsAnyway) : isAskedFor(pod)))
  return [...new Set(pods.map(({ origin }) => objectLabel(origin)))]
}

async function preflight(context: EngineContext, request: ApplyRequest, { planned, world }: Prepared): Promise<void> {
  const bundle = madeBy(planned, request)
  if (bundle.pods.length === 0) return
  const going = planned.flatMap(({ pods }) =>
    pods.flatMap(pod => (pod.do === 'replace' || pod.do === 'remove' ? (world.pods.get(pod.name)?.spec ?? []) : [])),
  )
  const options = playOptions(request)
  const drafts = await draftPods(context, bundle, options)
  const names = [...bundle.pods, ...going].map(({ name }) => name)
  await refuseContainerNames(context, bundle, options, names)
  await refusePortsInUse(context, bundle, drafts, [], going)
}

/** True when a pod of the object has to go before those of the bundle can be made: they want the same ports. */
export const isInTheWay = ({ pods }: Planned, bundle: Bundle, world: World): boolean =>
  pods.some(pod => {
    const standing = pod.do === 'remove' ? world.pods.get(pod.name) : undefined
    return standing !== undefined && bundle.pods.some(wanted => clashOnPorts(wanted, standing.spec))
  })
