/** `tspod apply` and what belongs to it: the difference between a bundle and what runs, and bringing one to the other. */
import { TspodError } from '../../errors.ts'
import type { EngineContext } from '../context.ts'
import type { ApplyPlan, ApplyReport, ApplyRequest, AppView, DownReport, Progress } from '../types/index.ts'
import { gatherWanted, gatherWorld } from './gather.ts'
import { planAll } from './plan.ts'

const unfinished = (): TspodError =>
  new TspodError('WRONG_STATE', 'apply is not there yet', { remedy: 'use tspod kube play' })

/** What `apply` would do, and why; changes nothing. Throws NAME_IN_USE for what others have, WRONG_STATE, USAGE. */
export async function planApply(context: EngineContext, request: ApplyRequest, _: AbortSignal): Promise<ApplyPlan> {
  const [world, wantedOf] = await Promise.all([gatherWorld(context), gatherWanted(context, request)])
  return { app: request.app, objects: planAll(request, world, wantedOf).map(({ object }) => object) }
}

/** Brings what runs to what the bundle of the request says. */
export async function apply(
  _: EngineContext,
  __: ApplyRequest,
  ___: Progress,
  ____: AbortSignal,
): Promise<ApplyReport> {
  throw unfinished()
}

/** All apps by name. */
export async function apps(_: EngineContext): Promise<AppView[]> {
  return []
}

/** Takes an app down, by its records alone. */
export async function removeApp(
  _: EngineContext,
  name: string,
  __: { volumes: boolean },
  ___: AbortSignal,
): Promise<DownReport> {
  throw new TspodError('NO_SUCH_OBJECT', `no app is called "${name}"`, { remedy: 'see what there is: tspod apps' })
}
