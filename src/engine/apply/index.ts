/** `tspod apply` and what belongs to it: the difference between a bundle and what runs, and bringing one to the other. */
import { TspodError } from '../../errors.ts'
import type { EngineContext } from '../context.ts'
import type { ApplyPlan, ApplyReport, ApplyRequest, AppView, DownReport, Progress } from '../types/index.ts'

const unfinished = (): TspodError =>
  new TspodError('WRONG_STATE', 'apply is not there yet', { remedy: 'use tspod kube play' })

/** What `apply` would do; changes nothing. */
export async function planApply(_: EngineContext, __: ApplyRequest, ___: AbortSignal): Promise<ApplyPlan> {
  throw unfinished()
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
