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
import { configuredRuntimes, findProgram, isOlder, obstacleOf, RUNTIME_FLOORS } from './runtime/index.ts'
import type { HostFacts } from './spec/index.ts'

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

/** One program: where it matters, how old it may be, and which package brings it. */
type Tool = {
  name: string
  floor: string
  /** `runtime`: one of these is enough. */
  need: 'required' | 'runtime' | 'wanted'
  forWhat: string
  /** Package of Debian and Fedora when it is not the program's name. */
  package?: string
  versionArgs?: string[]
}

/** The floors are what Debian 12 has; older versions were not tried. */
const TOOLS: readonly Tool[] = [
  { name: 'crun', floor: RUNTIME_FLOORS.crun as string, need: 'runtime', forWhat: 'runs containers' },
  { name: 'runc', floor: RUNTIME_FLOORS.runc as string, need: 'runtime', forWhat: 'runs containers' },
  { name: 'conmon', floor: '2.1.2', need: 'required', forWhat: 'watches containers' },
  { name: 'netavark', floor: '1.4', need: 'required', forWhat: 'pod networks' },
  { name: 'aardvark-dns', floor: '1.4', need: 'wanted', forWhat: 'names of pods' },
  {
    name: 'containers-storage',
    floor: '1.43',
    need: 'required',
    forWhat: 'root file systems',
    versionArgs: ['version'],
  },
  { name: 'skopeo', floor: '1.9', need: 'wanted', forWhat: 'pulling images' },
  { name: 'catatonit', floor: '0.1.7', need: 'wanted', forWhat: 'shareProcessNamespace' },
]

async function checkTools(run: Run, host: HostFacts): Promise<HostCheck[]> {
  const versions = new Map<string, string>()
  const ask = async (tool: Pick<Tool, 'name' | 'versionArgs'>): Promise<void> => {
    const path = findProgram(tool.name)
    if (path !== undefined) versions.set(tool.name, await versionOf(run, path, tool.versionArgs ?? ['--version']))
  }
  const asked = [...TOOLS, { name: 'nft' }, { name: 'iptables' }, { name: 'systemctl' }]
  await Promise.all(asked.map(ask))
  return [
    checkRuntimes(versions, host),
    ...TOOLS.map(tool => checkTool(tool, versions.get(tool.name), host)),
    checkFirewall(versions),
    checkSystemd(existsSync('/run/systemd/system'), versions.get('systemctl')),
  ]
}

/** A version number, `unknown` when the program runs but says none, `broken: …` when it cannot be run. */
async function versionOf(run: Run, path: string, args: string[]): Promise<string> {
  try {
    const { stdout, stderr, exitCode } = await run({ argv: [path, ...args], timeoutMs: 10_000 })
    const version = /\d+(?:\.\d+)+|(?<=systemd )\d+/.exec(`${stdout}\n${stderr}`)?.[0]
    // containers-storage 1.43 has no way to say its version, and says so with a failure.
    return version === undefined || exitCode !== 0 ? 'unknown' : version
  } catch (error) {
    return `broken: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Whether one program is there and new enough. Pure. */
export function checkTool(tool: Tool, version: string | undefined, host: HostFacts): HostCheck {
  const check = { name: tool.name, needed: `${tool.floor} or newer (${tool.forWhat})` }
  const install = `apt install ${tool.package ?? tool.name} (or dnf install ${tool.package ?? tool.name})`
  const lacking = tool.need === 'required' ? 'missing' : 'warn'
  if (version === undefined) return { ...check, status: lacking, found: 'not installed', remedy: install }
  if (version.startsWith('broken'))
    return { ...check, status: lacking, found: version, remedy: `reinstall it: ${install}` }
  if (version === 'unknown') return { ...check, status: 'ok', found: 'installed, version unknown' }
  if (isOlder(version, tool.floor)) {
    return { ...check, status: lacking, found: version, remedy: `update the host, then ${install}` }
  }
  const obstacle = obstacleOf({ name: tool.name, version }, host)
  if (obstacle === undefined) return { ...check, status: 'ok', found: version }
  return {
    ...check,
    status: 'warn',
    found: `${version}, unusable here: ${obstacle}`,
    remedy: 'use runc, or boot with cgroup v2 only',
  }
}

/** Whether at least one runtime works. Pure. */
export function checkRuntimes(versions: ReadonlyMap<string, string>, host: HostFacts): HostCheck {
  const usable = TOOLS.filter(({ name, floor, need }) => {
    const version = versions.get(name)
    if (need !== 'runtime' || version === undefined || !/^\d/.test(version)) return false
    return !isOlder(version, floor) && obstacleOf({ name, version }, host) === undefined
  }).map(tool => tool.name)
  const check = { name: 'OCI runtime', needed: 'crun or runc that works here' }
  if (usable.length > 0) return { ...check, status: 'ok', found: usable.join(', ') }
  const runtime = host.cgroup === 'hybrid' ? 'runc' : 'crun'
  return { ...check, status: 'missing', found: 'none', remedy: `apt install ${runtime} (or dnf install ${runtime})` }
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

/** netavark publishes ports with iptables, from 1.10 on with nftables as well. Pure. */
export function checkFirewall(versions: ReadonlyMap<string, string>): HostCheck {
  const netavark = versions.get('netavark') ?? ''
  const tools = isOlder(netavark, '1.10') ? ['iptables'] : ['nft', 'iptables']
  const found = tools.filter(tool => versions.get(tool)?.startsWith('broken') === false)
  const check = { name: 'firewall', needed: `${tools.join(' or ')} (published ports)` }
  if (found.length > 0)
    return { ...check, status: 'ok', found: found.map(tool => `${tool} ${versions.get(tool)}`).join(', ') }
  const name = tools[0] === 'nft' ? 'nftables' : 'iptables'
  return { ...check, status: 'missing', found: 'none', remedy: `apt install ${name} (or dnf install ${name})` }
}

/** systemd is wanted, never needed. Pure. */
export function checkSystemd(booted: boolean, version: string | undefined): HostCheck {
  const check = { name: 'systemd', needed: 'wanted: units, scopes and journal; 250 or newer' }
  if (!booted)
    return {
      ...check,
      status: 'warn',
      found: 'not the init of this host',
      remedy: 'none needed for pods; to run them as units, boot with systemd',
    }
  if (version === undefined || !isOlder(version, '250')) return { ...check, status: 'ok', found: version ?? 'running' }
  return { ...check, status: 'warn', found: version, remedy: 'update the host: older versions were not tried' }
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
