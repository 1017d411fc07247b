/** Which object a name or the beginning of an id stands for. */
import { describe, expect, test } from '@jest/globals'
import { matchIn } from '../../../../src/engine/view/query.ts'
import type { ContainerName, Id, PodName } from '../../../../src/model.ts'
import { containerView, podView } from '../../../support/world.ts'

const id = (start: string): Id => start.padEnd(64, '0') as Id
const web = podView({
  id: id('aaaa1'),
  name: 'web' as PodName,
  containers: [
    containerView({ id: id('bbbb1'), name: 'web-nginx', pod: 'web' as PodName, shortName: 'nginx' as ContainerName }),
    containerView({ id: id('aaaa2'), name: 'db', pod: 'web' as PodName, shortName: 'db' as ContainerName }),
  ],
})
const db = podView({ id: id('cccc1'), name: 'db' as PodName, containers: [] })
const service = podView({
  id: id('dddd1'),
  name: '0123456789ab-service' as PodName,
  kind: 'service',
  containers: [containerView({ id: id('eeee1'), name: '0123456789ab-service', kind: 'service' })],
})
const all = [web, db, service].map(view => ({ view }))

const found = (nameOrId: string, kind?: 'pod' | 'container'): string => {
  const match = matchIn(all, nameOrId, kind)
  if (match === undefined) return 'nothing'
  return match.container === undefined ? `pod ${match.loaded.view.name}` : `container ${match.container.name}`
}

describe('a name or id', () => {
  test.each<[nameOrId: string, kind: 'pod' | 'container' | undefined, is: string]>([
    ['web', undefined, 'pod web'],
    ['web-nginx', undefined, 'container web-nginx'],
    ['web/nginx', undefined, 'container web-nginx'],
    ['db', undefined, 'pod db'],
    ['db', 'container', 'container db'],
    ['db', 'pod', 'pod db'],
    ['web', 'container', 'nothing'],
    ['web-nginx', 'pod', 'nothing'],
    ['bbbb', undefined, 'container web-nginx'],
    ['bbbb', 'pod', 'nothing'],
    ['bbb', undefined, 'nothing'],
    ['aaaa', 'pod', 'pod web'],
    ['aaaa', 'container', 'container db'],
    ['0123456789ab-service', undefined, 'container 0123456789ab-service'],
    ['0123456789ab-service', 'pod', 'nothing'],
    ['dddd1', undefined, 'nothing'],
    ['nope', undefined, 'nothing'],
  ])('%s (%s) is %s', (nameOrId, kind, is) => {
    expect(found(nameOrId, kind)).toBe(is)
  })
  test('the beginning of two ids is neither', () => {
    expect(() => found('aaaa')).toThrow(expect.objectContaining({ code: 'AMBIGUOUS_ID' }))
  })
})
