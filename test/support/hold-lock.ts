/** Takes a lock in a process of its own, says so, and keeps it until killed. Arguments: root, name. */
import { systemClock } from '../../src/clock.ts'
import { takeLock } from '../../src/engine/state/lock.ts'
import type { Paths } from '../../src/paths.ts'

const [root = '', name = ''] = process.argv.slice(2)
await takeLock({ paths: { root } as Paths, clock: systemClock, name, command: 'tspod elsewhere', timeoutMs: 1000 })
console.log('held')
setInterval(() => undefined, 1000)
