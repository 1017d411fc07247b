/**
 * Whole configurations, so that a change of the sandbox shows as a diff somebody has to read. `UPDATE_GOLDEN=1`
 * writes what is expected from what is.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { buildPauseSpec, buildSpec, type HostFacts, type SpecInput } from '../../../src/oci/spec/index.ts'
import { schemaMistakes } from '../../support/runtime-spec.ts'
import { containerSpec, hostFacts, podSpec, securityOf, specInput } from '../../support/spec-input.ts'

const volume = { source: '/var/lib/tspod/volumes/data/_data', target: '/data', readOnly: false } as const
const restricted = securityOf({
  runAsUser: 1000,
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] },
})
const limits = { cpuLimitMilli: 500, cpuRequestMilli: 500, memoryLimitBytes: 64 << 20, memoryRequestBytes: 64 << 20 }

const cases: Record<string, { input: Partial<SpecInput>; host?: Partial<HostFacts> }> = {
  plain: { input: {} },
  restricted: {
    input: {
      container: containerSpec({ security: restricted, resources: limits }),
      identity: { uid: 1000, gid: 1000, groups: [1000, 63], home: '/home/app' },
      mounts: [{ ...volume, propagation: 'private', kind: 'bind', readOnly: true, options: ['rro'] }],
    },
  },
  privileged: {
    input: {
      container: containerSpec({ security: securityOf({ privileged: true }), tty: true }),
      hostDevices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, mode: 0o666, uid: 0, gid: 0 }],
      mounts: [{ ...volume, propagation: 'rshared', kind: 'bind' }],
    },
  },
  confined: {
    input: {
      container: containerSpec({
        security: securityOf({ appArmor: { type: 'Localhost', profile: 'web' }, selinux: { level: 's0:c1,c2' } }),
        resources: { pidsLimit: 50, hugepages: { '2MB': 4 << 20 }, memoryLimitBytes: 64 << 20, cpusetCpus: '0-1' },
        rlimits: { nofile: { soft: 99, hard: 100 }, stack: { soft: 1 << 20, hard: -1 } },
      }),
      pod: podSpec({ resources: { cpuLimitMilli: 500, memoryLimitBytes: 128 << 20 } }),
      appArmorProfile: 'web',
    },
    host: { apparmor: true, selinux: true, controllers: ['cpu', 'cpuset', 'memory', 'pids', 'hugetlb'] },
  },
  'everything-of-the-host': { input: { namespaces: { pid: 'host' } } },
  'a-poor-host': {
    input: { pod: podSpec({ sysctls: { 'kernel.shmmax': '65536' } }) },
    host: {
      cgroup: 'hybrid',
      nofileHard: 20_000,
      canLowerOom: false,
      ipv6: false,
      kernel: '5.10.0',
      controllers: ['cpu'],
    },
  },
}

function expectGolden(name: string, outcome: object): void {
  const path = join(import.meta.dirname, `${name}.json`)
  const text = `${JSON.stringify(outcome, null, 2)}\n`
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text)
  expect(text).toBe(existsSync(path) ? readFileSync(path, 'utf8') : `no ${name}.json: run with UPDATE_GOLDEN=1`)
}

describe('golden configurations', () => {
  for (const [name, { input, host }] of Object.entries(cases)) {
    test(name.replaceAll('-', ' '), () => {
      const built = buildSpec(specInput(input), hostFacts(host))
      expect(schemaMistakes(built.config)).toEqual([])
      expectGolden(name, built)
    })
  }

  test('the container that only holds a PID namespace', () => {
    const config = buildPauseSpec(
      { ...specInput(), rootfs: '/run/pause', catatonit: '/usr/bin/catatonit' },
      hostFacts(),
    )
    expect(schemaMistakes(config)).toEqual([])
    expectGolden('pause', config)
  })
})
