/**
 * A mark in the pod's run directory: "this process is looking after the pod, exit hooks may go home".
 * It names a process by pid and start time, so that the mark of a dead holder counts for nothing.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDiskTrouble } from '../../errors.ts'
import { processStart } from '../../files.ts'
import { type Paths, podRunDirectory } from '../../paths.ts'

/**
 * Sets the mark; to be called with the pod's lock held. Without room for it exit hooks wait for the lock instead.
 */
export function holdPod(paths: Paths, podId: string): void {
  const directory = podRunDirectory(paths, podId)
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    writeFileSync(join(directory, 'hold'), `${process.pid} ${processStart(process.pid)}\n`, { mode: 0o600 })
  } catch (error) {
    if (!isDiskTrouble(error)) throw error
  }
}

/** Takes the mark away. Whoever does must look at the pod once more: an exit just before found the mark set. */
export function unholdPod(paths: Paths, podId: string): void {
  rmSync(join(podRunDirectory(paths, podId), 'hold'), { force: true })
}
