/**
 * Having the prober there when something is to be probed (probe/prober.ts). It leaves a mark as long as it is wanted:
 * a mark without a process is of one that was killed, and whoever looks next starts another.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { servingContainers } from '../model.ts'
import { proberMark } from '../paths.ts'
import type { EngineContext, PodWork } from './context.ts'
import { helperPid, settleHelper } from './timekeeper.ts'

/** In the mark of a prober that was started and has not said anything itself. */
const BEGINS = 'begins'

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
  writeFileSync(proberMark(paths), `${pid} ${BEGINS}\n`, { mode: 0o600 })
  await settleHelper(context, pid, 'prober')
}

/** After a pod has been brought to its goal: whatever of it runs now is probed, and what has ended is let go of at once. */
export async function tendProber({ context, pod, containers, forgotten }: PodWork): Promise<void> {
  const probed = servingContainers(pod.spec).filter(({ probes }) => probes !== undefined)
  if (probed.length === 0) return
  const runs = (name: string): boolean =>
    containers.some(({ shortName, state }) => shortName === name && state === 'running')
  if (!forgotten && probed.some(({ name }) => runs(name))) await wakeProber(context)
  else nudgeProber(context)
}

/** Starts the prober again where somebody has killed it. Costs a look for a file where nothing is probed. */
export async function missProber(context: EngineContext): Promise<void> {
  if (existsSync(proberMark(context.paths)) && proberPid(context) === undefined) await wakeProber(context)
}

/** Has a prober that is there look anew; false when there is none. */
export function nudgeProber(context: Needed): boolean {
  const pid = proberPid(context)
  if (pid === undefined) return false
  try {
    // One that begins has not looked yet, and would not survive the signal.
    return readFileSync(proberMark(context.paths), 'utf8').includes(BEGINS) || process.kill(pid, 'SIGUSR2')
  } catch {
    // It ended just now.
    return false
  }
}

const proberPid = ({ paths, prober }: Needed): number | undefined =>
  helperPid(proberMark(paths), [prober.at(-1) ?? '', paths.runRoot])
