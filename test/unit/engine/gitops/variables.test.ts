/** A source with variables of this host: another value is another state of the source, though the commit is the same. */
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { readKept } from '../../../../src/engine/gitops/store.ts'
import { type FakeWorld, fetchFailed, openWorld, pod } from './world.ts'

let fake: FakeWorld
beforeEach(async () => {
  fake = await openWorld({ vars: '/etc/shop.env' })
  fake.commit({ 'a.yaml': pod('a', 'localhost/a:${TAG}'), 'b.yaml': pod('b') })
  fake.world.variables = { TAG: '1' }
  expect(await fake.tick()).toMatchObject({ outcome: 'applied' })
})
afterEach(() => fake.close())

const images = (): Record<string, string> => Object.fromEntries(fake.world.running)
const events = async (): Promise<string[]> => (await fake.events()).slice(1)

test('another value is applied at the next tick, and is no drift', async () => {
  expect(images().a).toBe('localhost/a:1')
  const before = await fake.source()
  fake.world.variables = { TAG: '2' }
  expect(await fake.tick()).toMatchObject({ outcome: 'applied', reason: 'change pod/a', revision: 'r2' })
  expect(images().a).toBe('localhost/a:2')
  expect(await events()).toEqual(['ReconciliationSucceeded'])
  const after = await fake.source()
  expect(after.applied?.atMs).toBeGreaterThan(before.applied?.atMs ?? 0)
  expect((await readKept(fake.hands.store, 'shop', 'r2'))?.files[0]?.text).toContain('localhost/a:2')
  fake.world.running.delete('b')
  expect(await fake.tick()).toMatchObject({ outcome: 'applied', reason: 'drift repaired: create pod/b' })
})

test('another value of what changes no object is remembered', async () => {
  fake.commit({
    'a.yaml': `${pod('a', 'localhost/a:1')}# unless\n`,
    'b.yaml': `${pod('b')}status: {note: "\${NOTE:-}"}\n`,
  })
  await fake.tick()
  fake.world.variables = { NOTE: 'two' }
  expect(await fake.tick()).toMatchObject({ outcome: 'unchanged' })
  expect((await readKept(fake.hands.store, 'shop', 'r3'))?.files[1]?.text).toContain('two')
})

test('a revision that has failed waits, and is tried again with other values', async () => {
  fake.world.broken.add('a')
  fake.world.variables = { TAG: '2' }
  expect(await fake.tick()).toMatchObject({ outcome: 'failed' })
  // It has failed with these values, and was fine with others: no time makes it better.
  fake.world.nowMs += 3_600_000
  expect(await fake.tick()).toMatchObject({ outcome: 'refused', failure: { code: 'GITOPS_WAITS' } })
  fake.world.broken.clear()
  fake.world.variables = { TAG: '3' }
  expect(await fake.tick()).toMatchObject({ outcome: 'applied' })
  expect(images().a).toBe('localhost/a:3')
})

test('while it waits, nothing goes back to the values of before: an apply may have come half way', async () => {
  fake.world.broken.add('a')
  fake.world.variables = { TAG: '2' }
  await fake.tick()
  fake.world.running.delete('b')
  fake.world.trouble = fetchFailed()
  await fake.tick()
  expect(Object.keys(images())).toEqual(['a'])
})

test('a variable without a value is a mistake of the manifest, and nothing is changed or removed', async () => {
  fake.world.variables = { TAGS: '2' }
  fake.world.running.delete('b')
  const { failure, revision, ...run } = await fake.tick()
  expect(run).toMatchObject({ outcome: 'refused', healed: [{ name: 'b' }] })
  expect([failure?.stage, failure?.code, revision]).toEqual(['validate', 'MANIFEST_INVALID', 'r2'])
  expect(failure?.details).toMatch(/^a\.yaml:4:51 error NOT_FOUND\n +no variable TAG in \/etc\/shop\.env/)
  expect(images().a).toBe('localhost/a:1')
})

test('a mistake that a value makes is told without it, and nothing of the files is kept beside the records', async () => {
  const kept: (string | undefined)[] = []
  const { translate } = fake.hands
  fake.hands.translate = (files, root, keptWith) => {
    kept.push(keptWith)
    return translate(files, root, keptWith)
  }
  fake.world.variables = { TAG: 'hunter2 hunter2' }
  const { failure } = await fake.tick()
  expect(failure?.details).toMatch(/^a\.yaml:4:\d+ error INVALID_VALUE/)
  expect(JSON.stringify([failure, await fake.source()])).not.toContain('hunter2')
  expect(new Set(kept)).toEqual(new Set([undefined]))
})

test('what is applied, as pods or as units, are the texts with the values', async () => {
  const texts: string[][] = []
  const { apply } = fake.hands
  fake.hands.apply = (job, told, signal) => {
    texts.push(job.files.map(({ text }) => text))
    return apply(job, told, signal)
  }
  fake.world.variables = { TAG: '2' }
  await fake.tick()
  expect(texts).toEqual([[pod('a', 'localhost/a:2'), pod('b')]])
})

test('going back to what is no manifest any more tells places, and no value', async () => {
  const { translate } = fake.hands
  fake.world.variables = { TAG: 'hunter2' }
  await fake.tick()
  fake.commit({ 'b.yaml': pod('b') })
  await fake.tick({ allowPrune: 1 })
  fake.hands.translate = (files, root) =>
    translate(
      files.map(({ file, text }) => ({
        file,
        text: text.replace('metadata', 'metadatum').replace('name: c', 'nam: c'),
      })),
      root,
    )
  const failing = fake.rollback('r2')
  await expect(failing).rejects.toMatchObject({
    code: 'MANIFEST_INVALID',
    details: expect.stringMatching(/^a\.yaml:1:1 error REQUIRED\na\.yaml:3:1 error UNKNOWN_FIELD\n/),
  })
  await expect(failing).rejects.not.toMatchObject({ details: expect.stringContaining('hunter2') })
})

test('going back takes the values of then', async () => {
  fake.world.variables = { TAG: '2' }
  fake.commit({ 'a.yaml': pod('a', 'localhost/a:x${TAG}'), 'b.yaml': pod('b') })
  await fake.tick()
  expect(images().a).toBe('localhost/a:x2')
  await fake.rollback()
  expect(images().a).toBe('localhost/a:1')
})
