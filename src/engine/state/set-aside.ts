/** A new database where the one that is there is damaged. */
import { renameSync, rmSync } from 'node:fs'
import { isMissing, isTspodError, TspodError } from '../../errors.ts'
import { refill } from './refill.ts'
import { openStore } from './store.ts'

export type SetAside = {
  /** The new name of the damaged file. What is in it may still be of use. */
  aside: string
  /** What could not be read of it to its end, one sentence each. */
  gaps: string[]
}

/**
 * Renames a damaged database and the files beside it, and puts in its place what can be read of it and of its backup.
 * @throws WRONG_STATE for one that is sound, and what `openStore` throws for other reasons than damage.
 */
export async function setAside(path: string, nowMs: number): Promise<SetAside> {
  if (!(await isDamaged(path))) {
    throw new TspodError('WRONG_STATE', `${path} is sound: there is nothing to make anew`, {
      remedy: 'see what differs from it: tspod system fsck',
    })
  }
  const aside = `${path}.damaged-${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')}`
  const draft = `${path}.rebuilt`
  for (const suffix of SUFFIXES) rmSync(draft + suffix, { force: true })
  const gaps = await refill(path, draft)
  // The main file last: killed on the way, the next one finds it damaged again.
  for (const suffix of SUFFIXES) {
    try {
      renameSync(path + suffix, aside + suffix)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  renameSync(draft, path)
  return { aside, gaps }
}

const SUFFIXES = ['-wal', '-shm', '']

async function isDamaged(path: string): Promise<boolean> {
  try {
    const store = await openStore(path)
    try {
      const said = await store.all('PRAGMA integrity_check(1)')
      return said.some(row => row.integrity_check !== 'ok')
    } finally {
      await store.close()
    }
  } catch (error) {
    if (isTspodError(error, 'STORE_CORRUPT')) return true
    throw error
  }
}
