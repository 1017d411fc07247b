/** Waiting until containers are in a state, by looking: nothing has to be told when it changes. */
import type { Id } from '../../model.ts'
import type { EngineContext } from '../context.ts'
import type { ContainerState, ContainerView } from '../types/index.ts'
import { loadAll } from '../view/index.ts'

/** What Podman answers where there is no exit code. */
const NO_CODE = -1

/**
 * Waits until each container is in one of `states`, or gone, and returns their exit codes in the order asked for; -1
 * for one that has not ended, or is gone without a trace. Looks every `intervalMs`. Rejects with the reason of `signal`.
 */
export async function waitFor(
  context: EngineContext,
  ids: readonly Id[],
  states: readonly ContainerState[],
  intervalMs: number,
  signal: AbortSignal,
): Promise<number[]> {
  const codes = new Map<Id, number>()
  const last = new Map<Id, ContainerView>()
  for (;;) {
    const seen = (await loadAll(context)).flatMap(({ view }) => view.containers)
    for (const id of ids) {
      if (codes.has(id)) continue
      const view = seen.find(container => container.id === id)
      if (view === undefined) codes.set(id, last.get(id)?.exitCode ?? NO_CODE)
      else if (isIn(view, states)) codes.set(id, view.exitCode ?? NO_CODE)
      else last.set(id, view)
    }
    if (ids.every(id => codes.has(id))) return ids.map(id => codes.get(id) ?? NO_CODE)
    await context.clock.sleep(intervalMs, signal)
  }
}

/** A container that was stopped has exited as well: Podman's two words for it mean the same to whoever waits. */
function isIn({ state }: ContainerView, states: readonly ContainerState[]): boolean {
  const ended = state === 'exited' || state === 'stopped'
  return states.includes(state) || (ended && (states.includes('exited') || states.includes('stopped')))
}
