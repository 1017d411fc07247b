/**
 * How far the run of a container has got, at each turn of its life: what is written into its record when it is made,
 * starts, has run its postStart hook, and ends. In between the prober writes what its probes find.
 */
import type { ContainerSpec } from '../../model.ts'
import type { ContainerPatch, RunProgress } from '../state/index.ts'

type Watched = Pick<ContainerSpec, 'probes' | 'hooks'> | undefined

/** Nothing of it has run yet; what the run before was ended for is past. */
export const BEFORE_START = { started: false, ready: false, hooked: false, health: null, failedCheck: null } as const

/** It runs. Without hooks and probes it is ready at once. */
export function atStart(spec: Watched): ContainerPatch {
  const { liveness, startup } = spec?.probes ?? {}
  const isWatched = liveness !== undefined || startup !== undefined
  return {
    ...afterHook(spec, spec?.hooks?.postStart === undefined),
    ...(isWatched && { health: 'starting' as const }),
  }
}

/** Its postStart hook has come to its end, or has not yet (`hooked`). */
export function afterHook(spec: Watched, hooked = true): Required<Pick<RunProgress, 'hooked' | 'started' | 'ready'>> {
  const started = hooked && spec?.probes?.startup === undefined
  return { hooked, started, ready: started && spec?.probes?.readiness === undefined }
}

/** It runs no more. What it was ended for stays: its end is judged by that. */
export const AFTER_END = { started: false, ready: false, health: null } as const
