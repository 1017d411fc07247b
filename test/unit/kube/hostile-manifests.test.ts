/**
 * Manifests that want more than a manifest may: lines into files that others read, annotations that other programs act
 * upon, kernel parameters of the host, profiles that are not there (the S-numbers are those of test/SECURITY.md).
 */
import { describe, expect, test } from '@jest/globals'
import { translate } from '../../../src/kube/index.ts'
import { ACTED_UPON } from '../../../src/kube/metadata.ts'
import { annotatedRuntime } from '../../../src/oci/runtime/index.ts'
import { buildSpec } from '../../../src/oci/spec/index.ts'
import { hostFacts, specInput } from '../../support/spec-input.ts'
import { detailsOf, issuesOf, podOf } from './world.ts'

type Json = { [name: string]: unknown }
type Changes = { metadata?: Json; spec?: Json; container?: Json }

const manifest = ({ metadata = {}, spec = {}, container = {} }: Changes): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', ...metadata },
    spec: { containers: [{ name: 'main', image: 'a:1', ...container }], ...spec },
  })

describe('S14 a character that ends a line or a field is refused, or stays one character of a value', () => {
  const places: Record<string, (text: string) => Changes> = {
    'metadata.name': text => ({ metadata: { name: `a${text}b` } }),
    'metadata.namespace': text => ({ metadata: { namespace: `a${text}b` } }),
    'metadata.labels': text => ({ metadata: { labels: { a: `a${text}b` } } }),
    'metadata.labels (the key)': text => ({ metadata: { labels: { [`a${text}b`]: 'a' } } }),
    'spec.hostname': text => ({ spec: { hostname: `a${text}b` } }),
    'spec.hostnameOverride': text => ({ spec: { hostnameOverride: `a${text}b` } }),
    'spec.subdomain': text => ({ spec: { subdomain: `a${text}b` } }),
    'spec.hostAliases[0].ip': text => ({ spec: { hostAliases: [{ ip: `10.0.0.1${text}`, hostnames: ['a'] }] } }),
    'spec.hostAliases[0].hostnames[0]': text => ({
      spec: { hostAliases: [{ ip: '10.0.0.1', hostnames: [`a${text}b`] }] },
    }),
    'spec.dnsConfig.nameservers[0]': text => ({ spec: { dnsConfig: { nameservers: [`10.0.0.1${text}`] } } }),
    'spec.dnsConfig.searches[0]': text => ({ spec: { dnsConfig: { searches: [`a${text}b`] } } }),
    'spec.dnsConfig.options[0].name': text => ({ spec: { dnsConfig: { options: [{ name: `a${text}b` }] } } }),
    'spec.dnsConfig.options[0].value': text => ({
      spec: { dnsConfig: { options: [{ name: 'a', value: `1${text}2` }] } },
    }),
    'spec.containers[0].name': text => ({ container: { name: `a${text}b` } }),
    'spec.containers[0].workingDir': text => ({ container: { workingDir: `/a${text}b` } }),
    'spec.containers[0].env[0].name': text => ({ container: { env: [{ name: `A${text}B`, value: '' }] } }),
  }
  const characters: Record<string, string> = { '\\n': '\n', '\\r': '\r', '\\0': '\0' }
  for (const [path, change] of Object.entries(places)) {
    test.each(Object.entries(characters))(`${path} with %s`, (_, character) => {
      const [first = ''] = issuesOf(manifest(change(character)))
      expect(first).toMatch(/^\d+:\d+ (INVALID_VALUE|YAML_SYNTAX|UNSUPPORTED_VALUE)/)
      expect(first).toContain(path.replace(/ .*/, ''))
    })
  }
  test('a colon is none in a name', () => {
    for (const path of [
      'spec.hostname',
      'spec.containers[0].name',
      'metadata.name',
      'spec.hostAliases[0].hostnames[0]',
    ])
      expect(issuesOf(manifest(places[path]?.(':') ?? {}))).toHaveLength(1)
  })
  test('in the value of a variable it is a character like others', () => {
    const pod = podOf(manifest({ container: { env: [{ name: 'HOME', value: '/x\nroot::0:0:::/bin/sh\r' }] } }))
    expect(pod.containers[0]?.env).toMatchObject([{ text: '/x\nroot::0:0:::/bin/sh\r' }])
  })
})

describe('S17 annotations', () => {
  const spec = {
    containers: [
      { name: 'first', image: 'a:1' },
      { name: 'main', image: 'b:1' },
    ],
  }
  spec.containers[0] = { ...spec.containers[0], volumeMounts: [{ name: 'v', mountPath: '/v' }] } as never
  const play = (annotations: Json) => {
    const text = manifest({ metadata: { annotations }, spec: { ...spec, volumes: [{ name: 'v', emptyDir: {} }] } })
    const { annotations: _, ...pod } = podOf(text)
    return pod
  }
  const plain = play({})

  /** Each that changes anything, and all that it changes: paths in the translated pod. */
  const effects: Record<string, [value: string, changes: string[]]> = {
    'io.containers.sdnotify/main': ['container', ['containers.1.sdnotify']],
    'io.podman.annotations.cpuset/main': ['0', ['containers.1.resources.cpusetCpus']],
    'io.podman.annotations.init.container.type': ['always', ['initType']],
    'io.podman.annotations.label/main': ['type:spc_t', ['containers.1.security.selinux']],
    'io.podman.annotations.memory-nodes/main': ['0', ['containers.1.resources.cpusetMems']],
    'io.podman.annotations.pids-limit/main': ['7', ['containers.1.resources.pidsLimit']],
    'io.podman.annotations.ulimit': ['nofile=9', ['containers.0.rlimits', 'containers.1.rlimits']],
    'io.podman.annotations.userns': ['auto', ['userns']],
    'io.podman.annotations.volumes-from/main': ['first', ['containers.1.mounts.0']],
    'io.tspod.depends-on/main': ['first', ['containers.1.dependsOn']],
    'io.tspod.app': ['other', []],
    'io.tspod.drift': ['ignore', []],
    'io.tspod.on-config-change': ['none', []],
    'io.tspod.prune': ['disabled', []],
    'io.tspod.runtime': ['crun', []],
    'io.tspod.wave': ['1', []],
    'seccomp.security.alpha.kubernetes.io/pod': [
      'unconfined',
      ['containers.0.security.seccomp.type', 'containers.1.security.seccomp.type'],
    ],
    'container.seccomp.security.alpha.kubernetes.io/main': ['unconfined', ['containers.1.security.seccomp.type']],
    'container.apparmor.security.beta.kubernetes.io/main': ['unconfined', ['containers.1.security.appArmor']],
  }
  for (const [key, [value, changes]] of Object.entries(effects))
    test(`${key} changes ${changes.join(' and ') || 'nothing that is in the pod'}`, () =>
      expect(differences(plain, play({ [key]: value }))).toEqual(changes))

  test('every one that is acted upon is in this list', () => {
    const tested = Object.keys(effects).map(key => key.split('/')[0])
    expect(ACTED_UPON.filter(name => !tested.includes(name))).toEqual([])
  })

  test('io.tspod.runtime names a runtime that the host knows, and no program', async () => {
    for (const name of ['/bin/sh', '../crun', 'crun --help', 'nosuch', '']) {
      const pod = { name: 'web', annotations: { 'io.tspod.runtime': name } }
      await expect(annotatedRuntime({ config: '/nowhere' }, pod)).rejects.toThrow(
        /the annotation io.tspod.runtime names/,
      )
    }
  })

  /** What other programs act upon, and so must never reach them. */
  const foreign: Json = {
    'org.systemd.property.ExecStartPre': "['/bin/sh', '-c', 'touch /canary']",
    'org.systemd.property.TimeoutStopUSec': 'uint64 1',
    'run.oci.hooks.stdout': '/canary',
    'run.oci.handler': 'krun',
    'run.oci.keep_original_groups': '1',
    'run.oci.mount_context_type': 'rootcontext',
    'run.oci.systemd.subgroup': '../..',
    'run.oci.seccomp.receiver': '/run/evil.sock',
    'krun.cpus': '1',
    'krun.tee_config_file': '/canary',
    'module.wasm.image/variant': 'compat',
    'cdi.k8s.io/evil': 'vendor.com/device=all',
    'io.kubernetes.cri-o.userns-mode': 'auto',
    'io.kubernetes.cri-o.Devices': '/dev/sda',
    'io.kubernetes.cri-o.UnifiedCgroup.main': 'memory.max=max',
    'io.containerd.runc.v2.group': 'x',
    'io.katacontainers.config.hypervisor.path': '/bin/sh',
    'io.podman.annotations.privileged': 'TRUE',
    'io.podman.annotations.seccomp': 'unconfined',
    'io.podman.annotations.apparmor': 'unconfined',
    'io.podman.annotations.cid-file': '/canary',
    'io.podman.annotations.no-such': 'x',
    'bind-mount-options': '/canary:z',
  }
  test.each(Object.keys(foreign))('%s changes nothing', key => {
    expect(differences(plain, play({ [key]: foreign[key] }))).toEqual([])
  })

  test('none reaches the configuration of a runtime, and no label of a pod or an image either', () => {
    const [container] = podOf(manifest({ metadata: { annotations: foreign, labels: { a: 'evil' } } })).containers
    if (container === undefined) throw new Error('no container')
    const pod = podOf(manifest({ metadata: { annotations: foreign, labels: { a: 'evil' } } }))
    const image = { ...specInput().image, labels: foreign as Record<string, string> }
    const of = (changes: Json) => JSON.stringify(buildSpec(specInput({ container, ...changes }), hostFacts()).config)
    expect(of({ pod, image })).toBe(of({ pod: { ...pod, annotations: {}, labels: {} }, image: specInput().image }))
  })
})

describe('S18 kernel parameters', () => {
  const refused: [name: string, spec?: Json][] = [
    ...['kernel.core_pattern', 'kernel/core_pattern', 'vm.swappiness', 'fs.file-max', 'kernel.hostname'].map(one),
    ...['kernel.domainname', 'net/../kernel/core_pattern', 'net..x', 'net.a+b', 'net.a=b', 'net.a b', 'net.a\nb'].map(
      one,
    ),
    ...[
      '../net.a',
      '/net/ipv4/x',
      'net.ipv4.',
      'user.max_user_namespaces',
      'dev.cdrom.info',
      'Kernel.shm_rmid_forced',
    ].map(one),
    ['net.ipv4.tcp_fin_timeout', { hostNetwork: true }],
    ...['kernel.shm_rmid_forced', 'kernel.msgmax', 'kernel.sem', 'fs.mqueue.msg_max'].map(
      name => [name, { hostIPC: true }] as [string, Json],
    ),
  ]
  test.each(refused)('%j is refused, whatever is allowed', (name, spec = {}) => {
    const text = manifest({ spec: { ...spec, securityContext: { sysctls: [{ name, value: '1' }] } } })
    expect(issuesOf(text, { unsafeSysctls: ['*'] })).toEqual([
      expect.stringMatching(/^1:\d+ (INVALID_VALUE|FORBIDDEN) spec\.securityContext\.sysctls\[0\]\.name$/),
    ])
  })
  test.each(['1\n2', '1\r', '1\0', 'é', '\u2028'])('the value %j is refused', value => {
    const text = manifest({ spec: { securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem', value }] } } })
    expect(issuesOf(text)).toHaveLength(1)
  })
})

describe('S24 a seccomp profile', () => {
  const cases: Record<string, Json> = {
    'of no file': { type: 'Localhost' },
    'of an empty name': { type: 'Localhost', localhostProfile: '' },
    'above its directory': { type: 'Localhost', localhostProfile: '../../etc/shadow' },
    'in the middle above it': { type: 'Localhost', localhostProfile: 'a/../../b' },
    'of an absolute path': { type: 'Localhost', localhostProfile: '/etc/seccomp.json' },
    'of an unknown type': { type: 'unconfined' },
    'of no type': { localhostProfile: 'a.json' },
    'of a type and a file that do not fit': { type: 'RuntimeDefault', localhostProfile: 'a.json' },
  }
  for (const [name, seccompProfile] of Object.entries(cases)) {
    test(`${name} is refused, for a pod and for a container`, () => {
      expect(issuesOf(manifest({ spec: { securityContext: { seccompProfile } } })).length).toBeGreaterThan(0)
      expect(issuesOf(manifest({ container: { securityContext: { seccompProfile } } })).length).toBeGreaterThan(0)
    })
  }
  test('that nobody names is the default filter, not none', () => {
    const pod = podOf(manifest({ spec: { initContainers: [{ name: 'first', image: 'a:1' }] } }))
    for (const { security } of [...pod.initContainers, ...pod.containers])
      expect(security.seccomp).toEqual({ type: 'RuntimeDefault' })
  })
  test('of an old annotation cannot lead anywhere either', () => {
    for (const value of ['localhost/../../x', 'localhost//x', 'localhost/', 'nothing', '']) {
      const annotations = { 'seccomp.security.alpha.kubernetes.io/pod': value }
      expect(detailsOf(manifest({ metadata: { annotations } }))).toContain('INVALID_VALUE')
    }
  })
})

describe('S41 names that a unit file would be made of', () => {
  const nasty = [
    'a\nExecStart=/bin/sh',
    'a%n',
    'a$b',
    'a;b',
    'a"b',
    "a'b",
    'a\\b',
    'a]b',
    '[Service]',
    'a b',
    '../a',
    '-a',
    'a/b',
    '\u2028',
  ]
  test.each(nasty)('%j is no name of a pod, a container, a volume, a claim or a namespace', name => {
    const claim = { name: 'v', persistentVolumeClaim: { claimName: name } }
    const texts = [
      manifest({ metadata: { name } }),
      manifest({ metadata: { namespace: name } }),
      manifest({ container: { name } }),
      manifest({ spec: { volumes: [{ name, emptyDir: {} }] } }),
      manifest({ spec: { volumes: [claim] } }),
      manifest({ spec: { runtimeClassName: name } }),
      ...['ConfigMap', 'Secret', 'PersistentVolumeClaim'].map(kind =>
        JSON.stringify({ apiVersion: 'v1', kind, metadata: { name } }),
      ),
    ]
    for (const text of texts) expect(() => translate([{ file: 'a', text }], { baseDirectory: '/' })).toThrow()
  })
})

function one(name: string): [string] {
  return [name]
}

/** The paths at which two values differ; a part that only one of them has is one path. */
function differences(before: unknown, after: unknown, path = ''): string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return []
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null) return [path]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap(key =>
    differences((before as Json)[key], (after as Json)[key], path === '' ? key : `${path}.${key}`),
  )
}
