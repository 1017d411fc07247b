/** `resources` of a container: limits and requests of cpu and memory. */
import type { ResourceSpec } from '../../model.ts'
import type { Field } from '../yaml/index.ts'
import { didYouMean, parseQuantity, quote, toMilli, toUnits } from '../yaml/index.ts'

const NANO_PER_MILLI = 1_000_000n
const NANO_PER_UNIT = 1_000_000_000n
const NAMES = ['cpu', 'memory', 'ephemeral-storage', 'pids']
/** Sizes of pages that the kernel knows, as Kubernetes writes them. */
const HUGEPAGES = /^hugepages-(\d{1,4})([KMG])i$/

/** Limits and requests of a container; a missing request is the limit, and zero is no limit. */
export function readResources(resources: Field): ResourceSpec {
  const limits = resources.at('limits')
  const requests = resources.at('requests')
  for (const list of [limits, requests]) for (const [name, value] of list.entries()) checkName(name, value)
  const asked = requests.entry('ephemeral-storage')
  if (asked.present) asked.note('disk space is not set aside')
  const spec: ResourceSpec = {}
  const cpuLimit = cpu(limits.entry('cpu'))
  const cpuRequest = cpu(requests.entry('cpu')) ?? cpuLimit
  const memoryLimit = memory(limits.entry('memory'))
  const memoryRequest = memory(requests.entry('memory')) ?? memoryLimit
  checkRequest(requests.entry('cpu'), cpuRequest, cpuLimit, limits.entry('cpu'))
  checkRequest(requests.entry('memory'), memoryRequest, memoryLimit, limits.entry('memory'))
  if (cpuLimit) spec.cpuLimitMilli = cpuLimit
  if (cpuRequest) spec.cpuRequestMilli = cpuRequest
  if (memoryLimit) spec.memoryLimitBytes = memoryLimit
  if (memoryRequest) spec.memoryRequestBytes = memoryRequest
  const storage = memory(limits.entry('ephemeral-storage'))
  if (storage) spec.storageLimitBytes = storage
  checkRequest(
    requests.entry('ephemeral-storage'),
    memory(requests.entry('ephemeral-storage')),
    storage,
    limits.entry('ephemeral-storage'),
  )
  const pids = whole(limits.entry('pids'))
  if (pids) spec.pidsLimit = pids
  const hugepages = readHugepages(limits, requests)
  if (hugepages !== undefined) {
    spec.hugepages = hugepages
    const others = [limits, requests].flatMap(list => ['cpu', 'memory'].map(name => list.entry(name)))
    if (!others.some(field => field.present))
      resources.issue('FORBIDDEN', 'HugePages require cpu or memory', 'add a request or limit of one of them')
  }
  return spec
}

/** The limits of a pod as a whole: no container may have more than all of them together. */
export function readPodResources(resources: Field, pod: Field): ResourceSpec {
  const spec = readResources(resources)
  for (const list of [resources.at('limits'), resources.at('requests')]) {
    const disk = list.entry('ephemeral-storage')
    if (disk.present)
      disk.issueAt(disk.key, 'UNSUPPORTED_VALUE', 'disk space is not for a pod as a whole', 'set it for containers')
  }
  for (const container of [...pod.at('initContainers').items(), ...pod.at('containers').items()]) {
    for (const name of ['cpu', 'memory']) {
      const own = container.at('resources').at('limits').entry(name)
      const all = resources.at('limits').entry(name)
      const [ownNano, allNano] = [own, all].map(field => parseQuantity(field.quantity() ?? ''))
      if (ownNano !== undefined && allNano !== undefined && ownNano > allNano)
        own.issue('INVALID_VALUE', `must be less than or equal to the pod's limit of ${all.quantity()}`, 'lower it')
    }
  }
  return spec
}

/** Page size as the kernel's files write it → bytes. A request must be the same as the limit. */
function readHugepages(limits: Field, requests: Field): Record<string, number> | undefined {
  const pages: Record<string, number> = {}
  for (const [name, limit] of limits.entries()) {
    const size = HUGEPAGES.exec(name)
    if (size === null) continue
    const bytes = whole(limit)
    const pageBytes = whole(limit, `${size[1]}${size[2]}i`)
    if (bytes === undefined || pageBytes === undefined) continue
    if (bytes % pageBytes !== 0)
      limit.issue('INVALID_VALUE', `must be whole pages of ${size[1]}${size[2]}i`, 'write a multiple of it')
    const request = requests.entry(name)
    if (request.present && whole(request) !== bytes)
      request.issue(
        'INVALID_VALUE',
        `must be equal to ${name} limit of ${limit.quantity()}`,
        'write the same, or remove it',
      )
    pages[`${size[1]}${size[2]}B`] = bytes
  }
  for (const [name, request] of requests.entries()) {
    if (HUGEPAGES.test(name) && !limits.entry(name).present)
      request.issueAt(
        request.key,
        'REQUIRED',
        `Limit must be set for non overcommitable resources`,
        'add the same limit',
      )
  }
  return Object.keys(pages).length > 0 ? pages : undefined
}

/** A whole number of units, of `field` or of another text at its place. */
function whole(field: Field, text = field.quantity()): number | undefined {
  const nano = text === undefined ? undefined : parseQuantity(text)
  if (nano === undefined) return undefined
  if (nano >= 0n && nano % NANO_PER_UNIT === 0n) return safe(field, nano / NANO_PER_UNIT)
  field.issue('INVALID_VALUE', 'must be a whole number that is not negative', 'write it without a fraction')
  return undefined
}

function checkName(name: string, value: Field): void {
  if (NAMES.includes(name) || HUGEPAGES.test(name)) return
  if (name.includes('/')) {
    value.issueAt(value.key, 'NOT_SUPPORTED', `the resource ${quote(name)} is not yet supported`, 'remove it')
    return
  }
  value.issueAt(
    value.key,
    'UNSUPPORTED_VALUE',
    `no resource is called ${quote(name)}`,
    didYouMean(name, NAMES) ?? 'use cpu or memory',
  )
}

function cpu(field: Field): number | undefined {
  const nano = amount(field)
  if (nano === undefined) return undefined
  if (nano > 0n && nano < NANO_PER_MILLI) {
    field.issue('INVALID_VALUE', 'less than a thousandth of a CPU', 'the smallest amount is 1m')
    return undefined
  }
  return safe(field, toMilli(nano))
}

function memory(field: Field): number | undefined {
  const nano = amount(field)
  if (nano === undefined) return undefined
  if (nano > 0n && nano < NANO_PER_UNIT) {
    const meant = (field.quantity() ?? '').replace(/m$/, 'M')
    field.issue('INVALID_VALUE', 'less than one byte: "m" means a thousandth', `did you mean ${quote(meant)}?`)
    return undefined
  }
  return safe(field, toUnits(nano))
}

function amount(field: Field): bigint | undefined {
  const text = field.quantity()
  const nano = text === undefined ? undefined : parseQuantity(text)
  if (nano !== undefined && nano < 0n) {
    field.issue('INVALID_VALUE', 'must not be negative', 'write a positive amount')
    return undefined
  }
  return nano
}

function safe(field: Field, value: bigint): number | undefined {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  field.issue('INVALID_VALUE', 'more than any host has', 'write a smaller amount')
  return undefined
}

function checkRequest(field: Field, request: number | undefined, limit: number | undefined, limitField: Field): void {
  if (request === undefined || !limit || request <= limit) return
  field.issue(
    'INVALID_VALUE',
    `must be less than or equal to the limit of ${limitField.quantity()}`,
    'lower the request or raise the limit',
  )
}
