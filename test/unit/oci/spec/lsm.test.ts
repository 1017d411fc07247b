/** What a manifest asks of security modules and controllers that a host does not have. */
import { describe, expect, test } from '@jest/globals'
import type { ContainerSecurity, ResourceSpec } from '../../../../src/model.ts'
import { podLimits, refuseLimits, refuseLsm } from '../../../../src/oci/spec/index.ts'
import { containerSpec, hostFacts, securityOf } from '../../../support/spec-input.ts'

describe('a host without the module', () => {
  const cases: Record<string, { security: Partial<ContainerSecurity>; says?: RegExp }> = {
    'refuses a profile by name': {
      security: { appArmor: { type: 'Localhost', profile: 'web' } },
      says: /sets appArmorProfile, and this host has no AppArmor/,
    },
    'refuses the default profile': { security: { appArmor: { type: 'RuntimeDefault' } }, says: /no AppArmor/ },
    'refuses a label': { security: { selinux: { level: 's0' } }, says: /sets seLinuxOptions, .* no SELinux/ },
    'needs none for Unconfined': { security: { appArmor: { type: 'Unconfined' } } },
    'needs none for nothing': { security: {} },
  }
  for (const [name, { security, says }] of Object.entries(cases)) {
    test(name, () => {
      const containers = [containerSpec({ security: securityOf(security) })]
      const check = (): void => refuseLsm(containers, hostFacts({ apparmor: false, selinux: false }))
      if (says === undefined) expect(check).not.toThrow()
      else expect(check).toThrow(expect.objectContaining({ code: 'HOST_LACKS', message: expect.stringMatching(says) }))
      expect(() => refuseLsm(containers, hostFacts({ apparmor: true, selinux: true }))).not.toThrow()
    })
  }
})

test.each<[resources: ResourceSpec, controller: string]>([
  [{ pidsLimit: 1 }, 'pids'],
  [{ hugepages: { '2MB': 0 } }, 'hugetlb'],
])('a limit of %j needs the controller %s', (resources, controller) => {
  const check = (controllers: string[]) => () =>
    refuseLimits([{ name: 'pod web', resources }], hostFacts({ controllers }))
  expect(check([])).toThrow(
    expect.objectContaining({ code: 'HOST_LACKS', message: expect.stringMatching(/^pod web sets/) }),
  )
  expect(check([controller])).not.toThrow()
})

test('limits of a pod as a whole', () => {
  expect(podLimits(undefined)).toBeUndefined()
  expect(podLimits({})).toBeUndefined()
  expect(
    podLimits({ cpuLimitMilli: 500, cpuRequestMilli: 250, memoryLimitBytes: 9, pidsLimit: 7, hugepages: { '2MB': 0 } }),
  ).toEqual({
    cpuQuotaUs: 50_000,
    cpuPeriodUs: 100_000,
    cpuShares: 256,
    memoryBytes: 9,
    pids: 7,
    hugepages: { '2MB': 0 },
  })
})
