/**
 * Room kept back for bad times. A full disk must not keep anybody from looking at pods and taking them down, and
 * SQLite needs some room for both (its -shm and -wal files). So a file of zeros waits beside the database; it is
 * given up when the disk is full, and laid by again once there is room.
 */
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDiskTrouble } from '../../errors.ts'

/** Enough for the index and the log of the transactions of a large `down`. */
const RESERVE_BYTES = 512 * 1024
/** With less than this left a transaction may fail half-way. */
const CRAMPED_BYTES = RESERVE_BYTES / 2
/** Laid by only where it does not make matters worse. */
const PLENTY_BYTES = 2 * RESERVE_BYTES

/**
 * Makes sure that there is room for the database in `directory`, if need be by giving the reserve up, and lays it by
 * where there is plenty. Returns true when the disk is all but full: then nothing new should be begun.
 */
export function checkReserve(directory: string): boolean {
  const file = join(directory, 'reserve')
  try {
    const { bavail, bsize } = statfsSync(directory)
    const free = bavail * bsize
    const reserved = statSync(file, { throwIfNoEntry: false })?.size ?? 0
    if (free < CRAMPED_BYTES) {
      if (reserved > 0) rmSync(file)
      return true
    }
    if (reserved < RESERVE_BYTES && free > PLENTY_BYTES) {
      writeFileSync(file, Buffer.alloc(RESERVE_BYTES), { mode: 0o600 })
    }
    // What the last one gave up is still missing: room for reading and for taking away, and for nothing else.
    return reserved < RESERVE_BYTES && free <= PLENTY_BYTES
  } catch (error) {
    // A disk that is broken or read-only is found out by whoever writes something that matters.
    if (!isDiskTrouble(error)) throw error
    return false
  }
}
