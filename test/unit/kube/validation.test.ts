/** The rules of the API server, one row each: what is wrong and where it must be reported. */
import { describe, expect, test } from '@jest/globals'
import { issuesOf, podText } from './world.ts'

/** `spec` and `container` go into a pod (see podText); `finds` is what the report must contain: CODE path. */
type Row = { spec?: string; container?: string; finds: string | string[] }
const MAIN = 'spec.containers[0]'

const rows: Record<string, Row> = {
  'a user namespace with the network of the host': {
    spec: 'hostUsers: false, hostNetwork: true',
    finds: 'FORBIDDEN spec.hostNetwork',
  },
  'pull policy': { container: 'imagePullPolicy: always', finds: `UNSUPPORTED_VALUE ${MAIN}.imagePullPolicy` },
  'termination policy': {
    container: 'terminationMessagePolicy: X',
    finds: `UNSUPPORTED_VALUE ${MAIN}.terminationMessagePolicy`,
  },
  'termination path': { container: 'terminationMessagePath: x', finds: `INVALID_VALUE ${MAIN}.terminationMessagePath` },
  'container port missing': { container: 'ports: [{hostPort: 80}]', finds: `REQUIRED ${MAIN}.ports[0].containerPort` },
  'container port 0': {
    container: 'ports: [{containerPort: 0}]',
    finds: `INVALID_VALUE ${MAIN}.ports[0].containerPort`,
  },
  'container port text': {
    container: 'ports: [{containerPort: "80"}]',
    finds: `WRONG_TYPE ${MAIN}.ports[0].containerPort`,
  },
  'host port range': {
    container: 'ports: [{containerPort: 1, hostPort: 65536}]',
    finds: `INVALID_VALUE ${MAIN}.ports[0].hostPort`,
  },
  'host port twice': {
    container: 'ports: [{containerPort: 1, hostPort: 9}, {containerPort: 2, hostPort: 9, hostIP: 127.0.0.1}]',
    finds: `DUPLICATE ${MAIN}.ports[1].hostPort`,
  },
  'host port with host network': {
    spec: 'hostNetwork: true',
    container: 'ports: [{containerPort: 1, hostPort: 2}]',
    finds: `INVALID_VALUE ${MAIN}.ports[0].hostPort`,
  },
  'port name': { container: 'ports: [{containerPort: 1, name: HTTP}]', finds: `INVALID_VALUE ${MAIN}.ports[0].name` },
  'port name twice': {
    container: 'ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]',
    finds: `DUPLICATE ${MAIN}.ports[1].name`,
  },
  protocol: {
    container: 'ports: [{containerPort: 1, protocol: tcp}]',
    finds: `UNSUPPORTED_VALUE ${MAIN}.ports[0].protocol`,
  },
  'host ip': {
    container: 'ports: [{containerPort: 1, hostIP: localhost}]',
    finds: `INVALID_VALUE ${MAIN}.ports[0].hostIP`,
  },
  'variable name missing': { container: 'env: [{value: x}]', finds: `REQUIRED ${MAIN}.env[0].name` },
  'variable name': { container: 'env: [{name: "A=B"}]', finds: `INVALID_VALUE ${MAIN}.env[0].name` },
  'variable without source': {
    container: 'env: [{name: A, valueFrom: {}}]',
    finds: `REQUIRED ${MAIN}.env[0].valueFrom`,
  },
  'variable with two sources': {
    container:
      'env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}, resourceFieldRef: {resource: limits.cpu}}}]',
    finds: `FORBIDDEN ${MAIN}.env[0].valueFrom.resourceFieldRef`,
  },
  'variable with value and source': {
    container: 'env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]',
    finds: `INVALID_VALUE ${MAIN}.env[0].valueFrom`,
  },
  'field path': {
    container: 'env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.labels}}}]',
    finds: `UNSUPPORTED_VALUE ${MAIN}.env[0].valueFrom.fieldRef.fieldPath`,
  },
  'resource of a field': {
    container: 'env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.disk}}}]',
    finds: `UNSUPPORTED_VALUE ${MAIN}.env[0].valueFrom.resourceFieldRef.resource`,
  },
  'divisor of a resource': {
    container: 'env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1Mi}}}]',
    finds: `UNSUPPORTED_VALUE ${MAIN}.env[0].valueFrom.resourceFieldRef.divisor`,
  },
  'container of a resource': {
    container: 'env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, containerName: no}}}]',
    finds: `NOT_FOUND ${MAIN}.env[0].valueFrom.resourceFieldRef.containerName`,
  },
  'key of a ConfigMap missing': {
    container: 'env: [{name: A, valueFrom: {configMapKeyRef: {name: c}}}]',
    finds: [
      `REQUIRED ${MAIN}.env[0].valueFrom.configMapKeyRef.key`,
      `NOT_FOUND ${MAIN}.env[0].valueFrom.configMapKeyRef.name`,
    ],
  },
  'name of a Secret missing': {
    container: 'env: [{name: A, valueFrom: {secretKeyRef: {key: k}}}]',
    finds: `REQUIRED ${MAIN}.env[0].valueFrom.secretKeyRef.name`,
  },
  'envFrom without source': { container: 'envFrom: [{prefix: A}]', finds: `REQUIRED ${MAIN}.envFrom[0]` },
  'envFrom with both': {
    container: 'envFrom: [{configMapRef: {name: a, optional: true}, secretRef: {name: a, optional: true}}]',
    finds: `FORBIDDEN ${MAIN}.envFrom[0]`,
  },
  'envFrom prefix': {
    container: 'envFrom: [{prefix: "a=", configMapRef: {name: a, optional: true}}]',
    finds: `INVALID_VALUE ${MAIN}.envFrom[0].prefix`,
  },
  'mount of nothing': {
    container: 'volumeMounts: [{name: v, mountPath: /a}]',
    finds: `NOT_FOUND ${MAIN}.volumeMounts[0].name`,
  },
  'mount path missing': {
    spec: 'volumes: [{name: v, emptyDir: {}}]',
    container: 'volumeMounts: [{name: v}]',
    finds: `REQUIRED ${MAIN}.volumeMounts[0].mountPath`,
  },
  'mount path twice': {
    spec: 'volumes: [{name: v, emptyDir: {}}]',
    container: 'volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /a/}]',
    finds: `INVALID_VALUE ${MAIN}.volumeMounts[1].mountPath`,
  },
  'mount path with options of Podman': {
    spec: 'volumes: [{name: v, emptyDir: {}}]',
    container: 'volumeMounts: [{name: v, mountPath: "/a:z"}]',
    finds: `INVALID_VALUE ${MAIN}.volumeMounts[0].mountPath`,
  },
  'mount on the root': {
    spec: 'volumes: [{name: v, emptyDir: {}}]',
    container: 'volumeMounts: [{name: v, mountPath: /./}]',
    finds: `INVALID_VALUE ${MAIN}.volumeMounts[0].mountPath`,
  },
  'mount path upwards': {
    spec: 'volumes: [{name: v, emptyDir: {}}]',
    container: 'volumeMounts: [{name: v, mountPath: /a/../b}]',
    finds: `INVALID_VALUE ${MAIN}.volumeMounts[0].mountPath`,
  },
  'subPath absolute': {
    spec: 'volumes: [{name: v, emptyDir: {}}]',
    container: 'volumeMounts: [{name: v, mountPath: /a, subPath: /etc}]',
    finds: `INVALID_VALUE ${MAIN}.volumeMounts[0].subPath`,
  },
  'subPath upwards': {
    spec: 'volumes: [{name: v, emptyDir: {}}]',
    container: 'volumeMounts: [{name: v, mountPath: /a, subPath: a/../../b}]',
    finds: `INVALID_VALUE ${MAIN}.volumeMounts[0].subPath`,
  },
  propagation: {
    spec: 'volumes: [{name: v, emptyDir: {}}]',
    container: 'volumeMounts: [{name: v, mountPath: /a, mountPropagation: Bidirectional}]',
    finds: `FORBIDDEN ${MAIN}.volumeMounts[0].mountPropagation`,
  },
  'volume name': { spec: 'volumes: [{name: A, emptyDir: {}}]', finds: 'INVALID_VALUE spec.volumes[0].name' },
  'volume name twice': {
    spec: 'volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]',
    finds: 'DUPLICATE spec.volumes[1].name',
  },
  'volume without source': { spec: 'volumes: [{name: a}]', finds: 'REQUIRED spec.volumes[0]' },
  'volume with two sources': {
    spec: 'volumes: [{name: a, emptyDir: {}, hostPath: {path: /a}}]',
    finds: 'FORBIDDEN spec.volumes[0].hostPath',
  },
  'host path missing': { spec: 'volumes: [{name: a, hostPath: {}}]', finds: 'REQUIRED spec.volumes[0].hostPath.path' },
  'host path upwards': {
    spec: 'volumes: [{name: a, hostPath: {path: /a/../b}}]',
    finds: 'INVALID_VALUE spec.volumes[0].hostPath.path',
  },
  'host path that is a word': {
    spec: 'volumes: [{name: a, hostPath: {path: data}}]',
    finds: 'INVALID_VALUE spec.volumes[0].hostPath.path',
  },
  'host path type': {
    spec: 'volumes: [{name: a, hostPath: {path: /a, type: Dir}}]',
    finds: 'UNSUPPORTED_VALUE spec.volumes[0].hostPath.type',
  },
  'size of an emptyDir': {
    spec: 'volumes: [{name: a, emptyDir: {sizeLimit: -1}}]',
    finds: 'INVALID_VALUE spec.volumes[0].emptyDir.sizeLimit',
  },
  'medium of an emptyDir': {
    spec: 'volumes: [{name: a, emptyDir: {medium: memory}}]',
    finds: 'UNSUPPORTED_VALUE spec.volumes[0].emptyDir.medium',
  },
  'huge pages without a unit': {
    spec: 'volumes: [{name: a, emptyDir: {medium: HugePages-2}}]',
    finds: 'UNSUPPORTED_VALUE spec.volumes[0].emptyDir.medium',
  },
  'claim missing': {
    spec: 'volumes: [{name: a, persistentVolumeClaim: {}}]',
    finds: 'REQUIRED spec.volumes[0].persistentVolumeClaim.claimName',
  },
  'claim that is a path': {
    spec: 'volumes: [{name: a, persistentVolumeClaim: {claimName: ../a}}]',
    finds: 'INVALID_VALUE spec.volumes[0].persistentVolumeClaim.claimName',
  },
  'ConfigMap missing': {
    spec: 'volumes: [{name: a, configMap: {name: no}}]',
    finds: 'NOT_FOUND spec.volumes[0].configMap.name',
  },
  'Secret without name': {
    spec: 'volumes: [{name: a, secret: {}}]',
    finds: 'REQUIRED spec.volumes[0].secret.secretName',
  },
  'mode in decimal': {
    spec: 'volumes: [{name: a, secret: {secretName: s, optional: true, defaultMode: 644}}]',
    finds: 'INVALID_VALUE spec.volumes[0].secret.defaultMode',
  },
  'item path upwards': {
    spec: 'volumes: [{name: a, configMap: {name: c, optional: true, items: [{key: k, path: ../x}]}}]',
    finds: 'INVALID_VALUE spec.volumes[0].configMap.items[0].path',
  },
  'item without path': {
    spec: 'volumes: [{name: a, configMap: {name: c, optional: true, items: [{key: k}]}}]',
    finds: 'REQUIRED spec.volumes[0].configMap.items[0].path',
  },
  'item inside a file': {
    spec: 'volumes: [{name: a, configMap: {name: c, optional: true, items: [{key: k, path: x}, {key: l, path: x/y}]}}]',
    finds: 'DUPLICATE spec.volumes[0].configMap.items[1].path',
  },
  'cpu below 1m': {
    container: 'resources: {limits: {cpu: 100u}}',
    finds: `INVALID_VALUE ${MAIN}.resources.limits[cpu]`,
  },
  'memory below a byte': {
    container: 'resources: {limits: {memory: 512m}}',
    finds: `INVALID_VALUE ${MAIN}.resources.limits[memory]`,
  },
  'negative request': {
    container: 'resources: {requests: {cpu: -1}}',
    finds: `INVALID_VALUE ${MAIN}.resources.requests[cpu]`,
  },
  'request above limit': {
    container: 'resources: {requests: {cpu: 2}, limits: {cpu: 1999m}}',
    finds: `INVALID_VALUE ${MAIN}.resources.requests[cpu]`,
  },
  'not a quantity': {
    container: 'resources: {limits: {memory: 1GB}}',
    finds: `INVALID_VALUE ${MAIN}.resources.limits[memory]`,
  },
  'unknown resource': {
    container: 'resources: {limits: {memori: 1G}}',
    finds: `UNSUPPORTED_VALUE ${MAIN}.resources.limits[memori]`,
  },
  'other resource': {
    container: 'resources: {limits: {nvidia.com/gpu: 1}}',
    finds: `NOT_SUPPORTED ${MAIN}.resources.limits[nvidia.com/gpu]`,
  },
  'user range': {
    container: 'securityContext: {runAsUser: -1}',
    finds: `INVALID_VALUE ${MAIN}.securityContext.runAsUser`,
  },
  'user beyond 31 bits': {
    spec: 'securityContext: {runAsUser: 4294967296}',
    finds: 'INVALID_VALUE spec.securityContext.runAsUser',
  },
  'group range': {
    spec: 'securityContext: {fsGroup: 2147483648}',
    finds: 'INVALID_VALUE spec.securityContext.fsGroup',
  },
  'root and not root': {
    container: 'securityContext: {runAsUser: 0, runAsNonRoot: true}',
    finds: `FORBIDDEN ${MAIN}.securityContext.runAsUser`,
  },
  'root of the pod and not root': {
    spec: 'securityContext: {runAsUser: 0}',
    container: 'securityContext: {runAsNonRoot: true}',
    finds: 'FORBIDDEN spec.securityContext.runAsUser',
  },
  'privileged without escalation': {
    container: 'securityContext: {privileged: true, allowPrivilegeEscalation: false}',
    finds: `FORBIDDEN ${MAIN}.securityContext.allowPrivilegeEscalation`,
  },
  'SYS_ADMIN without escalation': {
    container: 'securityContext: {capabilities: {add: [CAP_SYS_ADMIN]}, allowPrivilegeEscalation: false}',
    finds: `FORBIDDEN ${MAIN}.securityContext.allowPrivilegeEscalation`,
  },
  capability: {
    container: 'securityContext: {capabilities: {add: [NET_ADMN]}}',
    finds: `UNSUPPORTED_VALUE ${MAIN}.securityContext.capabilities.add[0]`,
  },
  'seccomp without profile': {
    container: 'securityContext: {seccompProfile: {type: Localhost}}',
    finds: `REQUIRED ${MAIN}.securityContext.seccompProfile.localhostProfile`,
  },
  'seccomp with a profile too many': {
    container: 'securityContext: {seccompProfile: {type: Unconfined, localhostProfile: a}}',
    finds: `FORBIDDEN ${MAIN}.securityContext.seccompProfile.localhostProfile`,
  },
  'seccomp profile upwards': {
    container: 'securityContext: {seccompProfile: {type: Localhost, localhostProfile: ../a}}',
    finds: `INVALID_VALUE ${MAIN}.securityContext.seccompProfile.localhostProfile`,
  },
  'sysctl that is not safe': {
    spec: 'securityContext: {sysctls: [{name: net.core.somaxconn, value: "1"}]}',
    finds: 'FORBIDDEN spec.securityContext.sysctls[0].name',
  },
  'AppArmor without profile': {
    container: 'securityContext: {appArmorProfile: {type: Localhost}}',
    finds: `REQUIRED ${MAIN}.securityContext.appArmorProfile.localhostProfile`,
  },
  'AppArmor with a profile too many': {
    spec: 'securityContext: {appArmorProfile: {type: Unconfined, localhostProfile: a}}',
    finds: 'FORBIDDEN spec.securityContext.appArmorProfile.localhostProfile',
  },
  'SELinux label with a blank': {
    container: 'securityContext: {seLinuxOptions: {type: "a b"}}',
    finds: `INVALID_VALUE ${MAIN}.securityContext.seLinuxOptions.type`,
  },
  'half a page': {
    container: 'resources: {limits: {hugepages-2Mi: 3Mi, memory: 1Gi}}',
    finds: `INVALID_VALUE ${MAIN}.resources.limits[hugepages-2Mi]`,
  },
  'pages that are asked for and not limited': {
    container: 'resources: {requests: {hugepages-2Mi: 2Mi}}',
    finds: `REQUIRED ${MAIN}.resources.requests[hugepages-2Mi]`,
  },
  'huge pages without anything else': {
    container: 'resources: {limits: {hugepages-2Mi: 2Mi}}',
    finds: `FORBIDDEN ${MAIN}.resources`,
  },
  'more disk space than may be used': {
    container: 'resources: {requests: {ephemeral-storage: 2Gi}, limits: {ephemeral-storage: 1Gi}}',
    finds: `INVALID_VALUE ${MAIN}.resources.requests[ephemeral-storage]`,
  },
  'disk space of a pod as a whole': {
    spec: 'resources: {limits: {ephemeral-storage: 1Gi}}',
    finds: 'UNSUPPORTED_VALUE spec.resources.limits[ephemeral-storage]',
  },
  'half a process': {
    container: 'resources: {limits: {pids: 500m}}',
    finds: `INVALID_VALUE ${MAIN}.resources.limits[pids]`,
  },
  'more than the pod': {
    spec: 'resources: {limits: {memory: 64Mi}}',
    container: 'resources: {limits: {memory: 65Mi}}',
    finds: `INVALID_VALUE ${MAIN}.resources.limits[memory]`,
  },
  'runtime class with a slash': {
    spec: 'runtimeClassName: /bin/sh',
    finds: 'INVALID_VALUE spec.runtimeClassName',
  },
  'pull secret that is not there': {
    spec: 'imagePullSecrets: [{name: absent}]',
    finds: 'NOT_FOUND spec.imagePullSecrets[0].name',
  },
  'sysctl of the host': {
    spec: 'securityContext: {sysctls: [{name: kernel.core_pattern, value: x}]}',
    finds: 'FORBIDDEN spec.securityContext.sysctls[0].name',
  },
  'sysctl with a plus': {
    spec: 'securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: x}, {name: "kernel.shm_x+y", value: x}]}',
    finds: 'INVALID_VALUE spec.securityContext.sysctls[1].name',
  },
  'sysctl upwards': {
    spec: 'securityContext: {sysctls: [{name: net/../kernel/core_pattern, value: x}]}',
    finds: 'INVALID_VALUE spec.securityContext.sysctls[0].name',
  },
  'sysctl of the host in the other spelling': {
    spec: 'securityContext: {sysctls: [{name: kernel/core_pattern, value: x}]}',
    finds: 'FORBIDDEN spec.securityContext.sysctls[0].name',
  },
  'sysctl twice in two spellings': {
    spec: 'securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: x}, {name: net/ipv4/tcp_rmem, value: y}]}',
    finds: 'DUPLICATE spec.securityContext.sysctls[1].name',
  },
  'sysctl value of two lines': {
    spec: 'securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: "1\\nkernel.x=1"}]}',
    finds: 'INVALID_VALUE spec.securityContext.sysctls[0].value',
  },
  'sysctl with host network': {
    spec: 'hostNetwork: true, securityContext: {sysctls: [{name: net.core.a, value: x}]}',
    finds: 'FORBIDDEN spec.securityContext.sysctls[0].name',
  },
  'sysctl with host ipc': {
    spec: 'hostIPC: true, securityContext: {sysctls: [{name: fs.mqueue.msg_max, value: x}]}',
    finds: 'FORBIDDEN spec.securityContext.sysctls[0].name',
  },
  'restart policy': { spec: 'restartPolicy: never', finds: 'UNSUPPORTED_VALUE spec.restartPolicy' },
  'dns policy': { spec: 'dnsPolicy: default', finds: 'UNSUPPORTED_VALUE spec.dnsPolicy' },
  'dns policy None': { spec: 'dnsPolicy: None', finds: 'REQUIRED spec.dnsPolicy' },
  'four nameservers': {
    spec: 'dnsConfig: {nameservers: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]}',
    finds: 'TOO_MANY spec.dnsConfig.nameservers',
  },
  'nameserver with a second line': {
    spec: 'dnsConfig: {nameservers: ["1.1.1.1\\nsearch evil"]}',
    finds: 'INVALID_VALUE spec.dnsConfig.nameservers[0]',
  },
  'search with a second line': {
    spec: 'dnsConfig: {searches: ["a\\nnameserver 6.6.6.6"]}',
    finds: 'INVALID_VALUE spec.dnsConfig.searches[0]',
  },
  'option with a second line': {
    spec: 'dnsConfig: {options: [{name: "a\\nb", value: "c\\nd"}]}',
    finds: ['INVALID_VALUE spec.dnsConfig.options[0].name', 'INVALID_VALUE spec.dnsConfig.options[0].value'],
  },
  'hostname with a second line': { spec: 'hostname: "a\\nb"', finds: 'INVALID_VALUE spec.hostname' },
  'alias that is no address': {
    spec: 'hostAliases: [{ip: a, hostnames: [b]}]',
    finds: 'INVALID_VALUE spec.hostAliases[0].ip',
  },
  'alias with a second line': {
    spec: 'hostAliases: [{ip: 1.1.1.1, hostnames: ["a\\n6.6.6.6 bank"]}]',
    finds: 'INVALID_VALUE spec.hostAliases[0].hostnames[0]',
  },
  'shared and host processes': {
    spec: 'hostPID: true, shareProcessNamespace: true',
    finds: 'INVALID_VALUE spec.shareProcessNamespace',
  },
  'container name twice': {
    spec: 'initContainers: [{name: main, image: a}]',
    finds: 'DUPLICATE spec.initContainers[0].name',
  },
  'image missing': { spec: 'initContainers: [{name: a}]', finds: 'REQUIRED spec.initContainers[0].image' },
  'image with blanks': {
    spec: 'initContainers: [{name: a, image: " a"}]',
    finds: 'INVALID_VALUE spec.initContainers[0].image',
  },
  'image that looks like a flag': {
    spec: 'initContainers: [{name: a, image: --root=/}]',
    finds: 'INVALID_VALUE spec.initContainers[0].image',
  },
  'working directory': { container: 'workingDir: a', finds: `INVALID_VALUE ${MAIN}.workingDir` },
  'argument with NUL': { container: 'args: ["a\\0b"]', finds: `INVALID_VALUE ${MAIN}.args[0]` },
  'argument that is a number': { container: 'args: [1]', finds: `WRONG_TYPE ${MAIN}.args[0]` },
  'command that is a text': { container: 'command: run', finds: `WRONG_TYPE ${MAIN}.command` },
  'other operating system': { spec: 'os: {name: windows}', finds: 'UNSUPPORTED_VALUE spec.os.name' },
  'a field of another object': { spec: 'replicas: 2', finds: 'UNKNOWN_FIELD spec.replicas' },
  'an unknown field below an accepted one': {
    spec: 'affinity: {nodeAfinity: {}}',
    finds: 'UNKNOWN_FIELD spec.affinity.nodeAfinity',
  },
  'an empty item': { container: 'args: [a, , b]', finds: 'YAML_SYNTAX' },
}

describe('a mistake is reported at its place', () => {
  for (const [name, { spec = '', container = '', finds }] of Object.entries(rows)) {
    test(name, () => {
      const found = issuesOf(podText(spec, container)).map(issue => issue.replace(/^\S+ /, ''))
      expect(found).toEqual([finds].flat())
    })
  }
})

describe('what looks like a mistake and is none', () => {
  const good: Record<string, Row> = {
    'a port published on tcp and udp': {
      container: 'ports: [{containerPort: 1, hostPort: 9}, {containerPort: 1, hostPort: 9, protocol: UDP}]',
      finds: [],
    },
    'a port on two addresses': {
      container:
        'ports: [{containerPort: 1, hostPort: 9, hostIP: 127.0.0.1}, {containerPort: 2, hostPort: 9, hostIP: 127.0.0.2}]',
      finds: [],
    },
    'a missing optional Secret': { container: 'envFrom: [{secretRef: {name: no, optional: true}}]', finds: [] },
    'a claim without a document': { spec: 'volumes: [{name: a, persistentVolumeClaim: {claimName: data}}]', finds: [] },
    'empty lists and maps': {
      spec: 'volumes: [], imagePullSecrets: [], securityContext: {}, tolerations:',
      container: 'env: [], resources: {}',
      finds: [],
    },
    'an empty value of a sysctl': {
      spec: 'securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: ""}]}',
      finds: [],
    },
    'CLIENT_SECRET=no': {
      container: 'env: [{name: A, value: no}, {name: B, value: y}, {name: C, value: 1.2.3}]',
      finds: [],
    },
  }
  for (const [name, { spec = '', container = '' }] of Object.entries(good)) {
    test(name, () => expect(issuesOf(podText(spec, container))).toEqual([]))
  }
})
