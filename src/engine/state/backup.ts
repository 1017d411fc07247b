/** Copies of the whole database for the day on which it is damaged: one a day, three of them. */
import { rename, rm, stat, writeFile } from 'node:fs/promises'
import type { Clock } from '../../clock.ts'
import { isMissing } from '../../errors.ts'
import { databasePath, type Paths } from '../../paths.ts'
import { randomHex } from '../../random.ts'
import type { Store } from './store.ts'

const EVERY_MS = 24 * 3_600_000

/** The backups of the database at `path`, newest first, whether they are there or not. */
export const backupsOf = (path: string): string[] => [`${path}.backup`, `${path}.backup.1`, `${path}.backup.2`]

/** Makes today's backup, if there is none. What cannot be backed up keeps nobody from anything: it is noted. */
export async function keepBackup({ store, paths, clock, note }: Backed): Promise<void> {
  await backUp(store, databasePath(paths), clock.nowMs()).catch(error => note(`no backup: ${(error as Error).message}`))
}

type Backed = { store: Pick<Store, 'copyInto'>; paths: Paths; clock: Pick<Clock, 'nowMs'>; note(text: string): void }

/**
 * Makes a backup unless there is one of the last 24 hours, and forgets the oldest. They hold what the database holds,
 * secrets too, under the same mode. Throws STORE_UNUSABLE without room for it.
 */
export async function backUp(store: Pick<Store, 'copyInto'>, path: string, nowMs: number): Promise<void> {
  const [newest = '', second = '', third = ''] = backupsOf(path)
  const madeMs = await changedMs(newest)
  // One from the future says that the clock was set back.
  if (madeMs !== undefined && nowMs >= madeMs && nowMs - madeMs < EVERY_MS) return
  const draft = `${newest}.${randomHex(8)}`
  try {
    // SQLite fills an empty file as well as one that is not there, and the mode is ours.
    await writeFile(draft, '', { mode: 0o600, flag: 'wx' })
    await store.copyInto(draft)
    // Another play may have made it meanwhile, also of this very process.
    if ((await changedMs(newest)) !== madeMs) return
    await renameIfThere(second, third)
    await renameIfThere(newest, second)
    await rename(draft, newest)
  } finally {
    await rm(draft, { force: true })
  }
}

const changedMs = (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  )

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch(error => {
    if (!isMissing(error)) throw error
  })
}
