/** Linux security modules: what a manifest asks of them, and hosts that have none. */
import { TspodError } from '../../errors.ts'
import type { ContainerSpec } from '../../model.ts'
import type { HostFacts, OciConfig, SpecInput } from './types.ts'

type Confined = Pick<ContainerSpec, 'name' | 'security'>

/** What containers run as where nothing else is said: the labels of container-selinux. */
const PROCESS = { user: 'system_u', role: 'system_r', type: 'container_t', level: 's0' }
const FILES = { user: 'system_u', role: 'object_r', type: 'container_file_t' }

/** Throws HOST_LACKS naming every profile that the manifest asks for and this host cannot apply, as a kubelet does. */
export function refuseAppArmor(containers: readonly Confined[], host: HostFacts): void {
  const complaints = containers.flatMap(({ name, security: { appArmor } }) =>
    appArmor === undefined || appArmor.type === 'Unconfined' || host.apparmor
      ? []
      : [`container ${name} sets appArmorProfile, and this host has no AppArmor (or no apparmor_parser)`],
  )
  if (complaints.length === 0) return
  throw new TspodError('HOST_LACKS', complaints.join('\n'), { remedy: 'remove it, or enable it on the host' })
}

/**
 * The labels of the process and of its files; nothing where the manifest sets none. A host without SELinux has none
 * either, and runs such a pod as every node of a cluster does.
 */
function selinuxLabels({ security }: Confined, host: HostFacts): { process?: string; mount?: string } {
  const wanted = security.selinux
  if (wanted === undefined || !host.selinux) return {}
  const { user, role, type, level } = { ...PROCESS, ...wanted }
  return {
    process: `${user}:${role}:${type}:${level}`,
    mount: `${FILES.user}:${FILES.role}:${FILES.type}:${level}`,
  }
}

/** The part of the configuration that the modules read. */
export function confine(
  config: OciConfig,
  { container, appArmorProfile }: Pick<SpecInput, 'container' | 'appArmorProfile'>,
  host: HostFacts,
): void {
  const { process, mount } = selinuxLabels(container, host)
  if (appArmorProfile !== undefined) config.process.apparmorProfile = appArmorProfile
  if (process !== undefined) config.process.selinuxLabel = process
  if (mount !== undefined) config.linux.mountLabel = mount
}
