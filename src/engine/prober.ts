/**
 * Having the prober there when something is to be probed (probe/prober.ts). It leaves a mark as long as it is wanted:
 * a mark without a process is of one that was killed, and whoever looks next starts another.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { proberMark } from '../paths.ts'
import type { EngineContext } from './context.ts'
import { helperPid, settleHelper } from './timekeeper.ts'

type Needed = Pick<EngineContext, 'paths' | 'prober'>

/** Says that there will be something to probe, before a container is started: for whoever comes after a crash. */
export function wantProber({ paths }: Needed): void {
  if (!existsSync(proberMark(paths))) writeFileSync(proberMark(paths), '0\n', { mode: 0o600 })
}

/** Makes sure that somebody probes what has been written into the store; a prober that is there is told to look. */
export async function wakeProber(context: EngineContext): Promise<void> {
  if (nudgeProber(context)) return
  wantProber(context)
  const { prober, paths, launcher } = context
  const pid = await context.detach([...prober, paths.root, paths.runRoot, launcher])
  await settleHelper(context, pid, 'prober')
}

/** Starts the prober again where somebody has killed it. Costs a look for a file where nothing is probed. */
export async function missProber(context: EngineContext): Promise<void> {
  if (existsSync(proberMark(context.paths)) && proberPid(context) === undefined) await wakeProber(context)
}

/** Has a prober that is there look anew; false when there is none. */
export function nudgeProber(context: Needed): boolean {
  const pid = proberPid(context)
  try {
    return pid !== undefined && process.kill(pid, 'SIGUSR2')
  } catch {
    // It ended just now.
    return false
  }
}

const proberPid = ({ paths, prober }: Needed): number | undefined =>
  helperPid(proberMark(paths), [prober.at(-1) ?? '', paths.runRoot])
