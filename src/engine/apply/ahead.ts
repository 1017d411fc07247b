/** Looking at what there is before it is needed, while this process has nothing else to do. */
import type { EngineContext } from '../context.ts'
import { gatherWorld } from './gather.ts'
import type { World } from './world.ts'

/** Longer ago, and whoever has to act looks anew: containers come and go without a word in the store. */
const FRESH_MS = 1000

type Gather = (context: EngineContext) => Promise<World>
type Ahead = { atMs: number; version: unknown; world: Promise<World> }

const ahead = new WeakMap<EngineContext, Ahead>()
/** Of those that have begun to change something. */
const changing = new WeakSet<EngineContext>()

/**
 * From now on nothing counts that was looked at ahead: the store does not tell of what this process writes itself, which
 * matters to another source that it reconciles at the same time.
 */
export function lookNoMoreAhead(context: EngineContext): void {
  changing.add(context)
  ahead.delete(context)
}

/** Begins to look. */
export async function lookAhead(context: EngineContext, gather: Gather = gatherWorld): Promise<void> {
  if (changing.has(context)) return
  const atMs = context.clock.monotonicMs()
  const version = await versionOf(context)
  const world = gather(context)
  // Whoever needs it meets the failure again.
  world.catch(() => undefined)
  if (!changing.has(context)) ahead.set(context, { atMs, version, world })
}

/** What there is: as it was a moment ago, where no other process has changed the store since, or as it is now. */
export async function worldOf(context: EngineContext, gather: Gather = gatherWorld): Promise<World> {
  const known = ahead.get(context)
  ahead.delete(context)
  if (known === undefined || context.clock.monotonicMs() - known.atMs > FRESH_MS) return gather(context)
  const isSame = (await versionOf(context)) === known.version && !changing.has(context)
  return isSame ? known.world : gather(context)
}

/** Another one whenever another connection has written (SQLite's data_version). */
async function versionOf({ store }: EngineContext): Promise<unknown> {
  return (await store.all('PRAGMA data_version'))[0]?.data_version
}
