/**
 * The one small process that waits for a clock, for everything of an installation that has to: today the back-off of
 * restarts. What is waited for stands in the store (`pod.wake_ms`), so its death loses nothing.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { enterCgroup } from '../oci/index.ts'
import type { EngineContext } from './context.ts'
import { lookAfter } from './look-after.ts'

/** Clocks jump and hosts sleep: nothing is waited for longer than this in one go. */
const LONGEST_WAIT_MS = 60_000
/** A pod that somebody else is working on right now, or that failed to be looked after, is looked at again then. */
const RETRY_MS = 5_000

/** Makes sure that somebody will look when the time has come; a timekeeper that waits already is told to look anew. */
export async function wakeTimekeeper(context: EngineContext): Promise<void> {
  const { paths, timekeeper, launcher } = context
  if (nudge(paths.runRoot, timekeeper)) return
  const pid = await context.detach([timekeeper, launcher, paths.root, paths.runRoot])
  // Not in the cgroup of whoever happened to start it: that goes with its pod, or with a login session.
  await settle(context, pid).catch(error => context.note(`the timekeeper stays in this cgroup: ${error.message}`))
}

/** Signals a timekeeper that is there; false when there is none. */
function nudge(runRoot: string, program: string): boolean {
  try {
    const pid = Number.parseInt(readFileSync(join(runRoot, 'timekeeper'), 'utf8'), 10)
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    if (!argv.includes(program) || !argv.includes(runRoot)) return false
    process.kill(pid, 'SIGUSR1')
    return true
  } catch {
    // There is no mark, or its process is gone.
    return false
  }
}

async function settle(context: EngineContext, pid: number): Promise<void> {
  const { hierarchies, manager, cgroupPlace } = context
  if (cgroupPlace.manager !== 'systemd') return enterCgroup(hierarchies, '/', pid)
  const unit = `tspod-timekeeper-${pid}.scope`
  await manager.startScope({ unit, slice: 'system.slice', description: 'tspod timekeeper', pids: [pid] })
}

/**
 * Looks after every pod whose time has come. Returns how long to wait before the next look, undefined when nothing
 * waits any more.
 */
export async function tick(context: EngineContext): Promise<number | undefined> {
  const { store, clock } = context
  const nowMs = clock.nowMs()
  const due = await store.all("SELECT id FROM pod WHERE wake_ms <= ? AND goal = 'running' AND complete = 1", [nowMs])
  const outcomes = await Promise.allSettled(due.map(row => lookAfter(context, String(row.id), 'tspod system tick')))
  const failed = outcomes.some(({ status }) => status === 'rejected')
  const [next] = await store.all("SELECT min(wake_ms) AS at FROM pod WHERE goal = 'running' AND complete = 1")
  const at = next?.at
  if (at === null || at === undefined) return undefined
  const waitMs = Math.max(failed ? RETRY_MS : 0, Number(at) - clock.nowMs())
  return Math.min(waitMs, LONGEST_WAIT_MS)
}
