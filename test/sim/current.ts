/** The one history that is being played: what stands in for the engine's doors finds the world here. */
import type { Kernel } from './kernel.ts'
import type { Rules } from './rules.ts'
import type { Actor, Scheduler } from './scheduler.ts'

export type World = {
  scheduler: Scheduler
  kernel: Kernel
  rules: Rules
  timekeeper: { wake(): void; nudge(): boolean }
  /** Pod id → who looks after it. */
  holds: Map<string, Actor>
  /** Pod name → who has its lock; the files may outlive the holders. */
  locks: Map<string, Actor>
  /** Pod name → who waits for its lock to stop or remove the pod. */
  wishes: Map<string, Actor>
  lockFiles: Set<string>
}

let current: World | undefined

export function setWorld(world: World): void {
  current = world
}

export function world(): World {
  if (current === undefined) throw new Error('no history is being played')
  return current
}
