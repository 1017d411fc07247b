/** Objects of a source that are left alone while the rest of it goes on. Pure. */

import type { Bundle } from '../../model.ts'
import { objectLabel } from '../../words.ts'
import type { ObjectName, Suspension } from '../types/index.ts'
import { isOver, suspensionText } from './decide.ts'

/** By the object as people write it, `pod/web`. */
export type Held = Readonly<Record<string, Suspension>>

/** Those that go on, where some have run out; undefined where none has. */
export function withoutExpired(held: Held | undefined, nowMs: number): Held | undefined {
  const all = Object.entries(held ?? {})
  const left = all.filter(([, suspension]) => !isOver(suspension, nowMs))
  return left.length === all.length ? undefined : Object.fromEntries(left)
}

/** Why objects are left alone, by their labels: `ignored` are those whose drift is. */
export function leftAlone(held: Held | undefined, ignored: readonly string[]): Readonly<Record<string, string>> {
  const suspended = Object.entries(held ?? {}).map(([object, suspension]) => [object, suspensionText(suspension)])
  return Object.fromEntries([...ignored.map(object => [object, DRIFT_IGNORED]), ...suspended])
}

/** Why an object is left alone that says so itself. */
export const DRIFT_IGNORED = 'drift ignored: io.tspod.drift says so'

/**
 * The bundle without what is left alone: nothing of that is made, changed or started. Others see what they refer to as
 * their own manifests have it, ConfigMaps too.
 */
export function withoutHeld(bundle: Bundle, left: Readonly<Record<string, string>>): Bundle {
  if (Object.keys(left).length === 0) return bundle
  const isHeld = (object: ObjectName): boolean => objectLabel(object) in left
  const named = (kind: string) => (one: { name: string }) => !isHeld({ kind, name: one.name })
  const { jobs, objects } = bundle
  return {
    ...bundle,
    pods: bundle.pods.filter(({ origin }) => !isHeld(origin)),
    workloads: bundle.workloads.filter(workload => !isHeld(workload)),
    secrets: bundle.secrets.filter(named('Secret')),
    claims: bundle.claims.filter(named('PersistentVolumeClaim')),
    ...(jobs !== undefined && { jobs: jobs.filter(named('Job')) }),
    ...(objects !== undefined && { objects: objects.filter(object => !isHeld(object)) }),
  }
}
