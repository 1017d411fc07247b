/**
 * The door to namespaces and to mounts with mapped ids: namespaces.c makes the system calls
 * (docs/adr/0006-user-namespaces.md, docs/adr/0010-pinning.md).
 */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { systemError } from './errors.ts'
import type { IdMaps, IdRange } from './model.ts'

/** namespaces.c: a negative answer is an errno. */
type Addon = {
  pin(flags: number, loopback: boolean, net: string, ipc: string, uts: string): number
  settle(network: number, loopback: boolean): number
  unmount(path: string): number
  hold(flags: number, userns: number): number
  release(pid: number): number
  openTree(path: string, recursive: boolean): number
  mapIds(tree: number, userns: number, recursive: boolean): number
  attach(tree: number, path: string): number
  bind(source: string, path: string): number
}

/** Beside the bundle when this is the bundle; a checkout's tests take the one that `make build` put there. */
const ADDON = join(import.meta.dirname, '../dist/namespaces.node')

const addon = (): Addon => createRequire(import.meta.url)(ADDON) as Addon

/** CLONE_NEW… of linux/sched.h, by the names below /proc/PID/ns. */
const CLONE = { user: 0x1000_0000, net: 0x4000_0000, ipc: 0x0800_0000, uts: 0x0400_0000 } as const
type Kind = keyof typeof CLONE

/** Mappings of a new user namespace, or the file of one that exists. */
export type Origin = IdMaps | { path: string }

/**
 * Makes namespaces and binds each to its file of `pinned`, which has to exist. A network has its loopback interface up
 * with `loopback`; without, interfaces to come hear no router advertisements. No process is started: 2 ms.
 * Throws the system's error: ENOSPC where the host allows no more namespaces.
 */
export function pin(pinned: Readonly<Partial<Record<Exclude<Kind, 'user'>, string>>>, loopback: boolean): void {
  const { net = '', ipc = '', uts = '' } = pinned
  const flags = (Object.keys(pinned) as Kind[]).reduce((all, kind) => all | CLONE[kind], 0)
  checked(addon().pin(flags, loopback, net, ipc, uts), 'unshare', net || ipc || uts)
}

/** What `pin` does to a new network, for the one of a file. Throws the system's error. */
export function settleNetwork(file: string, loopback: boolean): void {
  const network = openSync(file, 'r')
  try {
    checked(addon().settle(network, loopback), 'setns', file)
  } finally {
    closeSync(network)
  }
}

/** Unmounts what is mounted on a file last; a link is not followed. Throws the system's error: EBUSY, EINVAL, ENOENT. */
export function unmount(path: string): void {
  checked(addon().unmount(path), 'umount', path)
}

/**
 * Makes namespaces that belong to one user namespace, and binds each to its file of `pinned`, which has to exist.
 * Throws the system's error: EINVAL for mappings that overlap, ENOSPC where the host allows no more namespaces.
 */
export function pinOwned(pinned: Readonly<Partial<Record<Kind, string>>>, origin: Origin): void {
  const kinds = Object.entries(pinned) as [Kind, string][]
  const flags = kinds.filter(([kind]) => kind !== 'user' || !('path' in origin)).map(([kind]) => CLONE[kind])
  withHolder(
    flags.reduce((all, flag) => all | flag, 0),
    'path' in origin ? origin.path : undefined,
    pid => {
      if (!('path' in origin)) {
        writeFileSync(`/proc/${pid}/uid_map`, mapText(origin.uids))
        writeFileSync(`/proc/${pid}/gid_map`, mapText(origin.gids))
      }
      for (const [kind, file] of kinds) bind(`/proc/${pid}/ns/${kind}`, file)
    },
  )
}

/**
 * The mappings of the user namespace that `path` leads to, in ids of this process's own.
 * Throws the system's error: ENOENT, EINVAL for what is no user namespace.
 */
export function mapsOf(path: string): IdMaps {
  return withHolder(0, path, pid => ({
    uids: parseMap(readFileSync(`/proc/${pid}/uid_map`, 'utf8')),
    gids: parseMap(readFileSync(`/proc/${pid}/gid_map`, 'utf8')),
  }))
}

const mapText = (ranges: readonly IdRange[]): string =>
  ranges.map(({ inside, outside, count }) => `${inside} ${outside} ${count}\n`).join('')

function parseMap(text: string): IdRange[] {
  return text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number)
      return { inside, outside, count }
    })
}

/** Has a process stand in new namespaces, and in the user namespace of a file, for as long as `use` takes. */
function withHolder<T>(flags: number, path: string | undefined, use: (pid: number) => T): T {
  const userns = path === undefined ? undefined : openSync(path, 'r')
  try {
    const pid = checked(addon().hold(flags, userns ?? -1), 'unshare', path ?? 'new namespaces')
    try {
      return use(pid)
    } finally {
      checked(addon().release(pid), 'kill', String(pid))
    }
  } finally {
    if (userns !== undefined) closeSync(userns)
  }
}

/** Binds one file or directory to another, as `mount --bind`. Throws the system's error. */
export function bind(source: string, target: string): void {
  checked(addon().bind(source, target), 'mount', target)
}

/**
 * Mounts what `source` leads to on `target`, with owners as the user namespace of the file `userns` maps them: what
 * belongs to 0 there belongs to that namespace's root. With `recursive` along with what is mounted below it.
 * False, and nothing is mounted, where the file system (or one below it) cannot do that. Throws the system's error
 * for everything else.
 */
export function bindMapped(source: string, target: string, userns: string, recursive: boolean): boolean {
  const door = addon()
  const namespace = openSync(userns, 'r')
  try {
    const tree = checked(door.openTree(source, recursive), 'open_tree', source)
    try {
      // EINVAL: the file system does not know how; EPERM: its owners are mapped already, or it is another's mount.
      if (door.mapIds(tree, namespace, recursive) < 0) return false
      checked(door.attach(tree, target), 'move_mount', target)
      return true
    } finally {
      closeSync(tree)
    }
  } finally {
    closeSync(namespace)
  }
}

function checked(result: number, call: string, path: string): number {
  if (result < 0) throw systemError(call, -result, path)
  return result
}

/** The id of the host that `inside` is; undefined for one that the namespace does not have. Pure. */
export function outsideOf(ranges: readonly IdRange[], inside: number): number | undefined {
  const range = ranges.find(one => inside >= one.inside && inside < one.inside + one.count)
  return range && range.outside + (inside - range.inside)
}

/** The id inside that an id of the host is; undefined for one that means nobody there. Pure. */
export function insideOf(ranges: readonly IdRange[], outside: number): number | undefined {
  const range = ranges.find(one => outside >= one.outside && outside < one.outside + one.count)
  return range && range.inside + (outside - range.outside)
}
