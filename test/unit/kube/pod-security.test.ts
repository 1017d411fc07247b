/** Each control of the Pod Security Standards, one row each. */
import { describe, expect, test } from '@jest/globals'
import type { Level, Policy } from '../../../src/kube/index.ts'
import { detailsOf, issuesOf, podText, translated } from './world.ts'

const GOOD = 'runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}'
const STRICT = 'securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}'
const MAIN = 'spec.containers[0]'

/** The lines about violations of `level`, without places: `path` and what is violated. */
function found(level: Level, text: string): string[] {
  const details = detailsOf(text, { podSecurity: { level, mode: 'enforce' } })
  const lines = details.split('\n')
  return lines.flatMap((line, index) => {
    const path = / error FORBIDDEN (\S+)$/.exec(line)?.[1]
    const what = lines.slice(index, index + 4).find(other => other.includes('violates PodSecurity'))
    const match = /violates PodSecurity "(\w+)": (.*?); /.exec(what ?? '')
    return path === undefined || match === null ? [] : `${path}: ${match[2]}`
  })
}

type Row = { spec?: string; container?: string; finds: string | string[] }

const baseline: Record<string, Row> = {
  'HostProcess of the pod': {
    spec: 'securityContext: {windowsOptions: {hostProcess: true}}',
    finds: 'spec.securityContext.windowsOptions.hostProcess: HostProcess (hostProcess=true)',
  },
  'HostProcess of a container': {
    container: 'securityContext: {windowsOptions: {hostProcess: true}}',
    finds: `${MAIN}.securityContext.windowsOptions.hostProcess: HostProcess (hostProcess=true)`,
  },
  'host network': { spec: 'hostNetwork: true', finds: 'spec.hostNetwork: host namespaces (hostNetwork=true)' },
  'host processes': { spec: 'hostPID: true', finds: 'spec.hostPID: host namespaces (hostPID=true)' },
  'host ipc': { spec: 'hostIPC: true', finds: 'spec.hostIPC: host namespaces (hostIPC=true)' },
  privileged: {
    container: 'securityContext: {privileged: true}',
    finds: `${MAIN}.securityContext.privileged: privileged containers (privileged=true)`,
  },
  'privileged init container': {
    spec: 'initContainers: [{name: i, image: a, securityContext: {privileged: true}}]',
    finds: 'spec.initContainers[0].securityContext.privileged: privileged containers (privileged=true)',
  },
  capabilities: {
    container: 'securityContext: {capabilities: {add: [CHOWN, SYS_ADMIN, NET_RAW]}}',
    finds: [
      `${MAIN}.securityContext.capabilities.add[1]: capabilities (capabilities.add=SYS_ADMIN)`,
      `${MAIN}.securityContext.capabilities.add[2]: capabilities (capabilities.add=NET_RAW)`,
    ],
  },
  'hostPath volumes': {
    spec: 'volumes: [{name: a, hostPath: {path: /a}}]',
    finds: 'spec.volumes[0].hostPath: hostPath volumes (hostPath)',
  },
  'host ports': {
    container: 'ports: [{containerPort: 1}, {containerPort: 2, hostPort: 80}]',
    finds: `${MAIN}.ports[1].hostPort: host ports (hostPort=80)`,
  },
  'host of a probe': {
    container: 'livenessProbe: {httpGet: {port: 80, host: 10.0.0.1}}',
    finds: `${MAIN}.livenessProbe.httpGet.host: host probes and lifecycle hooks (httpGet.host=10.0.0.1)`,
  },
  'host of a hook': {
    container: 'lifecycle: {preStop: {tcpSocket: {port: 80, host: 10.0.0.1}}}',
    finds: `${MAIN}.lifecycle.preStop.tcpSocket.host: host probes and lifecycle hooks (tcpSocket.host=10.0.0.1)`,
  },
  AppArmor: {
    spec: 'securityContext: {appArmorProfile: {type: Unconfined}}',
    finds: 'spec.securityContext.appArmorProfile.type: AppArmor (appArmorProfile.type=Unconfined)',
  },
  'SELinux type': {
    container: 'securityContext: {seLinuxOptions: {type: spc_t}}',
    finds: `${MAIN}.securityContext.seLinuxOptions.type: SELinux (seLinuxOptions.type=spc_t)`,
  },
  'SELinux user and role': {
    spec: 'securityContext: {seLinuxOptions: {user: u, role: r, type: container_t}}',
    finds: [
      'spec.securityContext.seLinuxOptions.user: SELinux (seLinuxOptions.user=u)',
      'spec.securityContext.seLinuxOptions.role: SELinux (seLinuxOptions.role=r)',
    ],
  },
  '/proc': {
    container: 'securityContext: {procMount: Unmasked}',
    finds: `${MAIN}.securityContext.procMount: /proc mount type (procMount=Unmasked)`,
  },
  seccomp: {
    container: 'securityContext: {seccompProfile: {type: Unconfined}}',
    finds: `${MAIN}.securityContext.seccompProfile.type: seccomp (seccompProfile.type=Unconfined)`,
  },
  sysctls: {
    spec: 'securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: "1"}, {name: net.core.somaxconn, value: "1"}]}',
    finds: 'spec.securityContext.sysctls[1].name: sysctls (sysctls.name=net.core.somaxconn)',
  },
}

const restricted: Record<string, Row> = {
  'volume types': {
    spec: `securityContext: {${GOOD}}, volumes: [{name: a, emptyDir: {}}, {name: b, nfs: {server: a, path: /}}]`,
    container: STRICT,
    finds: 'spec.volumes[1].nfs: volume types (nfs)',
  },
  'privilege escalation': {
    spec: `securityContext: {${GOOD}}`,
    container: 'securityContext: {capabilities: {drop: [ALL]}}',
    finds: `${MAIN}: privilege escalation (allowPrivilegeEscalation != false)`,
  },
  'non-root of the pod': {
    spec: 'securityContext: {seccompProfile: {type: RuntimeDefault}}',
    container: STRICT,
    finds: `${MAIN}: running as non-root (runAsNonRoot != true)`,
  },
  'non-root taken back by a container': {
    spec: `securityContext: {${GOOD}}`,
    container: 'securityContext: {runAsNonRoot: false, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}',
    finds: `${MAIN}.securityContext.runAsNonRoot: running as non-root (runAsNonRoot != true)`,
  },
  'non-root denied by the pod, whatever its containers say': {
    spec: 'securityContext: {runAsNonRoot: false, seccompProfile: {type: RuntimeDefault}}',
    container: 'securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}',
    finds: 'spec.securityContext.runAsNonRoot: running as non-root (runAsNonRoot != true)',
  },
  'an image as a volume': {
    spec: `securityContext: {${GOOD}}, volumes: [{name: a, image: {reference: a}}]`,
    container: STRICT,
    finds: 'spec.volumes[0].image: volume types (image)',
  },
  'user 0': {
    spec: 'securityContext: {runAsUser: 0, seccompProfile: {type: Localhost, localhostProfile: a}}',
    container: STRICT,
    finds: [
      `${MAIN}: running as non-root (runAsNonRoot != true)`,
      'spec.securityContext.runAsUser: running as non-root user (runAsUser=0)',
    ],
  },
  'seccomp unsaid': {
    spec: 'securityContext: {runAsNonRoot: true}',
    container: STRICT,
    finds: `${MAIN}: seccomp (no seccompProfile)`,
  },
  'capabilities kept': {
    spec: `securityContext: {${GOOD}}`,
    container: 'securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [CHOWN]}}',
    finds: `${MAIN}.securityContext.capabilities.drop: capabilities (drop without ALL)`,
  },
  'capabilities added': {
    spec: `securityContext: {${GOOD}}`,
    container:
      'securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL], add: [NET_BIND_SERVICE, CHOWN]}}',
    finds: `${MAIN}.securityContext.capabilities.add[1]: capabilities (capabilities.add=CHOWN)`,
  },
}

describe('baseline forbids', () => {
  for (const [name, { spec = '', container = '', finds }] of Object.entries(baseline)) {
    test(name, () => {
      expect(found('baseline', podText(spec, container))).toEqual([finds].flat())
      expect(found('privileged', podText(spec, container))).toEqual([])
    })
  }
})

test.each([
  ['container.apparmor.security.beta.kubernetes.io/main', 'unconfined', 'AppArmor'],
  ['seccomp.security.alpha.kubernetes.io/pod', 'unconfined', 'seccomp'],
  ['container.seccomp.security.alpha.kubernetes.io/main', 'unconfined', 'seccomp'],
  ['io.podman.annotations.label/main', 'type:spc_t', 'SELinux'],
])('baseline forbids the annotation %s=%s, which does what a field does', (key, value, control) => {
  const text = podText('', '').replace(/metadata: ?\{/, `metadata: {annotations: {${key}: "${value}"}, `)
  expect(text).toContain(key)
  expect(found('baseline', text)).toEqual([expect.stringContaining(`${control} (annotation ${key}=${value})`)])
})

describe('restricted forbids', () => {
  for (const [name, { spec = '', container = '', finds }] of Object.entries(restricted)) {
    test(name, () =>
      expect(found('restricted', podText(spec, container)).toSorted()).toEqual([finds].flat().toSorted()),
    )
  }
  for (const [name, { spec = '', container = '', finds }] of Object.entries(baseline)) {
    test(`what baseline does: ${name}`, () =>
      expect(found('restricted', podText(spec, container))).toEqual(expect.arrayContaining([finds].flat())))
  }
})

describe('what the standards allow', () => {
  test('baseline, an ordinary pod', () =>
    expect(found('baseline', podText('', 'ports: [{containerPort: 80}]'))).toEqual([]))
  test('root in a user namespace of its own, and an unmasked /proc there', () => {
    const spec = 'hostUsers: false, securityContext: {runAsUser: 0, seccompProfile: {type: RuntimeDefault}}'
    const container =
      'securityContext: {procMount: Unmasked, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}'
    expect(found('restricted', podText(spec, container))).toEqual([])
  })
  test('restricted, a careful one', () => {
    const container = `${STRICT}, ports: [{containerPort: 80}]`
    expect(issuesOf(podText(`securityContext: {${GOOD}}`, container))).toEqual([])
    expect(found('restricted', podText(`securityContext: {${GOOD}}`, container))).toEqual([])
  })
})

describe('who says which level holds', () => {
  const namespace = (labels: string): string =>
    `apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {${labels}}}\n---\n`
  const inShop = podText('hostPID: true').replace('name: web,', 'name: web, namespace: shop,')
  const violates = (text: string, policy?: Policy): string[] =>
    issuesOf(text, policy && { podSecurity: policy }).filter(line => line.includes('FORBIDDEN'))

  test('the labels of its Namespace, and of no other', () => {
    const labelled = namespace('pod-security.kubernetes.io/enforce: baseline')
    expect(violates(`${labelled}${inShop}`)).toEqual(['8:61 FORBIDDEN spec.hostPID'])
    expect(violates(`${labelled}${podText('hostPID: true')}`)).toEqual([])
  })
  test('warn and audit only tell, and say nothing of what is refused', () => {
    const text = `${namespace('pod-security.kubernetes.io/warn: baseline')}${inShop}`
    expect(translated(text).notes).toContainEqual(
      expect.stringMatching(/^app\.yaml:\d+:\d+ spec\.hostPID would violate PodSecurity "baseline": host namespaces/),
    )
    const audit = translated(podText('hostPID: true'), { podSecurity: { level: 'baseline', mode: 'audit' } })
    expect(audit.notes.join()).toContain('would violate PodSecurity "baseline"')
    expect(violates(text, { level: 'baseline', mode: 'enforce' })).toHaveLength(1)
  })
  test('a level, a mode and a version that do not exist', () => {
    const text = namespace(
      'pod-security.kubernetes.io/enforce: strict, pod-security.kubernetes.io/enfroce: baseline, pod-security.kubernetes.io/warn-version: new',
    )
    expect(issuesOf(`${text}${inShop}`).map(line => line.split(' ')[1])).toEqual([
      'UNSUPPORTED_VALUE',
      'UNSUPPORTED_VALUE',
      'INVALID_VALUE',
    ])
  })
  test('flags of play count: they are part of the pod', () => {
    const podSecurity: Policy = { level: 'baseline', mode: 'enforce' }
    const pod = podText('', 'ports: [{containerPort: 80}]')
    for (const options of [{ hostNetwork: true }, { publish: ['8080:80'] }, { publishAll: true }])
      expect(issuesOf(pod, { podSecurity, ...options })).toHaveLength(1)
    expect(issuesOf(podText(''), { podSecurity, publishAll: true })).toEqual([])
  })
  test('each pod of a Deployment, once', () => {
    const text = podText('').replace(
      /[\s\S]*spec: (.*)\n/,
      (_, spec: string) => `apiVersion: apps/v1\nkind: Deployment
metadata: {name: d}
spec: {replicas: 3, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: ${spec.replace('{', '{hostIPC: true, ')}}}\n`,
    )
    expect(violates(text, { level: 'baseline', mode: 'enforce' })).toHaveLength(1)
  })
})
