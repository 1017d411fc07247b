/** Which revision is exported, and what the inventory has in it. */
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { exported, inventoryOf } from '../../../../src/engine/gitops/export.ts'
import { type FakeWorld, fetchFailed, openWorld, pod } from './world.ts'

let fake: FakeWorld
beforeEach(async () => {
  fake = await openWorld()
})
afterEach(() => fake.close())
const texts = async (revision?: string): Promise<string[]> =>
  (await exported(fake.hands.store, 'shop', revision)).files.map(({ text }) => text)

test('the last one that was applied, one that is kept, and none that is not', async () => {
  await expect(exported(fake.hands.store, 'shop', undefined)).rejects.toMatchObject({ code: 'NO_SUCH_OBJECT' })
  fake.commit({ 'a.yaml': pod('a') })
  await fake.tick()
  fake.commit({ 'b.yaml': pod('b') })
  await fake.tick()
  fake.commit({ 'c.yaml': 'no: manifest\n' })
  await fake.tick()
  fake.world.trouble = fetchFailed()
  expect(await texts()).toEqual([pod('b')])
  expect(await texts('r2')).toEqual([pod('a')])
  await expect(texts('r4')).rejects.toMatchObject({ code: 'NO_SUCH_OBJECT', message: 'no revision "r4" is kept' })
})

test('the inventory says where it is from and what it is, and has no state that passes', async () => {
  fake.commit({ 'a.yaml': pod('a') })
  await fake.tick()
  const objects = [{ kind: 'Pod', name: 'a', hash: 'h', wave: 0 }]
  const { source, ...inventory } = inventoryOf(await fake.source(), { 'localhost/a:1': 'id-a1' }, objects) as Record<
    string,
    unknown
  >
  expect(inventory).toEqual({
    format: 1,
    name: 'shop',
    revision: 'r2',
    applied: '1970-01-01T00:00:01.030Z',
    images: { 'localhost/a:1': 'id-a1' },
    objects,
  })
  expect(Object.keys(source as object).sort()).toEqual(
    ['from', 'intervalMs', 'name', 'observe', 'onFailure', 'prune', 'timeoutMs', 'units'].sort(),
  )
})

test('it is written with what is applied, and with nothing else', async () => {
  const written: [revision: string | undefined, images: object][] = []
  fake.hands.inventory = async ({ applied }, images) => void written.push([applied?.revision, images])
  fake.commit({ 'a.yaml': pod('a') })
  await fake.tick()
  expect(written).toEqual([['r2', fake.world.images]])
  await fake.tick()
  expect(written).toHaveLength(1)
  // Another revision, and nothing had to be done for it.
  fake.commit({ 'a.yaml': `# moved\n${pod('a')}` })
  await fake.tick()
  fake.world.broken.add('a')
  fake.commit({ 'a.yaml': pod('a', 'localhost/a:2') })
  await fake.tick()
  fake.world.broken.clear()
  await fake.rollback('r2')
  expect(written.map(([revision]) => revision)).toEqual(['r2', 'r3', 'r2'])
})
