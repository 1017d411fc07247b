/** What a container uses, by its cgroups and its network namespace. What this host cannot tell is undefined. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hierarchy } from './cgroup.ts'

export type Usage = {
  cpuNs?: number
  memoryBytes?: number
  /** Its limit, or all the memory of the host. */
  memoryLimitBytes?: number
  pids?: number
  io?: { readBytes: number; writtenBytes: number }
  net?: { receivedBytes: number; sentBytes: number }
}

type TextOf = (path: string) => string | undefined

/**
 * Reads what is known of the cgroup `path`. `pid` is a process in the container's network namespace; without it, or
 * when the network is the host's, there are no numbers about the network.
 */
export function readUsage(
  hierarchies: readonly Hierarchy[],
  path: string,
  pid: number | undefined,
  textOf: TextOf = readText,
): Usage {
  const file = (controller: string, v1: string, v2: string) =>
    controllerFile(hierarchies, path, { controller, v1, v2 }, textOf)
  const cpuNs = readCpuNs(hierarchies, path, textOf)
  const memory = file('memory', 'memory.usage_in_bytes', 'memory.current')
  const limit = file('memory', 'memory.limit_in_bytes', 'memory.max')
  const pids = file('pids', 'pids.current', 'pids.current')
  const io = file('blkio', 'blkio.throttle.io_service_bytes_recursive', 'io.stat')
  const net = pid === undefined ? undefined : textOf(`/proc/${pid}/net/dev`)
  return {
    ...(cpuNs !== undefined && { cpuNs }),
    ...(memory && { memoryBytes: Number(memory.text) }),
    ...(memory && limit && { memoryLimitBytes: Math.min(limitOf(limit.text), totalMemory(textOf)) }),
    ...(pids && { pids: Number(pids.text) }),
    ...(io && { io: io.version === 1 ? ioOfV1(io.text) : ioOfV2(io.text) }),
    ...(net !== undefined && { net: netOf(net) }),
  }
}

/** The processor time that the cgroup `path` and those below it have used. */
export function readCpuNs(
  hierarchies: readonly Hierarchy[],
  path: string,
  textOf: TextOf = readText,
): number | undefined {
  const cpu = controllerFile(hierarchies, path, { controller: 'cpuacct', v1: 'cpuacct.usage', v2: 'cpu.stat' }, textOf)
  return cpu && (cpu.version === 1 ? Number(cpu.text) : keyed(cpu.text, 'usage_usec') * 1000)
}

type ControllerFile = { controller: string; v1: string; v2: string }

/** A file of a controller, in the tree of v1 that has it or in that of v2. */
function controllerFile(
  hierarchies: readonly Hierarchy[],
  path: string,
  { controller, v1, v2 }: ControllerFile,
  textOf: TextOf,
): { version: 1 | 2; text: string } | undefined {
  const own = hierarchies.find(tree => tree.version === 1 && tree.controllers.includes(controller))
  const tree = own ?? hierarchies.find(({ version }) => version === 2)
  const text = tree && textOf(join(tree.mount, path, tree.version === 1 ? v1 : v2))
  return tree === undefined || text === undefined ? undefined : { version: tree.version, text }
}

const keyed = (text: string, key: string): number => Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)

const limitOf = (text: string): number => (text.trim() === 'max' ? Number.POSITIVE_INFINITY : Number(text))

function totalMemory(textOf: TextOf): number {
  const kibibytes = /^MemTotal:\s+(\d+) kB$/m.exec(textOf('/proc/meminfo') ?? '')?.[1]
  return kibibytes === undefined ? Number.POSITIVE_INFINITY : Number(kibibytes) * 1024
}

/** Lines like `8:0 Read 4096`. */
function ioOfV1(text: string): Usage['io'] {
  const sum = (word: string): number => total(text.matchAll(new RegExp(`^\\d+:\\d+ ${word} (\\d+)$`, 'gm')))
  return { readBytes: sum('Read'), writtenBytes: sum('Write') }
}

/** Lines like `8:0 rbytes=4096 wbytes=0 rios=1 …`. */
function ioOfV2(text: string): Usage['io'] {
  const sum = (word: string): number => total(text.matchAll(new RegExp(`\\b${word}=(\\d+)`, 'g')))
  return { readBytes: sum('rbytes'), writtenBytes: sum('wbytes') }
}

const total = (matches: Iterable<RegExpMatchArray>): number =>
  [...matches].reduce((sum, [, digits]) => sum + Number(digits), 0)

/** All interfaces but loopback; the columns are those of /proc/net/dev. */
function netOf(text: string): Usage['net'] {
  const rows = text.split('\n').flatMap(line => {
    const [name, values] = line.split(':')
    return name === undefined || values === undefined || name.trim() === 'lo' ? [] : [values.trim().split(/\s+/)]
  })
  const sum = (column: number): number => rows.reduce((bytes, row) => bytes + Number(row[column] ?? 0), 0)
  return { receivedBytes: sum(0), sentBytes: sum(8) }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
