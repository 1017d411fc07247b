/** A pod: its sections in order. */
import type { PodName, PodSpec, RegistryAuths, RestartPolicy, VolumeSpec } from '../../model.ts'
import type { ConfigStore } from '../config/index.ts'
import { readAnnotations, readLabels, readSettings, type Setting } from '../metadata.ts'
import type { Field } from '../yaml/index.ts'
import { either, quote, subdomainProblem } from '../yaml/index.ts'
import {
  type ContainerContext,
  checkContainerName,
  type ReadContainer,
  type ReadPort,
  readContainer,
} from './container.ts'
import { readDependencies } from './dependencies.ts'
import type { Self } from './downward.ts'
import { readDns, readHostAliases, readPodNames } from './hosts.ts'
import { applyPodman } from './podman.ts'
import { portsClash } from './ports.ts'
import { readPullSecrets } from './pull-secrets.ts'
import { readPodResources } from './resources.ts'
import { applySdnotify } from './sdnotify.ts'
import { checkProcMounts, readPodSecurity } from './security.ts'
import { readSysctls } from './sysctl.ts'
import { readUserns } from './userns.ts'
import { readVolumes } from './volume.ts'

const DEFAULT_GRACE_SECONDS = 30
/** The largest number of 32 bits. */
const MAX_SECONDS = 2_147_483_647
const DEPENDS_ON = 'io.tspod.depends-on'
const INIT_TYPE = 'io.podman.annotations.init.container.type'

export type PodContext = {
  store: ConfigStore
  baseDirectory: string
  annotations: Record<string, string>
  noHosts: boolean
  seccompRoot: string
  unsafeSysctls: readonly string[]
}

/** Where a pod comes from: its name and namespace are the workload's business, the rest is the template's. */
export type PodOrigin = {
  name: string
  namespace: string
  document: Field
  metadata: Field
  spec: Field
  /** What restartPolicy may be where it is not the author's choice; the first is what nothing means, if it is Always. */
  policies?: readonly RestartPolicy[]
  /** What the workload gives to this pod alone. */
  own?: PodOwn
}

/** Of one pod of many: labels and annotations on top of the template's, and volumes that replace its. */
export type PodOwn = {
  labels: Record<string, string>
  annotations?: Record<string, string>
  volumes?: readonly VolumeSpec[]
  hostname?: string
  subdomain?: string
  startAfter?: PodName[]
}

/**
 * `serviceLinks`: it gets the variables of the Services; `source` is the spec it was read from; `waits`: what it says
 * about pods that start before it.
 */
export type ReadPod = {
  spec: PodSpec
  waits: Setting[]
  ports: ReadPort[]
  serviceLinks: boolean
  source: Field
  pullAuths?: RegistryAuths
}

/** Translates one pod; mistakes are collected in the fields' context. */
export function readPod(origin: PodOrigin, context: PodContext): ReadPod {
  const { name, spec, metadata, document, own } = origin
  const hostNetwork = spec.at('hostNetwork').boolean() ?? false
  const hostPid = spec.at('hostPID').boolean() ?? false
  const hostIpc = spec.at('hostIPC').boolean() ?? false
  const shareProcessNamespace = spec.at('shareProcessNamespace').boolean() ?? false
  if (shareProcessNamespace && hostPid) refuseBoth(spec)
  spec.at('os').at('name').oneOf(['linux'], 'linux')
  const labels = Object.assign(readLabels(metadata.at('labels')), own?.labels)
  const annotations = Object.assign(readAnnotations(metadata, context.annotations), own?.annotations)
  const serviceAccountName = spec.at('serviceAccountName').string() || 'default'
  const all = [...spec.at('initContainers').items(), ...spec.at('containers').items()]
  const userns = readUserns(origin, context.annotations)
  const graceMs = readGraceMs(spec.at('terminationGracePeriodSeconds'))
  const self: Self = {
    podName: name,
    namespace: origin.namespace,
    labels,
    annotations,
    serviceAccountName,
    resourcesOf: wanted => all.find(field => field.at('name').string() === wanted)?.at('resources'),
  }
  const volumes = readVolumes(spec.at('volumes'), { ...context, ...self })
  for (const volume of own?.volumes ?? []) volumes.set(volume.name, volume)
  const securityContext = spec.at('securityContext')
  const containerContext: ContainerContext = {
    ...self,
    store: context.store,
    podSecurity: securityContext,
    seccompRoot: context.seccompRoot,
    graceMs,
    hostNetwork,
    volumes,
  }
  const { initContainers, containers } = readContainers(origin, containerContext, context.annotations)
  const ports = [...initContainers, ...containers].flatMap(container => container.ports)
  const initType = readInitType(metadata, context)
  if (userns === undefined) checkProcMounts(all)
  checkHostPorts(ports)
  const pod: PodSpec = {
    name: name as PodName,
    namespace: origin.namespace,
    labels,
    annotations,
    origin: originOf(document),
    ...readPodNames(spec, {
      podName: name,
      namespace: origin.namespace,
      hostname: own?.hostname,
      subdomain: own?.subdomain,
    }),
    ...(own?.startAfter !== undefined && { startAfter: own.startAfter }),
    hostAliases: readHostAliases(spec.at('hostAliases'), context.noHosts),
    dns: readDns(spec, hostNetwork),
    restartPolicy: readRestartPolicy(spec.at('restartPolicy'), origin),
    initType,
    graceMs,
    ...readDeadline(spec.at('activeDeadlineSeconds')),
    hostNetwork,
    hostPid,
    hostIpc,
    shareProcessNamespace,
    ...readPodWide(spec, { network: hostNetwork, ipc: hostIpc }, context),
    security: readPodSecurity(securityContext),
    ...(userns !== undefined && { userns }),
    volumes: [...volumes.values()].filter(volume => volume !== undefined),
    initContainers: initContainers.map(container => container.spec),
    containers: containers.map(container => container.spec),
    serviceAccountName,
  }
  const pullAuths = readPullSecrets(spec.at('imagePullSecrets'), context.store)
  return {
    spec: pod,
    waits: readWaits(origin, pod, context),
    ports,
    serviceLinks: spec.at('enableServiceLinks').boolean() ?? true,
    source: spec,
    ...(pullAuths !== undefined && { pullAuths }),
  }
}

/** Reads which containers of the pod wait for others; answers what it says about other pods. */
function readWaits({ document, metadata }: PodOrigin, pod: PodSpec, { annotations }: PodContext): Setting[] {
  const settings = readSettings(metadata, annotations, DEPENDS_ON)
  const inside = settings.filter(({ subject }) => subject !== '')
  readDependencies(inside, pod)
  // A workload may say it of itself as well as of its template.
  const whole = pod.origin.kind === 'Pod' ? [] : readSettings(document.at('metadata'), {}, DEPENDS_ON)
  return [...settings, ...whole].filter(({ subject }) => subject === '')
}

function refuseBoth(spec: Field): void {
  spec
    .at('shareProcessNamespace')
    .issue('INVALID_VALUE', 'shareProcessNamespace and hostPID cannot both be true', 'keep one of them')
}

const originOf = (document: Field): PodSpec['origin'] => ({
  kind: document.at('kind').string() ?? '',
  name: document.at('metadata').at('name').string() ?? '',
  place: document.place,
})

/** Limits for all containers together, kernel parameters, and the runtime by name. */
function readPodWide(
  spec: Field,
  host: { network: boolean; ipc: boolean },
  { unsafeSysctls }: PodContext,
): Pick<PodSpec, 'sysctls' | 'resources' | 'runtimeClass'> {
  const resources = spec.at('resources').present ? readPodResources(spec.at('resources'), spec) : undefined
  const field = spec.at('runtimeClassName')
  const name = field.string() ?? ''
  const problem = name === '' ? undefined : subdomainProblem(name)
  if (problem !== undefined) field.issue('INVALID_VALUE', `${quote(name)} ${problem}`)
  return {
    sysctls: readSysctls(spec.at('securityContext').at('sysctls'), host, unsafeSysctls),
    ...(resources !== undefined && { resources }),
    ...(name !== '' && { runtimeClass: name }),
  }
}

function readContainers(
  { spec, metadata }: PodOrigin,
  context: ContainerContext,
  extra: Record<string, string>,
): { initContainers: ReadContainer[]; containers: ReadContainer[] } {
  const taken = new Set<string>()
  const read = (isInit: boolean) => (field: Field) => {
    checkContainerName(field, taken)
    return readContainer(field, context, isInit)
  }
  const containers = spec.at('containers').items().map(read(false))
  const initContainers = spec.at('initContainers').items().map(read(true))
  const specs = [...initContainers, ...containers].map(container => container.spec)
  applyPodman(metadata, specs, { extra, seccompRoot: context.seccompRoot })
  applySdnotify(metadata, specs.slice(initContainers.length), specs.slice(0, initContainers.length), extra)
  return { initContainers, containers }
}

/** Host ports that two containers of the pods given want both. Returns after reporting at the later one. */
export function checkHostPorts(ports: readonly ReadPort[]): void {
  const published = ports.filter(({ port }) => port.hostPort !== undefined)
  const byNumber = new Map<string, ReadPort[]>()
  for (const entry of published) {
    const key = `${entry.port.hostPort}/${entry.port.protocol}`
    const before = byNumber.get(key) ?? []
    const clash = before.find(other => portsClash(other.port, entry.port))
    if (clash !== undefined) {
      const { line } = clash.field.place
      entry.field
        .at(entry.key ?? 'hostPort')
        .issue('DUPLICATE', `host port ${key} is taken already (line ${line})`, 'choose another host port')
    }
    byNumber.set(key, [...before, entry])
  }
}

function readRestartPolicy(field: Field, { policies, document }: PodOrigin): RestartPolicy {
  const policy = field.oneOf(['Always', 'OnFailure', 'Never'], 'Always')
  if (policies === undefined || policies.includes(policy)) return policy
  const kind = document.at('kind').string() ?? ''
  const remedy = policies.includes('Always') ? 'use Always, or a Pod' : `use ${either(policies)}`
  if (field.present) field.issue('UNSUPPORTED_VALUE', `${quote(policy)} is not possible in a ${kind}`, remedy)
  else field.issue('REQUIRED', `the pods of a ${kind} do not run for ever`, remedy)
  return policies[0] ?? policy
}

/** Podman's annotation: `once` where there is none. */
function readInitType(metadata: Field, context: PodContext): 'once' | 'always' {
  let type: 'once' | 'always' = 'once'
  for (const setting of readSettings(metadata, context.annotations, INIT_TYPE)) {
    if (setting.subject !== '') {
      setting.complain('INVALID_VALUE', 'the type is for all init containers of the pod', `write it as ${INIT_TYPE}`)
    } else if (setting.text === 'once' || setting.text === 'always') type = setting.text
    else setting.complain('UNSUPPORTED_VALUE', `${quote(setting.text)} is not possible here`, 'use once or always')
  }
  return type
}

function readDeadline(field: Field): Pick<PodSpec, 'deadlineMs'> {
  const seconds = field.integer()
  if (seconds === undefined) return {}
  if (seconds < 1 || seconds > MAX_SECONDS) field.issue('INVALID_VALUE', `must be between 1 and ${MAX_SECONDS}`)
  return { deadlineMs: seconds * 1000 }
}

/** Kubernetes reads a negative time as one second. */
function readGraceMs(field: Field): number {
  const seconds = field.integer() ?? DEFAULT_GRACE_SECONDS
  return (seconds < 0 ? 1 : Math.min(seconds, MAX_SECONDS)) * 1000
}
