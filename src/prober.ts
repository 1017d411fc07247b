/**
 * The program of the prober: `prober.cjs ROOT RUNROOT LAUNCHER`. A file of its own in dist/, so that the one Node
 * process that stays holds no more than it needs.
 */
import { systemClock } from './clock.ts'
import { probe } from './engine/probe/prober/index.ts'
import { pathsFor } from './paths.ts'
import { run } from './process.ts'

/** Whoever started this is moving it out of a cgroup that is not meant for it; children would stay behind. */
const SETTLE_MS = 200

async function main([root, runRoot, launcher]: readonly string[]): Promise<void> {
  if (root === undefined || runRoot === undefined || launcher === undefined) return
  process.umask(0o077)
  let onNews = (): void => undefined
  process.on('SIGUSR2', () => onNews())
  // Who may signal everything of a session means what people run in it.
  process.on('SIGHUP', () => undefined)
  await systemClock.sleep(SETTLE_MS)
  await probe({
    clock: systemClock,
    run,
    paths: pathsFor(root, runRoot),
    launcher,
    pid: process.pid,
    onNews: act => {
      onNews = act
    },
  })
}

void main(process.argv.slice(2)).then(
  () => process.exit(0),
  () => process.exit(1),
)
