import { expect, test } from '@jest/globals'
import { interpret } from '../../../src/cli/interpret.ts'
import type { ContainerAction } from '../../../src/engine/index.ts'
import { containerView, podView, recordedWorld } from '../../support/world.ts'

/** What the engine is asked for, in order. */
async function asked(...args: string[]): Promise<unknown[]> {
  const calls: unknown[] = []
  const container = containerView({ state: 'running' })
  const recorded = recordedWorld({
    pods: async () => [podView({ containers: [container] })],
    find: async () => ({ kind: 'container', pod: podView(), container }),
    operateContainers: async (ids, action: ContainerAction) => {
      calls.push(action)
      return ids.map(id => ({ id, name: 'web-nginx' }))
    },
    exportCheckpoint: async (id, file) => void calls.push(['export', id, file]),
    importCheckpoint: async file => {
      calls.push(['import', file])
      return container.id
    },
  })
  const invocation = await interpret(args, 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  await invocation.verb.run(invocation.input, recorded.world)
  return calls
}

const PLAIN = { keep: false, tcpEstablished: false, fileLocks: false }

test('flags become wishes', async () => {
  expect(await asked('checkpoint', 'web-nginx')).toEqual([{ do: 'checkpoint', leaveRunning: false, ...PLAIN }])
  expect(await asked('container', 'checkpoint', '-k', '-R', '--tcp-established', '--file-locks', 'web-nginx')).toEqual([
    { do: 'checkpoint', leaveRunning: true, keep: true, tcpEstablished: true, fileLocks: true },
  ])
  expect(await asked('restore', '--keep', '--ignore-rootfs', 'web-nginx')).toEqual([
    { do: 'restore', ...PLAIN, keep: true },
  ])
})

test('an archive is written after the checkpoint, and read before the restore; its name is ours to resolve', async () => {
  expect(await asked('checkpoint', '-e', 'a.tar', 'web-nginx')).toEqual([
    { do: 'checkpoint', leaveRunning: false, ...PLAIN },
    ['export', containerView().id, '/a.tar'],
  ])
  expect(await asked('restore', '--import', 'a.tar')).toEqual([['import', '/a.tar'], { do: 'restore', ...PLAIN }])
})

test('one archive is of one container', async () => {
  await expect(asked('checkpoint', '-e', 'a.tar', 'one', 'two')).rejects.toMatchObject({
    message: '--export can only be used with one container',
  })
  await expect(asked('restore', '-i', 'a.tar', 'one')).rejects.toMatchObject({
    message: 'Cannot use --import with any positional arguments, --all or --latest',
  })
  await expect(asked('restore')).rejects.toMatchObject({ code: 'USAGE' })
})
