/** securityContext of pods and containers. */
import type { ContainerSecurity, PodSecurity, SeccompSpec } from '../../model.ts'
import type { Field } from '../yaml/index.ts'
import { didYouMean, pathProblem, quote, tidyPath } from '../yaml/index.ts'
import { readAppArmor, readSelinux } from './lsm.ts'

const MAX_ID = 2_147_483_647

/** Linux capabilities without the prefix CAP_. */
const CAPABILITIES = (
  'AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH ' +
  'FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN ' +
  'NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT ' +
  'SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM'
).split(' ')

/** What a securityContext depends on besides itself: where profiles of seccomp are. */
export type PodTraits = { seccompRoot: string }

/** The part of a pod's securityContext that stays with the pod. */
export function readPodSecurity(context: Field): PodSecurity {
  const fsGroup = id(context.at('fsGroup'))
  const groups = context.at('supplementalGroups').items()
  context.at('fsGroupChangePolicy').oneOf(['', 'Always', 'OnRootMismatch'], '')
  const policy = context.at('supplementalGroupsPolicy').oneOf(['', 'Merge', 'Strict'], '')
  return {
    ...(fsGroup === undefined ? {} : { fsGroup }),
    supplementalGroups: groups.flatMap(item => id(item) ?? []),
    ...(policy === 'Strict' && { strictGroups: true }),
  }
}

/**
 * The securityContext of a container with the pod's as its default. Capability names have no CAP_ prefix; seccomp
 * is RuntimeDefault unless the manifest says otherwise, and Unconfined for a privileged container.
 */
export function readContainerSecurity(container: Field, pod: Field, { seccompRoot }: PodTraits): ContainerSecurity {
  const runAsUser = id(container.at('runAsUser')) ?? id(pod.at('runAsUser'))
  const runAsGroup = id(container.at('runAsGroup')) ?? id(pod.at('runAsGroup'))
  const privileged = container.at('privileged').boolean() ?? false
  const seccomp =
    readSeccomp(container.at('seccompProfile'), seccompRoot) ?? readSeccomp(pod.at('seccompProfile'), seccompRoot)
  const appArmor = readAppArmor(container, pod)
  const selinux = readSelinux(container, pod)
  const security: ContainerSecurity = {
    ...(runAsUser === undefined ? {} : { runAsUser }),
    ...(runAsGroup === undefined ? {} : { runAsGroup }),
    runAsNonRoot: container.at('runAsNonRoot').boolean() ?? pod.at('runAsNonRoot').boolean() ?? false,
    capabilities: {
      add: capabilities(container.at('capabilities').at('add')),
      drop: capabilities(container.at('capabilities').at('drop')),
    },
    privileged,
    readOnlyRootFilesystem: container.at('readOnlyRootFilesystem').boolean() ?? false,
    allowPrivilegeEscalation: container.at('allowPrivilegeEscalation').boolean() ?? true,
    seccomp: seccomp ?? { type: privileged ? 'Unconfined' : 'RuntimeDefault' },
    procMount: container.at('procMount').oneOf(['Default', 'Unmasked'], 'Default'),
    ...(appArmor !== undefined && { appArmor }),
    ...(selinux !== undefined && { selinux }),
  }
  checkContradictions(container, pod, security)
  return security
}

function checkContradictions(container: Field, pod: Field, security: ContainerSecurity): void {
  if (security.runAsNonRoot && security.runAsUser === 0) {
    const user = container.at('runAsUser').present ? container.at('runAsUser') : pod.at('runAsUser')
    user.issue('FORBIDDEN', 'user 0 is root, and runAsNonRoot is set', 'choose another user, or remove runAsNonRoot')
  }
  if (security.allowPrivilegeEscalation) return
  const escalation = container.at('allowPrivilegeEscalation')
  if (security.privileged)
    escalation.issue('FORBIDDEN', 'must not be false when privileged is true', 'remove one of them')
  if (security.capabilities.add.some(name => name === 'SYS_ADMIN' || name === 'ALL')) {
    escalation.issue('FORBIDDEN', 'must not be false when the capability SYS_ADMIN is added', 'remove one of them')
  }
}

/** Without a user namespace of the pod, an unmasked /proc is the host's to write to. */
export function checkProcMounts(containers: readonly Field[]): void {
  for (const container of containers) {
    const field = container.at('securityContext').at('procMount')
    if (field.string() === 'Unmasked')
      field.issue('FORBIDDEN', 'Unmasked needs a user namespace of the pod', 'set hostUsers: false')
  }
}

function id(field: Field): number | undefined {
  const value = field.integer()
  if (value === undefined || (value >= 0 && value <= MAX_ID)) return value
  field.issue('INVALID_VALUE', `must be between 0 and ${MAX_ID}`)
  return undefined
}

function capabilities(list: Field): string[] {
  return list.items().flatMap(item => {
    const written = item.string()
    if (written === undefined) return []
    const name = written.toUpperCase().replace(/^CAP_/, '')
    if (name === 'ALL' || CAPABILITIES.includes(name)) return name
    item.issue(
      'UNSUPPORTED_VALUE',
      `no capability is called ${quote(written)}`,
      didYouMean(name, CAPABILITIES) ?? 'see capabilities(7)',
    )
    return []
  })
}

function readSeccomp(profile: Field, root: string): SeccompSpec | undefined {
  if (!profile.present) return undefined
  const type = profile.at('type').oneOf(['', 'RuntimeDefault', 'Unconfined', 'Localhost'], '')
  const path = profile.at('localhostProfile')
  if (type === '') return undefined
  if (type !== 'Localhost') {
    if (path.present) path.issueAt(path.key, 'FORBIDDEN', 'is only for type: Localhost', 'remove it')
    return { type }
  }
  const text = path.string() ?? ''
  if (text === '') path.issue('REQUIRED', 'type Localhost needs the path of the profile', 'add localhostProfile')
  const problem = text === '' ? undefined : pathProblem(text)
  if (problem !== undefined) path.issue('INVALID_VALUE', `${quote(text)} ${problem}`)
  return { type, profile: `${root}/${tidyPath(text)}` }
}
