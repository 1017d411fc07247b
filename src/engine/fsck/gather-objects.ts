/** Things on this host that carry our mark, and locks; whether a record tells of them is judged elsewhere. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isMissing } from '../../errors.ts'
import { entryNames, processStart } from '../../files.ts'
import type { Id } from '../../model.ts'
import { podCgroups } from '../../oci/index.ts'
import { copyDirectory, exitDirectory, lockDirectory, type Paths } from '../../paths.ts'
import type { EngineContext } from '../context.ts'
import { readPods } from '../state/index.ts'
import { placeOf } from '../unit.ts'
import type { HostObject, LockFacts } from './facts.ts'

const ID = /^[0-9a-f]{64}$/
const SHORT_ID = /^[0-9a-f]{12}$/

/** Everything but what networks leave. */
export async function lookAtObjects(context: EngineContext): Promise<HostObject[]> {
  const { paths, hierarchies, cgroupPlace } = context
  const units = new Map((await readPods(context.store)).map(pod => [pod.settings.unit?.cgroup, placeOf(context, pod)]))
  const places = new Set([cgroupPlace, ...units.values()])
  const runtimes = join(paths.runRoot, 'runtime')
  const notifies = join(paths.runRoot, 'notify')
  const layers = await (await context.rootfs()).list()
  return [
    ...namesIn(runtimes).flatMap(runtime =>
      idsIn(join(runtimes, runtime)).map(({ id }) => ({ is: 'runtime state' as const, runtime, id })),
    ),
    ...monitors(exitDirectory(paths)),
    ...idsIn(join(paths.runRoot, 'roots')).map(one => ({ is: 'bound root' as const, ...one })),
    ...layers.map(id => ({ is: 'root file system' as const, id })),
    ...idsIn(join(paths.runRoot, 'containers')).map(one => ({ is: 'run directory' as const, ...one })),
    ...idsIn(exitDirectory(paths)).map(one => ({ is: 'exit file' as const, ...one })),
    ...namesIn(notifies)
      .filter(name => SHORT_ID.test(name))
      .map(name => ({ is: 'notify directory' as const, path: join(notifies, name), id: name })),
    ...[...places].flatMap(place => podCgroups(hierarchies, place)).map(one => ({ is: 'cgroup' as const, ...one })),
    ...idsIn(join(paths.runRoot, 'pods')).map(one => ({ is: 'namespaces' as const, ...one })),
    ...idsIn(join(paths.root, 'pods')).map(one => ({ is: 'pod directory' as const, ...one })),
    ...idsIn(copyDirectory(paths), name => name.replace(/\.json$/, '')).map(one => ({
      is: 'copy of records' as const,
      ...one,
    })),
    ...idsIn(join(paths.logRoot, 'pods'), name => name.split('_').at(-1) ?? '').map(one => ({
      is: 'log directory' as const,
      ...one,
    })),
  ]
}

/** Entries that are called by an id: nothing else in there was made by us. */
function idsIn(directory: string, idOf = (name: string): string => name): { path: string; id: Id }[] {
  return namesIn(directory)
    .filter(name => ID.test(idOf(name)))
    .map(name => ({ path: join(directory, name), id: idOf(name) as Id }))
}

/** conmons that write into our exit directory. */
function monitors(exits: string): HostObject[] {
  return namesIn('/proc').flatMap((name): HostObject[] => {
    const pid = Number(name)
    if (!Number.isInteger(pid)) return []
    const argv = textOf(`/proc/${pid}/cmdline`).split('\0')
    const after = (flag: string): string => argv[argv.indexOf(flag) + 1] ?? ''
    if (!argv[0]?.endsWith('conmon') || after('--exit-dir') !== exits || !ID.test(after('--cid'))) return []
    const start = processStart(pid)
    return start === undefined ? [] : [{ is: 'monitor', pid, start, id: after('--cid') as Id }]
  })
}

/** All locks of the installation, and who has them, by the kernel's own list. */
export function lookAtLocks(paths: Paths): LockFacts[] {
  const directory = lockDirectory(paths)
  const names = namesIn(directory)
  const locked = lockedFiles()
  const wanted = new Set(names.filter(name => /\.(lock|holder)$/.test(name)).map(name => name.replace(/\.\w+$/, '')))
  return [...wanted].sort().map(name => {
    const inode = inodeOf(join(directory, `${name}.lock`))
    const pid = inode !== undefined && locked.has(inode) ? lockHolder(inode) : undefined
    const heldBy = pid === undefined ? undefined : { pid, ...holderOf(pid, join(directory, `${name}.holder`)) }
    return { name, sideFileOnly: !names.includes(`${name}.lock`), ...(heldBy !== undefined && { heldBy }) }
  })
}

/** Inodes of all files that somebody has locked for himself (see proc_locks(5)). */
function lockedFiles(): Set<string> {
  const lines = textOf('/proc/locks').split('\n')
  return new Set(
    lines.flatMap(line => /^\d+: OFDLCK +\S+ +WRITE -?\d+ [0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line)?.[1] ?? []),
  )
}

/** The process that has the lock, which the kernel's list does not name: it belongs to an open file of that process. */
function lockHolder(inode: string): number | undefined {
  const has = (pid: string, fd: string): boolean =>
    new RegExp(`^lock:.* OFDLCK .*:${inode} `, 'm').test(textOf(`/proc/${pid}/fdinfo/${fd}`))
  const pid = namesIn('/proc').find(name => /^\d+$/.test(name) && namesIn(`/proc/${name}/fd`).some(fd => has(name, fd)))
  return pid === undefined ? undefined : Number(pid)
}

function holderOf(pid: number, sideFile: string): { stopped: boolean; command: string } {
  const stat = textOf(`/proc/${pid}/stat`)
  const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
  const [named, ...command] = textOf(sideFile).trim().split(' ')
  return { stopped: state === 'T', command: Number(named) === pid ? command.join(' ') : '' }
}

function inodeOf(path: string): string | undefined {
  try {
    return String(statSync(path).ino)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Names in a directory, sorted; none when it is not there. */
export const namesIn = (directory: string): string[] => entryNames(directory).sort()

/** The text of a file that may go at any moment; empty then. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
