/** Pods that have come under names of an apply since it was planned: of another app, or by hand. */
import type { EngineContext } from '../context.ts'
import { type PodRecord, readAppObjects, readPods } from '../state/index.ts'
import type { ApplyRequest, ObjectName } from '../types/index.ts'
import { belongsTo, hadByOthers } from './plan.ts'
import type { Prepared } from './prepare.ts'
import { keyOf } from './world.ts'

type Applying = { context: EngineContext; request: ApplyRequest; prepared: Pick<Prepared, 'world'> }

/**
 * Called with complete pods that are about to be replaced, whose locks are held. Throws NAME_IN_USE for those that the
 * plan knows nothing of, as it would have done itself: whoever comes first has a name.
 */
export async function refuseNewcomers(
  { context, request, prepared }: Applying,
  pods: readonly PodRecord[],
): Promise<void> {
  if (request.forceConflicts) return
  const newcomers = pods.filter(({ id, name }) => prepared.world.pods.get(name)?.record.id !== id)
  if (newcomers.length === 0) return
  const owners = new Map((await readAppObjects(context.store)).map(owner => [keyOf(owner), owner.app]))
  const complaints = newcomers.flatMap(({ name, spec: { origin } }) => {
    const owner = owners.get(keyOf(origin))
    // Pods of a Job come and go by themselves.
    if (owner === request.app) return []
    const pod = { kind: 'Pod', name }
    return owner === undefined
      ? [`pod/${name} was made by kube play, from ${origin.place.file}`]
      : [belongsTo(pod, owner)]
  })
  if (complaints.length > 0) throw hadByOthers(request.app, complaints)
}

/** Those of the names under which there is a pod that the object has made, and nobody else. */
export async function madeByObjects(
  { store }: Pick<EngineContext, 'store'>,
  names: ReadonlyMap<string, ObjectName>,
): Promise<string[]> {
  return (await readPods(store)).flatMap(({ name, spec: { origin } }) => {
    const maker = names.get(name)
    return maker !== undefined && keyOf(maker) === keyOf(origin) ? [name] : []
  })
}
