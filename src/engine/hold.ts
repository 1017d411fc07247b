/**
 * A mark in the pod's run directory: "this process is looking after the pod, exit hooks may go home".
 * It names a process by pid and start time, so that the mark of a dead holder counts for nothing.
 */
import { mkdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../errors.ts'
import { processStart } from '../files.ts'
import { type Paths, podRunDirectory } from '../paths.ts'

/** Sets the mark; to be called with the pod's lock held. */
export async function holdPod(paths: Paths, podId: string): Promise<void> {
  const directory = podRunDirectory(paths, podId)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(join(directory, 'hold'), `${process.pid} ${processStart(process.pid)}\n`, { mode: 0o600 })
}

/** Takes the mark away. Whoever does must look at the pod once more: an exit just before found the mark set. */
export async function unholdPod(paths: Paths, podId: string): Promise<void> {
  await unlink(join(podRunDirectory(paths, podId), 'hold')).catch(error =>
    isMissing(error) ? undefined : Promise.reject(error),
  )
}
