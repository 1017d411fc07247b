import { describe, expect, test } from '@jest/globals'
import { namesIn } from '../../../src/kube/index.ts'
import { detailsOf, issuesOf, translated } from './world.ts'

/** A workload in flow style; `container` and `spec` are added to its template. */
function workload(kind: string, more: string, { container = '', spec = '' } = {}): string {
  const version = kind === 'ReplicationController' ? 'v1' : 'apps/v1'
  const selector = kind === 'ReplicationController' ? '{app: w}' : '{matchLabels: {app: w}}'
  const template = `{metadata: {labels: {app: w}}, spec: {containers: [{name: c, image: "x:1"${container}}]${spec}}}`
  return `apiVersion: ${version}\nkind: ${kind}\nmetadata: {name: w}\nspec: {selector: ${selector}, template: ${template}${more}}\n`
}
const podsOf = (text: string): string[] => translated(text).bundle.pods.map(pod => pod.name)

describe('kinds that make pods alike', () => {
  for (const kind of ['Deployment', 'ReplicaSet', 'ReplicationController']) {
    test(`a ${kind} has as many as it says, numbered from the second`, () => {
      const text = workload(kind, ', replicas: 3')
      expect(podsOf(text)).toEqual(['w-pod', 'w-pod-2', 'w-pod-3'])
      expect(namesIn([{ file: 'a', text }])).toMatchObject({
        pods: ['w-pod', 'w-pod-2', 'w-pod-3'],
        workloads: [{ kind, name: 'w' }],
      })
    })

    test(`a ${kind} without replicas has none, and takes down the one it may have had`, () => {
      const text = workload(kind, ', replicas: 0')
      expect(translated(text).bundle).toMatchObject({ pods: [], workloads: [{ kind, name: 'w' }] })
      expect(namesIn([{ file: 'a', text }]).pods).toEqual(['w-pod'])
    })
  }

  test('a DaemonSet has one', () => expect(podsOf(workload('DaemonSet', ''))).toEqual(['w-pod']))

  test('their pods know what made them', () => {
    const [pod] = translated(workload('ReplicaSet', '')).bundle.pods
    expect(pod?.origin).toMatchObject({ kind: 'ReplicaSet', name: 'w' })
  })

  test('the selector of a ReplicationController is a plain map', () => {
    const text = workload('ReplicationController', '').replace('labels: {app: w}', 'labels: {app: v}')
    expect(issuesOf(text)).toEqual(['4:24 INVALID_VALUE spec.selector[app]'])
  })
})

describe('a StatefulSet', () => {
  const claims = 'volumeClaimTemplates: [{metadata: {name: data, labels: {tier: db}}, spec: {}}]'
  const set = (more: string): string => workload('StatefulSet', `, serviceName: svc, ${claims}${more}`)

  test('numbers its pods from 0, and each is one host name with one claim', () => {
    const { bundle } = translated(set(', replicas: 2'))
    expect(
      bundle.pods.map(({ name, hostname, subdomain, startAfter }) => [name, hostname, subdomain, startAfter]),
    ).toEqual([
      ['w-0', 'w-0', 'svc', undefined],
      ['w-1', 'w-1', 'svc', ['w-0']],
    ])
    expect(bundle.pods[1]?.labels).toEqual({
      app: 'w',
      'apps.kubernetes.io/pod-index': '1',
      'statefulset.kubernetes.io/pod-name': 'w-1',
    })
    expect(bundle.pods[1]?.volumes).toEqual([{ name: 'data', kind: 'claim', claim: 'data-w-1', readOnly: false }])
    expect(bundle.claims.map(({ name, labels }) => [name, labels])).toEqual([
      ['data-w-0', { tier: 'db', app: 'w' }],
      ['data-w-1', { tier: 'db', app: 'w' }],
    ])
  })

  test('starts its pods side by side where that is asked for', () => {
    const { bundle } = translated(set(', replicas: 2, podManagementPolicy: Parallel'))
    expect(bundle.pods.map(pod => pod.startAfter)).toEqual([undefined, undefined])
  })

  test('may begin at another number', () => {
    const text = set(', replicas: 2, ordinals: {start: 5}')
    expect(podsOf(text)).toEqual(['w-5', 'w-6'])
    expect(namesIn([{ file: 'a', text }]).pods).toEqual(['w-5', 'w-6'])
  })

  test('uses a claim that has a document of its own', () => {
    const claim = 'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data-w-0}\n'
    expect(translated(`${set('')}---\n${claim}`).bundle.claims.map(({ name }) => name)).toEqual(['data-w-0'])
  })

  const keeps: Record<string, boolean> = {
    '': false,
    ', persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain}': false,
    ', persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}': true,
  }
  for (const [more, withWorkload] of Object.entries(keeps)) {
    test(`is taken down ${withWorkload ? 'with' : 'without'} its claims: ${more || 'nothing said'}`, () => {
      expect(namesIn([{ file: 'a', text: set(more) }]).claimsOf).toEqual([{ prefix: 'data-w-', withWorkload }])
    })
  }

  const mistakes: Record<string, string> = {
    ', podManagementPolicy: Sometimes': 'UNSUPPORTED_VALUE spec.podManagementPolicy',
    ', ordinals: {start: -1}': 'INVALID_VALUE spec.ordinals.start',
    ', persistentVolumeClaimRetentionPolicy: {whenDeleted: Maybe}':
      'UNSUPPORTED_VALUE spec.persistentVolumeClaimRetentionPolicy.whenDeleted',
  }
  for (const [more, issue] of Object.entries(mistakes)) {
    test(`is refused with${more.slice(1)}`, () => {
      expect(issuesOf(set(more)).map(line => line.replace(/^\S+ /, ''))).toEqual([issue])
    })
  }

  test('has claims and a service of good names', () => {
    expect(issuesOf(set('').replace('name: data', 'name: da.ta'))[0]).toMatch(
      /volumeClaimTemplates\[0\].metadata.name$/,
    )
    expect(issuesOf(set('').replace('serviceName: svc', 'serviceName: S_C'))[0]).toMatch(/spec.serviceName$/)
  })
})

describe('what cannot be doubled', () => {
  const port = ', ports: [{containerPort: 80, hostPort: 8080}]'

  test('is refused once, at its place', () => {
    const text = workload('Deployment', ', replicas: 3', { container: port })
    expect(issuesOf(text)).toHaveLength(1)
    expect(detailsOf(text)).toContain('port 8080 of the host cannot be had by 3 pods at once; make it one pod')
  })

  test('with the network of the host that is every port', () => {
    const how = { container: ', ports: [{containerPort: 80}]', spec: ', hostNetwork: true' }
    expect(issuesOf(workload('Deployment', ', replicas: 2', how))).toEqual([
      expect.stringMatching(/INVALID_VALUE spec\.template\.spec\.containers\[0\]\.ports\[0\]\.containerPort$/),
    ])
    expect(issuesOf(workload('Deployment', '', how))).toEqual([])
  })

  test('is fine with one pod', () => expect(issuesOf(workload('Deployment', '', { container: port }))).toEqual([]))
})

describe('kinds that are not for one host', () => {
  const ingress = 'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\n'
  const custom = 'apiVersion: example.com/v1\nkind: Database\nmetadata: {name: d}\n'

  test('are left out with one note for all of them', () => {
    const { notes } = translated(`${workload('Deployment', '')}---\n${ingress}---\n${custom}`)
    expect(notes).toEqual(['left out, because it needs a cluster: Ingress i (line 6), Database d (line 10)'])
  })

  test('are refused where there is nothing else', () => {
    expect(issuesOf(`${ingress}---\n${custom}`)).toEqual(['2:7 NOT_SUPPORTED kind', '6:7 NOT_SUPPORTED kind'])
  })

  test('are told from typing errors', () => {
    expect(issuesOf(`${workload('Deployment', '')}---\napiVersion: v1\nkind: Pood\nmetadata: {name: p}\n`)).toEqual([
      '7:7 UNKNOWN_KIND kind',
    ])
  })

  test('Namespace and ServiceAccount are noted and do nothing', () => {
    const { bundle, notes } = translated(
      'apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n',
    )
    expect(bundle.pods).toEqual([])
    expect(notes).toEqual([
      'app.yaml:2:1 kind has no effect: pods of all namespaces share the names of this host',
      'app.yaml:6:1 kind has no effect: there is no API server to have an account at',
    ])
  })
})
