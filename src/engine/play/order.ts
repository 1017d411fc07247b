/** The order among pods of one workload that begin one after the other and end the other way round. */
import type { PodSpec } from '../../model.ts'

type Ordered = { name: string; startAfter?: string }

/** How a pod stands in the order of its workload. */
export const placeOf = ({ name, spec }: { name: string; spec?: PodSpec }): Ordered => ({
  name,
  ...(spec?.startAfter !== undefined && { startAfter: spec.startAfter }),
})

/** Acts on all pods side by side, on each when `act` has ended for the one it starts after, if that is among them. */
export function leadersFirst<Pod, Result>(
  pods: readonly Pod[],
  place: (pod: Pod) => Ordered,
  act: (pod: Pod, before: Result | undefined) => Promise<Result>,
): Promise<Result[]> {
  const byName = new Map(pods.map(pod => [place(pod).name, pod]))
  const ended = new Map<string, Promise<Result>>()
  const begin = (pod: Pod): Promise<Result> => {
    const { name, startAfter } = place(pod)
    const known = ended.get(name)
    if (known !== undefined) return known
    const leader = startAfter === undefined ? undefined : byName.get(startAfter)
    const result = leader === undefined ? act(pod, undefined) : begin(leader).then(before => act(pod, before))
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
  const end = (pod: Pod): Promise<Result> => {
    const { name } = place(pod)
    const known = ended.get(name)
    if (known !== undefined) return known
    const followers = pods.filter(other => place(other).startAfter === name)
    const result = Promise.all(followers.map(end)).then(() => act(pod))
    ended.set(name, result)
    return result
  }
  return Promise.all(pods.map(end))
}
