/** Prints, as JSON, how many there are of everything that could grow: one number for each counter. Runs inside a cell. */
import { readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { databasePath, pathsFor } from '../../src/paths.ts'
import { snapshot } from './leaks.ts'

const paths = pathsFor(undefined, undefined)
const text = (path: string): string => attempt(() => readFileSync(path, 'utf8'), '')
const list = (path: string): string[] => attempt(() => readdirSync(path), [])
const lines = (path: string): string[] => text(path).split('\n').filter(Boolean)
const processes = list('/proc').filter(name => /^\d+$/.test(name))
const statOf = (pid: string): string[] => /^\d+ \((.*)\) (\S)/s.exec(text(`/proc/${pid}/stat`))?.slice(1) ?? []
const descriptorsOf = (pid: string): string[] =>
  list(`/proc/${pid}/fd`).map(fd => attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`), ''))

function attempt<T>(ask: () => T, otherwise: T): T {
  try {
    return ask()
  } catch {
    // Ended, or not there on this host.
    return otherwise
  }
}

const lengths = Object.entries(snapshot(paths)).map(([kind, names]) => [kind, names.length] as const)
const database = databasePath(paths)
const resolvers = processes.filter(pid => statOf(pid)[0] === 'aardvark-dns')
const counters = {
  ...Object.fromEntries(lengths),
  'nsfs mounts': lines('/proc/self/mountinfo').filter(line => line.includes(' - nsfs ')).length,
  zombies: processes.filter(pid => statOf(pid)[1] === 'Z').length,
  'descriptors of aardvark-dns': resolvers.flatMap(descriptorsOf).length,
  'inotify instances': processes.flatMap(descriptorsOf).filter(target => target.includes('inotify')).length,
  'rows of events': attempt(() => {
    const store = new DatabaseSync(database, { readOnly: true })
    return Number((store.prepare('SELECT count(*) AS count FROM event').get() as { count: number }).count)
  }, 0),
  'KiB of the WAL': attempt(() => Math.round(statSync(`${database}-wal`).size / 1024), 0),
  'KiB of the database': attempt(() => Math.round(statSync(database).size / 1024), 0),
  'links of overlay/l': list('/var/lib/containers/storage/overlay/l').length,
  'KiB of /run': attempt(() => {
    const { blocks, bfree, bsize } = statfsSync('/run')
    return ((blocks - bfree) * bsize) / 1024
  }, 0),
  'files of /dev/shm': list('/dev/shm').length,
  'memory cgroups of the host': Number(/^memory\s+\d+\s+(\d+)/m.exec(text('/proc/cgroups'))?.[1] ?? 0),
  'keyrings of the host': lines('/proc/keys').length,
  'KiB of unreclaimable slab of the host': Number(/SUnreclaim: +(\d+)/.exec(text('/proc/meminfo'))?.[1] ?? 0),
}
console.log(JSON.stringify(counters))
