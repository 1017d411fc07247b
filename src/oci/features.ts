/**
 * What this host has, what it lacks, and the way out of each lack: the data of `tspod doctor` and `tspod info`.
 * Programs are asked in parallel for their versions; everything else is read from /proc and /sys.
 */
import { existsSync, readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TspodError } from '../errors.ts'
import type { Paths } from '../paths.ts'
import type { Run } from '../process.ts'
import { configuredRuntimes, isOlder } from './runtime/index.ts'
import type { HostFacts } from './spec/index.ts'
import { checkTools } from './tools.ts'

export type HostCheck = {
  name: string
  /** `warn`: pods run, but something is limited; `missing`: some or all pods cannot run. */
  status: 'ok' | 'warn' | 'missing'
  found: string
  needed: string
  /** What to do about it; only when it is not ok. */
  remedy?: string
}

/** All checks in the order to show them. Never throws for a lack: that is a check which is not ok. */
export async function checkHost(run: Run, paths: Paths, host: HostFacts): Promise<HostCheck[]> {
  const [tools, runtimes, disks] = await Promise.all([
    checkTools(run, host),
    checkConfigured(run, paths, host),
    Promise.all(diskChecks(paths)),
  ])
  return [
    ...tools,
    ...runtimes,
    checkCgroupMode(host),
    checkControllers(host),
    checkOverlay(readText('/proc/filesystems') ?? ''),
    checkNamespaces(existsSync),
    checkSeccomp(readText('/proc/sys/kernel/seccomp/actions_avail')),
    checkCapabilities(host),
    ...checkLimits(host),
    checkKernel(host),
    ...disks,
  ]
}

/** The runtimes of tspod.toml, or what is wrong with that file. */
async function checkConfigured(run: Run, paths: Paths, host: HostFacts): Promise<HostCheck[]> {
  try {
    return (await configuredRuntimes(run, paths, host)).map(({ name, path, runtime }) => {
      const check = { name: `runtime ${name}`, needed: `a runtime that works here at ${path}` }
      if (runtime instanceof TspodError)
        return { ...check, status: 'warn', found: runtime.message, remedy: runtime.remedy }
      return { ...check, status: 'ok', found: `${runtime.name} ${runtime.version} (${path})` }
    })
  } catch (error) {
    if (!(error instanceof TspodError)) throw error
    const needed = 'a file that can be read: no pod is played without'
    return [{ name: 'tspod.toml', status: 'missing', found: error.message, needed, remedy: error.remedy }]
  }
}

/** Pure. */
export function checkCgroupMode(host: HostFacts): HostCheck {
  const check = { name: 'cgroups', needed: 'v2 is best; v1 and hybrid work' }
  if (host.cgroup === 'v2') return { ...check, status: 'ok', found: 'v2' }
  const remedy = 'boot with systemd.unified_cgroup_hierarchy=1 on the kernel command line'
  if (host.cgroup === 'v1') return { ...check, status: 'ok', found: 'v1' }
  return {
    ...check,
    status: 'warn',
    found: 'hybrid (controllers in both v1 and v2): crun does not work, runc does',
    remedy,
  }
}

const CONTROLLERS = ['cpu', 'memory', 'pids'] as const

/** Which limits the kernel can enforce. Pure. */
export function checkControllers(host: HostFacts): HostCheck {
  const available = new Set<string>(host.controllers ?? CONTROLLERS)
  const lacking = CONTROLLERS.filter(name => !available.has(name))
  const check = { name: 'cgroup controllers', needed: CONTROLLERS.join(', ') }
  const found = [...available].filter(name => !name.startsWith('name=')).join(', ') || 'none'
  if (lacking.length === 0) return { ...check, status: 'ok', found }
  return {
    ...check,
    status: 'warn',
    found: `${found}; without ${lacking.join(', ')}, whose limits cannot be enforced`,
    remedy: `enable them on the kernel command line (${lacking.map(name => `cgroup_enable=${name}`).join(' ')})`,
  }
}

/** Whether the kernel has overlayfs now; a module is loaded at its first use. Pure. */
export function checkOverlay(filesystems: string): HostCheck {
  const check = { name: 'overlayfs', needed: 'root file systems share their layers' }
  if (/^(?:nodev)?\s*overlay$/m.test(filesystems)) return { ...check, status: 'ok', found: 'in the kernel' }
  return { ...check, status: 'warn', found: 'not loaded', remedy: 'modprobe overlay' }
}

/** Pure but for the given look at the file system. */
export function checkNamespaces(exists: (path: string) => boolean): HostCheck {
  const wanted = ['mnt', 'pid', 'net', 'ipc', 'uts']
  const lacking = wanted.filter(name => !exists(`/proc/self/ns/${name}`))
  const found = ['mnt', 'pid', 'net', 'ipc', 'uts', 'user', 'cgroup', 'time'].filter(name =>
    exists(`/proc/self/ns/${name}`),
  )
  const check = { name: 'namespaces', needed: wanted.join(', '), found: found.join(', ') }
  if (lacking.length === 0) return { ...check, status: 'ok' }
  return { ...check, status: 'missing', remedy: `use a kernel with the namespaces ${lacking.join(', ')}` }
}

/** Pure. */
export function checkSeccomp(actions: string | undefined): HostCheck {
  const check = { name: 'seccomp', needed: 'system call filters for every container' }
  if (actions !== undefined) return { ...check, status: 'ok', found: actions.trim() }
  return { ...check, status: 'missing', found: 'not in this kernel', remedy: 'use a kernel with CONFIG_SECCOMP_FILTER' }
}

/** What root needs to set up a sandbox; without SYS_RESOURCE only limits cannot be raised. */
const NEEDED_CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_ADMIN',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_ADMIN',
  'SYS_CHROOT',
  'SYS_PTRACE',
].map(name => `CAP_${name}`)

/** Pure. */
export function checkCapabilities(host: HostFacts): HostCheck {
  const lacking = NEEDED_CAPABILITIES.filter(name => !host.capabilities.includes(name))
  const check = { name: 'capabilities', needed: 'those of root' }
  const remedy = 'run tspod as root of the host, outside of a restricted container or unit'
  if (lacking.length > 0) return { ...check, status: 'missing', found: `without ${lacking.join(', ')}`, remedy }
  if (host.canLowerOom) return { ...check, status: 'ok', found: 'all that are needed' }
  return {
    ...check,
    status: 'warn',
    found: 'without CAP_SYS_RESOURCE: no limit can be raised, no oom_score_adj lowered',
    remedy,
  }
}

const WANTED_NOFILE = 1024 * 1024

/** Pure. */
export function checkLimits(host: HostFacts): HostCheck[] {
  const limit = (name: string, hard: number, wanted: number, remedy: string): HostCheck => {
    const check = { name, needed: `${wanted}`, found: hard === Number.POSITIVE_INFINITY ? 'unlimited' : `${hard}` }
    if (hard >= wanted || host.canLowerOom) return { ...check, status: 'ok' }
    return { ...check, status: 'warn', found: `${check.found}: containers get no more`, remedy }
  }
  return [
    limit(
      'open files (hard limit)',
      host.nofileHard,
      WANTED_NOFILE,
      'raise it where tspod is started (LimitNOFILE= of a unit)',
    ),
    limit('processes (hard limit)', host.nprocHard, 4096, 'raise it where tspod is started (LimitNPROC= of a unit)'),
  ]
}

/** Pure. */
export function checkKernel(host: HostFacts): HostCheck {
  const check = { name: 'kernel', needed: '5.10 or newer', found: host.kernel }
  if (!isOlder(host.kernel, '5.10')) return { ...check, status: 'ok' }
  return { ...check, status: 'warn', remedy: 'update the kernel: older ones were not tried' }
}

const WANTED_FREE_BYTES = 1024 ** 3
const WANTED_FREE_RUN_BYTES = 64 * 1024 ** 2

function diskChecks(paths: Paths): Promise<HostCheck>[] {
  return [
    checkDisk('space of the root', paths.root, WANTED_FREE_BYTES),
    checkDisk('space of the run root', paths.runRoot, WANTED_FREE_RUN_BYTES),
    checkDisk('space of the logs', paths.logRoot, WANTED_FREE_BYTES / 4),
  ]
}

/** Free space where `path` is or will be made. */
async function checkDisk(name: string, path: string, wantedBytes: number): Promise<HostCheck> {
  const present = nearestExisting(path)
  const { bavail, bsize, files, ffree } = await statfs(present)
  const freeBytes = bavail * bsize
  const check = {
    name,
    needed: `${mebibytes(wantedBytes)} MiB free`,
    found: `${mebibytes(freeBytes)} MiB free (${path})`,
  }
  if (freeBytes < wantedBytes)
    return { ...check, status: 'warn', remedy: `free space on the file system of ${present}` }
  if (files > 0 && ffree / files < 0.02) {
    return {
      ...check,
      status: 'warn',
      found: `${ffree} of ${files} inodes free (${path})`,
      remedy: `remove files below ${present}`,
    }
  }
  return { ...check, status: 'ok' }
}

function nearestExisting(path: string): string {
  let present = path
  while (!existsSync(present)) present = dirname(present)
  return present
}

const mebibytes = (bytes: number): number => Math.floor(bytes / 1024 ** 2)

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
