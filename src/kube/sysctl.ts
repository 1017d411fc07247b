/** Kernel parameters of a pod: only what belongs to a namespace of its own. */
import { emptyRecord, type Field } from './field.ts'
import { quote } from './issue.ts'

const NAME = /^(?:[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?$/i
const VALUE = /^[\x20-\x7e\t]*$/
const IPC = /^(?:kernel\.(?:shm|msg|sem)[a-z_]*|fs\.mqueue\.[a-z_]+)$/
const MAX_NAME = 253

/**
 * The sysctls of a pod with dots as separators. A name with a slash first has its separators swapped, so that
 * `net/ipv4/conf/eth0.1/x` and `net.ipv4.conf.eth0/1.x` are the same, as in sysctl(8).
 */
export function readSysctls(list: Field, host: { network: boolean; ipc: boolean }): Record<string, string> {
  const sysctls = emptyRecord<string>()
  for (const item of list.items()) {
    const field = item.at('name')
    const written = field.string() ?? ''
    if (written === '') continue
    const name = dotted(written)
    const problem = nameProblem(written, name, host)
    if (problem !== undefined) field.issue(problem.code, `${quote(written)} ${problem.message}`, problem.remedy)
    else if (Object.hasOwn(sysctls, name))
      field.issue('DUPLICATE', `${quote(written)} is set twice`, 'keep one of them')
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

function dotted(name: string): string {
  const first = name.search(/[./]/)
  if (first === -1 || name[first] === '.') return name
  return name.replace(/[./]/g, separator => (separator === '/' ? '.' : '/'))
}
