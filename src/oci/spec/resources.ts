/** Limits: cgroup values, resource limits of the process, and who dies first when memory runs out. */
import { TspodError } from '../../errors.ts'
import type { ContainerSpec, PodSpec, ResourceSpec } from '../../model.ts'
import type { HostFacts, OciDeviceRule, OciResources, OciRlimit, SpecInput } from './types.ts'

const PIDS_LIMIT = 2048
const CPU_PERIOD_US = 100_000
const MIN_CPU_QUOTA_US = 1000
const MIN_CPU_SHARES = 2
const MAX_CPU_SHARES = 262_144

const NOFILE_SOFT = 1024
const NOFILE_HARD = 524_288
const NPROC_HARD = 4_194_304
const MEMLOCK_BYTES = 8 * 1024 * 1024

/**
 * Cgroup limits of one container by the kubelet's rules: cpu shares from the request (or the limit), a quota per
 * 100 ms from the limit, memory from the limit, and at most 2048 processes.
 * Throws HOST_LACKS when the manifest asks for a limit whose controller this host does not have; our own defaults
 * are left out there with a notice.
 */
export function buildResources(input: SpecInput, host: HostFacts, notices: string[]): OciResources {
  const { resources } = input.container
  const has = hasController(host)
  refuseLimits([{ ...input.container, name: `container ${input.container.name}` }], host)
  if (!has('cpu') && resources.cpuRequestMilli !== undefined) {
    notices.push('resources.requests.cpu has no effect: this host has no cpu controller for containers')
  }
  if (!has('pids') && resources.pidsLimit === undefined)
    notices.push(`the default limit of ${PIDS_LIMIT} processes is not set: no pids controller`)
  return {
    devices: deviceRules(input),
    ...(resources.memoryLimitBytes !== undefined && { memory: memoryLimits(resources.memoryLimitBytes, host) }),
    ...((has('cpu') || hasCpuset(resources)) && {
      cpu: { ...(has('cpu') && cpuLimits(resources)), ...cpuset(resources) },
    }),
    ...(has('pids') && { pids: { limit: resources.pidsLimit ?? PIDS_LIMIT } }),
    ...(resources.hugepages !== undefined && { hugepageLimits: hugepageLimits(resources.hugepages) }),
  }
}

const hasController =
  (host: HostFacts) =>
  (controller: string): boolean =>
    host.controllers?.includes(controller) ?? true

/** Throws HOST_LACKS naming every limit that the manifest asks for and this host cannot set. */
export function refuseLimits(containers: readonly { name: string; resources: ResourceSpec }[], host: HostFacts): void {
  const has = hasController(host)
  const complaints = containers.flatMap(({ name, resources }) => {
    const asked: [value: unknown, limit: string, controller: string][] = [
      [resources.cpuLimitMilli, 'cpu', 'cpu'],
      [resources.memoryLimitBytes, 'memory', 'memory'],
      [resources.pidsLimit, 'pids', 'pids'],
      [resources.hugepages, 'hugepages', 'hugetlb'],
      [resources.cpusetCpus ?? resources.cpusetMems, 'cpuset', 'cpuset'],
    ]
    return asked.flatMap(([value, limit, controller]) =>
      value === undefined || has(controller) ? [] : [lacksController(name, limit, controller)],
    )
  })
  if (complaints.length === 0) return
  throw new TspodError('HOST_LACKS', complaints.join('\n'), {
    remedy: 'remove the limit, or enable the controller; `tspod doctor` shows what is there',
  })
}

const hasCpuset = ({ cpusetCpus, cpusetMems }: ResourceSpec): boolean => (cpusetCpus ?? cpusetMems) !== undefined

const cpuset = ({ cpusetCpus, cpusetMems }: ResourceSpec): OciResources['cpu'] => ({
  ...(cpusetCpus !== undefined && { cpus: cpusetCpus }),
  ...(cpusetMems !== undefined && { mems: cpusetMems }),
})

const hugepageLimits = (pages: Record<string, number>): OciResources['hugepageLimits'] =>
  Object.entries(pages).map(([pageSize, limit]) => ({ pageSize, limit }))

/** No swap beside the memory limit, as the kubelet's NoSwap; v1 hosts often cannot count swap, so it stays open there. */
function memoryLimits(limit: number, host: HostFacts): { limit: number; swap?: number } {
  return host.cgroup === 'v2' ? { limit, swap: limit } : { limit }
}

function cpuLimits(resources: ResourceSpec): { shares: number; quota?: number; period?: number } {
  const { cpuRequestMilli, cpuLimitMilli } = resources
  const weighed = cpuRequestMilli ?? cpuLimitMilli ?? 0
  const shares = Math.min(MAX_CPU_SHARES, Math.max(MIN_CPU_SHARES, Math.floor((weighed * 1024) / 1000)))
  if (cpuLimitMilli === undefined) return { shares }
  const quota = Math.max(MIN_CPU_QUOTA_US, Math.floor((cpuLimitMilli * CPU_PERIOD_US) / 1000))
  return { shares, quota, period: CPU_PERIOD_US }
}

/** Everything is denied but what runtimes always allow (null, zero, tty and so on) and the devices that are mounted. */
function deviceRules(input: SpecInput): OciDeviceRule[] {
  if (input.container.security.privileged) return [{ allow: true, access: 'rwm' }]
  const mounted = input.mounts.flatMap(mount => (mount.device === undefined ? [] : [{ mount, device: mount.device }]))
  return [
    { allow: false, access: 'rwm' },
    ...mounted.map(({ mount, device }) => ({ allow: true, ...device, access: mount.readOnly ? 'r' : 'rw' })),
  ]
}

/** Hard limits of tspod's own that are known. */
const MOST: Record<string, (host: HostFacts) => number> = {
  nofile: host => host.nofileHard,
  nproc: host => host.nprocHard,
  memlock: host => host.memlockHard,
}

/**
 * Limits of the first process, the same however tspod was started. A hard limit above what tspod has cannot be
 * given; it is lowered with a notice.
 */
export function buildRlimits(host: HostFacts, notices: string[], asked: ContainerSpec['rlimits'] = {}): OciRlimit[] {
  const clamp = (name: string, wanted: number, most: number): number => {
    if (wanted <= most) return wanted
    notices.push(`the limit ${name} is ${most} instead of ${wanted}: tspod's own hard limit is not higher`)
    return most
  }
  const nofile = clamp('nofile', NOFILE_HARD, host.nofileHard)
  const memlock = clamp('memlock', MEMLOCK_BYTES, host.memlockHard)
  const nproc = Math.min(NPROC_HARD, host.nprocHard)
  const usual = [
    { type: 'RLIMIT_NOFILE', soft: Math.min(NOFILE_SOFT, nofile), hard: nofile },
    { type: 'RLIMIT_NPROC', soft: nproc, hard: nproc },
    { type: 'RLIMIT_MEMLOCK', soft: memlock, hard: memlock },
    { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
  ]
  const wanted = Object.entries(asked).map(([name, { soft, hard }]) => {
    const most = MOST[name]?.(host) ?? Number.MAX_SAFE_INTEGER
    const value = (limit: number): number => (limit < 0 ? most : clamp(name, limit, most))
    return { type: `RLIMIT_${name.toUpperCase()}`, soft: Math.min(value(soft), value(hard)), hard: value(hard) }
  })
  return [...usual.filter(({ type }) => !wanted.some(other => other.type === type)), ...wanted]
}

/**
 * The limits of a pod's own cgroup, for all its containers together; undefined where the manifest sets none.
 * Values as in `buildResources`.
 */
export function podLimits(resources: ResourceSpec | undefined): PodLimits | undefined {
  if (resources === undefined) return undefined
  const { cpuLimitMilli, cpuRequestMilli, memoryLimitBytes, pidsLimit, hugepages } = resources
  const cpu = cpuLimits(resources)
  const limits = {
    ...(cpuLimitMilli !== undefined && { cpuQuotaUs: cpu.quota ?? -1, cpuPeriodUs: CPU_PERIOD_US }),
    ...((cpuRequestMilli ?? cpuLimitMilli) !== undefined && { cpuShares: cpu.shares }),
    ...(memoryLimitBytes !== undefined && { memoryBytes: memoryLimitBytes }),
    ...(pidsLimit !== undefined && { pids: pidsLimit }),
    ...(hugepages !== undefined && { hugepages }),
  }
  return Object.keys(limits).length > 0 ? limits : undefined
}

type PodLimits = {
  cpuQuotaUs?: number
  cpuPeriodUs?: number
  cpuShares?: number
  memoryBytes?: number
  pids?: number
  hugepages?: Record<string, number>
}

export type Qos = 'Guaranteed' | 'Burstable' | 'BestEffort'

/** The quality-of-service class of a pod, over all its containers, as the API server computes it. */
export function qosClass(pod: PodSpec): Qos {
  // What is said for the pod as a whole counts alone.
  const parts =
    pod.resources === undefined ? [...pod.initContainers, ...pod.containers] : [{ resources: pod.resources }]
  const all = parts.map(part => effective(part.resources))
  if (all.every(r => !r.cpuLimit && !r.cpuRequest && !r.memoryLimit && !r.memoryRequest)) return 'BestEffort'
  const guaranteed = all.every(
    r => r.cpuLimit > 0 && r.memoryLimit > 0 && r.cpuLimit === r.cpuRequest && r.memoryLimit === r.memoryRequest,
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}

/** A limit without a request counts as the request too. */
function effective(r: ResourceSpec): {
  cpuLimit: number
  cpuRequest: number
  memoryLimit: number
  memoryRequest: number
} {
  const [cpuLimit, memoryLimit] = [r.cpuLimitMilli ?? 0, r.memoryLimitBytes ?? 0]
  return {
    cpuLimit,
    cpuRequest: r.cpuRequestMilli ?? cpuLimit,
    memoryLimit,
    memoryRequest: r.memoryRequestBytes ?? memoryLimit,
  }
}

/**
 * oom_score_adj of a container by the kubelet's formula: the more of its memory was asked for, the later it dies.
 * Without the right to go below zero it is clamped there, with a notice.
 */
export function oomScoreAdj(pod: PodSpec, container: ContainerSpec, host: HostFacts, notices: string[]): number {
  return clampOom(wantedOomScore(pod, container, host), host, notices)
}

function wantedOomScore(pod: PodSpec, container: ContainerSpec, host: HostFacts): number {
  const qos = qosClass(pod)
  if (qos === 'Guaranteed') return -997
  if (qos === 'BestEffort') return 1000
  const own = memoryRequest(container)
  // A sidecar does not go before the most expendable of those that it serves.
  const isSidecar =
    container.restartPolicy === 'Always' && pod.initContainers.some(({ name }) => name === container.name)
  const asked = isSidecar ? Math.max(own, Math.min(...pod.containers.map(memoryRequest))) : own
  const share = (asked + unclaimedMemory(pod)) / host.memoryBytes
  return Math.min(999, Math.max(3, 1000 - Math.floor(1000 * share)))
}

const memoryRequest = ({ resources }: Pick<ContainerSpec, 'resources'>): number => effective(resources).memoryRequest

/** What is asked for the pod as a whole and for none of its containers: each is taken to have asked for a part of it. */
function unclaimedMemory({ resources, initContainers, containers }: PodSpec): number {
  const wanted = resources === undefined ? 0 : effective(resources).memoryRequest
  if (wanted === 0) return 0
  let [sidecars, most] = [0, 0]
  for (const container of initContainers) {
    const own = memoryRequest(container)
    if (container.restartPolicy === 'Always') sidecars += own
    else most = Math.max(most, sidecars + own)
  }
  const claimed = Math.max(most, sidecars + containers.reduce((sum, container) => sum + memoryRequest(container), 0))
  return Math.max(0, Math.floor((wanted - claimed) / (initContainers.length + containers.length)))
}

/** The `oom_score_adj` that this host lets tspod set; a difference is added to `notices`. */
export function clampOom(wanted: number, host: HostFacts, notices: string[]): number {
  if (wanted >= 0 || host.canLowerOom) return wanted
  notices.push(`oom_score_adj is 0 instead of ${wanted}: tspod lacks CAP_SYS_RESOURCE`)
  return 0
}

const lacksController = (name: string, limit: string, controller: string): string =>
  `${name} sets resources.limits.${limit}, and this host has no ${controller} cgroup controller to enforce it`
