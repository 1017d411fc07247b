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
