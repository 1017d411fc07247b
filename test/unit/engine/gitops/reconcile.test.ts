/** One reconcile after the other: what runs, what is remembered, and that nothing goes for a wrong reason. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { keptRevisions, readRuns } from '../../../../src/engine/gitops/store.ts'
import type { SourceWish } from '../../../../src/engine/index.ts'
import { type FakeWorld, fetchFailed, openWorld, pod } from './world.ts'

let fake: FakeWorld
beforeEach(async () => {
  fake = await openWorld()
})
afterEach(() => fake.close())

const reopen = async (wish: Partial<SourceWish>): Promise<void> => {
  await fake.close()
  fake = await openWorld(wish)
}
const running = (): string => [...fake.world.running].map(([name, image]) => `${name}=${image.split(':')[1]}`).join(' ')
const five = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map(name => [`${name}.yaml`, pod(name)]))

const applied = async (files: Record<string, string>): Promise<void> => {
  fake.commit(files)
  expect(await fake.tick()).toMatchObject({ outcome: 'applied' })
}

describe('a good revision', () => {
  test('is applied once, and then all is as it should be', async () => {
    await applied({ 'a.yaml': pod('a') })
    expect(await fake.tick()).toMatchObject({ outcome: 'unchanged', reason: 'everything is as it should be' })
    expect(fake.world.applies).toBe(1)
    expect(await fake.source()).toMatchObject({
      seen: { revision: 'r2' },
      attempted: { revision: 'r2' },
      applied: { revision: 'r2' },
    })
    expect(await readRuns(fake.hands.store, 'shop', 10)).toHaveLength(1)
  })

  test('whose names another app takes at the last moment is refused, and tried again', async () => {
    await applied({ 'a.yaml': pod('a') })
    fake.commit({ 'a.yaml': pod('a'), 'b.yaml': pod('b') })
    fake.world.running.delete('a')
    fake.world.outrun = true
    expect(await fake.tick()).toMatchObject({
      outcome: 'refused',
      reason: 'pod/b belongs to app other',
      failure: { stage: 'preflight', code: 'NAME_IN_USE', revision: 'r3' },
    })
    expect(await fake.source()).toMatchObject({ attempted: { revision: 'r2' }, applied: { revision: 'r2' } })
    expect((await readRuns(fake.hands.store, 'shop', 10)).map(({ outcome }) => outcome)).toEqual(['refused', 'applied'])
    fake.world.outrun = false
    expect(await fake.tick()).toMatchObject({ outcome: 'applied' })
  })

  test('that changes no object is remembered as applied', async () => {
    await applied({ 'a.yaml': pod('a') })
    fake.commit({ 'a.yaml': `# a comment\n${pod('a')}` })
    expect(await fake.tick()).toMatchObject({ outcome: 'unchanged' })
    expect(await fake.source()).toMatchObject({ applied: { revision: 'r3' } })
    expect(fake.world.applies).toBe(1)
  })

  test('drift is repaired at the next tick, and told as that', async () => {
    await applied(five)
    fake.world.running.delete('b')
    expect(await fake.tick()).toMatchObject({ outcome: 'applied', reason: 'drift repaired: create pod/b' })
    expect(await fake.events()).toEqual(['ReconciliationSucceeded', 'DriftCorrected'])
  })

  test('makes a source that is observed well again, whatever it differs in', async () => {
    await reopen({ observe: true })
    fake.world.trouble = fetchFailed()
    await fake.tick()
    expect(await fake.source()).toMatchObject({ failure: { code: fetchFailed().code } })
    fake.world.trouble = undefined
    fake.commit({ 'a.yaml': pod('a') })
    expect(await fake.tick()).toMatchObject({ outcome: 'observed' })
    expect((await fake.source()).failure).toBeUndefined()
    expect(await fake.events()).toContain('Recovered')
  })

  test('is only told where the source is observed, and once', async () => {
    await reopen({ observe: true })
    fake.commit({ 'a.yaml': pod('a') })
    expect(await fake.tick()).toMatchObject({ outcome: 'observed' })
    await fake.tick()
    expect(running()).toBe('')
    expect(await fake.source()).toMatchObject({ drift: 'create pod/a' })
    expect(await fake.events()).toEqual(['DriftObserved'])
  })
})

describe('nothing goes because of', () => {
  type Broken = { what(): void; code: string; stage: string }
  const cases: Record<string, Broken> = {
    'a source that cannot be read': {
      what: () => {
        fake.world.trouble = fetchFailed()
      },
      code: 'COMMAND_FAILED',
      stage: 'source',
    },
    'a source that is empty': { what: () => fake.commit({}), code: 'GITOPS_REFUSED', stage: 'source' },
    'a typo in one of five files': {
      what: () => fake.commit({ ...five, 'c.yaml': pod('c').replace('containers', 'contianers') }),
      code: 'MANIFEST_INVALID',
      stage: 'validate',
    },
    'a name that another app has': {
      what: () => {
        fake.world.others = [{ thing: 'pod/f', pod: 'f', app: 'other', place: 'x/f.yaml:1' }]
        fake.commit({ 'f.yaml': pod('f') })
      },
      code: 'NAME_IN_USE',
      stage: 'preflight',
    },
    'most files being gone': {
      what: () => fake.commit({ 'a.yaml': pod('a') }),
      code: 'GITOPS_REFUSED',
      stage: 'guard',
    },
  }
  for (const [name, { what, code, stage }] of Object.entries(cases)) {
    test(`${name}; it is told once, what is missing of the last good revision comes back, and the next good commit heals`, async () => {
      await applied(five)
      what()
      expect(await fake.tick()).toMatchObject({ outcome: 'refused', failure: { code, stage } })
      fake.world.running.delete('b')
      await fake.tick()
      expect(running()).toBe('a=1 c=1 d=1 e=1 b=1')
      expect(await fake.source()).toMatchObject({ applied: { revision: 'r2' }, failure: { code, times: 2 } })
      expect((await fake.events()).slice(2)).toEqual(['DriftCorrected'])
      fake.world.trouble = undefined
      await applied({ ...five, 'g.yaml': pod('g') })
      expect((await fake.source()).failure).toBeUndefined()
      expect(await fake.events()).toContain('Recovered')
    })
  }

  test('the mistake of a manifest has its file and line', async () => {
    fake.commit({ 'web/a.yaml': pod('a').replace('containers', 'contianers') })
    const { failure } = await fake.tick()
    expect(failure?.details).toMatch(/^web\/a\.yaml:4:8 error UNKNOWN_FIELD/m)
  })

  test('the budget, which somebody may lift', async () => {
    await applied(five)
    fake.commit({ 'a.yaml': pod('a') })
    expect(await fake.tick({ allowPrune: 4 })).toMatchObject({ outcome: 'applied' })
    expect(running()).toBe('a=1')
  })
})

describe('a revision that does not become ready', () => {
  test('and whose pods stay as they are goes on failing, told once, until they are ready', async () => {
    fake.commit({ 'a.yaml': pod('a') })
    fake.world.broken.add('a')
    expect(await fake.tick()).toMatchObject({ outcome: 'failed' })
    // It runs as the source says, which is all that a plan looks at.
    fake.world.running.set('a', 'localhost/a:1')
    fake.world.unready.add('a')
    for (const insist of [false, true]) {
      const run = await fake.tick({ insist })
      expect(run).toMatchObject({ outcome: 'refused', failure: { stage: 'apply', code: 'GITOPS_WAITS' } })
      expect(run.reason).toMatch(/^r2 has failed \(.*\), and pod\/a is not ready yet$/)
    }
    const { applied, failure } = await fake.source()
    expect([applied, failure?.code, failure?.times]).toEqual([undefined, 'PARTIAL_FAILURE', 1])
    expect(await fake.events()).toEqual(['ReconciliationFailed'])
    fake.world.unready.clear()
    expect(await fake.tick()).toMatchObject({ outcome: 'unchanged' })
    expect(await fake.source()).toMatchObject({ applied: { revision: 'r2' } })
    expect(await fake.events()).toEqual(['ReconciliationFailed', 'Recovered'])
  })

  const badCommit = async (): Promise<void> => {
    await applied({ 'a.yaml': pod('a') })
    fake.world.broken.add('b')
    fake.commit({ 'a.yaml': pod('a'), 'b.yaml': pod('b') })
    expect(await fake.tick()).toMatchObject({ outcome: 'failed', failure: { stage: 'apply' } })
  }

  test('is not tried again until the host has changed', async () => {
    await badCommit()
    expect(await fake.tick()).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('has failed once') })
    expect(fake.world.applies).toBe(2)
    fake.world.host = 'h2'
    fake.world.broken.clear()
    expect(await fake.tick()).toMatchObject({ outcome: 'applied' })
    expect(running()).toBe('a=1 b=1')
  })

  test('is not tried again when a force-push brings it back', async () => {
    await badCommit()
    await applied({ 'a.yaml': pod('a', 'localhost/a:2') })
    fake.commit({})
    fake.world.revision = 'r3'
    fake.world.files = { 'a.yaml': pod('a'), 'b.yaml': pod('b') }
    expect(await fake.tick()).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('r3 has failed once'),
    })
  })

  test('is tried when somebody insists', async () => {
    await badCommit()
    expect(await fake.tick({ insist: true })).toMatchObject({ outcome: 'failed' })
    expect(fake.world.applies).toBe(3)
  })

  test('is told once, and not again while it waits', async () => {
    await badCommit()
    await fake.tick()
    await fake.tick()
    expect(await fake.events()).toEqual(['ReconciliationSucceeded', 'ReconciliationFailed'])
    expect(await fake.source()).toMatchObject({ failure: { stage: 'apply', times: 1 } })
  })

  test('that was fine before is tried again after a while, since only its pods are down', async () => {
    await applied({ 'a.yaml': pod('a') })
    fake.world.running.clear()
    fake.world.broken.add('a')
    expect(await fake.tick()).toMatchObject({ outcome: 'failed' })
    expect(await fake.tick()).toMatchObject({ outcome: 'refused' })
    fake.world.nowMs += 61_000
    expect(await fake.tick()).toMatchObject({ outcome: 'failed' })
    fake.world.broken.clear()
    fake.world.nowMs += 121_000
    expect(await fake.tick()).toMatchObject({ outcome: 'applied' })
  })

  test('is fine after all once it has become ready by itself', async () => {
    await badCommit()
    fake.world.running.set('b', 'localhost/a:1')
    expect(await fake.tick()).toMatchObject({ outcome: 'unchanged' })
    expect(await fake.source()).toMatchObject({ applied: { revision: 'r3' } })
    expect((await fake.source()).failure).toBeUndefined()
  })
})

test('killed in the middle: the next reconcile ends it, and the history says so', async () => {
  fake.world.killedBefore = 'c'
  fake.commit(five)
  await expect(fake.tick()).rejects.toThrow('killed')
  expect(running()).toBe('a=1 b=1')
  fake.world.killedBefore = undefined
  expect(await fake.tick()).toMatchObject({ outcome: 'applied' })
  expect(running()).toBe('a=1 b=1 c=1 d=1 e=1')
  expect((await readRuns(fake.hands.store, 'shop', 10)).map(({ outcome }) => outcome)).toEqual([
    'applied',
    'interrupted',
  ])
})

describe('a rollback', () => {
  const twoRevisions = async (): Promise<void> => {
    await applied({ 'a.yaml': pod('a') })
    fake.world.images = { 'localhost/a:1': 'id-a1', 'localhost/a:2': 'id-a2' }
    await applied({ 'a.yaml': pod('a', 'localhost/a:2'), 'b.yaml': pod('b') })
  }

  test('brings the manifests of then, and suspends, so that no tick undoes it', async () => {
    await twoRevisions()
    expect(await fake.rollback()).toMatchObject({ outcome: 'rolled back', revision: 'r2' })
    expect(running()).toBe('a=1')
    expect(await fake.tick()).toMatchObject({ outcome: 'skipped', reason: 'suspended by ada: rolled back to r2' })
    expect(await fake.source()).toMatchObject({ applied: { revision: 'r2' } })
  })

  test('brings the image that the name stood for then, as long as it is another one now', async () => {
    await twoRevisions()
    fake.world.images = { 'localhost/a:1': 'id-newer' }
    await fake.rollback('r2')
    expect([...fake.world.running]).toEqual([['a', 'id-a1']])
  })

  test('there is nothing to go back to: an error that names what there is', async () => {
    await applied({ 'a.yaml': pod('a') })
    await expect(fake.rollback()).rejects.toMatchObject({ code: 'NO_SUCH_OBJECT', remedy: 'there are: r2' })
    await expect(fake.rollback('r99')).rejects.toMatchObject({ message: 'no revision "r99" is kept' })
  })

  test('the last ten revisions are kept', async () => {
    for (let count = 0; count < 12; count++) await applied({ 'a.yaml': pod('a', `localhost/a:${count}`) })
    expect(await keptRevisions(fake.hands.store, 'shop')).toEqual(
      Array.from({ length: 10 }, (_, index) => `r${13 - index}`),
    )
  })
})

test('a suspension that has run out ends by itself', async () => {
  const { updateSource } = await import('../../../../src/engine/gitops/store.ts')
  const suspended = { reason: 'x', author: 'ada', sinceMs: 0, untilMs: 5000 }
  await fake.hands.store.write(tx => updateSource(tx, 'shop', { suspended }))
  fake.commit({ 'a.yaml': pod('a') })
  expect(await fake.tick()).toMatchObject({ outcome: 'skipped' })
  fake.world.nowMs = 6000
  expect(await fake.tick()).toMatchObject({ outcome: 'applied' })
  expect(await fake.events()).toContain('Resumed')
})

describe('an object that is suspended', () => {
  const hold = async (untilMs?: number): Promise<void> => {
    const { updateSource } = await import('../../../../src/engine/gitops/store.ts')
    const suspension = { reason: 'x', author: 'ada', sinceMs: 0, ...(untilMs !== undefined && { untilMs }) }
    await fake.hands.store.write(tx => updateSource(tx, 'shop', { held: { 'pod/a': suspension } }))
  }

  test('is left alone while the rest goes on, whatever becomes of it in the source', async () => {
    await applied({ 'a.yaml': pod('a'), 'b.yaml': pod('b') })
    await hold()
    fake.commit({ 'a.yaml': pod('a', 'localhost/a:2'), 'b.yaml': pod('b', 'localhost/a:2') })
    expect(await fake.tick()).toMatchObject({ outcome: 'applied', reason: 'change pod/b' })
    expect(running()).toBe('a=1 b=2')
    fake.world.running.set('a', 'localhost/a:by-hand')
    expect(await fake.tick()).toMatchObject({ outcome: 'unchanged' })
    fake.commit({ 'b.yaml': pod('b', 'localhost/a:2') })
    expect(await fake.tick()).toMatchObject({ outcome: 'unchanged' })
    expect(running()).toBe('a=by-hand b=2')
  })

  test('goes on when its time is up', async () => {
    await applied({ 'a.yaml': pod('a') })
    await hold(5000)
    fake.commit({ 'a.yaml': pod('a', 'localhost/a:2') })
    expect(await fake.tick()).toMatchObject({ outcome: 'unchanged' })
    fake.world.nowMs = 6000
    expect(await fake.tick()).toMatchObject({ outcome: 'applied', reason: expect.stringContaining('change pod/a') })
    expect(await fake.source()).toMatchObject({ held: {} })
    expect(await fake.events()).toContain('Resumed')
  })
})
