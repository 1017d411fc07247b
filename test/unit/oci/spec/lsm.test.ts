/** What a manifest asks of security modules and controllers that a host does not have. */
import { describe, expect, test } from '@jest/globals'
import type { ContainerSecurity, ResourceSpec } from '../../../../src/model.ts'
import { buildSpec, podLimits, refuseAppArmor, refuseLimits } from '../../../../src/oci/spec/index.ts'
import { containerSpec, hostFacts, securityOf, specInput } from '../../../support/spec-input.ts'

describe('a host without the module', () => {
  const cases: Record<string, { security: Partial<ContainerSecurity>; says?: RegExp }> = {
    'refuses a profile by name': {
      security: { appArmor: { type: 'Localhost', profile: 'web' } },
      says: /sets appArmorProfile, and this host has no AppArmor/,
    },
    'refuses the default profile': { security: { appArmor: { type: 'RuntimeDefault' } }, says: /no AppArmor/ },
    'goes without a label, as the nodes of a cluster do': { security: { selinux: { level: 's0' } } },
    'needs none for Unconfined': { security: { appArmor: { type: 'Unconfined' } } },
    'needs none for nothing': { security: {} },
  }
  for (const [name, { security, says }] of Object.entries(cases)) {
    test(name, () => {
      const containers = [containerSpec({ security: securityOf(security) })]
      const check = (): void => refuseAppArmor(containers, hostFacts({ apparmor: false, selinux: false }))
      if (says === undefined) expect(check).not.toThrow()
      else expect(check).toThrow(expect.objectContaining({ code: 'HOST_LACKS', message: expect.stringMatching(says) }))
      expect(() => refuseAppArmor(containers, hostFacts({ apparmor: true, selinux: true }))).not.toThrow()
    })
  }
})

describe('SELinux labels', () => {
  const labels = (security: Partial<ContainerSecurity>, selinux = true) => {
    const container = containerSpec({ security: securityOf(security) })
    const { config } = buildSpec(specInput({ container }), hostFacts({ selinux }))
    return [config.process.selinuxLabel, config.linux.mountLabel]
  }
  const cases: Record<string, { selinux?: Record<string, string>; process?: string; mount?: string }> = {
    'of nothing: what the host does by itself': {},
    "of a level: both have it, the rest is container-selinux's": {
      selinux: { level: 's0:c1,c2' },
      process: 'system_u:system_r:container_t:s0:c1,c2',
      mount: 'system_u:object_r:container_file_t:s0:c1,c2',
    },
    'of all parts: files keep the type of files': {
      selinux: { user: 'u', role: 'r', type: 'spc_t', level: 's0' },
      process: 'u:r:spc_t:s0',
      mount: 'system_u:object_r:container_file_t:s0',
    },
  }
  for (const [name, { selinux, process, mount }] of Object.entries(cases)) {
    test(name, () => {
      expect(labels(selinux === undefined ? {} : { selinux })).toEqual([process, mount])
      expect(labels(selinux === undefined ? {} : { selinux }, false)).toEqual([undefined, undefined])
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
