import { describe, expect, test } from '@jest/globals'
import type { ResourceSpec } from '../../../../src/model.ts'
import { buildResources, buildRlimits, oomScoreAdj, qosClass } from '../../../../src/oci/spec/resources.ts'
import { containerSpec, hostFacts, podSpec, securityOf, specInput } from '../../../support/spec-input.ts'

const GIB = 1024 ** 3
const build = (resources: ResourceSpec, host = hostFacts(), notices: string[] = []) =>
  buildResources(specInput({ container: containerSpec({ resources }) }), host, notices)

describe('cgroup limits', () => {
  const cases: Record<string, { resources: ResourceSpec; cpu: object }> = {
    'nothing asked for': { resources: {}, cpu: { shares: 2 } },
    'a request weighs': { resources: { cpuRequestMilli: 500 }, cpu: { shares: 512 } },
    'a limit alone weighs too': {
      resources: { cpuLimitMilli: 250 },
      cpu: { shares: 256, quota: 25_000, period: 100_000 },
    },
    'request and limit': {
      resources: { cpuRequestMilli: 100, cpuLimitMilli: 2000 },
      cpu: { shares: 102, quota: 200_000, period: 100_000 },
    },
    'a tiny limit is at least 1 ms': {
      resources: { cpuLimitMilli: 1 },
      cpu: { shares: 2, quota: 1000, period: 100_000 },
    },
    'a huge request is capped': { resources: { cpuRequestMilli: 1_000_000 }, cpu: { shares: 262_144 } },
  }
  for (const [name, { resources, cpu }] of Object.entries(cases)) {
    test(name, () => expect(build(resources).cpu).toEqual(cpu))
  }

  test('memory: no swap beside it on v2, swap is left alone on v1', () => {
    expect(build({ memoryLimitBytes: GIB }).memory).toEqual({ limit: GIB, swap: GIB })
    expect(build({ memoryLimitBytes: GIB }, hostFacts({ cgroup: 'hybrid' })).memory).toEqual({ limit: GIB })
    expect(build({})).not.toHaveProperty('memory')
  })

  test('a limit the host cannot enforce is an error when it was asked for', () => {
    const bare = hostFacts({ controllers: ['hugetlb'] })
    for (const resources of [{ cpuLimitMilli: 100 }, { memoryLimitBytes: GIB }]) {
      expect(() => build(resources, bare)).toThrow(expect.objectContaining({ code: 'HOST_LACKS' }))
    }
  })

  test('and a notice when it is our default, or only a request', () => {
    const notices: string[] = []
    const resources = build({ cpuRequestMilli: 100 }, hostFacts({ controllers: [] }), notices)
    expect(resources).toEqual({ devices: [{ allow: false, access: 'rwm' }] })
    expect(notices).toEqual([expect.stringContaining('requests.cpu'), expect.stringContaining('2048')])
  })
})

describe('devices', () => {
  const device = { type: 'c' as const, major: 10, minor: 229 }
  const mount = {
    source: '/dev/fuse',
    target: '/dev/fuse',
    readOnly: false,
    propagation: 'private' as const,
    kind: 'bind' as const,
    device,
  }

  test('everything is denied but the devices that are mounted, and those cannot be made anew', () => {
    expect(buildResources(specInput({ mounts: [mount] }), hostFacts(), []).devices).toEqual([
      { allow: false, access: 'rwm' },
      { allow: true, ...device, access: 'rw' },
    ])
    expect(
      buildResources(specInput({ mounts: [{ ...mount, readOnly: true }] }), hostFacts(), []).devices[1]?.access,
    ).toBe('r')
  })

  test('privileged: all', () => {
    const container = containerSpec({ security: securityOf({ privileged: true }) })
    expect(buildResources(specInput({ container }), hostFacts(), []).devices).toEqual([{ allow: true, access: 'rwm' }])
  })
})

describe('limits of the process', () => {
  test('with room enough: fixed values, whatever started tspod', () => {
    const notices: string[] = []
    expect(buildRlimits(hostFacts(), notices)).toEqual([
      { type: 'RLIMIT_NOFILE', soft: 1024, hard: 524_288 },
      { type: 'RLIMIT_NPROC', soft: 100_000, hard: 100_000 },
      { type: 'RLIMIT_MEMLOCK', soft: 8_388_608, hard: 8_388_608 },
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
    ])
    expect(notices).toEqual([])
  })

  test('lowered to what tspod itself has, with a notice', () => {
    const notices: string[] = []
    const limits = buildRlimits(hostFacts({ nofileHard: 512, memlockHard: 65_536 }), notices)
    expect(limits).toContainEqual({ type: 'RLIMIT_NOFILE', soft: 512, hard: 512 })
    expect(limits).toContainEqual({ type: 'RLIMIT_MEMLOCK', soft: 65_536, hard: 65_536 })
    expect(notices).toHaveLength(2)
  })
})

describe('who dies first', () => {
  const score = (resources: ResourceSpec, host = hostFacts(), notices: string[] = []): number => {
    const container = containerSpec({ resources })
    return oomScoreAdj(podSpec({ containers: [container] }), container, host, notices)
  }
  const all = { cpuLimitMilli: 100, memoryLimitBytes: GIB }

  test('BestEffort first, Guaranteed last, Burstable by its share of memory', () => {
    expect(score({})).toBe(1000)
    expect(score(all)).toBe(-997)
    expect(score({ memoryRequestBytes: 2 * GIB })).toBe(750)
    expect(score({ memoryRequestBytes: 8 * GIB })).toBe(3)
    expect(score({ cpuRequestMilli: 10 })).toBe(999)
  })

  test('a sidecar not before the most expendable of those that it serves', () => {
    const asks = (gib: number, more: object = {}) =>
      containerSpec({ resources: { memoryRequestBytes: gib * GIB }, ...more })
    const scoreOf = (own: number, others: number[]): number => {
      const sidecar = asks(own, { name: 'proxy', restartPolicy: 'Always' })
      const pod = podSpec({ initContainers: [sidecar], containers: others.map(other => asks(other)) })
      return oomScoreAdj(pod, sidecar, hostFacts(), [])
    }
    expect(scoreOf(1, [2, 4])).toBe(750)
    expect(scoreOf(3, [2, 4])).toBe(625)
    expect(scoreOf(1, [0, 4])).toBe(875)
  })

  test('memory of the pod that no container asks for protects all of them', () => {
    const [first, second] = [containerSpec({ resources: { memoryRequestBytes: GIB } }), containerSpec()]
    const pod = podSpec({ containers: [first, second], resources: { memoryRequestBytes: 3 * GIB } })
    expect([first, second].map(container => oomScoreAdj(pod, container, hostFacts(), []))).toEqual([750, 875])
  })

  test('without the right to go below zero: zero, and a notice', () => {
    const notices: string[] = []
    expect(score(all, hostFacts({ canLowerOom: false }), notices)).toBe(0)
    expect(notices).toEqual([expect.stringContaining('oom_score_adj')])
  })

  test('init containers count for the class of the pod', () => {
    const good = containerSpec({ resources: all })
    expect(qosClass(podSpec({ containers: [good] }))).toBe('Guaranteed')
    expect(qosClass(podSpec({ containers: [good], initContainers: [containerSpec()] }))).toBe('Burstable')
    expect(qosClass(podSpec({ containers: [containerSpec({ resources: { ...all, cpuRequestMilli: 50 } })] }))).toBe(
      'Burstable',
    )
    expect(qosClass(podSpec())).toBe('BestEffort')
  })
})
