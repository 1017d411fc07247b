/** Before the first change: images are here, and everything that can be refused has been. */
import type { Bundle, PodSpec } from '../../model.ts'
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
import { gatherWanted, gatherWorld } from './gather.ts'
import { planAll } from './plan.ts'
import type { Planned, PodPlan, WantedOf, World } from './world.ts'

/** A plan that can be carried out. `imageOf`: absent when no pod is made. */
export type Prepared = { world: World; wantedOf: WantedOf; planned: Planned[]; imageOf?: ImageOf }

/** True for a pod that is made, instead of nothing or of another one. */
export const isMade = (pod: PodPlan): pod is PodPlan & { do: 'make' | 'replace' } =>
  pod.do === 'make' || pod.do === 'replace'

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

/** Fetches the images that a first plan needs or that a registry may have newer ones of, and plans again. */
export async function prepare(
  context: EngineContext,
  request: ApplyRequest,
  first: Prepared,
  progress: Progress,
  signal: AbortSignal,
): Promise<Prepared> {
  const wanted = toFetch(first.planned, request)
  if (wanted.length === 0) return first
  const bundle = { ...request.bundle, pods: wanted }
  const imageOf = await resolveImages(context, bundle, request.options, progress, signal)
  // A pull takes its time, and may have made another image of a name.
  const prepared = { ...(await look(context, request)), imageOf }
  await preflight(context, request, prepared)
  return prepared
}

/** What there is, and what is to be done about it. Reads only. */
export async function look(context: EngineContext, request: ApplyRequest): Promise<Prepared> {
  const [world, wantedOf] = await Promise.all([gatherWorld(context), gatherWanted(context, request)])
  return { world, wantedOf, planned: planAll(request, world, wantedOf) }
}

/** All pods of the bundle when any is made: the second plan may find more of them to make than the first one. */
function toFetch(planned: readonly Planned[], request: ApplyRequest): PodSpec[] {
  const made = new Set(madeBy(planned, request).pods)
  const asks = ({ initContainers, containers, volumes }: PodSpec): boolean =>
    [...initContainers, ...containers, ...volumes.filter(volume => volume.kind === 'image')].some((one: Wanted) =>
      pullsAnyway(one),
    )
  return request.bundle.pods.filter(pod => made.has(pod) || (pod.job === undefined && asks(pod)))
}

async function preflight(context: EngineContext, request: ApplyRequest, { planned, world }: Prepared): Promise<void> {
  const bundle = madeBy(planned, request)
  if (bundle.pods.length === 0) return
  const going = planned.flatMap(({ pods }) =>
    pods.flatMap(pod => (pod.do === 'replace' || pod.do === 'remove' ? (world.pods.get(pod.name)?.spec ?? []) : [])),
  )
  const drafts = await draftPods(context, bundle, request.options)
  const names = [...bundle.pods, ...going].map(({ name }) => name)
  await refuseContainerNames(context, bundle, request.options, names)
  await refusePortsInUse(context, bundle, drafts, [], going)
}

/** True when a pod of the object has to go before those of the bundle can be made: they want the same ports. */
export const isInTheWay = ({ pods }: Planned, bundle: Bundle, world: World): boolean =>
  pods.some(pod => {
    const standing = pod.do === 'remove' ? world.pods.get(pod.name) : undefined
    return standing !== undefined && bundle.pods.some(wanted => clashOnPorts(wanted, standing.spec))
  })
