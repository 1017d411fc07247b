/**
 * Room kept back in the image store. containers-storage forgets a container by writing its list anew, which a full disk
 * does not allow: what has filled it could never be removed. So a file of zeros waits there, is given up when a removal
 * finds no room, and is laid by again with the next root file system.
 */
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Store } from './storage.ts'

/** Room for the list of a thousand containers. */
const RESERVE_BYTES = 512 * 1024

const reserveOf = ({ graphRoot }: Store): string => join(graphRoot, 'tspod-reserve')

/** Sees to it that the reserve is there, where it does not make matters worse. */
export function layReserve(store: Store): void {
  const file = reserveOf(store)
  try {
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) >= RESERVE_BYTES) return
    const { bavail, bsize } = statfsSync(store.graphRoot)
    if (bavail * bsize > 2 * RESERVE_BYTES) writeFileSync(file, Buffer.alloc(RESERVE_BYTES), { mode: 0o600 })
  } catch {
    // A store that cannot be written to says so to whoever needs it.
  }
}

/** Gives the reserve up; false when there is none. */
export function giveUpReserve(store: Store): boolean {
  const file = reserveOf(store)
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return false
  rmSync(file, { force: true })
  return true
}
