/**
 * Directories of our own below the installation's root, for what is on its way: not /tmp, which others can reach and
 * which may be in memory. Their names say which process they belong to, so that what a killed one left is found.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { processStart, removeTree } from '../../files.ts'
import { stagingDirectory } from '../../paths.ts'
import { randomHex } from '../../random.ts'
import type { EngineContext } from '../context.ts'

export type Stage = { directory: string; remove(): Promise<void> }

/** Makes an empty directory for root alone, and removes those of processes that are no more. */
export async function makeStage(context: Pick<EngineContext, 'paths'>): Promise<Stage> {
  const parent = stagingDirectory(context.paths)
  await mkdir(parent, { recursive: true, mode: 0o700 })
  await sweep(parent)
  const directory = join(parent, `${process.pid}-${processStart(process.pid)}-${randomHex(6)}`)
  await mkdir(directory, { mode: 0o700 })
  return { directory, remove: () => removeTree(directory) }
}

async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [pid, start] = name.split('-')
    if (start !== undefined && processStart(Number(pid)) !== start) await removeTree(join(parent, name))
  }
}
