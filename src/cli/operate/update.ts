/** `tspod update`: other limits for a container, also while it runs. */

import { TspodError } from '../../errors.ts'
import type { Limits } from '../../oci/index.ts'
import type { FlagTable, FlagValues, Problem } from '../flags.ts'
import { LATEST_FLAG, latestContainer, latestProblems } from '../latest.ts'
import { defineVerb } from '../verb.ts'

const LIMIT_FLAGS = {
  cpus: { kind: 'text', value: 'NUMBER', help: 'processors it may use up, such as 1.5; 0 for no limit' },
  'cpu-period': {
    kind: 'number',
    value: 'MICROSECONDS',
    minimum: 1000,
    help: 'the time that the quota is for, at least 1000',
  },
  'cpu-quota': { kind: 'number', value: 'MICROSECONDS', minimum: -1, help: 'run time in each period, -1 for no limit' },
  'cpu-shares': {
    kind: 'number',
    value: 'NUMBER',
    minimum: 2,
    short: 'c',
    help: 'weight against others when processors are short; 1024 is the usual one',
  },
  'cpuset-cpus': { kind: 'text', value: 'LIST', help: 'processors it may run on, such as 0-2,5' },
  'cpuset-mems': { kind: 'text', value: 'LIST', help: 'memory nodes it may use' },
  memory: { kind: 'text', value: 'BYTES', short: 'm', help: 'memory limit: a number and b, k, m or g; 0 for none' },
  'memory-reservation': { kind: 'text', value: 'BYTES', help: 'memory that is kept for it when there is little' },
  'memory-swap': { kind: 'text', value: 'BYTES', help: 'limit of memory and swap together, -1 for no limit' },
  'pids-limit': { kind: 'number', value: 'NUMBER', minimum: -1, help: 'processes and threads, -1 for no limit' },
} as const satisfies FlagTable
const LIMITS = Object.keys(LIMIT_FLAGS) as readonly (keyof typeof LIMIT_FLAGS)[]
const FLAGS = { ...LATEST_FLAG, ...LIMIT_FLAGS } as const satisfies FlagTable

type Flags = FlagValues<typeof FLAGS>

const NO_LIMIT = -1
const DEFAULT_PERIOD_US = 100_000
const MAX_CPUS = 1024

export const update = defineVerb({
  operands: 'CONTAINER',
  count: { minimum: 0, maximum: 1 },
  description:
    'Changes limits of a container: at once when it runs, and for its later runs. What is not named stays as it is. A ' +
    'limit that this host cannot enforce is an error, and then none of them has changed.',
  examples: [
    { does: 'Half a gigabyte and one and a half processors', line: 'tspod update -m 512m --cpus 1.5 web-nginx' },
    { does: 'At most 100 processes', line: 'tspod update --pids-limit 100 web-nginx' },
  ],
  flags: FLAGS,
  refused: {
    'only processor, memory and process limits can change while a container runs':
      'blkio-weight= blkio-weight-device= device-read-bps= device-read-iops= device-write-bps= device-write-iops= ' +
      'cpu-rt-period= cpu-rt-runtime= memory-swappiness=',
  },
  check: ({ flags, operands }) => [...latestProblems(flags, operands), ...problems(flags)],
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const asked = operands[0] ?? (await latestContainer(engine))
    const found = await engine.find(asked)
    if (found.kind === 'pod') {
      throw new TspodError('NO_SUCH_OBJECT', `no container with name or ID "${asked}" found: no such container`, {
        remedy: `"${asked}" is a pod: name one of its containers, ${asked}/NAME`,
      })
    }
    await engine.updateLimits(found.container.id, limitsOf(flags), world.signal)
    return { stdout: `${found.container.id}\n` }
  },
})

function problems(flags: Flags): Problem[] {
  const bad = (name: 'memory' | 'memory-reservation' | 'memory-swap'): Problem[] => {
    const text = flags[name]
    if (text === undefined || bytesOf(text) !== undefined) return []
    return [{ message: `invalid value "${text}" for --${name}`, remedy: 'a number, then b, k, m or g' }]
  }
  const conflict = flags.cpus !== undefined && (flags['cpu-period'] ?? flags['cpu-quota']) !== undefined
  const lists = (['cpuset-cpus', 'cpuset-mems'] as const).flatMap(name =>
    flags[name] === undefined || /^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(flags[name])
      ? []
      : [{ message: `invalid list "${flags[name]}" for --${name}`, remedy: 'numbers and ranges, such as 0-2,5' }],
  )
  return [
    ...(conflict ? [{ message: '--cpus cannot be used with --cpu-period or --cpu-quota' }] : []),
    ...(flags.cpus === undefined || quotaOf(flags.cpus) !== undefined
      ? []
      : [{ message: `invalid number "${flags.cpus}" for --cpus`, remedy: `0.01 to ${MAX_CPUS}, or 0 for no limit` }]),
    ...bad('memory'),
    ...bad('memory-reservation'),
    ...bad('memory-swap'),
    ...lists,
    ...(LIMITS.some(name => flags[name] !== undefined)
      ? []
      : [{ message: 'there is nothing to change: name a limit' }]),
  ]
}

/** The limits that flags ask for; those that cannot be read are left out, `problems` tells of them. */
export function limitsOf(flags: Flags): Limits {
  const some = <K extends keyof Limits>(key: K, value: Limits[K] | undefined): Partial<Limits> =>
    value === undefined ? {} : { [key]: value }
  const bytes = (text: string | undefined): number | undefined => (text === undefined ? undefined : bytesOf(text))
  const quota = flags.cpus === undefined ? undefined : quotaOf(flags.cpus)
  const pids = flags['pids-limit']
  return {
    ...some('memoryBytes', bytes(flags.memory)),
    ...some('memoryReservationBytes', bytes(flags['memory-reservation'])),
    ...some('memorySwapBytes', bytes(flags['memory-swap'])),
    ...some('cpuQuotaUs', quota ?? (flags['cpu-quota'] === 0 ? NO_LIMIT : flags['cpu-quota'])),
    ...some('cpuPeriodUs', quota === undefined ? flags['cpu-period'] : DEFAULT_PERIOD_US),
    ...some('cpuShares', flags['cpu-shares']),
    ...some('cpusetCpus', flags['cpuset-cpus']),
    ...some('cpusetMems', flags['cpuset-mems']),
    ...some('pids', pids === 0 ? NO_LIMIT : pids),
  }
}

/** `512m` in bytes, in steps of 1024 as in Podman; 0 and -1 are no limit; undefined for what is no size. */
function bytesOf(text: string): number | undefined {
  if (text === '0' || text === '-1') return NO_LIMIT
  const match = /^(\d{1,15}(?:\.\d{1,6})?)([bkmgt]?)i?b?$/i.exec(text)
  if (match === null) return undefined
  const power = 'bkmgt'.indexOf((match[2] || 'b').toLowerCase())
  const value = Math.floor(Number(match[1]) * 1024 ** power)
  return Number.isSafeInteger(value) && value > 0 ? value : undefined
}

/** Processors as run time in each period of 100 ms. */
function quotaOf(text: string): number | undefined {
  if (!/^\d{1,4}(\.\d{1,6})?$/.test(text)) return undefined
  const cpus = Number(text)
  if (cpus === 0) return NO_LIMIT
  const quota = Math.round(cpus * DEFAULT_PERIOD_US)
  return quota >= 1000 && cpus <= MAX_CPUS ? quota : undefined
}
