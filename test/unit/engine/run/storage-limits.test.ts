import { describe, expect, test } from '@jest/globals'
import { quantityOf, storageLimits } from '../../../../src/engine/run/storage-limits.ts'
import type { VolumeSpec } from '../../../../src/model.ts'
import { containerSpec, podSpec } from '../../../support/spec-input.ts'

const MIB = 1024 * 1024
const growing = {
  emptyDir: (name: string) => `/dirs/${name}`,
  container: (name: string) => ({ layer: name === 'bare' ? undefined : `/layers/${name}`, log: `/logs/${name}` }),
}
const container = (name: string, storageLimitBytes?: number) =>
  containerSpec({ name: name as never, resources: storageLimitBytes === undefined ? {} : { storageLimitBytes } })
const dir = (name: string, more: object = {}): VolumeSpec => ({ name, kind: 'emptyDir', medium: 'disk', ...more })
const limitsOf = (spec: Parameters<typeof podSpec>[0]) => storageLimits(podSpec(spec), growing)

describe('what is measured of a pod', () => {
  test('is nothing without limits, and nothing that is in memory', () => {
    const memory = dir('m', { medium: 'memory', sizeBytes: MIB })
    expect(limitsOf({ containers: [container('web')], volumes: [dir('d'), memory] })).toEqual([])
  })

  test('are emptyDirs with a limit, each by itself', () => {
    const volumes = [dir('a', { sizeBytes: 2 * MIB }), dir('b'), dir('c', { sizeBytes: 1000 })]
    expect(limitsOf({ containers: [container('web')], volumes })).toEqual([
      { maxBytes: 2 * MIB, paths: ['/dirs/a'], message: 'Usage of EmptyDir volume "a" exceeds the limit "2Mi".' },
      { maxBytes: 1000, paths: ['/dirs/c'], message: 'Usage of EmptyDir volume "c" exceeds the limit "1000".' },
    ])
  })

  test('are containers with a limit: by themselves, and all of the pod against all of their limits', () => {
    const initContainers = [container('first')]
    const containers = [container('web', 3 * MIB), container('bare', 1024 * MIB)]
    expect(limitsOf({ initContainers, containers, volumes: [dir('a'), dir('b', { sizeBytes: MIB })] })).toEqual([
      { maxBytes: MIB, paths: ['/dirs/b'], message: 'Usage of EmptyDir volume "b" exceeds the limit "1Mi".' },
      {
        maxBytes: 1027 * MIB,
        paths: ['/layers/first', '/logs/first', '/layers/web', '/logs/web', '/logs/bare', '/dirs/a', '/dirs/b'],
        message: 'Pod ephemeral local storage usage exceeds the total limit of containers 1027Mi.',
      },
      {
        maxBytes: 3 * MIB,
        paths: ['/layers/web', '/logs/web'],
        message: 'Container web exceeded its local ephemeral storage limit "3Mi".',
      },
      {
        maxBytes: 1024 * MIB,
        paths: ['/logs/bare'],
        message: 'Container bare exceeded its local ephemeral storage limit "1Gi".',
      },
    ])
  })
})

test('bytes as people write them', () => {
  expect([0, 1, 1023, 1024, 1536, 10 * MIB, 1024 ** 4].map(quantityOf)).toEqual([
    '0',
    '1',
    '1023',
    '1Ki',
    '1536',
    '10Mi',
    '1Ti',
  ])
})
