/**
 * The rules of the API server in the order of Kubernetes' own validation, at least one row each: what is wrong, where it
 * is reported, and the words that say why. `spec` and `container` go into a pod (see podText); `text` stands alone.
 */
import { describe, expect, test } from '@jest/globals'
import { detailsOf, podText } from './world.ts'

type Row = { spec?: string; container?: string; text?: string; at: string; says: string }

const MAIN = 'spec.containers[0]'
const LONG = 'x'.repeat(64)
const meta = (metadata: string): string => podText('').replace('{name: web, labels: {app: web}}', metadata)
const configMap = (data: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n${data}\n---\n${podText('')}`
const secret = (rest: string): string => `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n${rest}\n`
const TEMPLATE = 'template: {metadata: {labels: {a: b}}, spec: {containers: [{name: m, image: i}]}}'
const deployment = (spec: string): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {${spec}}\n`
const rolling = (rest: string): string => deployment(`selector: {matchLabels: {a: b}}, ${TEMPLATE}, ${rest}`)
const jobSpec = (pod: string, rest: string): string =>
  `{template: {spec: {containers: [{name: m, image: i}], ${pod || 'restartPolicy: Never'}}}, ${rest}}`
const job = (pod: string, rest = ''): string =>
  `apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: ${jobSpec(pod, rest)}\n`
const cronJob = (schedule: string, rest = ''): string =>
  `apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {schedule: "${schedule}", jobTemplate: {spec: ${jobSpec('', '')}}, ${rest}}\n`
const service = (spec: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {${spec}}\n---\n${podText('')}`
const volume = (source: string): string => `volumes: [{name: v, ${source}}]`
const mounted = (mount: string): Pick<Row, 'spec' | 'container'> => ({
  spec: volume('emptyDir: {}'),
  container: `volumeMounts: [{name: v, mountPath: /a, ${mount}}]`,
})

const rules: Record<string, Row[]> = {
  '1 metadata.name is required': [{ text: meta('{labels: {}}'), at: 'metadata.name', says: 'a Pod must have a name' }],
  '2 metadata.name is a DNS name': [
    { text: meta('{name: A_b}'), at: 'metadata.name', says: 'must be lower case letters, digits, "-" and "."' },
    { text: meta(`{name: ${'x'.repeat(254)}}`), at: 'metadata.name', says: 'no more than 253 characters' },
  ],
  '3 metadata.namespace is a DNS label': [
    { text: meta('{name: a, namespace: a.b}'), at: 'metadata.namespace', says: 'must be lower case letters' },
  ],
  '4 labels': [
    { text: meta('{name: a, labels: {a/b/c: x}}'), at: 'metadata.labels[a/b/c]', says: 'at most one "/"' },
    { text: meta(`{name: a, labels: {${LONG}: x}}`), at: `metadata.labels[${LONG}]`, says: '1 to 63 characters' },
    { text: meta('{name: a, labels: {k: "a b"}}'), at: 'metadata.labels[k]', says: '"a b" must be letters' },
    { text: meta(`{name: a, labels: {k: ${LONG}}}`), at: 'metadata.labels[k]', says: 'no more than 63 characters' },
  ],
  '5 annotations': [
    { text: meta('{name: a, annotations: {"a b": x}}'), at: 'metadata.annotations[a b]', says: 'the key "a b"' },
    {
      text: meta(`{name: a, annotations: {k: ${'x'.repeat(262_144)}}}`),
      at: 'metadata.annotations',
      says: '262144 are allowed',
    },
  ],
  '6 there is a container': [
    {
      text: podText('').replace(/containers: \[.*\]/, 'containers: []'),
      at: 'spec.containers',
      says: 'a value is required',
    },
  ],
  '7 a container has a name that is a DNS label': [
    { spec: 'initContainers: [{image: a}]', at: 'spec.initContainers[0].name', says: 'a value is required' },
    { spec: 'initContainers: [{name: a.b, image: a}]', at: 'spec.initContainers[0].name', says: '"a.b" must be' },
  ],
  '8 names of containers are unique': [
    { spec: 'initContainers: [{name: main, image: a}]', at: 'spec.initContainers[0].name', says: 'another container' },
  ],
  '9 a container has an image': [
    { spec: 'initContainers: [{name: a}]', at: 'spec.initContainers[0].image', says: 'an image' },
    {
      spec: 'initContainers: [{name: a, image: "a "}]',
      at: 'spec.initContainers[0].image',
      says: 'not contain blanks',
    },
  ],
  '10 imagePullPolicy': [
    { container: 'imagePullPolicy: Sometimes', at: `${MAIN}.imagePullPolicy`, says: 'Always, IfNotPresent or Never' },
  ],
  '11 terminationMessagePolicy': [
    {
      container: 'terminationMessagePolicy: Log',
      at: `${MAIN}.terminationMessagePolicy`,
      says: 'use File or FallbackToLogsOnError',
    },
  ],
  '12 containerPort': [
    { container: 'ports: [{name: a}]', at: `${MAIN}.ports[0].containerPort`, says: 'a value is required' },
    {
      container: 'ports: [{containerPort: 65536}]',
      at: `${MAIN}.ports[0].containerPort`,
      says: 'must be between 1 and 65535, inclusive',
    },
  ],
  '13 hostPort': [
    {
      container: 'ports: [{containerPort: 1, hostPort: -1}]',
      at: `${MAIN}.ports[0].hostPort`,
      says: 'must be between 1 and 65535, inclusive',
    },
  ],
  '14 a host port is taken once': [
    {
      container: 'ports: [{containerPort: 1, hostPort: 9}, {containerPort: 2, hostPort: 9}]',
      at: `${MAIN}.ports[1].hostPort`,
      says: 'host port 9/tcp is taken already (line 4)',
    },
  ],
  '15 with hostNetwork, a host port is the container port': [
    {
      spec: 'hostNetwork: true',
      container: 'ports: [{containerPort: 1, hostPort: 2}]',
      at: `${MAIN}.ports[0].hostPort`,
      says: 'must match containerPort when hostNetwork is true',
    },
  ],
  '16 names of ports': [
    { container: 'ports: [{containerPort: 1, name: a--b}]', at: `${MAIN}.ports[0].name`, says: 'single "-" inside' },
    { container: 'ports: [{containerPort: 1, name: "80"}]', at: `${MAIN}.ports[0].name`, says: 'at least one letter' },
    {
      container: 'ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]',
      at: `${MAIN}.ports[1].name`,
      says: 'another port',
    },
  ],
  '17 protocol': [
    {
      container: 'ports: [{containerPort: 1, protocol: udp}]',
      at: `${MAIN}.ports[0].protocol`,
      says: 'TCP, UDP or SCTP',
    },
  ],
  '18 hostIP': [
    {
      container: 'ports: [{containerPort: 1, hostIP: 1.2.3}]',
      at: `${MAIN}.ports[0].hostIP`,
      says: 'not an IP address',
    },
  ],
  '19 names of variables': [
    { container: 'env: [{value: a}]', at: `${MAIN}.env[0].name`, says: 'a value is required' },
    { container: 'env: [{name: "a=b"}]', at: `${MAIN}.env[0].name`, says: 'printable ASCII characters without "="' },
  ],
  '20 a variable has one source': [
    { container: 'env: [{name: A, valueFrom: {}}]', at: `${MAIN}.env[0].valueFrom`, says: 'must specify one of' },
    {
      container:
        'env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}, resourceFieldRef: {resource: limits.cpu}}}]',
      at: `${MAIN}.env[0].valueFrom.resourceFieldRef`,
      says: 'may not have more than one field specified at a time',
    },
  ],
  '21 a variable has a value or a source': [
    {
      container: 'env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]',
      at: `${MAIN}.env[0].valueFrom`,
      says: 'may not be specified when `value` is not empty',
    },
  ],
  '22 paths of fields': [
    {
      container: 'env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.hostname}}}]',
      at: `${MAIN}.env[0].valueFrom.fieldRef.fieldPath`,
      says: '"spec.hostname" is not possible here',
    },
    {
      container: 'env: [{name: A, valueFrom: {fieldRef: {apiVersion: v2, fieldPath: metadata.name}}}]',
      at: `${MAIN}.env[0].valueFrom.fieldRef.apiVersion`,
      says: 'use v1',
    },
  ],
  '23 resources of fields': [
    {
      container: 'env: [{name: A, valueFrom: {resourceFieldRef: {divisor: 1}}}]',
      at: `${MAIN}.env[0].valueFrom.resourceFieldRef.resource`,
      says: 'a value is required',
    },
    {
      container: 'env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 2Mi}}}]',
      at: `${MAIN}.env[0].valueFrom.resourceFieldRef.divisor`,
      says: '"2Mi" is not possible here',
    },
  ],
  '24 references to keys': [
    {
      container: 'env: [{name: A, valueFrom: {configMapKeyRef: {name: c, optional: true}}}]',
      at: `${MAIN}.env[0].valueFrom.configMapKeyRef.key`,
      says: 'a value is required',
    },
    {
      container: 'env: [{name: A, valueFrom: {secretKeyRef: {key: k, optional: true}}}]',
      at: `${MAIN}.env[0].valueFrom.secretKeyRef.name`,
      says: 'the name of a Secret is required',
    },
    {
      container: 'env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: "..", optional: true}}}]',
      at: `${MAIN}.env[0].valueFrom.configMapKeyRef.key`,
      says: 'must not start with ".."',
    },
  ],
  '25 envFrom': [
    { container: 'envFrom: [{}]', at: `${MAIN}.envFrom[0]`, says: 'exactly one of configMapRef and secretRef' },
    {
      container: 'envFrom: [{prefix: "=", secretRef: {name: a, optional: true}}]',
      at: `${MAIN}.envFrom[0].prefix`,
      says: 'printable ASCII characters without "="',
    },
  ],
  '26 a mounted volume exists': [
    { container: 'volumeMounts: [{mountPath: /a}]', at: `${MAIN}.volumeMounts[0].name`, says: 'a value is required' },
    {
      container: 'volumeMounts: [{name: x, mountPath: /a}]',
      at: `${MAIN}.volumeMounts[0].name`,
      says: 'no volume is called "x"',
    },
  ],
  '27 mountPath': [
    {
      spec: volume('emptyDir: {}'),
      container: 'volumeMounts: [{name: v}]',
      at: `${MAIN}.volumeMounts[0].mountPath`,
      says: 'a value is required',
    },
    {
      spec: volume('emptyDir: {}'),
      container: 'volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /a}]',
      at: `${MAIN}.volumeMounts[1].mountPath`,
      says: 'must be unique',
    },
    {
      spec: volume('emptyDir: {}'),
      container: 'volumeMounts: [{name: v, mountPath: "/a:b"}]',
      at: `${MAIN}.volumeMounts[0].mountPath`,
      says: "must not contain ':'",
    },
  ],
  '28 subPath': [
    { ...mounted('subPath: /x'), at: `${MAIN}.volumeMounts[0].subPath`, says: 'must be a relative path' },
    { ...mounted('subPath: a/../b'), at: `${MAIN}.volumeMounts[0].subPath`, says: "must not contain '..'" },
  ],
  '29 subPathExpr': [
    { ...mounted('subPathExpr: /x'), at: `${MAIN}.volumeMounts[0].subPathExpr`, says: 'must be a relative path' },
    { ...mounted('subPathExpr: a/../b'), at: `${MAIN}.volumeMounts[0].subPathExpr`, says: "must not contain '..'" },
    { ...mounted('subPath: a, subPathExpr: b'), at: `${MAIN}.volumeMounts[0].subPathExpr`, says: 'subPath' },
  ],
  '30 mountPropagation': [
    { ...mounted('mountPropagation: Shared'), at: `${MAIN}.volumeMounts[0].mountPropagation`, says: 'Bidirectional' },
    {
      ...mounted('mountPropagation: Bidirectional'),
      at: `${MAIN}.volumeMounts[0].mountPropagation`,
      says: 'privileged',
    },
  ],
  '31 recursiveReadOnly': [
    {
      ...mounted('recursiveReadOnly: Enabled'),
      at: `${MAIN}.volumeMounts[0].recursiveReadOnly`,
      says: 'readOnly',
    },
    {
      ...mounted('recursiveReadOnly: Enabled, readOnly: true, mountPropagation: HostToContainer'),
      at: `${MAIN}.volumeMounts[0].recursiveReadOnly`,
      says: 'mountPropagation',
    },
  ],
  '32 volumeDevices': [
    {
      spec: volume('emptyDir: {}'),
      container: 'volumeDevices: [{name: v, devicePath: /dev/x}]',
      at: `${MAIN}.volumeDevices`,
      says: 'not yet supported',
    },
  ],
  '33 names of volumes': [
    { spec: 'volumes: [{emptyDir: {}}]', at: 'spec.volumes[0].name', says: 'a value is required' },
    { spec: 'volumes: [{name: a.b, emptyDir: {}}]', at: 'spec.volumes[0].name', says: '"a.b" must be' },
    {
      spec: 'volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]',
      at: 'spec.volumes[1].name',
      says: 'another volume is called "a"',
    },
  ],
  '34 a volume has one source': [
    { spec: 'volumes: [{name: a}]', at: 'spec.volumes[0]', says: 'must specify a volume type' },
    {
      spec: volume('emptyDir: {}, configMap: {name: c, optional: true}'),
      at: 'spec.volumes[0].configMap',
      says: 'may not specify more than 1 volume type',
    },
  ],
  '35 hostPath': [
    { spec: volume('hostPath: {}'), at: 'spec.volumes[0].hostPath.path', says: 'a value is required' },
    { spec: volume('hostPath: {path: /a/..}'), at: 'spec.volumes[0].hostPath.path', says: "must not contain '..'" },
    { spec: volume('hostPath: {path: /a, type: Pipe}'), at: 'spec.volumes[0].hostPath.type', says: 'BlockDevice' },
  ],
  '36 sizeLimit': [
    { spec: volume('emptyDir: {mode: 02777}'), at: 'spec.volumes[0].emptyDir.mode', says: 'between 0 and 01777' },
    { spec: volume('emptyDir: {sizeLimit: -1Mi}'), at: 'spec.volumes[0].emptyDir.sizeLimit', says: 'not be negative' },
  ],
  '37 names of what is mounted': [
    { spec: volume('secret: {}'), at: 'spec.volumes[0].secret.secretName', says: 'is required' },
    { spec: volume('configMap: {}'), at: 'spec.volumes[0].configMap.name', says: 'is required' },
    {
      spec: volume('persistentVolumeClaim: {}'),
      at: 'spec.volumes[0].persistentVolumeClaim.claimName',
      says: 'is required',
    },
  ],
  '38 modes': [
    {
      spec: volume('configMap: {name: c, optional: true, defaultMode: 01000}'),
      at: 'spec.volumes[0].configMap.defaultMode',
      says: 'must be a number between 0 and 0777 (octal), both inclusive',
    },
    {
      spec: volume('secret: {secretName: s, optional: true, items: [{key: k, path: p, mode: 755}]}'),
      at: 'spec.volumes[0].secret.items[0].mode',
      says: 'write 0755 for octal',
    },
  ],
  '39 items': [
    {
      spec: volume('configMap: {name: c, optional: true, items: [{path: p}]}'),
      at: 'spec.volumes[0].configMap.items[0].key',
      says: 'a value is required',
    },
    {
      spec: volume('configMap: {name: c, optional: true, items: [{key: k, path: /p}]}'),
      at: 'spec.volumes[0].configMap.items[0].path',
      says: 'must be a relative path',
    },
    {
      spec: volume('configMap: {name: c, optional: true, items: [{key: k, path: ..p}]}'),
      at: 'spec.volumes[0].configMap.items[0].path',
      says: "must not start with '..'",
    },
  ],
  '40 projected volumes': [
    { spec: volume('projected: {sources: [{}]}'), at: 'spec.volumes[0].projected.sources[0]', says: 'must specify' },
    {
      spec: volume('projected: {sources: [{secret: {name: a, optional: true}, configMap: {name: a, optional: true}}]}'),
      at: 'spec.volumes[0].projected.sources[0].configMap',
      says: 'more than 1',
    },
    {
      spec: volume(
        'projected: {sources: [{downwardAPI: {items: [{path: a, fieldRef: {fieldPath: metadata.name}}, {path: a, fieldRef: {fieldPath: metadata.uid}}]}}]}',
      ),
      at: 'spec.volumes[0].projected.sources[0].downwardAPI.items[1].path',
      says: 'conflicts',
    },
  ],
  '41 files of the downward API': [
    {
      spec: volume('downwardAPI: {items: [{fieldRef: {fieldPath: metadata.name}}]}'),
      at: 'spec.volumes[0].downwardAPI.items[0].path',
      says: 'a value is required',
    },
    {
      spec: volume('downwardAPI: {items: [{path: a}]}'),
      at: 'spec.volumes[0].downwardAPI.items[0]',
      says: 'one of fieldRef and resourceFieldRef is required',
    },
    {
      spec: volume('downwardAPI: {items: [{path: a, resourceFieldRef: {resource: limits.cpu}}]}'),
      at: 'spec.volumes[0].downwardAPI.items[0].resourceFieldRef.containerName',
      says: 'add containerName',
    },
    {
      spec: volume('downwardAPI: {items: [{path: a, fieldRef: {fieldPath: status.podIP}}]}'),
      at: 'spec.volumes[0].downwardAPI.items[0].fieldRef.fieldPath',
      says: 'not possible here',
    },
  ],
  '42 probes and hooks have one handler': [
    { container: 'livenessProbe: {}', at: `${MAIN}.livenessProbe`, says: 'must specify a handler type' },
    {
      container: 'readinessProbe: {exec: {command: [a]}, tcpSocket: {port: 1}}',
      at: `${MAIN}.readinessProbe.tcpSocket`,
      says: 'may not specify more than 1 handler type',
    },
    { container: 'lifecycle: {preStop: {}}', at: `${MAIN}.lifecycle.preStop`, says: 'must specify a handler type' },
  ],
  '43 numbers of probes': [
    {
      container: 'livenessProbe: {exec: {command: [a]}, periodSeconds: -1}',
      at: `${MAIN}.livenessProbe.periodSeconds`,
      says: 'must be greater than or equal to 0',
    },
    {
      container: 'startupProbe: {exec: {command: [a]}, successThreshold: 2}',
      at: `${MAIN}.startupProbe.successThreshold`,
      says: 'must be 1',
    },
    {
      container: 'readinessProbe: {exec: {command: [a]}, terminationGracePeriodSeconds: 5}',
      at: `${MAIN}.readinessProbe.terminationGracePeriodSeconds`,
      says: 'readiness',
    },
  ],
  '44 httpGet': [
    { container: 'livenessProbe: {httpGet: {path: /}}', at: `${MAIN}.livenessProbe.httpGet.port`, says: 'required' },
    {
      container: 'livenessProbe: {httpGet: {port: 0}}',
      at: `${MAIN}.livenessProbe.httpGet.port`,
      says: 'must be between 1 and 65535',
    },
    {
      container: 'livenessProbe: {httpGet: {port: 1, scheme: FTP}}',
      at: `${MAIN}.livenessProbe.httpGet.scheme`,
      says: 'use HTTP or HTTPS',
    },
    {
      container: 'livenessProbe: {httpGet: {port: 1, httpHeaders: [{name: "a b", value: c}]}}',
      at: `${MAIN}.livenessProbe.httpGet.httpHeaders[0].name`,
      says: '"a b"',
    },
  ],
  '45 exec has a command': [
    { container: 'livenessProbe: {exec: {}}', at: `${MAIN}.livenessProbe.exec.command`, says: 'required' },
  ],
  '46 sleep and stopSignal': [
    {
      container: 'lifecycle: {preStop: {sleep: {seconds: 31}}}',
      at: `${MAIN}.lifecycle.preStop.sleep.seconds`,
      says: '30',
    },
  ],
  '47 probes and hooks of init containers': [
    {
      spec: 'initContainers: [{name: i, image: a, livenessProbe: {exec: {command: [a]}}}]',
      at: 'spec.initContainers[0].livenessProbe',
      says: 'may not be set for init containers without restartPolicy=Always',
    },
    {
      spec: 'initContainers: [{name: i, image: a, lifecycle: {preStop: {exec: {command: [a]}}}}]',
      at: 'spec.initContainers[0].lifecycle',
      says: 'may not be set for init containers without restartPolicy=Always',
    },
  ],
  '48 restartPolicy of one container': [
    {
      spec: 'initContainers: [{name: i, image: a, restartPolicy: Sometimes}]',
      at: 'spec.initContainers[0].restartPolicy',
      says: '"Sometimes" is not possible',
    },
    { container: 'restartPolicy: Sometimes', at: `${MAIN}.restartPolicy`, says: 'use Always, OnFailure or Never' },
    {
      container: 'restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]',
      at: `${MAIN}.restartPolicy`,
      says: 'must be specified when restartPolicyRules are used',
    },
    {
      container: 'restartPolicy: Never, restartPolicyRules: [{action: Stop, exitCodes: {operator: In, values: [1]}}]',
      at: `${MAIN}.restartPolicyRules[0].action`,
      says: 'use Restart',
    },
    {
      container:
        'restartPolicy: Never, restartPolicyRules: [{action: RestartAllContainers, exitCodes: {operator: In}}]',
      at: `${MAIN}.restartPolicyRules[0].action`,
      says: 'only the container itself can be restarted',
    },
    {
      container: 'restartPolicy: Never, restartPolicyRules: [{action: Restart}]',
      at: `${MAIN}.restartPolicyRules[0].exitCodes`,
      says: 'a rule needs exit codes',
    },
    {
      container:
        'restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: Is, values: [1]}}]',
      at: `${MAIN}.restartPolicyRules[0].exitCodes.operator`,
      says: 'use In or NotIn',
    },
    {
      container: `restartPolicy: Never, restartPolicyRules: [${Array(21).fill('{action: Restart, exitCodes: {operator: NotIn}}').join()}]`,
      at: `${MAIN}.restartPolicyRules`,
      says: 'no more than 20 rules',
    },
    {
      container: `restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [${Array(256).fill(1).join()}]}}]`,
      at: `${MAIN}.restartPolicyRules[0].exitCodes.values`,
      says: 'no more than 255 exit codes',
    },
  ],
  '49 resources': [
    { container: 'resources: {limits: {cpus: 1}}', at: `${MAIN}.resources.limits[cpus]`, says: 'did you mean "cpu"?' },
    { container: 'resources: {limits: {cpu: -1}}', at: `${MAIN}.resources.limits[cpu]`, says: 'must not be negative' },
    {
      container: 'resources: {requests: {cpu: 2}, limits: {cpu: 1}}',
      at: `${MAIN}.resources.requests[cpu]`,
      says: 'must be less than or equal to the limit of 1',
    },
    { container: 'resources: {limits: {cpu: 0.1m}}', at: `${MAIN}.resources.limits[cpu]`, says: 'thousandth of a CPU' },
    {
      container: 'resources: {limits: {memory: 1m}}',
      at: `${MAIN}.resources.limits[memory]`,
      says: 'less than one byte',
    },
  ],
  '50 securityContext': [
    {
      container: 'securityContext: {runAsUser: 2147483648}',
      at: `${MAIN}.securityContext.runAsUser`,
      says: 'must be between 0 and 2147483647',
    },
    {
      container: 'securityContext: {privileged: true, allowPrivilegeEscalation: false}',
      at: `${MAIN}.securityContext.allowPrivilegeEscalation`,
      says: 'must not be false when privileged is true',
    },
    {
      container: 'securityContext: {capabilities: {add: [SYS_ADMIN]}, allowPrivilegeEscalation: false}',
      at: `${MAIN}.securityContext.allowPrivilegeEscalation`,
      says: 'must not be false when the capability SYS_ADMIN is added',
    },
    {
      container: 'securityContext: {procMount: Unmasked}',
      at: `${MAIN}.securityContext.procMount`,
      says: 'set hostUsers: false',
    },
    {
      container: 'securityContext: {seccompProfile: {type: Localhost}}',
      at: `${MAIN}.securityContext.seccompProfile.localhostProfile`,
      says: 'type Localhost needs the path of the profile',
    },
    {
      container: 'securityContext: {seccompProfile: {type: Localhost, localhostProfile: /a}}',
      at: `${MAIN}.securityContext.seccompProfile.localhostProfile`,
      says: 'must be a relative path',
    },
    {
      container: 'securityContext: {seccompProfile: {localhostProfile: a}}',
      at: `${MAIN}.securityContext.seccompProfile.type`,
      says: 'a value is required',
    },
  ],
  '51 sysctls': [
    {
      spec: 'securityContext: {sysctls: [{value: "1"}]}',
      at: 'spec.securityContext.sysctls[0].name',
      says: 'a value is required',
    },
    {
      spec: `securityContext: {sysctls: [{name: net.${'x'.repeat(250)}, value: "1"}]}`,
      at: 'spec.securityContext.sysctls[0].name',
      says: 'is not the name of a kernel parameter',
    },
    {
      spec: 'securityContext: {sysctls: [{name: net.a, value: "1"}, {name: net/a, value: "1"}]}',
      at: 'spec.securityContext.sysctls[1].name',
      says: 'is set twice',
    },
    {
      spec: 'hostNetwork: true, securityContext: {sysctls: [{name: net.a, value: "1"}]}',
      at: 'spec.securityContext.sysctls[0].name',
      says: 'hostNetwork is set',
    },
  ],
  '52 restartPolicy and DNS': [
    { spec: 'restartPolicy: Sometimes', at: 'spec.restartPolicy', says: 'use Always, OnFailure or Never' },
    { spec: 'dnsPolicy: Mine', at: 'spec.dnsPolicy', says: 'ClusterFirst, ClusterFirstWithHostNet, Default or None' },
    { spec: 'dnsPolicy: None', at: 'spec.dnsPolicy', says: 'needs at least one nameserver' },
    {
      spec: 'dnsConfig: {nameservers: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]}',
      at: 'spec.dnsConfig.nameservers',
      says: 'no more than 3 nameservers',
    },
    {
      spec: `dnsConfig: {searches: [${Array.from({ length: 33 }, (_, i) => `a${i}`).join(', ')}]}`,
      at: 'spec.dnsConfig.searches',
      says: 'no more than 32 search domains',
    },
  ],
  '53 names of the host': [
    { spec: 'hostname: a.b', at: 'spec.hostname', says: '"a.b" must be' },
    { spec: 'hostAliases: [{ip: x, hostnames: [a]}]', at: 'spec.hostAliases[0].ip', says: 'not an IP address' },
    {
      spec: 'hostAliases: [{ip: 1.1.1.1, hostnames: [a_b]}]',
      at: 'spec.hostAliases[0].hostnames[0]',
      says: '"a_b" must be',
    },
  ],
  '54 times and namespaces of the host': [
    { spec: 'activeDeadlineSeconds: 0', at: 'spec.activeDeadlineSeconds', says: 'must be between 1 and 2147483647' },
    { spec: 'activeDeadlineSeconds: -5', at: 'spec.activeDeadlineSeconds', says: 'must be between 1 and 2147483647' },
    {
      spec: 'hostUsers: false, hostIPC: true',
      at: 'spec.hostIPC',
      says: 'when `hostUsers` is false',
    },
    {
      text: deployment(
        `selector: {matchLabels: {a: b}}, ${TEMPLATE.replace('spec: {', 'spec: {activeDeadlineSeconds: 5, ')}`,
      ),
      at: 'spec.template.spec.activeDeadlineSeconds',
      says: 'activeDeadlineSeconds',
    },
    {
      spec: 'hostPID: true, shareProcessNamespace: true',
      at: 'spec.shareProcessNamespace',
      says: 'shareProcessNamespace and hostPID cannot both be true',
    },
  ],
  '55 selectors': [
    { text: deployment(TEMPLATE), at: 'spec.selector', says: 'a value is required' },
    { text: deployment(`selector: {}, ${TEMPLATE}`), at: 'spec.selector', says: 'an empty selector' },
    {
      text: deployment(`selector: {matchLabels: {a: c}}, ${TEMPLATE}`),
      at: 'spec.selector.matchLabels[a]',
      says: 'the selector does not match the labels of the template',
    },
    {
      text: deployment(`selector: {matchExpressions: [{key: a, operator: In}]}, ${TEMPLATE}`),
      at: 'spec.selector.matchExpressions[0].values',
      says: 'In needs at least one value',
    },
    {
      text: deployment(`selector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}, ${TEMPLATE}`),
      at: 'spec.selector.matchExpressions[0].values',
      says: 'Exists takes no values',
    },
  ],
  '56 the pods of a Deployment run for ever': [
    {
      text: deployment(
        `selector: {matchLabels: {a: b}}, ${TEMPLATE.replace('spec: {', 'spec: {restartPolicy: Never, ')}`,
      ),
      at: 'spec.template.spec.restartPolicy',
      says: '"Never" is not possible in a Deployment',
    },
  ],
  '57 numbers of a Deployment': [
    {
      text: deployment(`replicas: -1, selector: {matchLabels: {a: b}}, ${TEMPLATE}`),
      at: 'spec.replicas',
      says: 'or equal to 0',
    },
    {
      text: rolling('minReadySeconds: -1'),
      at: 'spec.minReadySeconds',
      says: 'must be greater than or equal to 0',
    },
    {
      text: rolling('minReadySeconds: 9, progressDeadlineSeconds: 9'),
      at: 'spec.progressDeadlineSeconds',
      says: 'must be greater than minReadySeconds, which is 9',
    },
    { text: rolling('strategy: {type: Blue}'), at: 'spec.strategy.type', says: 'use RollingUpdate or Recreate' },
    {
      text: rolling('strategy: {type: Recreate, rollingUpdate: {}}'),
      at: 'spec.strategy.rollingUpdate',
      says: 'may not be specified when the type is Recreate',
    },
    {
      text: rolling('strategy: {rollingUpdate: {maxUnavailable: 101%}}'),
      at: 'spec.strategy.rollingUpdate.maxUnavailable',
      says: 'must not be greater than 100%',
    },
    {
      text: rolling('strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 0%}}'),
      at: 'spec.strategy.rollingUpdate.maxUnavailable',
      says: 'may not be 0 when maxSurge is 0',
    },
    {
      text: rolling('strategy: {rollingUpdate: {maxSurge: "1"}}'),
      at: 'spec.strategy.rollingUpdate.maxSurge',
      says: '"1" is not a percentage',
    },
  ],
  '58 Jobs': [
    { text: job('restartPolicy: Always'), at: 'spec.template.spec.restartPolicy', says: 'use OnFailure or Never' },
    {
      text: job('restartPolicy: OnFailure', 'completions: 1, completionMode: Indexed, backoffLimitPerIndex: 1'),
      at: 'spec.backoffLimitPerIndex',
      says: 'only possible with restartPolicy Never',
    },
    { text: job('', 'completions: -1'), at: 'spec.completions', says: 'must be greater than or equal to 0' },
    { text: job('', 'backoffLimit: -1'), at: 'spec.backoffLimit', says: 'must be greater than or equal to 0' },
    { text: job('', 'completionMode: Indexed'), at: 'spec.completions', says: 'an indexed Job needs to know' },
    {
      text: job('restartPolicy: OnFailure', 'podFailurePolicy: {rules: []}'),
      at: 'spec.podFailurePolicy',
      says: 'Never',
    },
    { text: job('', 'selector: {matchLabels: {a: b}}'), at: 'spec.selector', says: 'manualSelector' },
    {
      text: cronJob('0 0 * * *').replace('name: c', `name: ${'x'.repeat(53)}`),
      at: 'metadata.name',
      says: 'must be no more than 52 characters',
    },
    { text: cronJob('every day'), at: 'spec.schedule', says: 'schedule' },
    { text: cronJob('TZ=UTC 0 0 * * *'), at: 'spec.schedule', says: 'timeZone' },
    { text: cronJob('0 0 * * *', 'timeZone: Mars/Base'), at: 'spec.timeZone', says: 'Mars/Base' },
    { text: cronJob('0 0 * * *', 'concurrencyPolicy: Maybe'), at: 'spec.concurrencyPolicy', says: 'Forbid' },
  ],
  '59 data': [
    { text: configMap('data: {"a b": x}'), at: 'data[a b]', says: 'must be letters, digits, "-", "_" and "."' },
    { text: configMap('data: {k: x}\nbinaryData: {k: eA==}'), at: 'binaryData[k]', says: 'is in data too' },
    { text: configMap(`data: {k: ${'x'.repeat(1_048_577)}}`), at: 'data', says: '1048576' },
    { text: secret('data: {k: "%%"}'), at: 'data[k]', says: 'is not base64' },
    { text: secret('type: kubernetes.io/tls\ndata: {tls.crt: eA==}'), at: 'type', says: 'tls.key' },
    { text: secret('type: kubernetes.io/ssh-auth'), at: 'type', says: 'ssh-privatekey' },
    { text: secret('type: kubernetes.io/basic-auth'), at: 'type', says: 'username or password' },
    {
      text: secret('type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: "{"}'),
      at: 'type',
      says: 'is not JSON',
    },
  ],
  '60 Services': [
    { text: service('selector: {a: b}'), at: 'spec.ports', says: 'a Service needs a port' },
    { text: service('ports: [{port: 0}]'), at: 'spec.ports[0].port', says: 'between 1 and 65535' },
    { text: service('ports: [{port: 1}, {port: 2}]'), at: 'spec.ports[0].name', says: 'name' },
    { text: service('type: Cluster, ports: [{port: 1}]'), at: 'spec.type', says: 'use ' },
    { text: service('ports: [{port: 1, nodePort: 30000}]'), at: 'spec.ports[0].nodePort', says: 'NodePort' },
    { text: service('ports: [{port: 1, targetPort: A_b}]'), at: 'spec.ports[0].targetPort', says: '"A_b"' },
  ],
}

describe('each rule of the API server is kept', () => {
  for (const [rule, rows] of Object.entries(rules)) {
    test(rule, () => {
      for (const { spec = '', container = '', text, at, says } of rows) {
        const blocks = detailsOf(text ?? podText(spec, container)).split('\n\n')
        const about = blocks.filter(block => (block.split('\n')[0] ?? '').endsWith(` ${at}`))
        expect({ at, blocks: about.join('\n\n') || blocks.join('\n\n') }).toEqual({
          at,
          blocks: expect.stringContaining(says),
        })
        expect(about).not.toEqual([])
      }
    })
  }
})
