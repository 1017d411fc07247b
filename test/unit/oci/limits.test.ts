import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { Hierarchy } from '../../../src/oci/cgroup.ts'
import { type Limits, setLimits, weightOf, withLimits, writesV1, writesV2 } from '../../../src/oci/limits.ts'

const MIB = 1024 * 1024
const lines = (writes: { file: string; text: string }[]): string[] => writes.map(({ file, text }) => `${file} ${text}`)

describe('what is written', () => {
  const now: Record<string, string> = {
    'memory.limit_in_bytes': String(64 * MIB),
    'memory.max': String(64 * MIB),
    'cpu.max': 'max 50000\n',
  }
  const cases: Record<string, { limits: Limits; v1: string[]; v2: string[] }> = {
    'more memory: memory and swap first on v1': {
      limits: { memoryBytes: 128 * MIB, memorySwapBytes: 192 * MIB },
      v1: [`memory.memsw.limit_in_bytes ${192 * MIB}`, `memory.limit_in_bytes ${128 * MIB}`],
      v2: [`memory.max ${128 * MIB}`, `memory.swap.max ${64 * MIB}`],
    },
    'less memory: memory first on v1': {
      limits: { memoryBytes: 32 * MIB, memorySwapBytes: 32 * MIB },
      v1: [`memory.limit_in_bytes ${32 * MIB}`, `memory.memsw.limit_in_bytes ${32 * MIB}`],
      v2: [`memory.max ${32 * MIB}`, 'memory.swap.max 0'],
    },
    'no limits any more': {
      limits: { memoryBytes: -1, cpuQuotaUs: -1, pids: -1 },
      v1: ['memory.limit_in_bytes -1', 'cpu.cfs_quota_us -1', 'pids.max max'],
      v2: ['memory.max max', 'cpu.max max 50000', 'pids.max max'],
    },
    'cpu time and shares': {
      limits: { cpuQuotaUs: 20_000, cpuPeriodUs: 10_000, cpuShares: 1024 },
      v1: ['cpu.cfs_period_us 10000', 'cpu.cfs_quota_us 20000', 'cpu.shares 1024'],
      v2: ['cpu.max 20000 10000', 'cpu.weight 39'],
    },
    'a period alone keeps the quota': {
      limits: { cpuPeriodUs: 10_000 },
      v1: ['cpu.cfs_period_us 10000'],
      v2: ['cpu.max max 10000'],
    },
    'sets, processes and what is kept for it': {
      limits: { cpusetCpus: '0-1', cpusetMems: '0', pids: 5, memoryReservationBytes: MIB },
      v1: [`memory.soft_limit_in_bytes ${MIB}`, 'cpuset.cpus 0-1', 'cpuset.mems 0', 'pids.max 5'],
      v2: [`memory.low ${MIB}`, 'cpuset.cpus 0-1', 'cpuset.mems 0', 'pids.max 5'],
    },
    'huge pages, of each size': {
      limits: { hugepages: { '2MB': 4 * MIB, '1GB': 0 } },
      v1: [`hugetlb.2MB.limit_in_bytes ${4 * MIB}`, 'hugetlb.1GB.limit_in_bytes 0'],
      v2: [`hugetlb.2MB.max ${4 * MIB}`, 'hugetlb.1GB.max 0'],
    },
  }
  for (const [name, { limits, v1, v2 }] of Object.entries(cases)) {
    test(name, () => {
      expect(lines(writesV1(limits, file => now[file]))).toEqual(v1)
      expect(lines(writesV2(limits, file => now[file]))).toEqual(v2)
    })
  }

  test('shares as weight', () => {
    expect([0, 2, 1024, 262_144, 1e9].map(weightOf)).toEqual([1, 1, 39, 10_000, 10_000])
  })
})

describe('setting them', () => {
  let root: string
  let tree: Hierarchy
  beforeEach(() => {
    root = mkdtempSync('/tmp/tspod-limits-unit-')
    mkdirSync(join(root, 'c'))
    tree = { version: 2, mount: root, controllers: [] }
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))
  const have = (file: string, text: string): void => writeFileSync(join(root, 'c', file), text)
  const read = (file: string): string => readFileSync(join(root, 'c', file), 'utf8')

  test('a limit that this host does not have is named, and nothing is changed', () => {
    have('memory.max', '100')
    expect(() => setLimits([tree], '/c', { memoryBytes: 5000, pids: 5 })).toThrow(
      expect.objectContaining({ code: 'HOST_LACKS', message: expect.stringContaining('processes') }),
    )
    expect(read('memory.max')).toBe('100')
  })

  test('less memory than the container uses is refused, and the others are taken back', () => {
    have('memory.max', '9000')
    have('memory.low', '7')
    have('memory.stat', 'anon 8192\nfile 4096\n')
    have('pids.max', 'max')
    expect(() => setLimits([tree], '/c', { memoryBytes: 4096 })).toThrow(/the container uses 8192 bytes/)
    mkdirSync(join(root, 'c', 'cpu.max'))
    expect(() => setLimits([tree], '/c', { memoryBytes: 16_384, cpuQuotaUs: 1000 })).toThrow()
    expect(read('memory.max')).toBe('9000')
  })

  test('on a hybrid host each goes to the tree that has its controller', () => {
    const v1: Hierarchy = { version: 1, mount: join(root, 'v1'), controllers: ['pids'] }
    mkdirSync(join(root, 'v1/c'), { recursive: true })
    writeFileSync(join(root, 'v1/c/pids.max'), 'max')
    have('memory.max', 'max')
    have('memory.stat', 'anon 0\n')
    setLimits([v1, tree], '/c', { memoryBytes: 4096, pids: 7 })
    expect([read('memory.max'), readFileSync(join(root, 'v1/c/pids.max'), 'utf8')]).toEqual(['4096', '7'])
  })
})

describe('the configuration of the next run', () => {
  test('has them as well, and still no swap', () => {
    const before = { devices: [], memory: { limit: 10, swap: 10 }, cpu: { shares: 2 } }
    expect(withLimits(before, { memoryBytes: 20, cpuQuotaUs: 5, pids: 3 })).toEqual({
      devices: [],
      memory: { limit: 20, swap: 20 },
      cpu: { shares: 2, quota: 5 },
      pids: { limit: 3 },
    })
    expect(withLimits({ devices: [], memory: { limit: 10 } }, { memoryBytes: 20 }).memory).toEqual({ limit: 20 })
    expect(withLimits({ devices: [] }, { pids: -1 })).toEqual({ devices: [], pids: { limit: -1 } })
  })
})
