import { describe, expect, test } from '@jest/globals'
import { usernsAnnotation } from '../../../src/kube/index.ts'
import { detailsOf, issuesOf, podOf } from './world.ts'

const annotated = (mode: string, spec = ''): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: web, annotations: {io.podman.annotations.userns: "${mode}"}}\n` +
  `spec: {containers: [{name: main, image: "app:1"}]${spec === '' ? '' : `, ${spec}`}}\n`

const AUTO = { mode: 'auto', count: 65_536, uids: [], gids: [] }
const RANGE = { inside: 1000, outside: 1000, count: 1 }

describe('the user namespace of a pod', () => {
  test.each<[mode: string, spec: string, wanted: object | undefined]>([
    ['', '', undefined],
    ['host', '', undefined],
    ['', 'hostUsers: true', undefined],
    ['auto', '', AUTO],
    ['private', '', AUTO],
    ['auto', 'hostUsers: true', AUTO],
    ['host', 'hostUsers: false', undefined],
    ['auto:size=1024', '', { ...AUTO, count: 1024 }],
    ['auto:size=5000,uidmapping=1000:1000:1', '', { ...AUTO, count: 5000, uids: [RANGE] }],
    ['auto:gidmapping=1000:1000:1', '', { ...AUTO, gids: [RANGE] }],
    ['ns:/run/user.ns', '', { mode: 'path', path: '/run/user.ns' }],
  ])('annotated "%s" with "%s"', (mode, spec, wanted) => {
    expect(podOf(annotated(mode, spec)).userns).toEqual(wanted)
  })

  test('is of its own with hostUsers: false alone', () => {
    const text =
      'apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {hostUsers: false, containers: [{name: a, image: a}]}\n'
    expect(podOf(text).userns).toEqual(AUTO)
  })

  test.each([
    ['nomap', 'nomap is only supported in rootless mode'],
    ['keep-id', 'keep-id is only supported in rootless mode'],
    ['keep-id:uid=1', 'keep-id is only supported in rootless mode'],
    ['none', 'unrecognized namespace mode none passed'],
    ['pod', 'unrecognized namespace mode pod passed'],
    ['container:abc', 'unrecognized namespace mode container:abc passed'],
    ['host:x', 'unrecognized namespace mode host:x passed'],
    ['auto:foo', 'invalid option specified: "foo"'],
    ['auto:foo=1', 'unknown option specified: "foo"'],
    ['auto:size=0', 'invalid size "0"'],
    ['auto:size=9999999999', 'invalid size "9999999999"'],
    ['auto:uidmapping=1:2', 'uidmapping "1:2" is malformed'],
    ['auto:uidmapping=0:0:10,uidmapping=5:100:1', 'uidmapping "5:100:1" overlaps another'],
    ['auto:gidmapping=0:0:10,gidmapping=20:9:1', 'gidmapping "20:9:1" overlaps another'],
    ['ns:relative', 'ns: needs an absolute path'],
  ])('is refused for "%s"', (mode, message) => {
    expect(detailsOf(annotated(mode))).toContain(message)
    expect(() => usernsAnnotation(mode)).toThrow(message)
  })

  test('does not go with the host’s other namespaces, as in Kubernetes', () => {
    const spec = 'hostUsers: false, hostNetwork: true, hostPID: true, hostIPC: true'
    expect(issuesOf(annotated('', spec)).map(line => line.replace(/^\S+ /, ''))).toEqual([
      'FORBIDDEN spec.hostNetwork',
      'FORBIDDEN spec.hostPID',
      'FORBIDDEN spec.hostIPC',
    ])
  })

  test('a flag is an annotation, and wins', () => {
    expect(usernsAnnotation(undefined)).toEqual({})
    expect(podOf(annotated('host'), { annotations: usernsAnnotation('auto') }).userns).toEqual(AUTO)
    expect(
      podOf(annotated('auto', 'hostUsers: false'), { annotations: usernsAnnotation('host') }).userns,
    ).toBeUndefined()
  })
})
