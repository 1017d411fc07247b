import { describe, expect, test } from '@jest/globals'
import * as features from '../../../src/oci/features.ts'
import type { HostFacts } from '../../../src/oci/spec/index.ts'
import * as tools from '../../../src/oci/tools.ts'

const HOST: HostFacts = {
  cgroup: 'v2',
  capabilities: [
    'CHOWN',
    'DAC_OVERRIDE',
    'FOWNER',
    'FSETID',
    'KILL',
    'MKNOD',
    'NET_ADMIN',
    'NET_BIND_SERVICE',
    'SETFCAP',
    'SETGID',
    'SETPCAP',
    'SETUID',
    'SYS_ADMIN',
    'SYS_CHROOT',
    'SYS_PTRACE',
  ].map(name => `CAP_${name}`),
  nofileHard: Number.POSITIVE_INFINITY,
  nprocHard: 100_000,
  memlockHard: Number.POSITIVE_INFINITY,
  canLowerOom: true,
  memoryBytes: 1024 ** 3,
  cpus: 2,
  arch: 'amd64',
  kernel: '6.12.1',
  apparmor: false,
  selinux: false,
}
const tool = { name: 'skopeo', floor: '1.9', need: 'wanted', forWhat: 'pulling images' } as const
const required = { ...tool, name: 'conmon', need: 'required' } as const

const cases: Record<string, [check: features.HostCheck, status: features.HostCheck['status'], found: RegExp]> = {
  'a tool that is new enough': [tools.checkTool(tool, '1.10.0', HOST), 'ok', /1\.10\.0/],
  'a tool that is too old': [tools.checkTool(tool, '1.8.9', HOST), 'warn', /1\.8\.9/],
  'a required tool that is too old': [tools.checkTool(required, '1.0', HOST), 'missing', /1\.0/],
  'a required tool that is absent': [tools.checkTool(required, undefined, HOST), 'missing', /not installed/],
  'a tool that does not run': [tools.checkTool(tool, 'broken: EACCES', HOST), 'warn', /EACCES/],
  'a tool that keeps its version to itself': [tools.checkTool(tool, 'unknown', HOST), 'ok', /unknown/],
  'crun where it cannot work': [
    tools.checkTool({ ...tool, name: 'crun', floor: '1.8' }, '1.21', { ...HOST, cgroup: 'hybrid' }),
    'warn',
    /hybrid/,
  ],
  'a tool that no distribution has, absent': [
    tools.checkTool({ ...tool, name: 'sops', install: 'install sops' }, undefined, HOST),
    'warn',
    /not installed/,
  ],
  kustomize: [tools.checkKustomize(new Map([['kustomize', '5.4.1']]), HOST), 'ok', /^5\.4\.1$/],
  'a kubectl that is too old to build a kustomization': [
    tools.checkKustomize(new Map([['kubectl', '1.20.2']]), HOST),
    'warn',
    /1\.20\.2/,
  ],
  'a kubectl in its place': [tools.checkKustomize(new Map([['kubectl', '1.30.0']]), HOST), 'ok', /1\.30\.0/],
  'neither of them': [tools.checkKustomize(new Map(), HOST), 'warn', /not installed/],
  'a runtime that works': [tools.checkRuntimes(new Map([['crun', '1.21']]), HOST), 'ok', /^crun$/],
  'only a runtime that does not': [
    tools.checkRuntimes(new Map([['crun', '1.21']]), { ...HOST, cgroup: 'hybrid' }),
    'missing',
    /none/,
  ],
  'an old netavark needs iptables': [
    tools.checkFirewall(
      new Map([
        ['netavark', '1.4.0'],
        ['nft', '1.0.6'],
      ]),
    ),
    'missing',
    /none/,
  ],
  'a newer one lives with nft': [
    tools.checkFirewall(
      new Map([
        ['netavark', '1.14.0'],
        ['nft', '1.0.6'],
      ]),
    ),
    'ok',
    /nft/,
  ],
  'no systemd': [tools.checkSystemd(false, '257'), 'warn', /not the init/],
  systemd: [tools.checkSystemd(true, '257'), 'ok', /257/],
  'cgroup v2': [features.checkCgroupMode(HOST), 'ok', /v2/],
  'hybrid cgroups': [features.checkCgroupMode({ ...HOST, cgroup: 'hybrid' }), 'warn', /hybrid/],
  'controllers lacking': [
    features.checkControllers({ ...HOST, controllers: ['cpu', 'memory', 'name=systemd'] }),
    'warn',
    /^cpu, memory; without pids/,
  ],
  'controllers of v2': [
    features.checkControllers({ ...HOST, controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'] }),
    'ok',
    /memory/,
  ],
  'overlay there': [features.checkOverlay('nodev\ttmpfs\nnodev\toverlay\n'), 'ok', /kernel/],
  'overlay not there': [features.checkOverlay('\text4\nnodev\toverlayfake\n'), 'warn', /not loaded/],
  'namespaces lacking': [features.checkNamespaces(path => !path.endsWith('/ipc')), 'missing', /^mnt, pid, net, uts/],
  'no seccomp': [features.checkSeccomp(undefined), 'missing', /not in this kernel/],
  'all capabilities': [features.checkCapabilities(HOST), 'ok', /all/],
  'no SYS_RESOURCE': [features.checkCapabilities({ ...HOST, canLowerOom: false }), 'warn', /SYS_RESOURCE/],
  'no SYS_ADMIN': [
    features.checkCapabilities({ ...HOST, capabilities: HOST.capabilities.filter(name => name !== 'CAP_SYS_ADMIN') }),
    'missing',
    /SYS_ADMIN/,
  ],
  'an old kernel': [features.checkKernel({ ...HOST, kernel: '4.19.0-21' }), 'warn', /4\.19/],
}

describe('checks', () => {
  for (const [name, [check, status, found]] of Object.entries(cases)) {
    test(`${name}: ${status}`, () => {
      expect(check.status).toBe(status)
      expect(check.found).toMatch(found)
      // Each lack has its way out, and what is well needs none.
      expect(check.remedy === undefined).toBe(status === 'ok')
    })
  }

  test('a low limit that cannot be raised is said, one that can is not', () => {
    const low = { ...HOST, nofileHard: 20_000 }
    expect(features.checkLimits(low).map(check => check.status)).toEqual(['ok', 'ok'])
    expect(features.checkLimits({ ...low, canLowerOom: false }).map(check => check.status)).toEqual(['warn', 'ok'])
  })
})
