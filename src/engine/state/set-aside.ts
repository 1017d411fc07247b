/** Making room for a new database where the one that is there is damaged. */
import { renameSync } from 'node:fs'
import { isMissing, isTspodError, TspodError } from '../../errors.ts'
import { openStore } from './store.ts'

/**
 * Renames a damaged database and the files beside it, and returns the new name. What is in it may still be of use.
 * @throws WRONG_STATE for one that is sound, and what `openStore` throws for other reasons than damage.
 */
export async function setAside(path: string, nowMs: number): Promise<string> {
  if (!(await isDamaged(path))) {
    throw new TspodError('WRONG_STATE', `${path} is sound: there is nothing to make anew`, {
      remedy: 'see what differs from it: tspod system fsck',
    })
  }
  const aside = `${path}.damaged-${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')}`
  // The main file last: killed on the way, the next one finds it damaged again.
  for (const suffix of ['-wal', '-shm', '']) {
    try {
      renameSync(path + suffix, aside + suffix)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return aside
}

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
