import { describe, expect, test } from '@jest/globals'
import { atLeast, convertSeccomp } from '../../../../src/oci/spec/seccomp.ts'
import { PROFILE } from '../../../support/spec-input.ts'

const FACTS = { capabilities: ['CAP_KILL'], arch: 'amd64', kernel: '6.1.0-13-amd64' }
const rules = (facts: Partial<typeof FACTS>): string[] =>
  convertSeccomp(PROFILE, { ...FACTS, ...facts }).syscalls.map(
    rule => `${rule.names.join('+')} ${rule.action.slice(9)}`,
  )

describe('conversion of a profile', () => {
  test('defaults, architectures, arguments and errnos', () => {
    const converted = convertSeccomp(PROFILE, FACTS)
    expect(converted).toMatchObject({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    })
    expect(converted.syscalls[0]).toEqual({ names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' })
    expect(converted.syscalls[1]?.args).toEqual([{ index: 0, value: 4294967295, valueTwo: 0, op: 'SCMP_CMP_EQ' }])
    expect(converted.syscalls.at(-1)).toEqual({ names: ['kexec_load'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 })
  })

  const cases: Record<string, { facts: Partial<typeof FACTS>; has: string[]; lacks: string[] }> = {
    'without the capability': { facts: {}, has: ['setns ERRNO'], lacks: ['setns ALLOW'] },
    'with the capability': { facts: { capabilities: ['CAP_SYS_ADMIN'] }, has: ['setns ALLOW'], lacks: ['setns ERRNO'] },
    'on amd64': { facts: {}, has: ['arch_prctl ALLOW'], lacks: ['arm_fadvise64_64 ALLOW'] },
    'on arm64': { facts: { arch: 'arm64' }, has: ['arm_fadvise64_64 ALLOW'], lacks: ['arch_prctl ALLOW'] },
    'on a new kernel': { facts: {}, has: ['ptrace ALLOW'], lacks: [] },
    'on an old kernel': { facts: { kernel: '4.4.0' }, has: [], lacks: ['ptrace ALLOW'] },
  }
  for (const [name, { facts, has, lacks }] of Object.entries(cases)) {
    test(name, () => {
      expect(rules(facts)).toEqual(expect.arrayContaining(has))
      expect(rules(facts).filter(rule => lacks.includes(rule))).toEqual([])
    })
  }

  test('the same profile for the same capabilities is converted once', () => {
    expect(convertSeccomp(PROFILE, FACTS)).toBe(convertSeccomp(PROFILE, { ...FACTS }))
    expect(convertSeccomp(PROFILE, { ...FACTS, capabilities: [] })).not.toBe(convertSeccomp(PROFILE, FACTS))
  })

  test('a profile in the OCI format stays what it is', () => {
    const oci = {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_64'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      syscalls: [
        { names: ['mount'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, args: [{ index: 1, value: 2, op: 'SCMP_CMP_EQ' }] },
      ],
    }
    expect(convertSeccomp(oci, FACTS)).toEqual(oci)
  })
})

describe('what is no profile is refused, never "no filter"', () => {
  const allow = { names: ['read'], action: 'SCMP_ACT_ALLOW' }
  const cases: Record<string, unknown> = {
    nothing: undefined,
    null: null,
    'an empty object': {},
    'an empty default action': { defaultAction: '' },
    'a list': [],
    'a text': '{"defaultAction":"SCMP_ACT_ALLOW"}',
    'rules that are no list': { defaultAction: 'SCMP_ACT_ERRNO', syscalls: { names: ['read'] } },
    'a rule without an action': { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['read'] }] },
    'a number that was rounded': {
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [{ ...allow, args: [{ index: 0, value: 2 ** 63, op: 'SCMP_CMP_EQ' }] }],
    },
    'an unknown error name': { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ ...allow, errno: 'ENONSENSE' }] },
    'a seccomp agent': { defaultAction: 'SCMP_ACT_ERRNO', listenerPath: '/run/agent.sock' },
  }
  for (const [name, profile] of Object.entries(cases)) {
    test(name, () => {
      expect(() => convertSeccomp(profile, FACTS)).toThrow(expect.objectContaining({ code: 'SECURITY_REFUSED' }))
    })
  }
})

test('kernel releases compare by number', () => {
  expect(atLeast('6.1.0-13-amd64', '6.1')).toBe(true)
  expect(atLeast('5.9.1', '5.12')).toBe(false)
  expect(atLeast('10.0', '6.18')).toBe(true)
})
