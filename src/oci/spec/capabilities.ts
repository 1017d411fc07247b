/** Which capabilities a container gets. */
import { TspodError } from '../../errors.ts'
import type { ContainerSecurity } from '../../model.ts'
import type { HostFacts, OciCapabilities } from './types.ts'

/** Podman's default set: what most images need to set themselves up as root, and nothing that reaches the host. */
const DEFAULT_CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_NET_BIND_SERVICE',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
]

/**
 * The capability names of one container, sorted: `drop` wins over `add`, ALL stands for everything tspod itself has.
 * A default capability that tspod lacks is left out with a notice; throws HOST_LACKS for one the manifest asks for.
 */
export function chooseCapabilities(security: ContainerSecurity, host: HostFacts, notices: string[]): string[] {
  const held = new Set(host.capabilities)
  if (security.privileged) return [...held].sort()
  const added = security.capabilities.add.map(fullName)
  const dropped = security.capabilities.drop.map(fullName)
  const chosen = new Set<string>()
  if (added.includes('ALL')) for (const name of held) chosen.add(name)
  else if (!dropped.includes('ALL')) for (const name of defaults(held, dropped, notices)) chosen.add(name)
  if (dropped.includes('ALL')) chosen.clear()
  for (const name of added) {
    if (name === 'ALL' || dropped.includes(name)) continue
    if (!held.has(name)) throw lacksCapability(name)
    chosen.add(name)
  }
  for (const name of dropped) chosen.delete(name)
  return [...chosen].sort()
}

function defaults(held: ReadonlySet<string>, dropped: readonly string[], notices: string[]): string[] {
  const wanted = DEFAULT_CAPABILITIES.filter(name => !dropped.includes(name))
  for (const name of wanted) {
    if (!held.has(name)) notices.push(`${name} is left out of the default capabilities: tspod does not have it itself`)
  }
  return wanted.filter(name => held.has(name))
}

/** `net_admin` and `CAP_NET_ADMIN` are the same thing. */
function fullName(name: string): string {
  const upper = name.toUpperCase()
  return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`
}

/**
 * The capability sets of a process. Inheritable and ambient stay empty: CVE-2022-24769 and its kin came from a
 * non-empty inheritable set. A process that does not run as root loses the effective ones when it is executed.
 */
export function capabilitySets(names: readonly string[]): OciCapabilities {
  return { bounding: [...names], effective: [...names], permitted: [...names], inheritable: [], ambient: [] }
}

function lacksCapability(name: string): TspodError {
  return new TspodError('HOST_LACKS', `the manifest adds ${name}, which tspod itself does not have on this host`, {
    remedy: 'remove it from securityContext.capabilities.add, or run tspod where root has it',
  })
}
