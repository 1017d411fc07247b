import { expect, test } from '@jest/globals'
import type { Step } from '../../../../src/engine/plan/index.ts'
import { type Executors, execute } from '../../../../src/engine/plan/index.ts'
import type { Id } from '../../../../src/model.ts'

const step = (id: string, after: string[] = [], order: string[] = []): Step => ({
  do: 'create',
  container: id as Id,
  id,
  after,
  order,
  because: 'a test',
})

function recording(work: (step: Step) => Promise<void>): Executors {
  const one = { sandbox: work, network: work, rootfs: work, create: work, start: work, await: work, discard: work }
  const end = {
    hook: work,
    stop: work,
    delete: work,
    unmount: work,
    erase: work,
    drop: work,
    cgroup: work,
    disconnect: work,
    unpin: work,
  }
  return { ...one, ...end, volumes: work, files: work, rundir: work, forget: work }
}

test('what is independent runs at once, what depends waits', async () => {
  const log: string[] = []
  const gate = Promise.withResolvers<void>()
  const executors = recording(async ({ id }) => {
    log.push(`${id} begins`)
    if (id === 'a') await gate.promise
    log.push(`${id} ends`)
  })
  const done = execute([step('a'), step('b'), step('c', ['a'])], executors)
  await Promise.resolve().then(() => new Promise(resolve => setImmediate(resolve)))
  expect(log).toEqual(['a begins', 'b begins', 'b ends'])
  gate.resolve()
  expect(await done).toEqual({ failures: [], skipped: [] })
  expect(log.slice(3)).toEqual(['a ends', 'c begins', 'c ends'])
})

test('a failure skips its dependants, not those that only come later in order', async () => {
  const ran: string[] = []
  const executors = recording(async ({ id }) => {
    if (id === 'a') throw new Error('no')
    ran.push(id)
  })
  const { failures, skipped } = await execute(
    [step('a'), step('b', ['a']), step('c', ['b']), step('d', [], ['a', 'b'])],
    executors,
  )
  expect(failures.map(failure => failure.step.id)).toEqual(['a'])
  expect(skipped.map(one => one.id)).toEqual(['b', 'c'])
  expect(ran).toEqual(['d'])
})

test('a step that waits for none of the earlier ones is a bug of the planner', async () => {
  await expect(
    execute(
      [step('a', ['nowhere'])],
      recording(async () => undefined),
    ),
  ).rejects.toThrow('which is no earlier step')
})
