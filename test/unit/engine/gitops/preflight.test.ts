/** What two pods cannot both have is found before the first change, and both files are named. */
import { expect, test } from '@jest/globals'
import { type Claim, conflicts } from '../../../../src/engine/gitops/preflight.ts'
import { translate } from '../../../../src/kube/index.ts'

const podWith = (name: string, ports: object[]): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'localhost/a:1', ports }] },
  })

const bundleOf = (files: Record<string, string>) =>
  translate(
    Object.entries(files).map(([file, text]) => ({ file, text })),
    { baseDirectory: '/' },
  ).bundle

const web = bundleOf({ 'web.yaml': podWith('web', [{ containerPort: 80, hostPort: 8080 }]) })

const cases: Record<string, { others: Claim[]; expected: string[] }> = {
  'nobody else is there': { others: [], expected: [] },
  'its own pods are no conflict': {
    others: [
      { thing: 'pod/web', pod: 'web', app: 'shop' },
      { thing: 'port 8080/tcp', address: '', pod: 'old', app: 'shop' },
    ],
    expected: [],
  },
  'another source has the pod: both files are named': {
    others: [{ thing: 'pod/web', pod: 'web', app: 'other', place: 'apps/web.yaml:3' }],
    expected: ['web.yaml:1: pod/web belongs to app other (apps/web.yaml:3)'],
  },
  'somebody has played it by hand': {
    others: [{ thing: 'pod/web', pod: 'web' }],
    expected: ['web.yaml:1: pod/web belongs to no app: it was played by hand'],
  },
  'a port of all addresses is taken on one': {
    others: [{ thing: 'port 8080/tcp', address: '127.0.0.1', pod: 'x', app: 'other', place: 'x.yaml:1' }],
    expected: ['web.yaml:1: port 8080/tcp is published by pod x of app other (x.yaml:1)'],
  },
  'the same number of another protocol is another port': {
    others: [{ thing: 'port 8080/udp', address: '', pod: 'x', app: 'other' }],
    expected: [],
  },
}
for (const [name, { others, expected }] of Object.entries(cases))
  test(name, () => expect(conflicts(web, 'shop', others)).toEqual(expected))

test('the same port on two addresses is none', () => {
  const both = bundleOf({
    'a.yaml': podWith('a', [{ containerPort: 80, hostPort: 80, hostIP: '127.0.0.1' }]),
    'b.yaml': podWith('b', [{ containerPort: 80, hostPort: 80, hostIP: '127.0.0.2' }]),
  })
  expect(conflicts(both, 'shop', [])).toEqual([])
})
