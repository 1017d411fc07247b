/**
 * Plans that end things. Regular containers are asked to stop at once, dependants before what they depend on; then
 * sidecars, the last one first; then what holds the namespaces. A step that fails keeps no other one from running.
 * Source of the order: the kubelet's termination of pods.
 */
import { startOrder } from '../../order.ts'
import { type PlanInput, type PlannedContainer, type Step, Steps } from './steps.ts'

/** Stops everything and frees what a pod at rest does not need; its volumes, layers and logs stay. */
export function planStandstill(input: PlanInput, because: string): Step[] {
  const steps = new Steps()
  const stops = planStops(steps, input, because)
  if (input.sandbox === 'down' && stops.length === 0) return leftovers(steps, input, because)
  const disconnect = addDisconnect(steps, because, stops)
  const deletes = input.containers.map(({ id }) => steps.add({ do: 'delete', container: id, because }, [], stops))
  for (const { id, kind } of input.containers) {
    if (hasLayer(kind)) steps.add({ do: 'unmount', container: id, because }, [`delete ${id}`], deletes)
  }
  steps.add({ do: 'cgroup', because }, [], deletes)
  steps.add({ do: 'unpin', because }, [], [disconnect])
  return steps.list
}

/** First of all that waits for the stops: nothing of an end takes as long. */
const addDisconnect = (steps: Steps, because: string, stops: readonly string[]): string =>
  steps.add({ do: 'disconnect', because }, [], stops)

/** What a container left that ended after the pod had come to rest. */
function leftovers(steps: Steps, input: PlanInput, because: string): Step[] {
  for (const { id, leftover } of input.containers) {
    if (leftover) steps.add({ do: 'delete', container: id, because })
  }
  return steps.list
}

/** Stops the pod and takes everything of it away; its record goes last, and only when nothing else is left. */
export function planRemoval(input: PlanInput): Step[] {
  const because = 'the pod is to be removed'
  const steps = new Steps()
  const stops = planStops(steps, input, because)
  const disconnect = addDisconnect(steps, because, stops)
  const deletes = input.containers.map(({ id }) => steps.add({ do: 'delete', container: id, because }, [], stops))
  const erased = input.containers
    .filter(({ kind }) => hasLayer(kind))
    .map(({ id }) => steps.add({ do: 'erase', container: id, because }, [], stops))
  const cgroup = steps.add({ do: 'cgroup', because }, [], deletes)
  const unpin = steps.add({ do: 'unpin', because }, [], [disconnect])
  const volumes = steps.add({ do: 'volumes', because }, [], stops)
  // The steps before need what is in these files when they have to be repeated. Beside the network, which takes longest.
  const files = steps.add({ do: 'files', because }, [...stops, ...deletes, ...erased, volumes])
  const run = steps.add({ do: 'rundir', because }, [files, cgroup, disconnect, unpin])
  steps.add({ do: 'forget', because }, [run])
  return steps.list
}

/** Only these have a layer of an image below them. */
const hasLayer = (kind: PlannedContainer['kind']): boolean => kind !== 'infra' && kind !== 'service'

/** Stops what runs; returns the ids of all stops. */
function planStops(steps: Steps, input: PlanInput, because: string): string[] {
  const running = input.containers.filter(isUp)
  const work = running.filter(({ kind }) => kind === 'regular' || kind === 'init')
  const sidecars = running.filter(({ kind }) => kind === 'sidecar').reverse()
  const holders = running.filter(({ kind }) => kind === 'infra' || kind === 'service')
  // Dependants first in the list: a step may only wait for earlier ones.
  for (const { id } of dependantsFirst(work)) {
    const dependants = work.filter(({ dependsOn }) => dependsOn.includes(id))
    steps.add(
      { do: 'stop', container: id, because },
      [],
      dependants.map(one => `stop ${one.id}`),
    )
  }
  let before = work.map(({ id }) => `stop ${id}`)
  for (const { id } of [...sidecars, ...holders]) {
    const stop = steps.add({ do: 'stop', container: id, because }, [], before)
    before = [...before, stop]
  }
  return before
}

/** Takes single containers away from a pod that stays; their records go last. */
export function planDrops(steps: Steps, containers: readonly PlannedContainer[]): void {
  const because = 'it is to be removed'
  for (const container of containers) {
    const { id, kind } = container
    const stop = planOneStop(steps, container, because)
    const before = stop === undefined ? [] : [stop]
    const freed = [steps.add({ do: 'delete', container: id, because }, [], before)]
    if (hasLayer(kind)) freed.push(steps.add({ do: 'erase', container: id, because }, [], before))
    steps.add({ do: 'drop', container: id, because }, [...before, ...freed])
  }
}

/** Stops one container of a pod that goes on. */
export function planOneStop(steps: Steps, container: PlannedContainer, because: string): string | undefined {
  return isUp(container) ? steps.add({ do: 'stop', container: container.id, because }) : undefined
}

const isUp = ({ observed }: PlannedContainer): boolean =>
  observed.at === 'running' || observed.at === 'created' || observed.at === 'unmonitored'

/** Every container after all that depend on it. */
function dependantsFirst(containers: readonly PlannedContainer[]): PlannedContainer[] {
  const sorted = startOrder(containers.map(({ id, dependsOn }) => ({ name: id, dependsOn })))
  // The translator refuses circles.
  if ('cycle' in sorted) throw new Error(`containers depend on one another: ${sorted.cycle.join(', ')}`)
  const byId = new Map(containers.map(container => [container.id, container]))
  return sorted.order.reverse().flatMap(id => byId.get(id) ?? [])
}
