import { describe, expect, test } from '@jest/globals'
import { countCpus, parseCapabilities, parseLimits, readHostFacts, v1Names } from '../../../src/oci/host.ts'

test('capabilities by name; bits from a newer kernel are left out', () => {
  const status = 'Name:\tnode\nCapEff:\t0000000000000000\nCapBnd:\t000003ff00000021\nCapAmb:\t0\n'
  expect(parseCapabilities(status, 'CapBnd')).toEqual([
    ...['CAP_CHOWN', 'CAP_KILL', 'CAP_MAC_OVERRIDE', 'CAP_MAC_ADMIN', 'CAP_SYSLOG', 'CAP_WAKE_ALARM'],
    ...['CAP_BLOCK_SUSPEND', 'CAP_AUDIT_READ', 'CAP_PERFMON', 'CAP_BPF', 'CAP_CHECKPOINT_RESTORE'],
  ])
  expect(parseCapabilities(status, 'CapEff')).toEqual([])
  expect(parseCapabilities('', 'CapEff')).toEqual([])
})

test('hard limits', () => {
  const hard = parseLimits(
    [
      'Limit                     Soft Limit           Hard Limit           Units     ',
      'Max processes             96365                96366                processes ',
      'Max open files            1024                 unlimited            files     ',
    ].join('\n'),
  )
  expect(hard('Max processes')).toBe(96366)
  expect(hard('Max open files')).toBe(Number.POSITIVE_INFINITY)
  expect(hard('Max nice priority')).toBe(Number.POSITIVE_INFINITY)
})

describe('CPU lists', () => {
  const cases: [list: string, count: number][] = [
    ['0-1\n', 2],
    ['0', 1],
    ['0-3,6,8-9\n', 7],
    ['', 1],
    ['nonsense', 1],
  ]
  for (const [list, count] of cases) test(JSON.stringify(list), () => expect(countCpus(list)).toBe(count))
})

test('this host has facts', async () => {
  const facts = await readHostFacts()
  expect(facts.memoryBytes).toBeGreaterThan(1024 ** 2)
  expect(facts.cpus).toBeGreaterThan(0)
  expect(facts.kernel).toMatch(/^\d+\.\d+/)
  expect(['v1', 'v2', 'hybrid']).toContain(facts.cgroup)
})

describe('directories of a v1 tree', () => {
  const cases: [controllers: string[], names: string[]][] = [
    [['memory'], ['memory']],
    [
      ['cpu', 'cpuacct'],
      ['cpu,cpuacct', 'cpu', 'cpuacct'],
    ],
    [['name=systemd'], ['systemd']],
    [['name=../x'], []],
  ]
  for (const [controllers, names] of cases)
    test(controllers.join(' '), () => expect(v1Names({ version: 1, mount: '/x', controllers })).toEqual(names))
  test('a v2 tree is none', () => expect(v1Names({ version: 2, mount: '/x', controllers: [] })).toEqual([]))
})
