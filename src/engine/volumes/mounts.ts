/** Mounts tspod makes for volumes: always on directories of its own, each by one process. */
import { readFileSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { isMissing, TspodError } from '../../errors.ts'
import { mustSucceed, type Run } from '../../process.ts'

export type MountPoint = { path: string; type: string; shared: boolean; slave: boolean }

/** The mount points of tspod's own mount namespace, in the order they were mounted. See proc_pid_mountinfo(5). */
export function readMountPoints(): MountPoint[] {
  return parseMountPoints(readFileSync('/proc/self/mountinfo', 'utf8'))
}

/** Reads the text of /proc/PID/mountinfo. */
export function parseMountPoints(text: string): MountPoint[] {
  return text.split('\n').flatMap(line => {
    const [, , , , path, , ...rest] = line.split(' ')
    if (path === undefined) return []
    const end = rest.indexOf('-')
    const tags = rest.slice(0, end)
    const tagged = (name: string): boolean => tags.some(tag => tag.startsWith(`${name}:`))
    return [{ path: unescapeOctal(path), type: rest[end + 1] ?? '', shared: tagged('shared'), slave: tagged('master') }]
  })
}

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))

/** The mount a path is on: the last one whose mount point is the path or above it. */
export function mountOf(path: string, mounts: readonly MountPoint[]): MountPoint | undefined {
  let found: MountPoint | undefined
  for (const mount of mounts) {
    const above = mount.path === '/' || path === mount.path || path.startsWith(`${mount.path}/`)
    if (above && mount.path.length >= (found?.path.length ?? 0)) found = mount
  }
  return found
}

/** Mounts memory on a directory of tspod's own, unless something is mounted there already. */
export async function mountMemory(type: 'tmpfs' | 'hugetlbfs', path: string, options: string, run: Run): Promise<void> {
  const target = await realpath(path)
  if (readMountPoints().some(mount => mount.path === target)) return
  const argv = ['mount', '--no-canonicalize', '-t', type, '-o', options, type, target] as const
  mustSucceed(await run({ argv }), `cannot mount a ${type} on ${target}`)
}

/**
 * Binds what an open descriptor names (see `Opened.procPath`) to a file or directory of tspod's own. Without
 * canonicalizing, `mount` hands the path to the kernel as it is, which leads to the very file that was checked.
 */
export async function bindOpened(procPath: string, target: string, run: Run): Promise<void> {
  const argv = ['mount', '--no-canonicalize', '--bind', procPath, target] as const
  mustSucceed(await run({ argv }), `cannot bind a subPath to ${target}`)
}

/** Unmounts everything at or below the directories, the innermost first, by one process. Nothing there is success. */
export async function unmountBelow(directories: readonly string[], run: Run): Promise<void> {
  const roots = (await Promise.all(directories.map(path => realpath(path).catch(ignoreMissing)))).filter(
    root => root !== undefined,
  )
  const inside = mountsBelow(roots)
  if (inside.length === 0) return
  const finished = await run({ argv: ['umount', '--no-canonicalize', ...inside.reverse()] })
  const left = mountsBelow(roots)
  if (left.length > 0) throw stillMounted(left, finished.stderr.trim())
}

const mountsBelow = (roots: readonly string[]): string[] =>
  readMountPoints()
    .map(mount => mount.path)
    .filter(path => roots.some(root => path === root || path.startsWith(`${root}/`)))

function ignoreMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined
  throw error
}

function stillMounted(left: readonly string[], why: string): TspodError {
  return new TspodError('PARTIAL_FAILURE', `cannot unmount ${left.join(', ')}: ${why}`, {
    remedy: 'end what uses it (`fuser -vm PATH` names it), then run the same command again',
  })
}
