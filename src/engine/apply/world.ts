/** What an apply is planned from, and what a plan is made of besides what people are shown. */
import type { JobSpec, PodSpec } from '../../model.ts'
import type { AppObjectRecord, ContainerRecord, JobRecord, PodRecord } from '../state/index.ts'
import type { ListedPod, ObjectName, PlannedObject } from '../types/index.ts'
import type { Loaded } from '../view/index.ts'
import type { StandingPod, WantedPod } from './compare.ts'

/** A pod that is there. */
export type Look = { record: PodRecord; containers: readonly ContainerRecord[]; view: ListedPod }
export type SeenPod = StandingPod & Look

export type StoredSecret = { type: string; immutable: boolean; data: Record<string, string> }
export type StoredVolume = { labels: Record<string, string>; annotations: Record<string, string> }

/** Everything there is, of all apps. */
export type World = {
  /** By `keyOf`. */
  owners: ReadonlyMap<string, AppObjectRecord>
  /** By name; no services. */
  pods: ReadonlyMap<string, SeenPod>
  jobs: ReadonlyMap<string, JobRecord>
  secrets: ReadonlyMap<string, StoredSecret>
  volumes: ReadonlyMap<string, StoredVolume>
  /** What identifies a Job that may be gone already. */
  hashOf(job: JobSpec): string
}

/** What a pod is to be beyond its spec and its manifest. */
export type WantedOf = (spec: PodSpec) => Pick<WantedPod, 'settings' | 'images'>

export const keyOf = ({ kind, name }: ObjectName): string => `${kind}/${name}`

type Shown = Pick<PlannedObject, 'action' | 'effect' | 'because' | 'changes' | 'outageMs'>

/**
 * One pod. `make`: nothing useful is there; `replace`: the old one goes; `change`: its record alone changes, and it is
 * started where `start` says so.
 */
export type PodPlan = { name: string; shown: Shown; standing?: SeenPod } & (
  | { do: 'make' | 'replace' | 'start' | 'nothing'; spec: PodSpec; start?: never }
  | { do: 'change'; spec: PodSpec; start: boolean }
  | { do: 'remove'; spec?: never; start?: never }
)

/** True for a pod that is made, instead of nothing or of another one. */
export const isMade = (pod: PodPlan): pod is PodPlan & { do: 'make' | 'replace' } =>
  pod.do === 'make' || pod.do === 'replace'

/** Pods that are replaced some at a time, in their order: the next ones when these are ready, within `deadlineMs`. */
export type Rolling = { pods: readonly string[]; atOnce: number; deadlineMs?: number }

/** One object with its pods; `job` is a Job that begins anew; without `rolling` its pods are replaced all at once. */
export type Planned = { object: PlannedObject; pods: PodPlan[]; job?: JobSpec; rolling?: Rolling }

/** A pod as it was looked at. */
export const lookOf = ({ pod, containers, view }: Loaded): Look => ({ record: pod, containers, view })
