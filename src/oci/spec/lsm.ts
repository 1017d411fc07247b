/** Linux security modules: what a manifest asks of them, and hosts that have none. */
import { TspodError } from '../../errors.ts'
import type { ContainerSpec } from '../../model.ts'
import type { HostFacts, OciConfig } from './types.ts'

type Confined = Pick<ContainerSpec, 'name' | 'security'>

/** What containers run as where nothing else is said: the labels of container-selinux. */
const PROCESS = { user: 'system_u', role: 'system_r', type: 'container_t', level: 's0' }
const FILES = { user: 'system_u', role: 'object_r', type: 'container_file_t' }

/** Throws HOST_LACKS naming every profile and label that the manifest asks for and this host cannot apply. */
export function refuseLsm(containers: readonly Confined[], host: HostFacts): void {
  const complaints = containers.flatMap(({ name, security }) => [
    ...(security.appArmor === undefined || security.appArmor.type === 'Unconfined' || host.apparmor
      ? []
      : [`container ${name} sets appArmorProfile, and this host has no AppArmor`]),
    ...(security.selinux === undefined || host.selinux
      ? []
      : [`container ${name} sets seLinuxOptions, and this host has no SELinux`]),
  ])
  if (complaints.length === 0) return
  throw new TspodError('HOST_LACKS', complaints.join('\n'), { remedy: 'remove it, or enable it on the host' })
}

/** The profile of the process: only one by name; without it the process has none of its own. */
function appArmorProfile({ security }: Confined): string | undefined {
  const { appArmor } = security
  return appArmor?.type === 'Localhost' ? appArmor.profile : undefined
}

/** The labels of the process and of its files; nothing where the manifest sets none. */
function selinuxLabels({ security }: Confined): { process?: string; mount?: string } {
  const wanted = security.selinux
  if (wanted === undefined) return {}
  const { user, role, type, level } = { ...PROCESS, ...wanted }
  return {
    process: `${user}:${role}:${type}:${level}`,
    mount: `${FILES.user}:${FILES.role}:${FILES.type}:${level}`,
  }
}

/** The part of the configuration that the modules read. */
export function confine(config: OciConfig, container: Confined): void {
  const profile = appArmorProfile(container)
  const { process, mount } = selinuxLabels(container)
  if (profile !== undefined) config.process.apparmorProfile = profile
  if (process !== undefined) config.process.selinuxLabel = process
  if (mount !== undefined) config.linux.mountLabel = mount
}
