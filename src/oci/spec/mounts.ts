/** The mount table of a container: what the kernel provides, what the sandbox hides, what the pod brings. */
import { posix } from 'node:path'
import { TspodError } from '../../errors.ts'
import { atLeast } from './seccomp.ts'
import type { HostFacts, OciMount, ResolvedMount, SpecInput } from './types.ts'

/** Size of a /dev/shm of one container, as in Podman. */
const SHM_OPTIONS = ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=64000k']
const KERNEL_OPTIONS = ['nosuid', 'noexec', 'nodev']

/** The union of what Podman, Docker, containerd and CRI-O hide; a path that does not exist is skipped by runtimes. */
const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/dev/block',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
  '/sys/fs/selinux',
]
/** The first with mount_setattr(2), by which a whole tree of mounts is made read-only. */
const RECURSIVE_KERNEL = '5.12'
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

/** Single files of /proc that may be replaced: what lxcfs offers. Anything else there would undo the masks. */
const REPLACEABLE_PROC = /^\/proc\/(cpuinfo|diskstats|loadavg|meminfo|slabinfo|stat|swaps|uptime|net\/dev)$/

/** Directories that stay writable under a read-only root, as in Podman; the image's content is kept. */
const WRITABLE_UNDER_READONLY = ['/run', '/tmp', '/var/tmp']

/**
 * What /proc and /sys hide from the container; nothing for a privileged one, and cgroups alone with
 * `procMount: Unmasked`, which is about /proc.
 */
export function hiddenPaths(input: SpecInput, host: HostFacts): { maskedPaths: string[]; readonlyPaths: string[] } {
  const { privileged, procMount } = input.container.security
  if (privileged) return { maskedPaths: [], readonlyPaths: [] }
  // With cgroup v1 runtimes leave the directory of the trees writable, a tmpfs, and crun the trees themselves: a root
  // of the container could raise its own limits. The directory comes first: crun would copy the trees onto themselves,
  // writable, with it.
  const trees = (host.v1Trees ?? []).map(name => `/sys/fs/cgroup/${name}`)
  const cgroups = host.cgroup === 'v2' ? [] : ['/sys/fs/cgroup', ...trees]
  if (procMount === 'Unmasked') return { maskedPaths: [], readonlyPaths: cgroups }
  return { maskedPaths: maskedPaths(host), readonlyPaths: [...READONLY_PATHS, ...cgroups] }
}

/** What a container must not read below /proc and /sys, on a host with this many processors. */
export function maskedPaths(host: HostFacts): string[] {
  // Per-CPU temperature counters are a side channel; they exist for every CPU or for none.
  const thermal = Array.from({ length: host.cpus }, (_, cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`)
  return [...MASKED_PATHS, ...thermal]
}

/**
 * All mounts in the order they are made. A mount of the pod replaces the default at the same place (an emptyDir on
 * /dev/shm, for example), and of two at one place the later wins. Outer directories come before inner ones.
 * Throws SECURITY_REFUSED for a mount over / or inside /proc.
 */
export function buildMounts(input: SpecInput, host: HostFacts): OciMount[] {
  const own = new Map<string, OciMount>()
  for (const mount of input.mounts) {
    const target = safeTarget(mount.target)
    own.set(target, bindMount({ ...mount, target }, input.container.security.privileged, host))
  }
  const defaults = defaultMounts(input).filter(mount => !own.has(mount.destination))
  return [...defaults, ...[...own.values()].sort((a, b) => depth(a.destination) - depth(b.destination))]
}

const depth = (path: string): number => path.split('/').length

/** The path as a runtime sees it; runc would refuse some of what is refused here, crun would not. */
function safeTarget(target: string): string {
  const clean = posix.resolve('/', target)
  const overProc = clean === '/proc' || (clean.startsWith('/proc/') && !REPLACEABLE_PROC.test(clean))
  if (clean !== '/' && !overProc && !target.includes('\0')) return clean
  throw new TspodError('SECURITY_REFUSED', `nothing can be mounted on "${target}" of a container`, {
    remedy: 'choose another mountPath: the root directory and /proc belong to the sandbox',
  })
}

function bindMount(mount: ResolvedMount, privileged: boolean, host: HostFacts): OciMount {
  const options = ['rbind', mount.propagation === 'private' ? 'rprivate' : mount.propagation]
  if (mount.readOnly) options.push('ro')
  if (!privileged) options.push('nosuid')
  if (!privileged && mount.device === undefined) options.push('nodev')
  const recursive = mount.readOnly && mount.propagation === 'private' && atLeast(host.kernel, RECURSIVE_KERNEL)
  if (mount.recursive && !recursive) throw notRecursive(mount)
  const extra = (mount.options ?? []).filter(option => !options.includes(option) && (option !== 'rro' || recursive))
  return { destination: mount.target, type: 'bind', source: mount.source, options: [...options, ...extra] }
}

function notRecursive({ target }: ResolvedMount): TspodError {
  return new TspodError('SECURITY_REFUSED', `${target} cannot be made read-only with what is mounted below it`, {
    remedy: `that takes Linux ${RECURSIVE_KERNEL}: use recursiveReadOnly: IfPossible`,
  })
}

function defaultMounts(input: SpecInput): OciMount[] {
  const { privileged, readOnlyRootFilesystem } = input.container.security
  const access = privileged ? 'rw' : 'ro'
  const mounts: OciMount[] = [
    ...coreMounts(),
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...KERNEL_OPTIONS, access] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['rprivate', ...KERNEL_OPTIONS, access],
    },
    ...ipcMounts(input.namespaces.ipc === undefined),
  ]
  if (!readOnlyRootFilesystem) return mounts
  const writable = WRITABLE_UNDER_READONLY.map(destination => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['rw', 'rprivate', 'nosuid', 'nodev', 'tmpcopyup'],
  }))
  return [...mounts, ...writable]
}

/**
 * /proc and /dev, always mounts of our own: without one over /dev a runtime would create device links in whatever
 * the image's /dev leads to (CVE-2026-41579).
 */
export function coreMounts(): OciMount[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: KERNEL_OPTIONS },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'noexec', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
  ]
}

/** POSIX shared memory and message queues belong to the IPC namespace: the host's when that is shared. */
function ipcMounts(hostIpc: boolean): OciMount[] {
  if (!hostIpc) {
    return [
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: SHM_OPTIONS },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: KERNEL_OPTIONS },
    ]
  }
  const ofHost = (path: string): OciMount => ({
    destination: path,
    type: 'bind',
    source: path,
    options: ['bind', 'rprivate', ...KERNEL_OPTIONS],
  })
  return [ofHost('/dev/shm'), { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: KERNEL_OPTIONS }]
}

/**
 * How the root's mounts are tied to the host's, for volumes with propagation: undefined leaves it to the runtime,
 * which cuts the root off. Every other mount says for itself that it is private.
 */
export function rootfsPropagation(mounts: readonly ResolvedMount[]): 'shared' | 'slave' | undefined {
  if (mounts.some(mount => mount.propagation === 'rshared')) return 'shared'
  return mounts.some(mount => mount.propagation === 'rslave') ? 'slave' : undefined
}
