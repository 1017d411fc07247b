/**
 * The one small process that waits for a clock, for everything of an installation that has to: the back-off of
 * restarts, Jobs, and limits of disk space. What is waited for stands in the store (`wake_ms` of pod and job) and in
 * files of pods, so its death loses nothing.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { enterCgroup } from '../oci/index.ts'
import { limitsFile } from '../paths.ts'
import type { EngineContext } from './context.ts'
import type { PodRecord } from './state/index.ts'

/** Makes sure that somebody will look when the time has come; a timekeeper that waits already is told to look anew. */
export async function wakeTimekeeper(context: EngineContext): Promise<void> {
  const { paths, timekeeper, launcher } = context
  if (nudgeTimekeeper(context)) return
  const pid = await context.detach([timekeeper, launcher, paths.root, paths.runRoot])
  await settleHelper(context, pid, 'timekeeper')
}

/** Starts the timekeeper again where one of these pods or its Job waits for a time, or is measured, and somebody has killed it. */
export async function missTimekeeper(context: EngineContext, pods: readonly PodRecord[]): Promise<void> {
  const waits =
    pods.some(({ wakeMs, complete, goal }) => wakeMs !== undefined && complete && goal === 'running') ||
    pods.some(({ id, goal }) => goal === 'running' && existsSync(limitsFile(context.paths, id))) ||
    (pods.some(({ job }) => job !== undefined) && (await jobWaits(context)))
  if (waits && timekeeperPid(context) === undefined) await wakeTimekeeper(context)
}

async function jobWaits({ store }: EngineContext): Promise<boolean> {
  return (await store.all('SELECT 1 FROM job WHERE wake_ms IS NOT NULL LIMIT 1')).length > 0
}

/** Has a timekeeper that is there look anew; false when there is none. */
export function nudgeTimekeeper(context: EngineContext): boolean {
  const pid = timekeeperPid(context)
  try {
    return pid !== undefined && process.kill(pid, 'SIGUSR1')
  } catch {
    // It ended just now.
    return false
  }
}

/** The timekeeper of this installation, undefined when there is none. */
export const timekeeperPid = ({ paths: { runRoot }, timekeeper }: EngineContext): number | undefined =>
  helperPid(join(runRoot, 'timekeeper'), [timekeeper, runRoot])

/** Takes a helper out of the cgroup of whoever happened to start it: that goes with its pod, or with a login session. */
export async function settleHelper(context: EngineContext, pid: number, name: string): Promise<void> {
  const { hierarchies, manager, cgroupPlace } = context
  try {
    if (cgroupPlace.manager !== 'systemd') return await enterCgroup(hierarchies, '/', pid)
    const unit = `tspod-${name}-${pid}.scope`
    await manager.startScope({ unit, slice: 'system.slice', description: `tspod ${name}`, pids: [pid] })
  } catch (error) {
    context.note(`the ${name} stays in this cgroup: ${(error as Error).message}`)
  }
}

/** The process whose pid is in a file, when its arguments are these; undefined when there is none. */
export function helperPid(mark: string, words: readonly string[]): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(mark, 'utf8'), 10)
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return words.every(word => argv.includes(word)) ? pid : undefined
  } catch {
    // There is no mark, or its process is gone.
    return undefined
  }
}
