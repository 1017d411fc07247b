/** Kernel parameters of a pod: only what belongs to a namespace of its own. */
import { emptyRecord, type Field, quote } from '../yaml/index.ts'

const NAME = /^(?:[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?$/i
const VALUE = /^[\x20-\x7e\t]*$/
const IPC = /^(?:kernel\.(?:shm|msg|sem)[a-z_]*|fs\.mqueue\.[a-z_]+)$/
const MAX_NAME = 253

/** Those that can do no harm to other pods, as the kubelet has them. */
const SAFE = new Set(
  (
    'kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range ' +
    'net.ipv4.ip_unprivileged_port_start net.ipv4.ip_local_reserved_ports net.ipv4.tcp_keepalive_time ' +
    'net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_rmem ' +
    'net.ipv4.tcp_wmem'
  ).split(' '),
)

/**
 * The sysctls of a pod with dots as separators. A name with a slash first has its separators swapped, so that
 * `net/ipv4/conf/eth0.1/x` and `net.ipv4.conf.eth0/1.x` are the same, as in sysctl(8).
 * One that is not safe must be among `allowed`: names, or beginnings of names with a `*` behind.
 */
export function readSysctls(
  list: Field,
  host: { network: boolean; ipc: boolean },
  allowed: readonly string[],
): Record<string, string> {
  const sysctls = emptyRecord<string>()
  for (const item of list.items()) {
    const field = item.at('name')
    const written = field.string() ?? ''
    if (written === '') continue
    const name = dotted(written)
    const problem = nameProblem(written, name, host)
    const isAllowed = SAFE.has(name) || allowed.some(pattern => matches(name, pattern))
    if (problem !== undefined) field.issue(problem.code, `${quote(written)} ${problem.message}`, problem.remedy)
    else if (Object.hasOwn(sysctls, name))
      field.issue('DUPLICATE', `${quote(written)} is set twice`, 'keep one of them')
    else if (!isAllowed)
      field.issue(
        'FORBIDDEN',
        `${quote(written)} is not a safe sysctl`,
        `allow it with --allowed-unsafe-sysctls ${name}`,
      )
    const value = item.at('value').string() ?? ''
    if (!VALUE.test(value)) item.at('value').issue('INVALID_VALUE', 'must be one line of printable ASCII characters')
    sysctls[name] = value
  }
  return sysctls
}

type Problem = { code: 'INVALID_VALUE' | 'FORBIDDEN'; message: string; remedy: string }

function nameProblem(written: string, name: string, host: { network: boolean; ipc: boolean }): Problem | undefined {
  if (written.length > MAX_NAME || !NAME.test(written)) {
    return {
      code: 'INVALID_VALUE',
      message: 'is not the name of a kernel parameter',
      remedy: 'write it as net.core.somaxconn',
    }
  }
  const isNet = name.startsWith('net.')
  if (!isNet && !IPC.test(name)) {
    return {
      code: 'FORBIDDEN',
      message: 'belongs to the whole host, not to a pod',
      remedy: 'set it on the host with sysctl(8)',
    }
  }
  if (isNet ? !host.network : !host.ipc) return undefined
  const flag = isNet ? 'hostNetwork' : 'hostIPC'
  return {
    code: 'FORBIDDEN',
    message: `would change the host, because ${flag} is set`,
    remedy: `remove it, or remove ${flag}`,
  }
}

/** `net.core.*` stands for all that begins like it, `*` for all. */
const matches = (name: string, pattern: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(dotted(pattern.slice(0, -1))) : name === dotted(pattern)

function dotted(name: string): string {
  const first = name.search(/[./]/)
  if (first === -1 || name[first] === '.') return name
  return name.replace(/[./]/g, separator => (separator === '/' ? '.' : '/'))
}
