/**
 * The controls of the Pod Security Standards (https://kubernetes.io/docs/concepts/security/pod-security-standards/, as of
 * Kubernetes 1.34), each a row. They look at the manifest, because the standards are about what it says: a seccomp
 * profile must be asked for even where it is what happens anyway.
 */
import type { Field } from '../yaml/index.ts'
import { either } from '../yaml/index.ts'

export type Level = 'privileged' | 'baseline' | 'restricted'

/** `what` names the control and the value that it forbids. */
export type Violation = { field: Field; what: string; remedy: string }

/** A pod as the controls see it. `containers`: of all three lists. */
export type PodView = { spec: Field; containers: readonly Field[]; annotations: Readonly<Record<string, string>> }

/** A value that may only be one of some, or missing. `[]` in a path stands for all items of a list. */
type Row = {
  control: string
  on: 'pod' | 'containers' | 'both'
  paths: readonly string[]
  /** What a value may be: texts, numbers and booleans as text. */
  allowed: readonly string[] | ((value: string) => boolean)
  remedy?: string
  /** Not asked of a pod with `hostUsers: false`: what it has in its own user namespace it has not on the host. */
  relaxed?: true
}

const PODS_CAPABILITIES = [
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'SETFCAP'],
  ...['SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
]
const SAFE_SYSCTLS = [
  'kernel.shm_rmid_forced',
  ...['local_port_range', 'unprivileged_port_start', 'local_reserved_ports'].map(name => `net.ipv4.ip_${name}`),
  ...['syncookies', 'keepalive_time', 'fin_timeout', 'keepalive_intvl', 'keepalive_probes', 'rmem', 'wmem'].map(
    name => `net.ipv4.tcp_${name}`,
  ),
  'net.ipv4.ping_group_range',
]
const HANDLERS = ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle.postStart', 'lifecycle.preStop']
const PLAIN_VOLUMES = [
  ...['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected'],
  'secret',
]
const SECCOMP = ['RuntimeDefault', 'Localhost']
const ANNOTATIONS: readonly { control: string; key: RegExp; allowed: RegExp }[] = [
  {
    control: 'AppArmor',
    key: /^container\.apparmor\.security\.beta\.kubernetes\.io\//,
    allowed: /^(?:|runtime\/default|localhost\/.*)$/,
  },
  {
    control: 'seccomp',
    key: /^(?:container\.)?seccomp\.security\.alpha\.kubernetes\.io\//,
    allowed: /^(?:runtime\/default|docker\/default|localhost\/.*)$/,
  },
  {
    control: 'SELinux',
    key: /^io\.podman\.annotations\.label\//,
    allowed: /^(?:disable|level:.*|type:container_(?:|init_|kvm_|engine_)t)$/,
  },
]

const BASELINE: readonly Row[] = [
  {
    control: 'HostProcess',
    on: 'both',
    paths: ['securityContext.windowsOptions.hostProcess'],
    allowed: ['false'],
  },
  { control: 'host namespaces', on: 'pod', paths: ['hostNetwork', 'hostPID', 'hostIPC'], allowed: ['false'] },
  { control: 'privileged containers', on: 'containers', paths: ['securityContext.privileged'], allowed: ['false'] },
  {
    control: 'capabilities',
    on: 'containers',
    paths: ['securityContext.capabilities.add[]'],
    allowed: PODS_CAPABILITIES,
  },
  {
    control: 'hostPath volumes',
    on: 'pod',
    paths: ['volumes[].hostPath'],
    allowed: [],
    remedy: 'use emptyDir or a claim',
  },
  { control: 'host ports', on: 'containers', paths: ['ports[].hostPort'], allowed: ['0'] },
  {
    control: 'host probes and lifecycle hooks',
    on: 'containers',
    paths: HANDLERS.flatMap(handler => [`${handler}.httpGet.host`, `${handler}.tcpSocket.host`]),
    allowed: [''],
  },
  {
    control: 'AppArmor',
    on: 'both',
    paths: ['securityContext.appArmorProfile.type'],
    allowed: ['RuntimeDefault', 'Localhost'],
  },
  {
    control: 'SELinux',
    on: 'both',
    paths: ['securityContext.seLinuxOptions.type'],
    allowed: ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'],
  },
  {
    control: 'SELinux',
    on: 'both',
    paths: ['securityContext.seLinuxOptions.user', 'securityContext.seLinuxOptions.role'],
    allowed: [''],
  },
  {
    control: '/proc mount type',
    on: 'containers',
    paths: ['securityContext.procMount'],
    allowed: ['', 'Default'],
    relaxed: true,
  },
  { control: 'seccomp', on: 'both', paths: ['securityContext.seccompProfile.type'], allowed: SECCOMP },
  { control: 'sysctls', on: 'pod', paths: ['securityContext.sysctls[].name'], allowed: SAFE_SYSCTLS },
]

const RESTRICTED: readonly Row[] = [
  {
    control: 'running as non-root user',
    on: 'both',
    paths: ['securityContext.runAsUser'],
    allowed: value => value !== '0',
    remedy: 'choose another user',
    relaxed: true,
  },
  {
    control: 'capabilities',
    on: 'containers',
    paths: ['securityContext.capabilities.add[]'],
    allowed: ['NET_BIND_SERVICE'],
  },
]

/** What a level forbids in a pod, in the order of the controls. */
export function violations(level: Level, pod: PodView): Violation[] {
  if (level === 'privileged') return []
  const baseline = [...BASELINE.flatMap(row => ofRow(row, pod)), ...annotationsOf(pod)]
  if (level === 'baseline') return baseline
  const named = new Set(baseline.map(({ field }) => field.path))
  const rows = RESTRICTED.flatMap(row => ofRow(row, pod)).filter(({ field }) => !named.has(field.path))
  return [...baseline, ...volumeTypes(pod, named), ...rows, ...wantedOfPod(pod), ...pod.containers.flatMap(wanted)]
}

const ownUsers = ({ spec }: PodView): boolean => spec.at('hostUsers').boolean() === false

function ofRow({ control, on, paths, allowed, remedy, relaxed }: Row, pod: PodView): Violation[] {
  if (relaxed && ownUsers(pod)) return []
  const { spec, containers } = pod
  const places = on === 'pod' ? [spec] : on === 'containers' ? containers : [spec, ...containers]
  const isAllowed = typeof allowed === 'function' ? allowed : (value: string) => allowed.includes(value)
  const words = typeof allowed === 'function' ? [] : allowed.filter(word => word !== '')
  const hint = remedy ?? (words.length > 1 ? `use ${either(words)}, or remove it` : 'remove it')
  return places
    .flatMap(place => paths.flatMap(path => fieldsAt(place, path)))
    .filter(field => field.present && !isAllowed(textOf(field)))
    .map(field => ({ field, what: `${control} (${nameOf(field)}${shown(field)})`, remedy: hint }))
}

function fieldsAt(from: Field, path: string): Field[] {
  let fields = [from]
  for (const part of path.split('.')) {
    const isList = part.endsWith('[]')
    const next = fields.map(field => field.at(isList ? part.slice(0, -2) : part))
    fields = isList ? next.flatMap(list => list.items()) : next
  }
  return fields
}

const textOf = (field: Field): string => `${field.string() ?? field.boolean() ?? field.integer() ?? 'given'}`

function shown(field: Field): string {
  return field.node?.kind === 'scalar' ? `=${textOf(field).slice(0, 64)}` : ''
}

/** The last name of the path, `capabilities.add` for an item. */
function nameOf(field: Field): string {
  const names = field.path.replace(/\[[^\]]*\]$/, '').split('.')
  const last = names.at(-1) ?? ''
  return ['add', 'name', 'type', 'user', 'role', 'host'].includes(last)
    ? names
        .slice(-2)
        .join('.')
        .replace(/\[.*\]/, '')
    : last
}

/** Annotations that do what a field does are held to what the field is held to. */
function annotationsOf({ spec, annotations }: PodView): Violation[] {
  return ANNOTATIONS.flatMap(({ control, key, allowed }) =>
    Object.entries(annotations)
      .filter(([name, value]) => key.test(name) && !allowed.test(value))
      .map(([name, value]) => ({ field: spec, what: `${control} (annotation ${name}=${value})`, remedy: 'remove it' })),
  )
}

function volumeTypes({ spec }: PodView, named: ReadonlySet<string>): Violation[] {
  return spec
    .at('volumes')
    .items()
    .flatMap(volume => volume.members())
    .filter(([name, field]) => name !== 'name' && field.present && !PLAIN_VOLUMES.includes(name))
    .filter(([, field]) => !named.has(field.path))
    .map(([name, field]) => ({
      field,
      what: `volume types (${name})`,
      remedy: `use ${either(PLAIN_VOLUMES)}`,
    }))
}

/** runAsNonRoot and seccompProfile, which a pod may say for its containers. */
function wantedOfPod(pod: PodView): Violation[] {
  const { spec, containers } = pod
  const seccomp = spec.at('securityContext').at('seccompProfile').at('type')
  const unsaid = containers
    .filter(container => !seccomp.present && !container.at('securityContext').at('seccompProfile').at('type').present)
    .map(container => ({
      field: container,
      what: 'seccomp (no seccompProfile)',
      remedy: 'set securityContext.seccompProfile.type: RuntimeDefault in the pod or the container',
    }))
  return ownUsers(pod) ? unsaid : [...nonRoot(pod), ...unsaid]
}

/** Whoever says false is wrong, the pod even where every container says true. */
function nonRoot({ spec, containers }: PodView): Violation[] {
  const ofPod = spec.at('securityContext').at('runAsNonRoot')
  const wrong = containers.flatMap(container => {
    const own = container.at('securityContext').at('runAsNonRoot')
    if (own.present) return own.boolean() === false ? own : []
    return ofPod.present ? [] : container
  })
  return [...(ofPod.boolean() === false ? [ofPod] : []), ...wrong].map(field => ({
    field,
    what: 'running as non-root (runAsNonRoot != true)',
    remedy: 'set securityContext.runAsNonRoot: true in the pod or the container',
  }))
}

/** What each container must say itself. */
function wanted(container: Field): Violation[] {
  const security = container.at('securityContext')
  const escalation = security.at('allowPrivilegeEscalation')
  const dropped = security.at('capabilities').at('drop')
  const found: Violation[] = []
  if (escalation.boolean() !== false)
    found.push({
      field: escalation.present ? escalation : container,
      what: 'privilege escalation (allowPrivilegeEscalation != false)',
      remedy: 'set securityContext.allowPrivilegeEscalation: false',
    })
  if (!(dropped.strings() ?? []).includes('ALL'))
    found.push({
      field: dropped.present ? dropped : container,
      what: 'capabilities (drop without ALL)',
      remedy: 'set securityContext.capabilities.drop: [ALL]',
    })
  return found
}
