import { describe, expect, test } from '@jest/globals'
import { isTspodError } from '../../../src/errors.ts'
import { namesIn, parseAnnotations } from '../../../src/kube/index.ts'
import { containerOf, detailsOf, issuesOf, podOf, podText, translated } from './world.ts'

const claim = 'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n'
const secret = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: one, b: two}\n'

/** The code of the error that `act` throws. */
function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (isTspodError(error)) return error.code
    throw error
  }
  return 'none'
}

describe('defaults', () => {
  test('are those of Kubernetes', () => {
    const pod = podOf(podText(''))
    expect(pod).toMatchObject({ restartPolicy: 'Always', graceMs: 30_000, namespace: 'default', hostname: 'web' })
    expect(pod.dns).toEqual({ policy: 'cluster', nameservers: [], searches: [], options: [] })
    expect(pod.containers[0]?.security).toMatchObject({
      allowPrivilegeEscalation: true,
      seccomp: { type: 'RuntimeDefault' },
    })
  })

  const policies: [image: string, policy: string][] = [
    ['nginx', 'Newer'],
    ['nginx:latest', 'Newer'],
    ['nginx:1', 'IfNotPresent'],
    ['localhost:5000/nginx', 'Newer'],
    [`nginx@sha256:${'0'.repeat(64)}`, 'IfNotPresent'],
    [`nginx:latest@sha256:${'0'.repeat(64)}`, 'IfNotPresent'],
    ['localhost/mine:latest', 'IfNotPresent'],
  ]
  for (const [image, policy] of policies) {
    test(`an image ${image} has the policy ${policy}`, () => {
      expect(containerOf(podText('').replace('app:1', image)).pullPolicy).toBe(policy)
    })
  }

  test('a long name gives a host name without a bad end', () => {
    const name = `${'a'.repeat(62)}.b`
    expect(podOf(podText('').replace('name: web', `name: ${name}`)).hostname).toBe('a'.repeat(62))
  })

  test('a negative grace is a second, and zero is none', () => {
    expect(podOf(podText('terminationGracePeriodSeconds: -5')).graceMs).toBe(1000)
    expect(podOf(podText('terminationGracePeriodSeconds: 0')).graceMs).toBe(0)
  })

  test('host network changes DNS and publishes nothing', () => {
    const pod = podOf(podText('hostNetwork: true', 'ports: [{containerPort: 80, hostPort: 80}]'))
    expect(pod.dns.policy).toBe('default')
    expect(pod.containers[0]?.ports[0]?.hostPort).toBeUndefined()
  })
})

describe('references', () => {
  test('a Secret of an earlier play serves', () => {
    const env = containerOf(podText('', 'envFrom: [{secretRef: {name: old}}]'), {
      storedSecret: name => (name === 'old' ? { K: Buffer.from('v').toString('base64') } : undefined),
    }).env
    expect(env).toEqual([{ name: 'K', secret: true, text: 'v', expand: false }])
  })

  test('a Secret of the manifest goes before one of an earlier play', () => {
    const env = containerOf(`${secret}---\n${podText('', 'envFrom: [{secretRef: {name: s}}]')}`, {
      storedSecret: () => ({ old: '' }),
    }).env
    expect(env.map(entry => entry.name)).toEqual(['a', 'b'])
  })

  test('documents may stand in any order and in several files', () => {
    expect(podOf(`${podText('', 'envFrom: [{secretRef: {name: s}}]')}---\n${secret}`).containers[0]?.env).toHaveLength(
      2,
    )
  })

  test('a value that is no text cannot be a variable', () => {
    const binary = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: /w==}\n---\n'
    expect(
      issuesOf(binary + podText('', 'env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]')),
    ).toHaveLength(1)
  })

  test('a key that is missing is looked for by its likeness', () => {
    const details = detailsOf(
      `${secret.replace('a: one', 'password: x')}---\n${podText('', 'env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: pasword}}}]')}`,
    )
    expect(details).toContain('did you mean "password"?')
  })
})

describe('names', () => {
  test('two documents that make the same pod are refused', () => {
    const deployment =
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {selector: {matchLabels: {x: y}}, template: {metadata: {labels: {x: y}}, spec: {containers: [{name: c, image: i}]}}}\n'
    expect(issuesOf(`${deployment}---\n${podText('').replace('name: web', 'name: a-pod')}`).join()).toContain(
      'DUPLICATE metadata.name',
    )
  })

  test('two pods cannot publish the same host port', () => {
    const pod = podText('', 'ports: [{containerPort: 80, hostPort: 80}]')
    expect(issuesOf(`${pod}---\n${pod.replace('name: web', 'name: other')}`)).toEqual([
      '9:88 DUPLICATE spec.containers[0].ports[0].hostPort',
    ])
  })

  test('down finds the names even where the manifest no longer translates', () => {
    const text = `${podText('volumes: [{name: v, persistentVolumeClaim: {claimName: other}}], nonsense: 1')}---\n${claim}---\n${secret}---\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 2}\n---\nkind: Service\nmetadata: {name: x}\n`
    expect(namesIn([{ file: 'a', text }])).toEqual({
      pods: ['web', 'd-pod', 'd-pod-2'],
      workloads: [{ kind: 'Deployment', name: 'd' }],
      secrets: ['s'],
      claims: ['data'],
      podClaims: ['other'],
      claimsOf: [],
      configMaps: [],
    })
  })

  test('down refuses what is no YAML', () => {
    expect(codeOf(() => namesIn([{ file: 'a', text: 'kind: [' }]))).toBe('MANIFEST_UNREADABLE')
  })
})

describe('flags', () => {
  test('annotations go to pods and claims', () => {
    const { bundle } = translated(`${claim}---\n${podText('')}`, { annotations: { a: 'b' } })
    expect([bundle.pods[0]?.annotations.a, bundle.claims[0]?.annotations.a]).toEqual(['b', 'b'])
  })

  test('an annotation must have a sign and a key', () => {
    expect(() => parseAnnotations(['x'])).toThrow(`annotation "x" must include an '=' sign`)
    expect(codeOf(() => parseAnnotations(['a b=c']))).toBe('USAGE')
    expect(parseAnnotations(['a=b=c', 'd='])).toEqual({ a: 'b=c', d: '' })
  })

  test('host names of the manifest and --no-hosts exclude each other', () => {
    expect(issuesOf(podText('hostAliases: [{ip: 1.1.1.1, hostnames: [a]}]'), { noHosts: true })).toHaveLength(1)
  })

  const bad = [
    '',
    '80',
    ':80',
    'a:80',
    '80:',
    '0:80',
    '70000:80',
    '80:80/icmp',
    '1.2.3:80:80',
    '80-81:80',
    '81-80:80-81',
    '1:2:3:4',
    '::1:80:80',
    '-1:80',
  ]
  for (const text of bad) {
    test(`--publish ${JSON.stringify(text)} is refused`, () => {
      expect(codeOf(() => translated(podText(''), { publish: [text] }))).toBe('USAGE')
    })
  }

  test('--publish of a port that no container declares needs a single pod', () => {
    const two = `${podText('')}---\n${podText('').replace('name: web', 'name: other')}`
    expect(codeOf(() => translated(two, { publish: ['8080:80'] }))).toBe('USAGE')
    expect(containerOf(podText(''), { publish: ['8080:80'] }).ports).toEqual([
      { containerPort: 80, hostPort: 8080, hostIp: '', protocol: 'tcp' },
    ])
  })

  test('--publish-all refuses what cannot be bound twice', () => {
    const pod = podText('', 'ports: [{containerPort: 80}]')
    expect(
      codeOf(() => translated(`${pod}---\n${pod.replace('name: web', 'name: other')}`, { publishAll: true })),
    ).toBe('USAGE')
  })

  test('--publish does nothing to the host network, and says so', () => {
    const { bundle, notes } = translated(podText('hostNetwork: true'), { publish: ['8080:80'] })
    expect(bundle.pods[0]?.containers[0]?.ports).toEqual([])
    expect(notes).toHaveLength(1)
  })
})

describe('size', () => {
  test('a pod of 1000 containers is within the limits', () => {
    const container = (index: number): string => `  - name: c${index}
    image: registry.example.com/app:${index}
    command: [/bin/server, --port=80]
    env: [{name: A, value: "x"}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    ports: [{containerPort: ${index + 1}}]
    resources: {limits: {cpu: 500m, memory: 64Mi}}
    securityContext: {runAsUser: 1000, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: v, mountPath: /v}]`
    const list = Array.from({ length: 1000 }, (_, index) => container(index)).join('\n')
    const text = `apiVersion: v1\nkind: Pod\nmetadata: {name: big}\nspec:\n  volumes: [{name: v, emptyDir: {}}]\n  containers:\n${list}\n`
    expect(podOf(text).containers).toHaveLength(1000)
  }, 20_000)

  test('a thousand replicas share nothing', () => {
    const text =
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 1000, selector: {matchLabels: {x: y}}, template: {metadata: {labels: {x: y}}, spec: {containers: [{name: c, image: i}]}}}\n'
    const { pods } = translated(text).bundle
    expect(pods.at(-1)?.name).toBe('a-pod-1000')
    expect(pods[0]?.containers[0]).not.toBe(pods[1]?.containers[0])
    expect(issuesOf(text.replace('1000', '1001'))).toHaveLength(1)
  })
})

describe('lifecycle', () => {
  const sidecar = 'initContainers: [{name: proxy, image: "p:1", restartPolicy: Always, ports: [{containerPort: 81}]}]'

  test('--publish-all and --publish reach the ports of a sidecar', () => {
    const [all] = podOf(podText(sidecar), { publishAll: true }).initContainers
    expect(all?.ports[0]?.hostPort).toBe(81)
    const [one] = podOf(podText(sidecar), { publish: ['9000:81'] }).initContainers
    expect(one?.ports[0]?.hostPort).toBe(9000)
  })

  test('--annotation sets the type of init containers, over what the manifest says', () => {
    const type = 'io.podman.annotations.init.container.type'
    const text = podText('').replace('labels:', `annotations: {${type}: once}, labels:`)
    expect(podOf(text).initType).toBe('once')
    expect(podOf(text, { annotations: { [type]: 'always' } }).initType).toBe('always')
    expect(codeOf(() => podOf(text, { annotations: { [type]: 'never' } }))).toBe('USAGE')
  })

  test('--annotation with a dependency on nobody is a mistake of usage', () => {
    expect(codeOf(() => podOf(podText(''), { annotations: { 'io.tspod.depends-on/main': 'db' } }))).toBe('USAGE')
  })

  test('a negative grace time is one second, zero is zero', () => {
    expect(podOf(podText('terminationGracePeriodSeconds: -5')).graceMs).toBe(1000)
    expect(podOf(podText('terminationGracePeriodSeconds: 0')).graceMs).toBe(0)
  })
})
