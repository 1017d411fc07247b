/**
 * Directories of our own below the installation's root, for what is on its way: not /tmp, which others can reach and
 * which may be in memory. Their names say which process they belong to, so that what a killed one left is found.
 */
import { mkdir, readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../../errors.ts'
import { processStart, removeTree } from '../../files.ts'
import { stagingDirectory } from '../../paths.ts'
import { randomHex } from '../../random.ts'
import type { EngineContext } from '../context.ts'

export type Stage = { directory: string; remove(): Promise<void> }

/** Makes an empty directory for root alone, and removes those of processes that are no more. */
export async function makeStage(context: Pick<EngineContext, 'paths'>): Promise<Stage> {
  const parent = stagingDirectory(context.paths)
  await sweep(parent)
  const directory = join(parent, `${process.pid}-${processStart(process.pid)}-${randomHex(6)}`)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const remove = async (): Promise<void> => {
    await removeTree(directory)
    // The last one out takes the parent with it.
    await rmdir(parent).catch(() => undefined)
  }
  return { directory, remove }
}

function ignoreMissing(error: unknown): string[] {
  if (isMissing(error)) return []
  throw error
}

async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(ignoreMissing)) {
    const [pid, start] = name.split('-')
    if (start !== undefined && processStart(Number(pid)) !== start) await removeTree(join(parent, name))
  }
}
