/** Words for what an apply would do, wherever a plan is shown. Pure. */
import type { PlannedObject } from '../engine/index.ts'

/** What becomes of what runs: `restart`, or `restart, 2 at a time`. */
export const effectLabel = ({ effect, atOnce }: { effect: string; atOnce?: number | undefined }): string =>
  atOnce === undefined ? effect : `${effect}, ${atOnce} at a time`

/** A workload that stays the same although its manifest is another: that it is held back is news. */
export const isHeld = ({ action, pods, because }: PlannedObject): boolean =>
  action === 'unchanged' && pods !== undefined && because.length > 0

/** What a plan tells one by one. */
export const isShown = (object: PlannedObject): boolean => object.action !== 'unchanged' || isHeld(object)
