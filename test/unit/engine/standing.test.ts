import { describe, expect, test } from '@jest/globals'
import type { ContainerState } from '../../../src/engine/index.ts'
import { standingText } from '../../../src/engine/standing.ts'

const member = (name: string, state: ContainerState, exitCode?: number) => ({
  name,
  kind: 'regular' as const,
  state,
  exitCode,
})

describe('how a service stands, in a line', () => {
  test.each<[name: string, members: Parameters<typeof standingText>[0], text: string]>([
    ['all up', [member('web', 'running'), member('db', 'running')], '2/2 containers up'],
    ['one awaited', [member('web', 'running'), member('db', 'created')], '1/2 containers up; waiting for db'],
    [
      'many awaited',
      ['a', 'b', 'c', 'd', 'e'].map(name => member(name, 'configured')),
      '0/5 containers up; waiting for a, b, c and 2 more',
    ],
    [
      'some ended',
      [member('web', 'running'), member('job', 'exited', 0), member('db', 'exited', 3), member('c', 'stopped', 137)],
      '1/4 containers up; job exited with code 0, db exited with code 3, c is stopped',
    ],
    ['one paused', [member('web', 'paused')], '0/1 containers up; web is paused'],
    [
      'init containers do not serve, sidecars do',
      [
        { ...member('prepare', 'running'), kind: 'init' },
        { ...member('proxy', 'running'), kind: 'sidecar' },
        { ...member('holder', 'running'), kind: 'infra' },
      ],
      '1/1 containers up',
    ],
  ])('%s', (_, members, text) => expect(standingText(members)).toBe(text))
})
