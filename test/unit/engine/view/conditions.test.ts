import { expect, test } from '@jest/globals'
import { conditionsOf } from '../../../../src/engine/view/conditions.ts'
import { containerView, podView } from '../../../support/world.ts'

type Viewed = Parameters<typeof conditionsOf>[0]

const of = (viewed: Partial<Viewed>): string[] =>
  conditionsOf({ ...podView({ ips: ['10.91.0.2'] }), ...viewed }).map(({ type, status, reason, message }) =>
    [type, status, reason, message].filter(part => part !== '').join(' '),
  )

const SCHEDULED = ['PodScheduled true', 'PodReadyToStartContainers true']
const init = (more: object) => containerView({ kind: 'init', shortName: 'init' as never, ...more })

test.each<[string, Partial<Viewed>, string[]]>([
  ['that is ready', {}, [...SCHEDULED, 'Initialized true', 'ContainersReady true', 'Ready true']],
  [
    'of which one container is not ready',
    { containers: [containerView(), containerView({ shortName: 'b' as never, ready: false })] },
    [
      ...SCHEDULED,
      'Initialized true',
      'ContainersReady false ContainersNotReady containers with unready status: [b]',
      'Ready false ContainersNotReady containers with unready status: [b]',
    ],
  ],
  [
    'whose init container has not ended',
    { phase: 'Pending', containers: [init({ ready: false }), containerView({ state: 'created', ready: false })] },
    [
      ...SCHEDULED,
      'Initialized false ContainersNotInitialized containers with incomplete status: [init]',
      'ContainersReady false ContainersNotReady containers with unready status: [nginx]',
      'Ready false ContainersNotReady containers with unready status: [nginx]',
    ],
  ],
  [
    'that has ended well',
    { phase: 'Succeeded', ips: [], containers: [containerView({ state: 'exited', ready: false })] },
    [
      'PodScheduled true',
      'PodReadyToStartContainers false',
      'Initialized true PodCompleted',
      'ContainersReady false PodCompleted',
      'Ready false PodCompleted',
    ],
  ],
])('the conditions of a pod %s', (_, viewed, conditions) => expect(of(viewed)).toEqual(conditions))

test('a pod on the network of its host is ready to start containers once one is up', () => {
  expect(of({ ips: [] })).toContain('PodReadyToStartContainers true')
})
