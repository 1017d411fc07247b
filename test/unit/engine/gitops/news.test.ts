/** What of a reconcile is told, from the records as the loop has left them: what begins, and not what goes on. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { messageOf, type News, newsOf } from '../../../../src/engine/gitops/news.ts'
import type { RunView, SourceWish } from '../../../../src/engine/index.ts'
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

const newsAfter = async (act: () => Promise<RunView>): Promise<News[]> => {
  const before = await fake.source()
  const run = await act()
  return newsOf({ before, run, after: await fake.source() })
}
const told = async (act = (): Promise<RunView> => fake.tick()): Promise<string[]> =>
  (await newsAfter(act)).map(({ event, revision, reason }) => `${event} ${revision ?? '-'}: ${reason}`)

const typo = pod('a').replace('containers', 'contianers')

describe('a failure', () => {
  test('is told when it begins, when it becomes another, and when it is over', async () => {
    fake.commit({ 'a.yaml': pod('a') })
    expect(await told()).toEqual(['applied r2: create pod/a'])
    fake.world.trouble = fetchFailed()
    expect(await told()).toEqual(['failing -: the server does not answer'])
    expect(await told()).toEqual([])
    expect(await told()).toEqual([])
    fake.world.trouble = undefined
    fake.commit({ 'a.yaml': typo })
    expect(await told()).toEqual([expect.stringMatching(/^failing r3: .*a\.yaml/)])
    expect(await told()).toEqual([])
    fake.commit({ 'a.yaml': typo })
    expect(await told()).toEqual([expect.stringMatching(/^failing r4: /)])
    fake.commit({ 'a.yaml': pod('a') })
    expect(await told()).toEqual(['recovered r5: everything is as it should be'])
    expect(await told()).toEqual([])
  })

  test('of an apply is told once, however long it waits for another commit', async () => {
    fake.world.broken.add('a')
    fake.commit({ 'a.yaml': pod('a') })
    expect(await told()).toEqual(['failing r2: pod/a: it has failed'])
    expect(await told()).toEqual([])
    expect(await told(() => fake.tick({ insist: true }))).toEqual([])
    fake.world.broken.clear()
    expect(await told(() => fake.tick({ insist: true }))).toEqual(['recovered r2: create pod/a'])
  })

  test('is no drift when values of variables have changed, which is told as what it is', async () => {
    await reopen({ vars: '/etc/shop.env' })
    fake.world.variables = { TAG: '1' }
    fake.commit({ 'a.yaml': pod('a').replace(':1', ':$' + '{TAG}') })
    expect(await told()).toEqual(['applied r2: create pod/a'])
    fake.world.variables = { TAG: '2' }
    expect(await told()).toEqual(['applied r2: change pod/a'])
    fake.world.running.delete('a')
    expect(await told()).toEqual([expect.stringMatching(/^drift corrected r2: /)])
  })

  test('leaves what was repaired meanwhile to be told', async () => {
    fake.commit({ 'a.yaml': pod('a'), 'b.yaml': pod('b') })
    await fake.tick()
    fake.world.trouble = fetchFailed()
    fake.world.running.delete('b')
    expect(await told()).toEqual([
      'drift corrected r2: drift repaired: pod/b configured',
      'failing -: the server does not answer',
    ])
    fake.world.running.delete('b')
    fake.world.broken.add('b')
    expect(await told()).toEqual([])
  })
})

describe('what goes well', () => {
  test('is told when a revision is applied, also one that changes nothing, and when drift is repaired', async () => {
    fake.commit({ 'a.yaml': pod('a') })
    expect(await told()).toEqual(['applied r2: create pod/a'])
    fake.commit({ 'a.yaml': `# a comment\n${pod('a')}` })
    expect(await told()).toEqual(['applied r3: everything is as it should be'])
    fake.world.running.delete('a')
    expect(await told()).toEqual(['drift corrected r3: drift repaired: create pod/a'])
    expect(await told()).toEqual([])
  })

  test('is told of a rollback, and nothing of a source that is suspended', async () => {
    fake.commit({ 'a.yaml': pod('a') })
    await fake.tick()
    fake.commit({ 'a.yaml': pod('a', 'localhost/a:2') })
    await fake.tick()
    expect(await told(() => fake.rollback())).toEqual(['rolled back r2: change pod/a'])
    expect(await told()).toEqual([])
  })

  test('is told of a source that is observed: drift that begins, that becomes another, and that is over', async () => {
    await reopen({ observe: true })
    fake.commit({ 'a.yaml': pod('a') })
    expect(await told()).toEqual(['drift observed r2: would create pod/a'])
    expect(await told()).toEqual([])
    fake.commit({ 'a.yaml': pod('a'), 'b.yaml': pod('b') })
    expect(await told()).toEqual(['drift observed r3: would create pod/a, pod/b'])
    fake.world.running = new Map(['a', 'b'].map(name => [name, 'localhost/a:1']))
    expect(await told()).toEqual(['recovered r3: everything is as it should be'])
  })
})

test('a revision that was replaced before anybody could be told is told of before what came next', async () => {
  const before = await fake.source()
  fake.commit({ 'a.yaml': pod('a') })
  await fake.tick()
  fake.commit({ 'a.yaml': typo })
  const run = await fake.tick()
  const news = newsOf({ before, run, after: await fake.source() })
  expect(news.map(({ event, revision, reason }) => [event, revision, reason])).toEqual([
    ['applied', 'r2', 'the source has changed since'],
    ['failing', 'r3', expect.stringContaining('a.yaml')],
  ])
})

describe('a message', () => {
  const facts = { source: 'shop', host: 'host1', nowMs: Date.UTC(2026, 0, 2, 12) }
  const commit = 'a'.repeat(40)
  test('has all that is known of a failure, and a line for people', () => {
    const failure = {
      stage: 'validate' as const,
      code: 'MANIFEST_INVALID',
      message: '2 errors\nin web.yaml\u001b[2J',
      remedy: 'correct them',
      details: 'web.yaml:4:8 error',
      sinceMs: 0,
      times: 1,
      retryMs: 60_000,
    }
    expect(messageOf({ event: 'failing', revision: commit, reason: failure.message, failure }, facts)).toEqual({
      source: 'shop',
      host: 'host1',
      event: 'failing',
      text: 'shop on host1 is failing at aaaaaaaaaaaa: 2 errors in web.yaml?[2J',
      time: '2026-01-02T12:00:00.000Z',
      revision: commit,
      reason: failure.message,
      stage: 'validate',
      code: 'MANIFEST_INVALID',
      remedy: 'correct them',
      details: 'web.yaml:4:8 error',
      retry: '1970-01-01T00:01:00.000Z',
    })
  })
  const cases: [News['event'], string][] = [
    ['failing', 'shop on host1 is failing at aaaaaaaaaaaa: because'],
    ['recovered', 'shop on host1 has recovered, at aaaaaaaaaaaa: because'],
    ['applied', 'shop on host1 has applied aaaaaaaaaaaa: because'],
    ['rolled back', 'shop on host1 was rolled back to aaaaaaaaaaaa: because'],
    ['drift corrected', 'shop on host1 had drifted from aaaaaaaaaaaa, because'],
    ['drift observed', 'shop on host1 differs from aaaaaaaaaaaa, and is only observed: because'],
  ]
  test.each(cases)('%s: %s', (event, text) => {
    expect(messageOf({ event, revision: commit, reason: 'because' }, facts).text).toBe(text)
  })
  test('is not longer than a message, nor its details than a page', () => {
    const failure = { stage: 'apply' as const, code: 'X', message: '', remedy: '', sinceMs: 0, times: 1 }
    const long = 'x'.repeat(100_000)
    const message = messageOf({ event: 'failing', reason: long, failure: { ...failure, details: long } }, facts)
    expect([message.text.length, message.details?.length]).toEqual([500, 16_384])
    expect(message.text).toMatch(/^shop on host1 is failing: x+…$/)
  })
})
