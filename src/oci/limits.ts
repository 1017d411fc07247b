/**
 * Limits of containers that run already, written to their cgroups: no runtime has a say in what the kernel enforces.
 * Sources: the kernel's cgroup-v1/{memory,cpusets}.rst, sched-bwc.rst, cgroup-v2.rst; for shares as weight, runc.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TspodError } from '../errors.ts'
import type { Hierarchy } from './cgroup.ts'
import type { OciResources } from './spec/index.ts'

/** Absent: as it is. -1: no limit. */
export type Limits = {
  memoryBytes?: number
  /** What is kept for it when memory is short. */
  memoryReservationBytes?: number
  /** Memory and swap together. */
  memorySwapBytes?: number
  cpuQuotaUs?: number
  cpuPeriodUs?: number
  cpuShares?: number
  /** Lists such as `0-2,5`. */
  cpusetCpus?: string
  cpusetMems?: string
  pids?: number
  /** Page size as the kernel writes it (2MB) → bytes. */
  hugepages?: Record<string, number>
}

/** One file to write; `limit` is what a person calls it. */
export type LimitWrite = { limit: string; controller: string; file: string; text: string }

const DEFAULT_PERIOD_US = 100_000
const NO_LIMIT = -1

const NAMES: Record<keyof Limits, string> = {
  memoryBytes: 'memory',
  memoryReservationBytes: 'memory reservation',
  memorySwapBytes: 'memory and swap',
  cpuQuotaUs: 'cpu quota',
  cpuPeriodUs: 'cpu period',
  cpuShares: 'cpu shares',
  cpusetCpus: 'set of cpus',
  cpusetMems: 'set of memory nodes',
  pids: 'processes',
  hugepages: 'huge pages',
}

const CONTROLLERS: Record<keyof Limits, string> = {
  memoryBytes: 'memory',
  memoryReservationBytes: 'memory',
  memorySwapBytes: 'memory',
  cpuQuotaUs: 'cpu',
  cpuPeriodUs: 'cpu',
  cpuShares: 'cpu',
  cpusetCpus: 'cpuset',
  cpusetMems: 'cpuset',
  pids: 'pids',
  hugepages: 'hugetlb',
}

/** Limits of one value each. */
type Single = Exclude<keyof Limits, 'hugepages'>

const FILES_V1: Record<Single, string> = {
  memoryBytes: 'memory.limit_in_bytes',
  memoryReservationBytes: 'memory.soft_limit_in_bytes',
  memorySwapBytes: 'memory.memsw.limit_in_bytes',
  cpuQuotaUs: 'cpu.cfs_quota_us',
  cpuPeriodUs: 'cpu.cfs_period_us',
  cpuShares: 'cpu.shares',
  cpusetCpus: 'cpuset.cpus',
  cpusetMems: 'cpuset.mems',
  pids: 'pids.max',
}

/** What to write into a v1 cgroup, in an order in which the kernel takes it. `current` reads one of its files. */
export function writesV1(limits: Limits, current: (file: string) => string | undefined): LimitWrite[] {
  const memory = limits.memoryBytes ?? 0
  // Memory may never exceed memory and swap: the larger of the two goes first when they grow.
  const grows = memory === NO_LIMIT || memory > Number(current(FILES_V1.memoryBytes) ?? 0)
  const order: Single[] = grows
    ? ['memorySwapBytes', 'memoryBytes', 'memoryReservationBytes']
    : ['memoryBytes', 'memorySwapBytes', 'memoryReservationBytes']
  const singles = [...order, ...OTHERS].flatMap(key => {
    const value = limits[key]
    if (value === undefined) return []
    const text = key === 'pids' && value === NO_LIMIT ? 'max' : String(value)
    return { limit: NAMES[key], controller: CONTROLLERS[key], file: FILES_V1[key], text }
  })
  return [...singles, ...hugePages(limits, 'limit_in_bytes')]
}

/** One file for each size of pages that there is; both versions call it alike, but for its end. */
const hugePages = ({ hugepages = {} }: Limits, end: string): LimitWrite[] =>
  Object.entries(hugepages).map(([size, bytes]) => ({
    limit: `${NAMES.hugepages} of ${size}`,
    controller: CONTROLLERS.hugepages,
    file: `hugetlb.${size}.${end}`,
    text: String(bytes),
  }))

const OTHERS: readonly Single[] = ['cpuPeriodUs', 'cpuQuotaUs', 'cpuShares', 'cpusetCpus', 'cpusetMems', 'pids']

/** What to write into a v2 cgroup. `current` reads one of its files. */
export function writesV2(limits: Limits, current: (file: string) => string | undefined): LimitWrite[] {
  const writes: LimitWrite[] = []
  const add = (key: keyof Limits, file: string, text: string | number): void => {
    const shown = text === NO_LIMIT ? 'max' : String(text)
    writes.push({ limit: NAMES[key], controller: CONTROLLERS[key], file, text: shown })
  }
  const { memoryBytes, memorySwapBytes, cpuQuotaUs, cpuPeriodUs, cpuShares } = limits
  if (memoryBytes !== undefined) add('memoryBytes', 'memory.max', memoryBytes)
  if (memorySwapBytes !== undefined) {
    const memory = memoryBytes ?? Number(current('memory.max') ?? 0)
    add('memorySwapBytes', 'memory.swap.max', memorySwapBytes === NO_LIMIT ? NO_LIMIT : memorySwapBytes - memory)
  }
  if (limits.memoryReservationBytes !== undefined) {
    const low = limits.memoryReservationBytes
    add('memoryReservationBytes', 'memory.low', low === NO_LIMIT ? 0 : low)
  }
  if (cpuQuotaUs !== undefined || cpuPeriodUs !== undefined) {
    const [quota = 'max', period = String(DEFAULT_PERIOD_US)] = (current('cpu.max') ?? '').trim().split(' ')
    const wanted = cpuQuotaUs === undefined ? quota || 'max' : cpuQuotaUs === NO_LIMIT ? 'max' : cpuQuotaUs
    add(cpuQuotaUs === undefined ? 'cpuPeriodUs' : 'cpuQuotaUs', 'cpu.max', `${wanted} ${cpuPeriodUs ?? period}`)
  }
  if (cpuShares !== undefined) add('cpuShares', 'cpu.weight', weightOf(cpuShares))
  if (limits.cpusetCpus !== undefined) add('cpusetCpus', 'cpuset.cpus', limits.cpusetCpus)
  if (limits.cpusetMems !== undefined) add('cpusetMems', 'cpuset.mems', limits.cpusetMems)
  if (limits.pids !== undefined) add('pids', 'pids.max', limits.pids)
  writes.push(...hugePages(limits, 'max'))
  return writes
}

/** Shares from 2 to 262144 as a weight from 1 to 10000. */
export function weightOf(shares: number): number {
  return 1 + Math.floor(((Math.min(262_144, Math.max(2, shares)) - 2) * 9999) / 262_142)
}

/**
 * Sets limits of one container's cgroup, all of them or none.
 * Throws HOST_LACKS naming the limit that this host cannot set, COMMAND_FAILED for one that the kernel refuses, for
 * example less memory than the container uses.
 */
export function setLimits(hierarchies: readonly Hierarchy[], path: string, limits: Limits): void {
  const done: { file: string; before: string }[] = []
  try {
    for (const { file, write } of placed(hierarchies, path, limits)) {
      const before = readFileSync(file, 'utf8').trim()
      refuseLess(file, write)
      put(file, write)
      done.push({ file, before })
    }
  } catch (error) {
    for (const { file, before } of done.reverse()) restore(file, before)
    throw error
  }
}

/** The resources of a container's configuration with limits that were changed since it was written. Pure. */
export function withLimits(resources: OciResources, limits: Limits): OciResources {
  const { memoryBytes, memoryReservationBytes, memorySwapBytes, cpuQuotaUs, cpuPeriodUs, cpuShares } = limits
  const { cpusetCpus, cpusetMems, pids } = limits
  const old = resources.memory ?? {}
  // No swap means that both are the same, and so they stay.
  const noSwap = old.swap !== undefined && old.swap === old.limit
  const swap = memorySwapBytes ?? (noSwap ? memoryBytes : undefined)
  const memory = {
    ...old,
    ...(memoryBytes !== undefined && { limit: memoryBytes }),
    ...(memoryReservationBytes !== undefined && { reservation: memoryReservationBytes }),
    ...(swap !== undefined && { swap }),
  }
  const cpu = {
    ...resources.cpu,
    ...(cpuQuotaUs !== undefined && { quota: cpuQuotaUs }),
    ...(cpuPeriodUs !== undefined && { period: cpuPeriodUs }),
    ...(cpuShares !== undefined && { shares: cpuShares }),
    ...(cpusetCpus !== undefined && { cpus: cpusetCpus }),
    ...(cpusetMems !== undefined && { mems: cpusetMems }),
  }
  return {
    ...resources,
    ...(Object.keys(memory).length > 0 && { memory }),
    ...(Object.keys(cpu).length > 0 && { cpu }),
    ...(pids !== undefined && { pids: { limit: pids } }),
  }
}

/** Each write with the file it goes to. */
function placed(
  hierarchies: readonly Hierarchy[],
  path: string,
  limits: Limits,
): { file: string; write: LimitWrite }[] {
  const unified = hierarchies.find(tree => tree.version === 2)
  return CONTROLLER_NAMES.flatMap(controller => {
    const mine = Object.entries(limits).filter(([key]) => CONTROLLERS[key as keyof Limits] === controller)
    if (mine.length === 0) return []
    const wanted = Object.fromEntries(mine) as Limits
    const v1 = hierarchies.find(tree => tree.version === 1 && tree.controllers.includes(controller))
    const directory = join((v1 ?? unified)?.mount ?? '/nonexistent', path)
    const current = (name: string): string | undefined => textOf(join(directory, name))
    return (v1 ? writesV1(wanted, current) : writesV2(wanted, current)).map(write => {
      const file = join(directory, write.file)
      if (!existsSync(file)) throw lacks(write)
      return { file, write }
    })
  })
}

const CONTROLLER_NAMES = [...new Set(Object.values(CONTROLLERS))]

/** v2 would kill rather than refuse: what cannot be given back in time is not asked for. */
function refuseLess(file: string, { limit, text }: LimitWrite): void {
  if (!file.endsWith('/memory.max') || text === 'max') return
  const used = Number(/^anon (\d+)$/m.exec(textOf(file.replace(/max$/, 'stat')) ?? '')?.[1] ?? 0)
  if (used > Number(text)) throw refused(limit, text, `the container uses ${used} bytes`)
}

function put(file: string, { limit, text }: LimitWrite): void {
  try {
    writeFileSync(file, text)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const busy = code === 'EBUSY' && limit.startsWith('memory')
    throw refused(limit, text, busy ? 'the container uses more' : (cause as Error).message, cause)
  }
}

function restore(file: string, before: string): void {
  try {
    writeFileSync(file, before)
  } catch {
    // The container has ended meanwhile, or outgrew what it had: the first error tells.
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

const lacks = ({ limit, controller, file }: LimitWrite): TspodError =>
  new TspodError('HOST_LACKS', `this host cannot limit ${limit}: there is no ${file} for containers`, {
    remedy: `enable the ${controller} controller; \`tspod doctor\` shows what is there`,
  })

const refused = (limit: string, text: string, why: string, cause?: unknown): TspodError =>
  new TspodError('COMMAND_FAILED', `the kernel does not take ${text} as the limit of ${limit}: ${why}`, {
    remedy: 'choose another value',
    cause,
  })
