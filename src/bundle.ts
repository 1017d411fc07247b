/** What one play works on, and the manifests it comes from: plain JSON data as all of the model. */
import type { ClaimSpec, JobSpec, Place, PodSpec, SecretSpec } from './model.ts'

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/**
 * A pod as its manifest has it, for writing it again: also fields that have no effect here, and references to Secrets
 * instead of what is in them. ConfigMaps are of the play alone, and so they are kept with the pod, in base64.
 */
export type PodManifest = {
  spec: { [name: string]: Json }
  configMaps: Record<string, { key: string; base64: string; binary: boolean }[]>
  /** All Services of the play: their names are among the variables of every pod. */
  services: { [name: string]: Json }[]
  /** Names of the Secrets that it refers to. Absent: not known. */
  secrets?: string[]
}

/** An object that makes pods from a template: its pods say so in `origin`. */
export type WorkloadName = { kind: string; name: string }

/** What the annotation io.tspod.prune says about the removal of an object. */
export type Protection = 'disabled' | 'confirm'

/** A number of pods, or of percent of the replicas. */
export type Share = { amount: number; percent?: true }

/**
 * How a workload replaces its pods when they are to be others. It is of the object and not of its pods, which are the
 * same with another one. What is absent is as the kind has it.
 */
export type Rollout = {
  /** Absent: so many at a time that the others go on. `on delete`: each when somebody has removed it. */
  type?: 'recreate' | 'on delete'
  /** How many may be missing meanwhile. */
  maxUnavailable?: Share
  /** So many of the first pods stay as they are. */
  partition?: number
  /** How long some of them may take until they are ready. */
  deadlineMs?: number
}

/** A document of a manifest, as an object that an app owns. */
export type ManifestObject = {
  kind: string
  name: string
  place: Place
  /** The app it names as its owner, by a label or an annotation. */
  app?: string
  /** Objects of a lower wave are there, and ready, before those of a higher one begin. Absent: 0. */
  wave?: number
  prune?: Protection
  /** What has become of it on the host since it was applied stays, where a GitOps source is the truth. */
  drift?: 'ignore'
  /** Of a workload that says something about it. */
  rollout?: Rollout
  /** Of ConfigMaps and Services, which nothing but the play keeps: what is in the document. */
  content?: { [name: string]: Json }
}

/** Everything one `play` works on, in the order of the manifest. */
export type Bundle = {
  pods: PodSpec[]
  /** By the pod's name. */
  manifests: Record<string, PodManifest>
  /** Also those that make no pod now: what they made earlier is theirs. */
  workloads: WorkloadName[]
  /** Their first pods are among `pods`. Absent: none. */
  jobs?: JobSpec[]
  secrets: SecretSpec[]
  claims: ClaimSpec[]
  /** Names of ConfigMaps that were defined, for messages only: they are not objects that outlive the play. */
  configMaps: string[]
  /** Of imagePullSecrets, by the pod's name; never kept. Absent: none. */
  pullAuths?: Record<string, RegistryAuths>
  /** All documents, in the order of the manifest. Absent: it comes from none. */
  objects?: ManifestObject[]
}

/** Registry, or a path in one → `USER:PASSWORD` in base64. */
export type RegistryAuths = Record<string, string>
