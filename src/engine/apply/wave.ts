/** One wave of an apply: everything of it begins side by side, but for what waits for something else of it. */
import type { Bundle, PodSpec } from '../../model.ts'
import { down } from '../play/index.ts'
import { READY_MS } from '../probe/index.ts'
import { leadersOf, playAll, startAll, untilReady } from './bring.ts'
import { prune, type Work } from './execute.ts'
import { changeLive } from './live.ts'
import { isInTheWay, madeBy, partOf } from './prepare.ts'
import { type Roll, rollAll, rollsOf } from './roll.ts'
import { inTurns, type Unit } from './rolling.ts'
import type { Planned, PodPlan } from './world.ts'

/** Brings the objects of one wave to what they should be; with another one behind it, until they are ready. */
export async function bringWave(work: Work, planned: readonly Planned[], isFollowed: boolean): Promise<void> {
  const { request, prepared, ledger } = work
  const pods = planned.flatMap(({ pods: own }) => own)
  for (const pod of pods) if (pod.do !== 'nothing' || pod.start === true) work.seen.delete(pod.name)
  await changeAll(work, pods)
  await takeDown(
    work,
    pods.filter(pod => pod.do === 'remove').map(({ name }) => name),
  )
  const bundle = madeBy(planned, request)
  const inTheWay = prepared.planned.filter(
    one => one.object.action === 'prune' && isInTheWay(one, bundle, prepared.world),
  )
  await prune(work, inTheWay)
  const starting = pods.filter(pod => pod.do === 'start' || pod.start === true)
  await bringUp(work, bundle, starting, await rollsOf(work, planned))
  const isBusy = pods.some(pod => pod.do !== 'nothing' && pod.do !== 'remove')
  const waitMs = request.waitMs ?? (isFollowed && isBusy ? READY_MS : undefined)
  if (waitMs !== undefined && !ledger.hasFailed && !work.signal.aborted) await untilReady(work, pods, waitMs)
}

type Step = Unit & { start?: PodPlan; roll?: Roll }

/** Makes, starts and replaces, each pod after those that it needs. */
async function bringUp(
  work: Work,
  bundle: Bundle,
  starting: readonly PodPlan[],
  rolls: readonly Roll[],
): Promise<void> {
  const rolled = new Set(rolls.flatMap(({ left }) => left))
  const steps: Step[] = [
    ...bundle.pods
      .filter(({ name }) => !rolled.has(name))
      .map(spec => ({ pods: [{ name: spec.name, spec }], isRoll: false })),
    ...starting.map(start => ({ pods: [start], isRoll: false, start })),
    ...rolls.map(roll => ({
      pods: bundle.pods.filter(({ name }) => roll.left.includes(name)).map(spec => ({ name: spec.name, spec })),
      isRoll: true,
      roll,
    })),
  ]
  for (const turn of inTurns(steps)) {
    if (work.signal.aborted) return
    const made = turn.flatMap(({ start, roll, pods }) => (start || roll ? [] : pods.map(({ name }) => name)))
    await sideBySide(
      work,
      partOf(bundle, new Set(made)),
      turn.flatMap(({ start }) => start ?? []),
    )
    await rollAll(
      work,
      turn.flatMap(({ roll }) => roll ?? []),
      bundle,
    )
  }
}

async function sideBySide(work: Work, bundle: Bundle, starting: readonly PodPlan[]): Promise<void> {
  const later = followersOf(bundle.pods, starting)
  await startAll(
    work,
    starting.filter(({ name }) => !later.has(name)),
  )
  await playAll(work, bundle)
  await startAll(
    work,
    starting.filter(({ name }) => later.has(name)),
  )
}

/** Those among `starting` that start after a pod of `made`, or after one of these. */
function followersOf(made: readonly PodSpec[], starting: readonly PodPlan[]): Set<string> {
  const leaders = new Set<string>(made.map(({ name }) => name))
  const found = new Set<string>()
  for (let size = -1; size < found.size; ) {
    size = found.size
    for (const pod of starting) {
      if (leadersOf(pod).some(name => leaders.has(name) || found.has(name))) found.add(pod.name)
    }
  }
  return found
}

async function changeAll({ context, request, ledger, signal }: Work, pods: readonly PodPlan[]): Promise<void> {
  for (const pod of pods) {
    if (pod.do !== 'change') continue
    await changeLive(context, pod, request.bundle.manifests[pod.name], signal).catch(error =>
      ledger.fail(pod.name, (error as Error).message),
    )
  }
}

async function takeDown({ context, ledger, signal }: Work, pods: string[]): Promise<void> {
  if (pods.length === 0) return
  const request = { pods, workloads: [], secrets: [], claims: [], podClaims: [], claimsOf: [] }
  const { failures } = await down(context, request, { force: false }, signal)
  for (const { object, message } of failures) ledger.fail(object.replace(/^pod /, ''), message)
}
