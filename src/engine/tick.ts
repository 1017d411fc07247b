/** What the timekeeper calls: everything that is due. */

import type { Id } from '../model.ts'
import type { EngineContext } from './context.ts'
import { LONGEST_JOB_WAIT_MS, tendJob } from './jobs/index.ts'
import { lookAfter } from './look-after.ts'
import { missProber } from './prober.ts'
import { evictOver } from './run/index.ts'

/** Clocks jump and hosts sleep: nothing is waited for longer than this in one go. */
const LONGEST_WAIT_MS = 60_000
/** The longest back-off: a time further away was written before the clock was set back. */
const LONGEST_BACK_OFF_MS = 300_000
/** A pod that somebody else is working on right now, or that failed to be looked after, is looked at again then. */
const RETRY_MS = 5_000

/**
 * Looks after every pod whose time has come, and after those that are `over` a limit of disk space. Returns how long to wait before the next look, undefined when nothing
 * waits any more.
 */
export async function tick(context: EngineContext, over: readonly string[] = []): Promise<number | undefined> {
  const { store, clock } = context
  await missProber(context)
  const nowMs = clock.nowMs()
  const due = await store.all(
    "SELECT id FROM pod WHERE (wake_ms <= ? OR wake_ms > ?) AND goal = 'running' AND complete = 1",
    [nowMs, nowMs + LONGEST_BACK_OFF_MS],
  )
  const ids = new Set([...due.map(row => String(row.id)), ...over])
  const outcomes = await Promise.allSettled(
    [...ids].map(id => lookAfter(context, id, 'tspod system tick', over.includes(id) ? evictOver : undefined)),
  )
  const jobs = await store.all('SELECT id FROM job WHERE wake_ms <= ? OR wake_ms > ?', [
    clock.nowMs(),
    clock.nowMs() + LONGEST_JOB_WAIT_MS,
  ])
  outcomes.push(
    ...(await Promise.allSettled(
      jobs.map(async row => {
        await tendJob(context, String(row.id) as Id, 'tspod system tick')
        return undefined
      }),
    )),
  )
  const failed = outcomes.some(({ status }) => status === 'rejected')
  const [next] = await store.all(
    `SELECT min(at) AS at FROM (
       SELECT min(wake_ms) AS at FROM pod WHERE goal = 'running' AND complete = 1
       UNION ALL SELECT min(wake_ms) FROM job)`,
  )
  const at = next?.at
  if (at === null || at === undefined) return undefined
  const waitMs = Math.max(failed ? RETRY_MS : 0, Number(at) - clock.nowMs())
  return Math.min(waitMs, LONGEST_WAIT_MS)
}
