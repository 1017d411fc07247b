/** `tspod diff -f`: what an apply would do. */
import type { Outcome, World } from '../verb.ts'
import { differs, planOutput } from './plan-text.ts'
import { type ApplyFlags, readInputs, requestOf } from './sources.ts'

/** As of diff(1) and kubectl: what has gone wrong is 2 or more. */
const EXIT_DIFFERS = 1

/** Compares what runs with manifests. */
export async function diffManifests(flags: ApplyFlags, world: World): Promise<Outcome> {
  const inputs = await readInputs(flags, world, 'tspod diff')
  const engine = await world.engine()
  const request = { ...(await requestOf(inputs, world)), onFailure: 'keep-old' as const }
  const plan = await engine.planApply(request, world.signal)
  const isDifferent = differs(plan)
  return {
    ...planOutput(plan, flags),
    exitCode: isDifferent ? EXIT_DIFFERS : 0,
  }
}
