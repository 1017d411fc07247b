/**
 * What `tspod apply`, `tspod diff`, `tspod apps`, `tspod down NAME` and GitOps sources ask of the engine and are
 * answered: plain data, shared with the command line. Who may prune what is decided by `mayPrune` of the request: the
 * engine asks it for each object that has to go, and tells what io.tspod.prune says of that object on record.
 */
import type { Bundle, Place, Protection } from '../../model.ts'
import type { PullOptions } from '../../oci/index.ts'
import type { PodPhase } from './views.ts'

export type { Protection }

/** Where an app's manifests are from: what somebody would type to apply them again, and of what state they were. */
export type AppSource = { path: string; revision?: string }

/** An object of a manifest, as kubectl names it: `kind` is the manifest's word (Pod, ConfigMap, Deployment). */
export type ObjectName = { kind: string; name: string }

export type ApplyRequest = {
  /** Owner of all objects of the bundle: the name for `tspod apps` and `tspod down NAME`; a GitOps source's own name. */
  app: string
  source: AppSource
  /** All that is to be there. */
  bundle: Bundle
  pull: PullOptions
  /** Of all pods that name none; absent: what works on this host. */
  runtime?: string
  /**
   * Everything that the bundle and this request were made of, as text: the same text means the same request. With it
   * the next apply of the same, which has nothing to do, needs no bundle: see `Engine.settled`.
   */
  inputs?: string
  /** Objects of the app that the bundle no longer has are removed. */
  prune: boolean
  /** Removes the volumes of pruned claims as well; absent: volumes stay. */
  pruneVolumes?: true
  /** Wait until ready at most this long; absent: started is enough. */
  waitMs?: number
  /**
   * When a pod does not come up: `stop` leaves it as it is and goes no further; `keep-old` plays the pods that it
   * replaced again; `rollback` does so with every object that this apply has changed.
   */
  onFailure: 'stop' | 'keep-old' | 'rollback'
  /** Takes objects over that belong to another app, or to nobody. */
  forceConflicts?: true
  /** Asked once the plan is known, before anything is changed or fetched; false ends it there, without results. */
  agree?(plan: ApplyPlan): Promise<boolean>
  /** Why an object of the app is left alone, wherever it has gone; undefined for one that is not. */
  held?(object: ObjectName): string | undefined
  /** Whether an object may be pruned; absent: what io.tspod.prune says on record, where `confirm` means no. */
  mayPrune?(object: ObjectName, protection: Protection | undefined): boolean
}

/** One field that differs, by its path in the manifest. Of what comes from a Secret there are no values. */
export type FieldChange = { path: string; before?: string; after?: string }

export type PlannedObject = ObjectName & {
  place?: Place
  /** `keep`: no longer in the sources, and left alone. */
  action: 'create' | 'start' | 'configure' | 'unchanged' | 'prune' | 'keep'
  /**
   * What becomes of what runs. `live`: it goes on; `restart`: a pod stops and starts again with what is new;
   * `recreate`: an object is removed with all it has and made anew.
   */
  effect: 'none' | 'live' | 'restart' | 'recreate' | 'delete'
  /** One reason a line. */
  because: string[]
  changes: FieldChange[]
  /** Of a workload whose pods are replaced so many at a time, while the others go on; absent: all at once. */
  atOnce?: number
  /** How long nothing of it serves, as far as that can be told. */
  outageMs?: number
  /** Of io.tspod.wave; objects of a lower one are ready before those of a higher one begin. */
  wave: number
  /** Of a workload: what becomes of its pods; absent for anything else. */
  pods?: Omit<PlannedObject, 'pods' | 'wave'>[]
}

/**
 * `unasked`: labels of objects for whose images an apply asks a registry, as imagePullPolicy says, and a plan does not: it
 * goes by what is here. Absent when there are none, and once the registry was asked.
 */
export type ApplyPlan = { app: string; objects: PlannedObject[]; unasked?: string[] }

export type ApplyOutcome =
  | 'created'
  | 'started'
  | 'configured'
  | 'unchanged'
  | 'pruned'
  | 'kept'
  | 'failed'
  | 'rolled back'
  | 'skipped'

export type ApplyResult = ObjectName & { outcome: ApplyOutcome; message?: string }

/** `ready`: every pod of the app was up, and ready where it has a readiness probe, at the end. */
export type ApplyReport = { plan: ApplyPlan; results: ApplyResult[]; ready: boolean }

/** One object of an app. `phase`, `ready` and `total` are of its pods, absent for what has none. */
export type AppObject = ObjectName & {
  /** Of its spec and all that it uses: the same hash means that nothing would change. */
  hash: string
  wave: number
  protection?: Protection
  phase?: PodPhase | 'Missing'
  ready?: number
  total?: number
}

export type AppView = {
  name: string
  source: AppSource
  appliedMs: number
  /** `Progressing`: pods are starting; `Degraded`: some are not as they should be. */
  health: 'Healthy' | 'Progressing' | 'Degraded'
  objects: AppObject[]
}
