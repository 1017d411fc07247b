/** The columns of `top`, by the names that `podman top` and ps(1) have for them. Pure. */
import { goDuration } from '../../duration.ts'
import { TspodError } from '../../errors.ts'
import type { ProcessFacts } from '../../oci/index.ts'

/** Names of users and groups by id, of the container and of the host. */
export type Names = { user: IdNames; group: IdNames; hostUser: IdNames; hostGroup: IdNames }
export type IdNames = ReadonlyMap<number, string>

type Descriptor = {
  /** As in ps(1): `%U`. */
  code?: string
  header: string
  value(process: ProcessFacts, names: Names, nowMs: number): string
}

const named = (names: IdNames, id: number): string => names.get(id) ?? String(id)
const list = (names: IdNames, ids: readonly number[]): string => ids.map(id => named(names, id)).join(',')
const kibibytes = (bytes: number): string => String(Math.floor(bytes / 1024))

const DESCRIPTORS: { readonly [name: string]: Descriptor } = {
  args: { code: '%a', header: 'COMMAND', value: commandLine },
  capamb: { header: 'AMBIENT CAPS', value: ({ caps }) => capabilityNames(caps.ambient) },
  capbnd: { header: 'BOUNDING CAPS', value: ({ caps }) => capabilityNames(caps.bounding) },
  capeff: { header: 'EFFECTIVE CAPS', value: ({ caps }) => capabilityNames(caps.effective) },
  capinh: { header: 'INHERITED CAPS', value: ({ caps }) => capabilityNames(caps.inheritable) },
  capprm: { header: 'PERMITTED CAPS', value: ({ caps }) => capabilityNames(caps.permitted) },
  comm: { code: '%c', header: 'COMMAND', value: ({ comm }) => comm },
  etime: { code: '%t', header: 'ELAPSED', value: ({ elapsedMs }) => goDuration(elapsedMs) },
  group: { code: '%G', header: 'GROUP', value: ({ ids }, { group }) => named(group, ids.gid) },
  groups: { header: 'GROUPS', value: ({ ids }, { group }) => list(group, ids.groups) },
  hgroup: { header: 'HGROUP', value: ({ hostIds }, { hostGroup }) => named(hostGroup, hostIds.gid) },
  hgroups: { header: 'HGROUPS', value: ({ hostIds }, { hostGroup }) => list(hostGroup, hostIds.groups) },
  hpid: { header: 'HPID', value: ({ hostPid }) => String(hostPid) },
  huser: { header: 'HUSER', value: ({ hostIds }, { hostUser }) => named(hostUser, hostIds.uid) },
  label: { header: 'LABEL', value: ({ label }) => label },
  nice: { code: '%n', header: 'NI', value: ({ nice }) => String(nice) },
  pcpu: { code: '%C', header: '%CPU', value: processorShare },
  pgid: { code: '%r', header: 'PGID', value: ({ pgid }) => String(pgid) },
  pid: { code: '%p', header: 'PID', value: ({ pid }) => String(pid) },
  ppid: { code: '%P', header: 'PPID', value: ({ ppid }) => String(ppid) },
  rgroup: { code: '%g', header: 'RGROUP', value: ({ ids }, { group }) => named(group, ids.realGid) },
  rss: { header: 'RSS', value: ({ residentBytes }) => kibibytes(residentBytes) },
  ruser: { code: '%u', header: 'RUSER', value: ({ ids }, { user }) => named(user, ids.realUid) },
  seccomp: { header: 'SECCOMP', value: ({ seccomp }) => seccomp },
  state: { header: 'STATE', value: ({ state }) => state },
  stime: { header: 'STIME', value: ({ elapsedMs }, _names, nowMs) => new Date(nowMs - elapsedMs).toISOString() },
  time: { code: '%x', header: 'TIME', value: ({ cpuMs }) => goDuration(cpuMs) },
  tty: { code: '%y', header: 'TTY', value: ({ tty }) => tty },
  user: { code: '%U', header: 'USER', value: ({ ids }, { user }) => named(user, ids.uid) },
  vsz: { code: '%z', header: 'VSZ', value: ({ virtualBytes }) => kibibytes(virtualBytes) },
}

const DEFAULTS = ['user', 'pid', 'ppid', 'pcpu', 'etime', 'tty', 'time', 'args']

/** Names of all columns, sorted. */
export const descriptorNames = (): string[] => Object.keys(DESCRIPTORS)

export type Columns = { header: string[]; cells(process: ProcessFacts, names: Names, nowMs: number): string[] }

/**
 * The columns that are meant by names or ps(1) codes, each word one or several with commas between; without any, those
 * of Podman. @throws USAGE naming the known ones.
 */
export function columnsOf(words: readonly string[]): Columns {
  const names = words.flatMap(word => word.split(/[\s,]+/)).filter(Boolean)
  const chosen = (names.length === 0 ? DEFAULTS : names).map(descriptorOf)
  return {
    header: chosen.map(({ header }) => header),
    cells: (process, known, nowMs) => chosen.map(({ value }) => value(process, known, nowMs)),
  }
}

function descriptorOf(name: string): Descriptor {
  const found = Object.hasOwn(DESCRIPTORS, name)
    ? DESCRIPTORS[name]
    : Object.values(DESCRIPTORS).find(({ code }) => code === name)
  if (found !== undefined) return found
  throw new TspodError('USAGE', `'${name}': unknown descriptor`, {
    remedy: `use one of ${descriptorNames().join(', ')}`,
  })
}

function commandLine({ args, comm, state }: ProcessFacts): string {
  if (state === 'Z') return `[${comm}] <defunct>`
  return args.length > 0 ? args.join(' ') : `[${comm}]`
}

function processorShare({ cpuMs, elapsedMs }: ProcessFacts): string {
  return (elapsedMs === 0 ? 0 : (cpuMs / elapsedMs) * 100).toFixed(3)
}

/** Bits in the order of linux/capability.h. */
const CAPABILITIES = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ')

function capabilityNames(mask: bigint): string {
  const held = CAPABILITIES.filter((_, bit) => (mask >> BigInt(bit)) & 1n)
  if (held.length === 0) return 'none'
  return held.length === CAPABILITIES.length ? 'full' : held.join(',')
}
