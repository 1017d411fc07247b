/**
 * What an apply has to do: a bundle and what there is come in, a plan that people can read and one that can be carried
 * out come out. Pure.
 */
import { TspodError } from '../../errors.ts'
import type { ManifestObject, PodSpec } from '../../model.ts'
import { objectLabel } from '../../words.ts'
import type { AppObjectRecord } from '../state/index.ts'
import type { ApplyRequest, ObjectName, PlannedObject } from '../types/index.ts'
import { type ChangedSecrets, comparePod } from './compare.ts'
import { planContent, planJob, planSecret, planVolume, secretKeys } from './plan-data.ts'
import { heldBack, withRolling } from './rolling.ts'
import { outageOf, startReason } from './standing-pod.ts'
import { isMade, keyOf, type Planned, type PodPlan, type SeenPod, type WantedOf, type World } from './world.ts'

/** The order of kinds: what is used comes before what uses it. */
const KINDS = ['ConfigMap', 'Secret', 'PersistentVolumeClaim', 'Service', 'Pod']

/** Everything to do, in the order in which it is shown: waves, then kinds, then the manifest's order. */
export function planAll(request: ApplyRequest, world: World, wantedOf: WantedOf): Planned[] {
  const { bundle } = request
  const objects = objectsOf(request)
  refuseConflicts(request, objects, world)
  const secrets = changedSecrets(request, world)
  const how: Comparing = {
    request,
    world,
    secrets,
    wantedOf,
    wanted: Map.groupBy(bundle.pods, ({ origin }) => keyOf(origin)),
    standing: Map.groupBy(world.pods.values(), ({ spec }) => keyOf(spec.origin)),
  }
  const planned = objects.map((object): Planned => {
    const record = world.owners.get(keyOf(object))
    switch (object.kind) {
      case 'Secret':
        return planSecret(object, bundle, world)
      case 'PersistentVolumeClaim':
        return planVolume(object, bundle, world)
      case 'ConfigMap':
      case 'Service':
        return planContent(object, record)
      case 'Job':
        return planJob(object, bundle, world)
      default:
        return planPods(object, how)
    }
  })
  const made = planned.flatMap(({ pods }) => pods.flatMap(pod => (isMade(pod) ? pod.spec : [])))
  const rolling = planned.map((one, index) => withRolling(one, objects[index]!, made, world))
  const rank = ({ object }: Planned): number => {
    const at = KINDS.indexOf(object.kind)
    return at < 0 ? KINDS.length : at
  }
  const sorted = rolling
    .map((one, index) => ({ one, index }))
    .sort((a, b) => a.one.object.wave - b.one.object.wave || rank(a.one) - rank(b.one) || a.index - b.index)
    .map(({ one }) => one)
  return [...sorted.map(one => takenOver(one, request, world)), ...planGone(request, objects, how)]
}

/** An object that changes hands is no longer what it was, although nothing of it restarts. */
function takenOver(one: Planned, { app }: ApplyRequest, { owners }: World): Planned {
  const owner = owners.get(keyOf(one.object))
  if (one.object.action !== 'unchanged' || owner?.app === app) return one
  const isPlayed = owner === undefined && one.pods.length > 0
  if (owner === undefined && !isPlayed) return one
  const because = [owner === undefined ? 'kube play made it' : `it belonged to app ${owner.app}`]
  return { ...one, object: { ...one.object, action: 'configure', effect: 'live', because } }
}

/** A bundle without documents owns its pods as such. */
export const objectsOf = ({ bundle }: ApplyRequest): ManifestObject[] =>
  bundle.objects ?? bundle.pods.map(({ origin, name }) => ({ kind: 'Pod', name, place: origin.place }))

/** Secrets that are on record with other values: which keys differ. */
function changedSecrets({ bundle }: ApplyRequest, { secrets }: World): ChangedSecrets {
  return new Map(
    bundle.secrets.flatMap(secret => {
      const old = secrets.get(secret.name)
      return old === undefined ? [] : [[secret.name, secretKeys(old, secret)] as const]
    }),
  )
}

type Comparing = {
  request: ApplyRequest
  world: World
  secrets: ChangedSecrets
  wantedOf: WantedOf
  /** Pods of the bundle, and pods that are there, by `keyOf` the object that makes them. */
  wanted: ReadonlyMap<string, readonly PodSpec[]>
  standing: ReadonlyMap<string, readonly SeenPod[]>
}

/** A Pod, or a workload with its pods. */
function planPods(object: ManifestObject, how: Comparing): Planned {
  const key = keyOf(object)
  const wanted = how.wanted.get(key) ?? []
  const names = new Set<string>(wanted.map(({ name }) => name))
  const surplus = (how.standing.get(key) ?? []).filter(({ record }) => !names.has(record.name))
  const isKnown = how.world.owners.has(key)
  const own = wanted.map((spec, index) => planPod(spec, how, heldBack(object, index)))
  const pods = [...own, ...surplus.map(({ record }) => removal(record.name))]
  const base = { kind: object.kind, name: object.name, place: object.place, wave: object.wave ?? 0 }
  if (object.kind === 'Pod') {
    const [own] = pods
    return { object: { ...base, ...(own?.shown ?? nothing) }, pods }
  }
  return {
    object: {
      ...base,
      ...summary(pods, isKnown),
      pods: pods.map(({ shown, name }) => ({ kind: 'Pod', name, ...shown })),
    },
    pods,
  }
}

const nothing: PodPlan['shown'] = { action: 'unchanged', effect: 'none', because: [], changes: [] }

const removal = (name: string): PodPlan => ({
  name,
  do: 'remove',
  shown: { action: 'prune', effect: 'delete', because: ['it has fewer pods now'], changes: [] },
})

/** `hold`: why a pod that is there is not replaced. */
function planPod(spec: PodSpec, how: Comparing, hold: string | undefined): PodPlan {
  const { request, world, secrets, wantedOf } = how
  const standing = world.pods.get(spec.name)
  const { name } = spec
  if (standing === undefined) {
    return {
      name,
      spec,
      do: 'make',
      shown: { action: 'create', effect: 'none', because: ['it is not there'], changes: [] },
    }
  }
  const { record } = standing
  if (!record.complete || record.goal === 'removed') {
    const because = record.complete ? 'its removal was interrupted' : 'it was left half made'
    return {
      name,
      spec,
      do: 'make',
      standing,
      shown: { action: 'create', effect: 'none', because: [because], changes: [] },
    }
  }
  const wanted = { spec, manifest: request.bundle.manifests[name], ...wantedOf(spec) }
  const { effect, because, changes } = comparePod(standing, wanted, secrets)
  const stopped = startReason(standing)
  const starts = stopped === undefined ? [] : [stopped]
  if (effect === 'restart' && hold !== undefined) {
    const shown = { ...nothing, because: [...starts, hold] }
    if (stopped === undefined) return { name, spec: standing.spec, do: 'nothing', standing, shown }
    return { name, spec: standing.spec, do: 'start', standing, shown: { ...shown, action: 'start' } }
  }
  if (effect === 'restart') {
    const outageMs = stopped === undefined ? outageOf(standing) : undefined
    const shown = {
      action: 'configure' as const,
      effect,
      because,
      changes,
      ...(outageMs !== undefined && { outageMs }),
    }
    return { name, spec, do: 'replace', standing, shown }
  }
  if (effect === 'live') {
    const shown = { action: 'configure' as const, effect, because: [...because, ...starts], changes }
    return { name, spec, do: 'change', standing, start: starts.length > 0, shown }
  }
  if (stopped === undefined) return { name, spec, do: 'nothing', standing, shown: nothing }
  return { name, spec, do: 'start', standing, shown: { ...nothing, action: 'start', because: [stopped] } }
}

const EFFECTS: readonly PlannedObject['effect'][] = ['none', 'live', 'restart', 'recreate', 'delete']

/** A workload in the words of its pods. */
function summary(pods: readonly PodPlan[], isKnown: boolean): PodPlan['shown'] {
  const busy = pods.filter(({ do: what }) => what !== 'nothing')
  const because = reasonsOf(pods)
  if (busy.length === 0)
    return { ...nothing, because, ...(!isKnown && { action: 'create', because: ['it is not there'] }) }
  const all = (what: PodPlan['do']): boolean => busy.every(pod => pod.do === what)
  const action = all('make') && busy.length === pods.length ? 'create' : all('start') ? 'start' : 'configure'
  const strongest = Math.max(...busy.map(({ shown }) => EFFECTS.indexOf(shown.effect)))
  // A pod less is no end of the workload.
  const effect = all('remove') || EFFECTS[strongest] === 'delete' ? strongestKept(busy) : (EFFECTS[strongest] ?? 'none')
  const staying = pods.filter(({ do: what }) => what !== 'remove')
  const outages = busy.flatMap(({ shown }) => shown.outageMs ?? [])
  return {
    action,
    effect,
    because,
    changes: distinct(busy.flatMap(({ shown }) => shown.changes)),
    // As long as some pods stay there is no time without any.
    ...(outages.length > 0 && outages.length === staying.length && { outageMs: Math.max(...outages) }),
  }
}

function reasonsOf(pods: readonly PodPlan[]): string[] {
  const counts = new Map<string, number>()
  for (const { shown } of pods) for (const line of shown.because) counts.set(line, (counts.get(line) ?? 0) + 1)
  return [...counts].map(([line, count]) => (pods.length > 1 ? `${count} of ${pods.length} pods: ${line}` : line))
}

const strongestKept = (pods: readonly PodPlan[]): PlannedObject['effect'] => {
  const kept = pods.filter(({ do: what }) => what !== 'remove').map(({ shown }) => EFFECTS.indexOf(shown.effect))
  return EFFECTS[Math.max(1, ...kept)] ?? 'live'
}

const distinct = (changes: PodPlan['shown']['changes']): PodPlan['shown']['changes'] => [
  ...new Map(changes.map(change => [JSON.stringify(change), change])).values(),
]

/** Objects of the app that the sources no longer have; the last wave goes first. */
function planGone(
  request: ApplyRequest,
  objects: readonly ManifestObject[],
  { world, standing }: Pick<Comparing, 'world' | 'standing'>,
): Planned[] {
  const wanted = new Set(objects.map(keyOf))
  const gone = [...world.owners.values()].filter(record => record.app === request.app && !wanted.has(keyOf(record)))
  return gone
    .sort((a, b) => b.wave - a.wave || KINDS.indexOf(b.kind) - KINDS.indexOf(a.kind))
    .map(record => {
      const held = request.held?.(record)
      const why = held ?? keepReason(request, record)
      const pods = standing.get(keyOf(record)) ?? []
      const base = { kind: record.kind, name: record.name, wave: record.wave, changes: [] }
      const because =
        held === undefined ? ['the sources no longer have it', ...(why === undefined ? [] : [why])] : [held]
      if (why !== undefined) return { object: { ...base, action: 'keep', effect: 'none', because }, pods: [] }
      return {
        object: { ...base, action: 'prune', effect: 'delete', because },
        pods: pods.map(({ record: { name } }) => removal(name)),
      }
    })
}

function keepReason(request: ApplyRequest, record: AppObjectRecord): string | undefined {
  if (!request.prune) return 'without --prune it stays'
  if (record.kind === 'PersistentVolumeClaim' && !request.pruneVolumes) return 'volumes stay unless they are asked for'
  const { kind, name, protection } = record
  const may = request.mayPrune?.({ kind, name }, protection) ?? protection === undefined
  if (may) return undefined
  return protection === undefined ? 'it may not be pruned now' : `io.tspod.prune says ${protection}`
}

/** Everything that somebody else has. Throws NAME_IN_USE with all of it. */
function refuseConflicts(request: ApplyRequest, objects: readonly ManifestObject[], world: World): void {
  if (request.forceConflicts) return
  const { app, bundle } = request
  const complaints = objects.flatMap(object => {
    const owner = world.owners.get(keyOf(object))
    return owner === undefined || owner.app === app ? [] : belongsTo(object, owner.app)
  })
  for (const { name, origin } of bundle.pods) {
    const standing = world.pods.get(name)
    if (standing === undefined || standing.record.goal === 'removed') continue
    const maker = standing.spec.origin
    const owner = world.owners.get(keyOf(maker))
    if (owner?.app === app) continue
    if (owner !== undefined) {
      if (maker.kind !== origin.kind || maker.name !== origin.name)
        complaints.push(`pod/${name} is one of ${objectLabel(maker)}, which belongs to app ${owner.app}`)
    } else complaints.push(`pod/${name} was made by kube play, from ${maker.place.file}`)
  }
  if (complaints.length > 0) throw hadByOthers(app, complaints)
}

export const belongsTo = (object: ObjectName, app: string): string => `${objectLabel(object)} belongs to app ${app}`

export const hadByOthers = (app: string, complaints: readonly string[]): TspodError =>
  new TspodError('NAME_IN_USE', `app ${app} cannot have what others have: ${[...new Set(complaints)].join('; ')}`, {
    remedy: 'give yours other names, take theirs down, or take them over with --force-conflicts; nothing was changed',
  })
