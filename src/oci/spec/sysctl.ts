/** Kernel parameters of a pod: only those that belong to its own namespaces. */
import { TspodError } from '../../errors.ts'
import type { HostFacts, SpecInput } from './types.ts'

/** Dotted names; no separator, sign or wildcard that a runtime could read as another parameter (CVE-2022-0811). */
const NAME = /^[a-z][a-z0-9_]*(\.[a-zA-Z0-9_-]+)+$/
const IPC_NAME = /^(kernel\.(shm|msg)[a-z_]*|kernel\.sem|fs\.mqueue\.[a-z_]+)$/

/**
 * The parameters a runtime sets: our defaults for a network namespace of the pod's own (unprivileged ping for root's
 * group as in Podman; IPv6 router advertisements refused, CVE-2020-10749), then those of the manifest.
 * Throws SECURITY_REFUSED for one that would change the host.
 */
export function buildSysctls(input: Pick<SpecInput, 'pod' | 'namespaces'>, host: HostFacts): Record<string, string> {
  const ownNet = input.namespaces.net !== undefined
  const ownIpc = input.namespaces.ipc !== undefined
  for (const [name, value] of Object.entries(input.pod.sysctls)) {
    const isNet = name.startsWith('net.')
    if (!NAME.test(name) || /[\0-\x1f]/.test(value)) throw refused(name, 'its name or value is not well-formed')
    if (!isNet && !IPC_NAME.test(name)) throw refused(name, 'it belongs to the whole host, not to a pod')
    if (isNet && !ownNet) throw refused(name, 'the pod shares the network of the host')
    if (!isNet && !ownIpc) throw refused(name, 'the pod shares the IPC namespace of the host')
  }
  return { ...(ownNet && networkDefaults(host)), ...input.pod.sysctls }
}

function networkDefaults(host: HostFacts): Record<string, string> {
  const noAdvertisements = { 'net.ipv6.conf.all.accept_ra': '0', 'net.ipv6.conf.default.accept_ra': '0' }
  return { 'net.ipv4.ping_group_range': '0 0', ...(host.ipv6 && noAdvertisements) }
}

function refused(name: string, why: string): TspodError {
  return new TspodError('SECURITY_REFUSED', `the sysctl "${name}" cannot be set: ${why}`, {
    remedy: 'remove it from securityContext.sysctls; set parameters of the host with sysctl(8)',
  })
}
