/** The order among pods that begin one after the other and end the other way round. */
import { type PodSpec, servingContainers } from '../../model.ts'

type Ordered = { name: string; startAfter: readonly string[] }

/** How a pod stands in the order. Records of earlier versions have one name there, and not a list. */
export const placeOf = ({ name, spec }: { name: string; spec?: PodSpec }): Ordered => ({
  name,
  startAfter: [spec?.startAfter ?? []].flat(),
})

/** Acts on all pods side by side, on each when `act` has ended for those it starts after, as far as they are among them. */
export function leadersFirst<Pod, Result>(
  pods: readonly Pod[],
  place: (pod: Pod) => Ordered,
  act: (pod: Pod, before: readonly Result[]) => Promise<Result>,
): Promise<Result[]> {
  const byName = new Map(pods.map(pod => [place(pod).name, pod]))
  const ended = new Map<string, Promise<Result>>()
  const begin = (pod: Pod): Promise<Result> => {
    const { name, startAfter } = place(pod)
    const known = ended.get(name)
    if (known !== undefined) return known
    const leaders = startAfter.flatMap(leader => byName.get(leader) ?? [])
    const result =
      leaders.length === 0 ? act(pod, []) : Promise.all(leaders.map(begin)).then(before => act(pod, before))
    ended.set(name, result)
    return result
  }
  return Promise.all(pods.map(begin))
}

/** The other way round: on each pod when `act` has ended for all that start after it. */
export function followersFirst<Pod, Result>(
  pods: readonly Pod[],
  place: (pod: Pod) => Ordered,
  act: (pod: Pod) => Promise<Result>,
): Promise<Result[]> {
  const ended = new Map<string, Promise<Result>>()
  const followersOf = new Map<string, Pod[]>()
  for (const pod of pods)
    for (const leader of place(pod).startAfter) followersOf.set(leader, [...(followersOf.get(leader) ?? []), pod])
  const end = (pod: Pod): Promise<Result> => {
    const { name } = place(pod)
    const known = ended.get(name)
    if (known !== undefined) return known
    const result = Promise.all((followersOf.get(name) ?? []).map(end)).then(() => act(pod))
    ended.set(name, result)
    return result
  }
  return Promise.all(pods.map(end))
}

/** True for a pod that tells when it is ready. */
export const tellsReady = (spec: PodSpec): boolean =>
  servingContainers(spec).some(({ probes }) => probes?.readiness !== undefined)

/**
 * The pods that cannot begin with the others: one of those before them has to be ready first, or is one of these
 * itself. Nobody is ready while a play has the locks of all.
 */
export function lateOnes(specs: readonly PodSpec[]): Set<string> {
  const byName = new Map<string, PodSpec>(specs.map(spec => [spec.name, spec]))
  const late = new Map<string, boolean>()
  const isLate = (spec: PodSpec): boolean => {
    const known = late.get(spec.name)
    if (known !== undefined) return known
    const leaders = placeOf({ name: spec.name, spec }).startAfter.flatMap(name => byName.get(name) ?? [])
    const is = leaders.some(leader => tellsReady(leader) || isLate(leader))
    late.set(spec.name, is)
    return is
  }
  return new Set(specs.filter(isLate).map(({ name }) => name))
}
