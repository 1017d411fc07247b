/**
 * Control groups of pods: which hierarchies this host has, where a pod's live, and how they go away.
 *
 *   without systemd              /tspod/pod-NAME-ID12/{control,CONTAINER}
 *   systemd, outside a unit      /machine.slice/tspod-pod-NAME-ID12.scope/{control,CONTAINER}
 *   in a delegated unit          UNIT/pod-NAME-ID12/CONTAINER, UNIT/control
 *
 * `control` holds conmons, in a unit those of all its pods: cgroup v2 lets only leaves have processes once controllers
 * are delegated.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { isMissing, TspodError } from '../errors.ts'
import type { HostFacts } from './spec/index.ts'

/** One mounted cgroup tree. A v1 host has several, each with its own controllers. */
export type Hierarchy = { version: 1 | 2; mount: string; controllers: string[] }

/** The cgroup trees in the text of /proc/self/mountinfo. A tree mounted at several places counts once. */
export function parseHierarchies(mountinfo: string): Hierarchy[] {
  const found = new Map<string, Hierarchy>()
  for (const line of mountinfo.split('\n')) {
    // One line of thousands on a host full of pods.
    if (!line.includes(' - cgroup')) continue
    const [left, right] = line.split(' - ')
    if (left === undefined || right === undefined) continue
    const mount = unescapeOctal(left.split(' ')[4] ?? '')
    const [type, , options = ''] = right.split(' ')
    if (type === 'cgroup2') {
      if (!found.has('v2')) found.set('v2', { version: 2, mount, controllers: [] })
    } else if (type === 'cgroup') {
      const controllers = options
        .split(',')
        .filter(option => !['rw', 'ro', 'xattr', 'noprefix', 'clone_children'].includes(option))
      const key = controllers.join(',')
      if (!found.has(key)) found.set(key, { version: 1, mount, controllers })
    }
  }
  return [...found.values()]
}

const CGROUP_ROOT = '/sys/fs/cgroup'
/** CGROUP2_SUPER_MAGIC of linux/magic.h. */
const CGROUP2_TYPE = 0x63677270

/**
 * The cgroup trees of this host as this process sees them. One that has v2 where every runtime looks for it has nothing
 * else, to runtimes as to us; the list of mounts is asked only elsewhere, since the kernel takes 6 ms for that of a host
 * with a hundred pods.
 */
export function readHierarchies(): Hierarchy[] {
  if (isUnified()) return [{ version: 2, mount: CGROUP_ROOT, controllers: [] }]
  return parseHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'))
}

function isUnified(): boolean {
  try {
    return statfsSync(CGROUP_ROOT).type === CGROUP2_TYPE
  } catch {
    return false
  }
}

/**
 * `hybrid` is what crun refuses: v1 controllers next to a v2 tree that has controllers as well. A v2 tree without
 * any controller beside v1 (systemd's own bookkeeping) counts as v1.
 */
export function cgroupMode(
  hierarchies: readonly Hierarchy[],
  textOf: (path: string) => string | undefined,
): HostFacts['cgroup'] {
  const unified = hierarchies.find(tree => tree.version === 2)
  if (unified === undefined) return 'v1'
  if (!hierarchies.some(tree => tree.version === 1)) return 'v2'
  return (textOf(join(unified.mount, 'cgroup.controllers')) ?? '').trim() === '' ? 'v1' : 'hybrid'
}

/** Where the cgroups of one pod are; all paths are relative to the mount of each tree and start with `/`. */
export type PodCgroup = {
  path: string
  /** Cgroup of the pod's conmons. */
  control: string
  /** The transient unit to start before anything is put there; absent when the cgroup is plainly made. */
  scope?: PodScope
  /** The cgroup it stands in, which is somebody else's: it is never made, and never removed. */
  parent?: string
}

/** A transient systemd unit that owns a pod's cgroup. */
export type PodScope = { unit: string; slice: string; description: string }

/** Who owns the place pods are put in. */
export type CgroupPlace = { manager: 'cgroupfs' } | { manager: 'systemd' } | { manager: 'parent'; path: string }

const SLICE = 'machine.slice'

/** Where the pod's cgroups are made. Pure; the same pod always gets the same place. */
export function podCgroup(place: CgroupPlace, pod: { name: string; id: string }): PodCgroup {
  const leaf = `pod-${cgroupWord(pod.name)}-${pod.id.slice(0, 12)}`
  if (place.manager === 'systemd') {
    const unit = `tspod-${leaf}.scope`
    const path = `/${SLICE}/${unit}`
    return { path, control: `${path}/control`, scope: { unit, slice: SLICE, description: `tspod pod ${pod.name}` } }
  }
  if (place.manager === 'parent') {
    return { path: join(place.path, leaf), control: controlBelow(place.path), parent: place.path }
  }
  const path = join('/tspod', leaf)
  return { path, control: `${path}/control` }
}

/** Where helpers are in a cgroup that was left to us. */
export const controlBelow = (parent: string): string => join(parent, 'control')

/** The cgroup of one container; `name` is its name in the pod. This is the spec's `linux.cgroupsPath`. */
export function containerCgroup(pod: PodCgroup, name: string): string {
  // `control` is ours: a container of that name must not end up between the conmons.
  return `${pod.path}/${name === 'control' ? 'control-1' : cgroupWord(name)}`
}

/**
 * A name made safe for a path component and for a systemd unit: letters, digits, `-`, `_` and `.`; everything else
 * becomes `_`, and at most 128 characters are kept (a unit name may have 255).
 */
function cgroupWord(name: string): string {
  const word = name.replace(/[^A-Za-z0-9_.-]/g, '_').replace(/^\.+/, '_')
  return (word === '' ? '_' : word).slice(0, 128)
}

/**
 * Moves a monitor to its pod's `control` cgroup. Below systemd the pod's scope is joined when another container of
 * the pod is there already, and started otherwise; a scope that ends just then is started again.
 * Throws HOST_LACKS when the kernel or systemd refuses.
 */
export async function enterPod(
  hierarchies: readonly Hierarchy[],
  pod: PodCgroup,
  pid: number,
  startScope: (scope: PodScope, pid: number) => Promise<'started' | 'exists'>,
  clock: Clock,
): Promise<void> {
  if (pod.scope === undefined) {
    return enterCgroup(hierarchies, pod.control, pid, { parentExists: pod.parent !== undefined })
  }
  for (let attempt = 1; ; attempt++) {
    const outcome = cgroupExists(hierarchies, pod.path) ? 'exists' : await startScope(pod.scope, pid)
    try {
      return await enterCgroup(hierarchies, pod.control, pid, { parentExists: true })
    } catch (error) {
      const gone = error instanceof TspodError && isGone(error.cause)
      if (outcome === 'started' || !gone || attempt === ENTER_ATTEMPTS) throw error
    }
    // Another container of this pod has asked for the scope, or its last one left: systemd is at work on it.
    await clock.sleep(ENTER_PAUSE_MS)
  }
}

/** A cgroup that is removed while it is written to answers ENODEV. */
const isGone = (error: unknown): boolean =>
  isMissing(error) || (error as NodeJS.ErrnoException | null)?.code === 'ENODEV'

const ENTER_ATTEMPTS = 100
const ENTER_PAUSE_MS = 10

/**
 * Makes `path` in the trees that hold monitors and moves the process there. The kernel may take 15 ms for the first
 * move after a pause (it waits for all CPUs), so this is asynchronous. With `parentExists` only the last part of the
 * path is made on v2: what systemd owns above is never made in its stead. Throws HOST_LACKS when the kernel refuses.
 */
export async function enterCgroup(
  hierarchies: readonly Hierarchy[],
  path: string,
  pid: number,
  options: { parentExists: boolean } = { parentExists: false },
): Promise<void> {
  const enter = async (tree: Hierarchy): Promise<void> => {
    const directory = join(tree.mount, path)
    try {
      await makeCgroup(directory, tree.version === 1 || !options.parentExists)
      await writeFile(join(directory, 'cgroup.procs'), String(pid))
    } catch (cause) {
      throw new TspodError('HOST_LACKS', `cannot move process ${pid} into cgroup ${directory}: ${messageOf(cause)}`, {
        remedy: 'see `tspod doctor`; under systemd run tspod as root, in a unit with Delegate=yes or outside of one',
        cause,
      })
    }
  }
  await Promise.all(hierarchies.filter(tree => holdsMonitors(tree, hierarchies)).map(enter))
}

async function makeCgroup(directory: string, withParents: boolean): Promise<void> {
  try {
    await mkdir(directory, { recursive: withParents, mode: 0o755 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Monitors are held by the v2 tree, or on v1 by the trees that account and limit them and by systemd's own. */
function holdsMonitors(tree: Hierarchy, all: readonly Hierarchy[]): boolean {
  if (tree.version === 2) return !all.some(other => other.version === 1)
  return tree.controllers.some(name => name === 'pids' || name === 'memory' || name === 'name=systemd')
}

/** Cgroups at the places of pods' own, of whatever installation, with the beginning of the pod's id. */
export function podCgroups(hierarchies: readonly Hierarchy[], place: CgroupPlace): { path: string; id: string }[] {
  const parent = place.manager === 'systemd' ? `/${SLICE}` : place.manager === 'parent' ? place.path : '/tspod'
  const paths = [...new Set(childPaths(hierarchies, parent))].sort()
  return paths.flatMap(path => {
    const id = /\/(?:tspod-)?pod-[^/]*-([0-9a-f]{12})(?:\.scope)?$/.exec(path)?.[1]
    return id === undefined ? [] : [{ path, id }]
  })
}

/** True when the cgroup exists in at least one tree. */
export function cgroupExists(hierarchies: readonly Hierarchy[], path: string): boolean {
  return hierarchies.some(tree => existsSync(join(tree.mount, path)))
}

/** Process ids in the cgroup and everything below it, in all trees. */
export function cgroupProcesses(hierarchies: readonly Hierarchy[], path: string): number[] {
  const pids = new Set<number>()
  for (const tree of hierarchies) {
    for (const directory of cgroupTree(join(tree.mount, path))) {
      for (const line of readLines(join(directory, 'cgroup.procs'))) pids.add(Number(line))
    }
  }
  return [...pids]
}

const REMOVE_ATTEMPTS = 40
const REMOVE_PAUSE_MS = 25

/**
 * Removes the cgroup and its children in every tree. A cgroup stays busy for a moment after its last process died,
 * so it is tried for a second. With `force` what still runs inside is killed first. Already gone is success.
 * Called from inside (the exit hook runs in its pod's `control`) it removes everything but `control` and returns
 * `left`: nobody can remove the ground he stands on.
 * With `keepTop` only what is below goes: the cgroup of a scope is systemd's, which misses that the scope has become
 * empty, and keeps it active for ever, when somebody else removes its cgroup first.
 * Throws PARTIAL_FAILURE naming what is left and who is in it.
 */
export async function removeCgroup(
  hierarchies: readonly Hierarchy[],
  path: string,
  options: { force: boolean; keepTop?: boolean; clock: Clock },
): Promise<'removed' | 'left'> {
  if (!/^\/[^/]/.test(path) || path.split('/').includes('..')) throw new Error(`not a cgroup of ours: ${path}`)
  const inside = cgroupProcesses(hierarchies, path).includes(process.pid)
  const children = inside || options.keepTop ? childPaths(hierarchies, path) : [path]
  const targets = inside ? children.filter(child => child !== `${path}/control`) : children
  for (let attempt = 1; ; attempt++) {
    if (options.force) for (const target of targets) killCgroup(hierarchies, target)
    const directories = hierarchies.flatMap(tree => targets.map(target => join(tree.mount, target)))
    const busy = directories.filter(directory => !removeTreeOf(directory))
    if (busy.length === 0) return inside ? 'left' : 'removed'
    if (attempt === REMOVE_ATTEMPTS) {
      const pids = targets.flatMap(target => cgroupProcesses(hierarchies, target)).join(' ') || 'unknown'
      throw new TspodError('PARTIAL_FAILURE', `cannot remove cgroup ${busy.join(', ')}: it holds processes ${pids}`, {
        remedy: 'stop these processes and run the same command again',
      })
    }
    await options.clock.sleep(REMOVE_PAUSE_MS)
  }
}

/**
 * Kills every process in the cgroup and below: by cgroup.kill on v2 (Linux 5.14), by signals elsewhere. A process
 * that is itself inside must not call this.
 */
export function killCgroup(hierarchies: readonly Hierarchy[], path: string): void {
  const pids = cgroupProcesses(hierarchies, path)
  if (pids.includes(process.pid)) throw new Error(`refusing to kill ${path}: this process is in it`)
  for (const tree of hierarchies) {
    if (tree.version === 2) tryWrite(join(tree.mount, path, 'cgroup.kill'), '1')
  }
  thawCgroup(hierarchies, path)
  for (const pid of pids) {
    // 0 stands for a process outside of our pid namespace, 1 is the host's init.
    if (pid <= 1) continue
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
  }
}

/** Lets frozen processes run again; those of v1 take no signal before that, not even KILL. */
export function thawCgroup(hierarchies: readonly Hierarchy[], path: string): void {
  for (const tree of hierarchies) {
    if (tree.version === 2) tryWrite(join(tree.mount, path, 'cgroup.freeze'), '0')
    else if (tree.controllers.includes('freezer')) tryWrite(join(tree.mount, path, 'freezer.state'), 'THAWED')
  }
}

/** Writes a control file of the kernel; one this kernel or cgroup does not have is left alone. */
function tryWrite(path: string, text: string): void {
  try {
    if (existsSync(path)) writeFileSync(path, text)
  } catch {
    // The cgroup went away in between.
  }
}

/** Paths, relative to the mounts, of the cgroups right below one. */
function childPaths(hierarchies: readonly Hierarchy[], path: string): string[] {
  const names = hierarchies.flatMap(tree => directoriesIn(join(tree.mount, path)) ?? [])
  return [...new Set(names)].map(name => `${path}/${name}`)
}

/** Removes one directory tree of cgroups, deepest first; false when something in it is still busy. */
function removeTreeOf(directory: string): boolean {
  for (const one of cgroupTree(directory).reverse()) {
    try {
      rmdirSync(one)
    } catch (error) {
      if (!isMissing(error)) return false
    }
  }
  return true
}

/** `directory` and all cgroups below it, parents first; empty when it does not exist. */
function cgroupTree(directory: string): string[] {
  const names = directoriesIn(directory)
  if (names === undefined) return []
  return [directory, ...names.flatMap(name => cgroupTree(join(directory, name)))]
}

function directoriesIn(directory: string): string[] | undefined {
  try {
    const entries = readdirSync(directory, { withFileTypes: true })
    return entries.filter(entry => entry.isDirectory()).map(entry => entry.name)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter(line => line !== '')
  } catch {
    // The cgroup went away, or is of the `threaded` type, whose members are listed by its parent.
    return []
  }
}

/** Mount paths escape space, tab, newline and backslash as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
