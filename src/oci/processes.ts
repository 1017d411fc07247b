/** The processes of a container as /proc tells them; nothing of the container is run to find out. */
import { readdirSync, readFileSync } from 'node:fs'
import { cgroupProcesses, type Hierarchy } from './cgroup.ts'

/** One process; ids are those inside of the container unless they say `host`. */
export type ProcessFacts = {
  hostPid: number
  pid: number
  /** 0 when its parent is outside of the container's PID namespace. */
  ppid: number
  pgid: number
  /** One letter, as in proc_pid_stat(5); Z is a zombie. */
  state: string
  /** At most 15 characters, chosen by the process itself. */
  comm: string
  /** Empty for a zombie; chosen by the process itself. */
  args: string[]
  ids: { uid: number; gid: number; realUid: number; realGid: number; groups: number[] }
  hostIds: { uid: number; gid: number; groups: number[] }
  nice: number
  virtualBytes: number
  residentBytes: number
  cpuMs: number
  elapsedMs: number
  /** `pts/0`, `?` without a terminal. */
  tty: string
  /** Sets of capabilities as masks of bits. */
  caps: { ambient: bigint; bounding: bigint; effective: bigint; inheritable: bigint; permitted: bigint }
  seccomp: 'disabled' | 'strict' | 'filter' | '?'
  /** Of the security module in charge, `?` without one. */
  label: string
}

/** USER_HZ, the unit of times in /proc/PID/stat: the same on every architecture Node runs on. */
const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4096

/**
 * Processes in the cgroup `path` and below, and zombies among their children (the kernel no longer counts those as
 * members), ordered by pid. `init` is the main process, by which the container's PID namespace is known.
 */
export function readProcesses(hierarchies: readonly Hierarchy[], path: string, init: number): ProcessFacts[] {
  const members = new Set(cgroupProcesses(hierarchies, path).filter(pid => pid > 0))
  members.add(init)
  for (const zombie of zombiesBelow(members)) members.add(zombie)
  const depth = Math.max(1, idsOf(textOf(`/proc/${init}/status`), 'NSpid').length)
  const uptimeMs = Number(textOf('/proc/uptime').split(' ')[0]) * 1000
  return [...members].sort((a, b) => a - b).flatMap(pid => readProcess(pid, depth, uptimeMs) ?? [])
}

function readProcess(hostPid: number, depth: number, uptimeMs: number): ProcessFacts | undefined {
  const [stat, status] = [textOf(`/proc/${hostPid}/stat`), textOf(`/proc/${hostPid}/status`)]
  if (stat === '' || status === '') return undefined
  const parent = idsOf(textOf(`/proc/${idsOf(status, 'PPid')[0]}/status`), 'NSpid')
  return parseProcess({
    hostPid,
    depth,
    uptimeMs,
    stat,
    status,
    parentPid: parent[depth - 1] ?? 0,
    cmdline: textOf(`/proc/${hostPid}/cmdline`),
    label: textOf(`/proc/${hostPid}/attr/current`),
    uidMap: textOf(`/proc/${hostPid}/uid_map`),
    gidMap: textOf(`/proc/${hostPid}/gid_map`),
  })
}

/** Texts of /proc about one process. */
export type ProcessTexts = {
  hostPid: number
  /** How many PID namespaces deep the container is, seen from here. */
  depth: number
  uptimeMs: number
  stat: string
  status: string
  parentPid: number
  cmdline: string
  label: string
  uidMap: string
  gidMap: string
}

/** Reads the texts of one process. Pure. */
export function parseProcess(texts: ProcessTexts): ProcessFacts {
  const { stat, status, depth, uptimeMs } = texts
  // The command name may hold spaces and brackets, so fields are counted from the last bracket.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ids = (name: string): number[] => idsOf(status, name)
  const inner = (name: string): number => ids(name)[depth - 1] ?? ids(name)[0] ?? 0
  const [realUid = 0, uid = 0] = ids('Uid')
  const [realGid = 0, gid = 0] = ids('Gid')
  const groups = ids('Groups')
  const toInside = (map: string) => (id: number) => mapId(map, id)
  const [uidInside, gidInside] = [toInside(texts.uidMap), toInside(texts.gidMap)]
  return {
    hostPid: texts.hostPid,
    pid: inner('NSpid'),
    ppid: texts.parentPid,
    pgid: inner('NSpgid'),
    state: fields[0] ?? '?',
    comm: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')),
    args: texts.cmdline
      .replace(/\0+$/, '')
      .split('\0')
      .filter((arg, index) => index > 0 || arg !== ''),
    ids: {
      uid: uidInside(uid),
      gid: gidInside(gid),
      realUid: uidInside(realUid),
      realGid: gidInside(realGid),
      groups: groups.map(gidInside),
    },
    hostIds: { uid, gid, groups },
    nice: Number(fields[16]),
    virtualBytes: Number(fields[20]),
    residentBytes: Number(fields[21]) * PAGE_BYTES,
    cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND,
    elapsedMs: Math.max(0, uptimeMs - (Number(fields[19]) * 1000) / TICKS_PER_SECOND),
    tty: ttyName(Number(fields[4])),
    caps: {
      ambient: maskOf(status, 'CapAmb'),
      bounding: maskOf(status, 'CapBnd'),
      effective: maskOf(status, 'CapEff'),
      inheritable: maskOf(status, 'CapInh'),
      permitted: maskOf(status, 'CapPrm'),
    },
    seccomp: (['disabled', 'strict', 'filter'] as const)[ids('Seccomp')[0] ?? -1] ?? '?',
    label: texts.label.replace(/[\0\n]+$/, '') || '?',
  }
}

/** Processes of this host that have ended and whose parent is one of `parents`. */
function zombiesBelow(parents: ReadonlySet<number>): number[] {
  return readdirSync('/proc').flatMap(name => {
    if (!/^\d+$/.test(name)) return []
    const stat = textOf(`/proc/${name}/stat`)
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' && parents.has(Number(parent)) ? [Number(name)] : []
  })
}

/** Decimal numbers behind `name:` in the text of /proc/PID/status. */
function idsOf(status: string, name: string): number[] {
  const line = status.split('\n').find(one => one.startsWith(`${name}:`))
  return line === undefined
    ? []
    : line
        .slice(name.length + 1)
        .split(/\s+/)
        .filter(Boolean)
        .map(Number)
}

function maskOf(status: string, name: string): bigint {
  const digits = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1]
  return digits === undefined ? 0n : BigInt(`0x${digits}`)
}

/** An id of the host as it is inside of a user namespace, by the text of its uid_map or gid_map. */
function mapId(map: string, id: number): number {
  for (const line of map.split('\n')) {
    const [inside = 0, outside = 0, count = 0] = line.trim().split(/\s+/).map(Number)
    if (id >= outside && id < outside + count) return id - outside + inside
  }
  return id
}

/** Device numbers of terminals, see tty_nr in proc_pid_stat(5) and devices.txt of the kernel. */
function ttyName(number: number): string {
  if (number === 0) return '?'
  const [major, minor] = [(number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xfff00)]
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`
  return major === 5 && minor === 1 ? 'console' : '?'
}

/** What cannot be read, because it has ended or the kernel will not say, is empty. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
