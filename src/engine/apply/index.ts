/** `tspod apply` and what belongs to it: the difference between a bundle and what runs, and bringing one to the other. */
import type { EngineContext } from '../context.ts'
import type { ApplyPlan, ApplyRequest, DownReport } from '../types/index.ts'
import { lockApp, planOf } from './execute.ts'
import { askedFor, look } from './prepare.ts'
import { objectsOfApp, removeObjects } from './remove.ts'

export { lookAhead } from './ahead.ts'
export { listApps as apps } from './apps.ts'
export { execute as apply } from './execute.ts'
export { lazyHasher } from './hash.ts'
export { settled } from './settled.ts'

/** What `apply` would do, and why; changes nothing. Throws NAME_IN_USE for what others have, WRONG_STATE, USAGE. */
export async function planApply(context: EngineContext, request: ApplyRequest, _: AbortSignal): Promise<ApplyPlan> {
  const prepared = await look(context, request)
  const unasked = askedFor(request, prepared.planned)
  return { ...planOf(request, prepared), ...(unasked.length > 0 && { unasked }) }
}

/** Takes an app down, by its records alone; volumes only where they are asked for. Throws NO_SUCH_OBJECT. */
export async function removeApp(
  context: EngineContext,
  name: string,
  options: { volumes: boolean },
  signal: AbortSignal,
): Promise<DownReport> {
  await objectsOfApp(context, name)
  await using _lock = await lockApp(context, name, signal)
  const objects = await objectsOfApp(context, name)
  return (await removeObjects(context, name, objects, options, signal)).report
}
