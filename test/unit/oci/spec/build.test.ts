import { describe, expect, test } from '@jest/globals'
import {
  buildSpec,
  type HostFacts,
  type OciConfig,
  type ResolvedMount,
  type SpecInput,
} from '../../../../src/oci/spec/index.ts'
import { schemaMistakes } from '../../../support/runtime-spec.ts'
import { containerSpec, hostFacts, imageConfig, podSpec, securityOf, specInput } from '../../../support/spec-input.ts'

const build = (changes: Partial<SpecInput> = {}, host: Partial<HostFacts> = {}): OciConfig =>
  buildSpec(specInput(changes), hostFacts(host)).config
const withSecurity = (changes: Parameters<typeof securityOf>[0]): OciConfig =>
  build({ container: containerSpec({ security: securityOf(changes) }) })
const volume = (target: string, changes: Partial<ResolvedMount> = {}): ResolvedMount => ({
  source: '/srv/data',
  target,
  readOnly: false,
  propagation: 'private',
  kind: 'bind',
  ...changes,
})
const optionsAt = (config: OciConfig, destination: string): string[] | undefined =>
  config.mounts.find(mount => mount.destination === destination)?.options
const refusal = (code: string) => expect.objectContaining({ code })

describe('the schema of the runtime specification accepts', () => {
  const cases: Record<string, Partial<SpecInput>> = {
    'the plain container': {},
    'a privileged one': {
      container: containerSpec({ security: securityOf({ privileged: true }) }),
      hostDevices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, mode: 0o666, uid: 0, gid: 0 }],
    },
    'limits, volumes and a device': {
      container: containerSpec({ tty: true, resources: { cpuLimitMilli: 10, memoryLimitBytes: 1 << 20 } }),
      mounts: [volume('/data', { readOnly: true }), volume('/dev/x', { device: { type: 'c', major: 1, minor: 3 } })],
    },
    'the namespaces of the host': { namespaces: { pid: 'host' } },
  }
  for (const [name, changes] of Object.entries(cases)) {
    test(name, () => expect(schemaMistakes(build(changes))).toEqual([]))
  }

  test('and it does notice mistakes', () => {
    expect(schemaMistakes({ ...build(), process: { cwd: 1 } })).not.toEqual([])
  })
})

test('nothing of image labels, pod labels or annotations reaches the configuration', () => {
  const image = imageConfig({ stopSignal: 'SIG$(reboot)', volumes: ['/../../../etc'] })
  const text = JSON.stringify(build({ image }))
  expect(text).not.toMatch(/stays-out|reboot|\.\.\//)
  expect(Object.keys(build().annotations)).toEqual(['io.tspod.container', 'io.tspod.pod'])
})

describe('namespaces', () => {
  const kinds = (namespaces: SpecInput['namespaces']): string[] =>
    build({ namespaces }).linux.namespaces.map(({ type, path }) => (path ? `${type}=${path}` : type))

  test('of the pod, by path; a private pid namespace', () => {
    expect(kinds({ net: '/n', ipc: '/i', uts: '/u' })).toEqual([
      'mount',
      'cgroup',
      'pid',
      'network=/n',
      'ipc=/i',
      'uts=/u',
    ])
  })
  test('of the host: not listed', () => expect(kinds({ pid: 'host' })).toEqual(['mount', 'cgroup']))
  test('a shared pid namespace, by path', () =>
    expect(kinds({ pid: '/proc/7/ns/pid' })).toContain('pid=/proc/7/ns/pid'))

  test('the host name is set only in a UTS namespace of the pod', () => {
    expect(build().hostname).toBe('app')
    expect(build({ namespaces: {} })).not.toHaveProperty('hostname')
  })
})

describe('sysctls', () => {
  const sysctls = (sysctls: Record<string, string>, namespaces = specInput().namespaces) =>
    build({ pod: podSpec({ sysctls }), namespaces }).linux.sysctl

  test('defaults of a private network, which the manifest may override', () => {
    expect(sysctls({ 'net.ipv4.ping_group_range': '0 9' })).toEqual({
      'net.ipv4.ping_group_range': '0 9',
      'net.ipv6.conf.all.accept_ra': '0',
      'net.ipv6.conf.default.accept_ra': '0',
    })
    expect(build({}, { ipv6: false }).linux.sysctl).toEqual({ 'net.ipv4.ping_group_range': '0 0' })
    expect(sysctls({}, {})).toEqual({})
  })

  const refused: [name: string, value: string, namespaces?: SpecInput['namespaces']][] = [
    ['kernel.panic', '1'],
    ['vm.swappiness', '1'],
    ['net.ipv4.ip_forward', '1', { ipc: '/i' }],
    ['kernel.shmmax', '1', { net: '/n' }],
    ['net/ipv4/ip_forward', '1'],
    ['net.ipv4..ip_forward', '1'],
    ['net.ipv4.+kernel.core_pattern', '1'],
    ['net.ipv4.x=y', '1'],
    ['net.ipv4.x y', '1'],
    ['net.ipv4.ip_forward', '1\nkernel.core_pattern=|/x'],
    ['kernel.shm/../core_pattern', '1'],
  ]
  for (const [name, value, namespaces] of refused) {
    test(`refused: ${JSON.stringify(name)} = ${JSON.stringify(value)}${namespaces ? ' with a shared namespace' : ''}`, () => {
      expect(() => sysctls({ [name]: value }, namespaces)).toThrow(refusal('SECURITY_REFUSED'))
    })
  }
})

describe('mounts', () => {
  test('/dev is always a mount of our own, before anything below it', () => {
    const order = build().mounts.map(mount => mount.destination)
    expect(order.indexOf('/dev')).toBeLessThan(order.indexOf('/dev/shm'))
    expect(optionsAt(build(), '/dev')).toEqual(expect.arrayContaining(['nosuid', 'noexec']))
    expect(optionsAt(build(), '/sys/fs/cgroup')).toContain('ro')
  })

  test('volumes are nosuid and nodev; read-only ones all the way down', () => {
    expect(optionsAt(build({ mounts: [volume('/data')] }), '/data')).toEqual(['rbind', 'rprivate', 'nosuid', 'nodev'])
    const tree = volume('/data', { readOnly: true, options: ['rro'] })
    expect(optionsAt(build({ mounts: [tree] }), '/data')).toEqual(expect.arrayContaining(['ro', 'rro']))
    expect(optionsAt(build({ mounts: [tree] }, { kernel: '5.10.0' }), '/data')).not.toContain('rro')
    expect(optionsAt(build({ mounts: [{ ...tree, propagation: 'rslave' }] }), '/data')).not.toContain('rro')
  })

  test('a volume replaces a default at its place, and the later of two wins', () => {
    const config = build({
      mounts: [volume('/dev/shm'), volume('/etc/hosts', { source: '/a' }), volume('/etc/hosts/')],
    })
    expect(config.mounts.filter(mount => mount.destination === '/dev/shm')).toHaveLength(1)
    expect(config.mounts.filter(mount => mount.destination === '/etc/hosts')).toMatchObject([{ source: '/srv/data' }])
  })

  test('outer volumes come before inner ones', () => {
    const config = build({ mounts: [volume('/a/b/c'), volume('/a'), volume('/a/b')] })
    expect(config.mounts.slice(-3).map(mount => mount.destination)).toEqual(['/a', '/a/b', '/a/b/c'])
  })

  test('propagation opens the root as far as it needs', () => {
    expect(build().linux).not.toHaveProperty('rootfsPropagation')
    expect(build({ mounts: [volume('/a', { propagation: 'rslave' })] }).linux.rootfsPropagation).toBe('slave')
    const both = [volume('/a', { propagation: 'rslave' }), volume('/b', { propagation: 'rshared' })]
    expect(build({ mounts: both }).linux.rootfsPropagation).toBe('shared')
  })

  test('a read-only root keeps places to write to', () => {
    const config = withSecurity({ readOnlyRootFilesystem: true })
    expect(config.root.readonly).toBe(true)
    for (const path of ['/tmp', '/run', '/var/tmp']) {
      expect(optionsAt(config, path)).toEqual(['rw', 'rprivate', 'nosuid', 'nodev', 'tmpcopyup'])
    }
    expect(optionsAt(build(), '/tmp')).toBeUndefined()
  })

  test("the host's IPC brings the host's shared memory", () => {
    const config = build({ namespaces: { net: '/n' } })
    expect(config.mounts.find(mount => mount.destination === '/dev/shm')).toMatchObject({
      type: 'bind',
      source: '/dev/shm',
    })
  })

  for (const target of ['/', '/proc', '/proc/sys', '/proc/self/attr', '/x/../proc', 'proc/1']) {
    test(`refused on ${target}`, () => {
      expect(() => build({ mounts: [volume(target)] })).toThrow(refusal('SECURITY_REFUSED'))
    })
  }
  test('what lxcfs offers may replace files of /proc', () => {
    expect(optionsAt(build({ mounts: [volume('/proc/meminfo')] }), '/proc/meminfo')).toBeDefined()
  })
})

describe('security context', () => {
  test('allowPrivilegeEscalation decides no_new_privs', () => {
    expect(build().process.noNewPrivileges).toBe(false)
    expect(withSecurity({ allowPrivilegeEscalation: false }).process.noNewPrivileges).toBe(true)
  })

  test('there is a filter unless it is given up by name', () => {
    expect(build().linux.seccomp).toBeDefined()
    expect(withSecurity({ seccomp: { type: 'Unconfined' } }).linux.seccomp).toBeUndefined()
    const localhost = containerSpec({ security: securityOf({ seccomp: { type: 'Localhost', profile: 'x' } }) })
    for (const container of [containerSpec(), localhost]) {
      expect(() => build({ container, seccompProfile: undefined })).toThrow(refusal('SECURITY_REFUSED'))
    }
  })

  test('masked: the union of what engines hide, and every CPU', () => {
    const { maskedPaths, readonlyPaths } = build({}, { cpus: 3 }).linux
    expect(maskedPaths).toEqual(
      expect.arrayContaining(['/proc/kcore', '/proc/interrupts', '/proc/asound', '/sys/dev/block']),
    )
    expect(maskedPaths.filter(path => path.endsWith('thermal_throttle'))).toHaveLength(3)
    expect(readonlyPaths).toEqual(['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'])
    const v1: Partial<HostFacts> = { cgroup: 'v1', v1Trees: ['cpu,cpuacct', 'cpu'] }
    const trees = ['/sys/fs/cgroup', '/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup/cpu']
    expect(build({}, v1).linux.readonlyPaths.slice(-3)).toEqual(trees)
    const unmasked = containerSpec({ security: securityOf({ procMount: 'Unmasked' }) })
    expect(build({ container: unmasked }, v1).linux).toMatchObject({ maskedPaths: [], readonlyPaths: trees })
    expect(withSecurity({ procMount: 'Unmasked' }).linux).toMatchObject({ maskedPaths: [], readonlyPaths: [] })
  })

  test('privileged: no filter, no masks, devices, a writable /sys, volumes as they are', () => {
    const container = containerSpec({ security: securityOf({ privileged: true }) })
    const hostDevices = [{ path: '/dev/fuse', type: 'c' as const, major: 10, minor: 229, mode: 0o666, uid: 0, gid: 0 }]
    const config = build({ container, hostDevices, mounts: [volume('/data')] })
    expect(config.linux).toMatchObject({
      maskedPaths: [],
      readonlyPaths: [],
      resources: { devices: [{ allow: true }] },
    })
    expect(config.linux.devices).toEqual([
      { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
    ])
    expect(config.linux).not.toHaveProperty('seccomp')
    expect(optionsAt(config, '/sys')).toContain('rw')
    expect(optionsAt(config, '/data')).toEqual(['rbind', 'rprivate'])
    expect(build({ hostDevices }).linux.devices).toEqual([])
  })
})

describe('the process', () => {
  test('the manifest beats the image for the working directory', () => {
    const image = imageConfig({ workingDir: '/srv' })
    expect(build({ image }).process.cwd).toBe('/srv')
    expect(build({ image, container: containerSpec({ workingDir: '/app/../x' }) }).process.cwd).toBe('/x')
    expect(build().process.cwd).toBe('/')
  })

  for (const path of ['/proc/self/fd/7', '/proc/self/../1/cwd', '//proc/1/root', 'proc/self/fd/3']) {
    test(`no working directory in ${path}`, () => {
      expect(() => build({ image: imageConfig({ workingDir: path }) })).toThrow(refusal('SECURITY_REFUSED'))
    })
  }

  test('HOME is always there, and the given one wins', () => {
    expect(build().process.env).toEqual(['HOME=/root', 'PATH=/bin'])
    expect(build({ env: { HOME: '/h' } }).process.env).toEqual(['HOME=/h'])
  })

  test('nothing to run is said before anything is created', () => {
    expect(() => build({ args: [] })).toThrow(refusal('IMAGE_BAD_CONFIG'))
  })
})
