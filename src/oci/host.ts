/**
 * What this host is like, read from /proc and /sys alone: no process is started, so that every play can afford it.
 */
import { existsSync, readFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { hasAppArmor } from './apparmor.ts'
import { cgroupMode, type Hierarchy, readHierarchies } from './cgroup.ts'
import type { HostFacts } from './spec/index.ts'

/** Capability names in the order of their numbers, from the kernel's include/uapi/linux/capability.h. */
const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
].map(name => `CAP_${name}`)

/** Node's architecture names to the ones images use. */
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', ia32: '386' }

/** The facts of this host, whose cgroup trees may be known already, and of this process's own limits. Throws only when /proc is not mounted. */
export async function readHostFacts(hierarchies: readonly Hierarchy[] = readHierarchies()): Promise<HostFacts> {
  const status = readFileSync('/proc/self/status', 'utf8')
  const limits = parseLimits(readFileSync('/proc/self/limits', 'utf8'))
  const cgroup = cgroupMode(hierarchies, textOf)
  return {
    cgroup,
    capabilities: parseCapabilities(status, 'CapBnd'),
    nofileHard: limits('Max open files'),
    nprocHard: limits('Max processes'),
    memlockHard: limits('Max locked memory'),
    canLowerOom: parseCapabilities(status, 'CapEff').includes('CAP_SYS_RESOURCE'),
    memoryBytes: Number(/^MemTotal:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024,
    cpus: countCpus(textOf('/sys/devices/system/cpu/online') ?? '0'),
    arch: ARCHITECTURES[process.arch] ?? process.arch,
    kernel: release(),
    apparmor: hasAppArmor(textOf('/sys/module/apparmor/parameters/enabled')),
    selinux: existsSync('/sys/fs/selinux/enforce'),
    // On a hybrid host runtimes have nothing to do with what the v2 tree could limit.
    controllers: hierarchies.filter(({ version }) => cgroup === 'v2' || version === 1).flatMap(controllersOf),
    v1Trees: hierarchies.flatMap(v1Names),
    ipv6: existsSync('/proc/sys/net/ipv6'),
  }
}

/** Names of the capabilities in one mask of /proc/PID/status; bits this table does not know are left out. */
export function parseCapabilities(status: string, field: 'CapBnd' | 'CapEff'): string[] {
  const mask = BigInt(`0x${new RegExp(`^${field}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '0'}`)
  return CAPABILITIES.filter((_, bit) => (mask >> BigInt(bit)) & 1n)
}

/** Looks up hard limits in the text of /proc/PID/limits; `unlimited` is Infinity. */
export function parseLimits(text: string): (name: string) => number {
  return name => {
    const line = text.split('\n').find(candidate => candidate.startsWith(name))
    const hard = line?.slice(name.length).trim().split(/\s+/)[1]
    return hard === undefined || hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
  }
}

/** Number of CPUs in a kernel list such as `0-3,6`. */
export function countCpus(list: string): number {
  let count = 0
  for (const part of list.trim().split(',')) {
    const [first, last = first] = part.split('-').map(Number)
    if (first !== undefined && last !== undefined && last >= first) count += last - first + 1
  }
  return Math.max(1, count)
}

/** What a tree can limit: a v1 tree is mounted with its controllers, a v2 tree lists them. */
function controllersOf(tree: Hierarchy): string[] {
  if (tree.version === 1) return tree.controllers
  return (textOf(join(tree.mount, 'cgroup.controllers')) ?? '').split(/\s+/).filter(name => name !== '')
}

/** What the directory of a v1 tree may be called: all names of its controllers, often with a link for each. */
export function v1Names(tree: Hierarchy): string[] {
  if (tree.version === 2) return []
  const names = tree.controllers.map(name => name.replace(/^name=/, ''))
  return [...new Set([names.join(','), ...names])].filter(name => name !== '' && !name.includes('/'))
}

/** The text of a small file of /proc or /sys, undefined when this kernel does not have it. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
