/**
 * How many pods of a workload are replaced at a time, which come first, and which not at all. Pure.
 *
 * A pod and its successor have one name, so there is never one more than there should be: of a workload of several pods
 * at least one is missing while it is replaced, and no more than its manifest allows.
 */
import type { ManifestObject, PodSpec, Share } from '../../model.ts'
import { clashOnPorts, placeOf } from '../play/index.ts'
import type { Planned, PodPlan, Rolling, World } from './world.ts'

/** Kubernetes' for what says nothing about it. */
const USUAL_SHARE: Share = { amount: 25, percent: true }
const ONE: Share = { amount: 1 }
const DEPLOYMENT_DEADLINE_MS = 600_000

/** How many of `replicas` pods may be missing while they are replaced, at least one; undefined: all of them. */
export function atOnceOf({ kind, rollout }: Pick<ManifestObject, 'kind' | 'rollout'>, replicas: number) {
  if (rollout?.type === 'recreate') return undefined
  const { amount, percent } = rollout?.maxUnavailable ?? (kind === 'StatefulSet' ? ONE : USUAL_SHARE)
  const atOnce = Math.max(1, percent ? Math.floor((replicas * amount) / 100) : amount)
  return atOnce < replicas ? atOnce : undefined
}

/** Why the pod at `index` stays as it is, although it differs; undefined for one that does not. */
export function heldBack({ rollout }: Pick<ManifestObject, 'rollout'>, index: number): string | undefined {
  if (rollout?.type === 'on delete') return `${DIFFERS} until it is removed (OnDelete)`
  const { partition = 0 } = rollout ?? {}
  return index < partition ? `${DIFFERS} below partition ${partition}` : undefined
}

const DIFFERS = 'it is not what its template says, and stays as it is'

/**
 * A workload with how its pods are replaced, where that is some at a time. `made` are all pods that this apply makes: one
 * that waits for a port of the host which an old pod has would wait until the last of them.
 */
export function withRolling(planned: Planned, object: ManifestObject, made: readonly PodSpec[], world: World): Planned {
  const wanted = planned.pods.filter(({ do: what }) => what !== 'remove')
  const replaced = planned.pods.filter(({ do: what }) => what === 'replace')
  const atOnce = atOnceOf(object, wanted.length)
  if (atOnce === undefined || replaced.length === 0) return planned
  const isAwaited = ({ name }: PodPlan): boolean => {
    const standing = world.pods.get(name)
    return standing !== undefined && made.some(pod => pod.name !== name && clashOnPorts(pod, standing.spec))
  }
  if (replaced.some(isAwaited)) return planned
  const deadlineMs = object.rollout?.deadlineMs ?? (object.kind === 'Deployment' ? DEPLOYMENT_DEADLINE_MS : undefined)
  // From the highest number down, which is how Kubernetes replaces those of a StatefulSet.
  const order = object.kind === 'StatefulSet' ? replaced.toReversed() : replaced
  const rolling: Rolling = {
    atOnce,
    pods: order.map(({ name }) => name),
    ...(deadlineMs !== undefined && { deadlineMs }),
  }
  const { outageMs, ...shown } = planned.object
  return { ...planned, object: { ...shown, atOnce }, rolling }
}

/**
 * Which pods of those that are left come next: all that serve nobody at the moment, whom no one would miss, or so many of
 * the others.
 */
export function nextBatch(left: readonly string[], serving: ReadonlySet<string>, { atOnce }: Rolling): string[] {
  const idle = left.filter(name => !serving.has(name))
  return idle.length > 0 ? idle : left.slice(0, atOnce)
}

/** What is brought up together: a pod, or those of a workload that are replaced one after the other (`isRoll`). */
export type Unit = { pods: readonly { name: string; spec?: PodSpec }[]; isRoll: boolean }

/**
 * Units by the turn that each has to wait for: at every turn pods that are made and started side by side come first,
 * among which a play keeps the order itself, and what is replaced some at a time after them.
 */
export function inTurns<Of extends Unit>(units: readonly Of[]): Of[][] {
  const byPod = new Map(units.flatMap(unit => unit.pods.map(({ name }) => [name, unit] as const)))
  const turns = new Map<Of, number>()
  const turnOf = (unit: Of): number => {
    const known = turns.get(unit)
    if (known !== undefined) return known
    // A circle is an error of the manifest, and would not keep anything waiting.
    turns.set(unit, 0)
    const leaders = unit.pods.flatMap(({ name, spec }) =>
      placeOf({ name, ...(spec && { spec }) }).startAfter.flatMap(leader => byPod.get(leader) ?? []),
    )
    const others = [...new Set(leaders)].filter(leader => leader !== unit)
    const turn = Math.max(0, ...others.map(leader => turnOf(leader) + (leader.isRoll ? 1 : 0)))
    turns.set(unit, turn)
    return turn
  }
  const groups = Map.groupBy(units, turnOf)
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group)
}
