/** A look ahead is as good as a look, or it does not count. */
import { expect, test } from '@jest/globals'
import { lookAhead, lookNoMoreAhead, worldOf } from '../../../../src/engine/apply/ahead.ts'
import type { World } from '../../../../src/engine/apply/world.ts'
import type { EngineContext } from '../../../../src/engine/context.ts'

/** A host whose store is of some version at some time; each look has a number. */
function host() {
  const now = { ms: 0, version: 1, looks: 0 }
  const clock = { monotonicMs: () => now.ms }
  const store = { all: async () => [{ data_version: now.version }] }
  const gather = async (): Promise<World> => ({ look: ++now.looks }) as unknown as World
  return { now, gather, context: { clock, store } as unknown as EngineContext }
}

test('nothing is looked at twice within a moment', async () => {
  const { now, gather, context } = host()
  await lookAhead(context, gather)
  now.ms = 900
  expect(await worldOf(context, gather)).toEqual({ look: 1 })
})

test('it counts once: whoever looks again wants to know what has become of it', async () => {
  const { gather, context } = host()
  await lookAhead(context, gather)
  await worldOf(context, gather)
  expect(await worldOf(context, gather)).toEqual({ look: 2 })
})

test('it does not count when somebody has written since, nor when it is old', async () => {
  const { now, gather, context } = host()
  await lookAhead(context, gather)
  now.version = 2
  expect(await worldOf(context, gather)).toEqual({ look: 2 })
  await lookAhead(context, gather)
  now.ms = 1001
  expect(await worldOf(context, gather)).toEqual({ look: 4 })
})

test('it does not count once this process has begun to change things itself, which the store does not tell it', async () => {
  const { gather, context } = host()
  await lookAhead(context, gather)
  lookNoMoreAhead(context)
  expect(await worldOf(context, gather)).toEqual({ look: 2 })
  await lookAhead(context, gather)
  expect(await worldOf(context, gather)).toEqual({ look: 3 })
})

test('nor when that happens while it is asked for', async () => {
  const { gather, context } = host()
  await lookAhead(context, gather)
  const asked = worldOf(context, gather)
  lookNoMoreAhead(context)
  expect(await asked).toEqual({ look: 2 })
})

test('one that failed is met by whoever needs it', async () => {
  const { context, gather } = host()
  await lookAhead(context, () => Promise.reject(new Error('no such table')))
  await expect(worldOf(context, gather)).rejects.toThrow('no such table')
})
