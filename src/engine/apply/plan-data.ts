/** What an apply does about objects that are not pods: ConfigMaps, Services, Secrets, claims, Jobs. Pure. */
import { TspodError } from '../../errors.ts'
import type { Bundle, JobSpec, ManifestObject, PodSpec, SecretSpec } from '../../model.ts'
import type { AppObjectRecord } from '../state/index.ts'
import type { FieldChange, PlannedObject } from '../types/index.ts'
import { differences, same } from './differences.ts'
import type { Planned, PodPlan, StoredSecret, World } from './world.ts'

const base = ({
  kind,
  name,
  place,
  wave = 0,
}: ManifestObject): Pick<PlannedObject, 'kind' | 'name' | 'place' | 'wave'> => ({
  kind,
  name,
  place,
  wave,
})

function planned(object: ManifestObject, isThere: boolean, changes: FieldChange[]): Planned {
  const of = (action: PlannedObject['action'], effect: PlannedObject['effect'], because: string[]): Planned => ({
    object: { ...base(object), action, effect, because, changes },
    pods: [],
  })
  if (!isThere) return of('create', 'none', ['it is not there'])
  if (changes.length === 0) return of('unchanged', 'none', [])
  return of('configure', 'live', [...new Set(changes.map(({ path }) => `${path} changed`))])
}

/** A ConfigMap or a Service: what counts is what its document said when it was last applied. */
export function planContent(object: ManifestObject, record: AppObjectRecord | undefined): Planned {
  return planned(
    object,
    record !== undefined,
    record ? differences(record.content ?? {}, object.content ?? {}, '') : [],
  )
}

/** A Secret; no value of it is in the plan. Throws WRONG_STATE for an immutable one that is to change. */
export function planSecret(object: ManifestObject, { secrets }: Bundle, world: World): Planned {
  const wanted = secrets.find(({ name }) => name === object.name)
  const old = world.secrets.get(object.name)
  if (old === undefined || wanted === undefined) return planned(object, old !== undefined, [])
  const changes: FieldChange[] = secretKeys(old, wanted).map(key => ({ path: `data.${key}` }))
  if (old.type !== wanted.type) changes.push({ path: 'type', before: old.type, after: wanted.type })
  if (old.immutable && changes.length > 0) {
    throw new TspodError('WRONG_STATE', `secret/${object.name} is immutable, and ${changes[0]?.path} is to change`, {
      remedy: 'give the new one another name, as Kubernetes demands; nothing was changed',
    })
  }
  if (old.immutable !== wanted.immutable)
    changes.push({ path: 'immutable', before: `${old.immutable}`, after: `${wanted.immutable}` })
  return planned(object, true, changes)
}

/** The keys whose values differ. */
export function secretKeys(old: StoredSecret, { data }: SecretSpec): string[] {
  const keys = new Set([...Object.keys(old.data), ...Object.keys(data)])
  return [...keys].filter(key => old.data[key] !== data[key]).sort()
}

/** A claim: its volume is made once, and only its labels and annotations change after that. */
export function planVolume(object: ManifestObject, { claims }: Bundle, world: World): Planned {
  const claim = claims.find(({ name }) => name === object.name)
  const old = world.volumes.get(object.name)
  if (old === undefined || claim === undefined) return planned(object, old !== undefined, [])
  const { labels, annotations } = claim
  return planned(object, true, differences(old, { labels, annotations }, 'metadata'))
}

/**
 * A Job runs once. With the same spec and the same configuration it is left alone, also when it is done; with another
 * one it is removed and begun anew. Its image is looked up when it begins: a tag that moved is no reason to repeat it.
 */
export function planJob(object: ManifestObject, { jobs = [], pods }: Bundle, world: World): Planned {
  const job = jobs.find(({ name }) => name === object.name)
  const record = world.jobs.get(object.name)
  const owner = world.owners.get(`Job/${object.name}`)
  // One that makes no pods, now.
  if (job === undefined) return planned(object, owner !== undefined, [])
  if (record !== undefined && same(jobContent(record.spec), jobContent(job))) return planned(object, true, [])
  const isDone = record === undefined && job.ttlMs !== undefined && owner?.hash === world.hashOf(job)
  if (isDone) {
    const { object: shown } = planned(object, true, [])
    return { object: { ...shown, because: ['it was done, and removed after its time'] }, pods: [] }
  }
  const first = pods.filter(pod => pod.job?.name === job.name)
  const made = first.map((spec): PodPlan => {
    const standing = world.pods.get(spec.name)
    const shown = { action: 'create' as const, effect: 'none' as const, because: ['the Job begins'], changes: [] }
    return { name: spec.name, do: 'make', spec, shown, ...(standing !== undefined && { standing }) }
  })
  if (record === undefined) return { ...planned(object, false, []), pods: made, job }
  const changes = differences(jobContent(record.spec), jobContent(job), '').map(({ path }) => ({ path: `(${path})` }))
  const shown = { ...base(object), action: 'configure' as const, effect: 'recreate' as const, changes }
  return { object: { ...shown, because: ['a Job with another spec begins anew'] }, pods: made, job }
}

/** What a Job does, wherever its document stands. */
export function jobContent(job: JobSpec): object {
  const { template, ...rest } = JSON.parse(JSON.stringify(job)) as JobSpec
  const { origin, ...pod }: PodSpec = template
  return { ...rest, template: { ...pod, origin: { kind: origin.kind, name: origin.name } } }
}
