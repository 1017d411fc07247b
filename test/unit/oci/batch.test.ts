import { expect, test } from '@jest/globals'
import { batched, type Outcome } from '../../../src/oci/batch.ts'

type Answer = (keys: readonly string[]) => ReadonlyMap<string, Outcome<string>>

function recorded(answer: Answer = keys => new Map(keys.map(key => [key, { value: key.toUpperCase() }]))) {
  const rounds: string[][] = []
  const call = batched(async (keys: readonly string[]) => {
    rounds.push([...keys])
    await new Promise(resolve => setImmediate(resolve))
    return answer(keys)
  })
  return { rounds, call }
}

test('calls made together share one round; calls made meanwhile share the next', async () => {
  const { rounds, call } = recorded()
  const first = [call('a'), call('b')]
  await Promise.resolve()
  const second = [call('c'), call('d')]
  expect(await Promise.all([...first, ...second])).toEqual(['A', 'B', 'C', 'D'])
  expect(rounds).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ])
})

test('the same key twice is one piece of work with two answers', async () => {
  const { rounds, call } = recorded()
  expect(await Promise.all([call('a'), call('a')])).toEqual(['A', 'A'])
  expect(rounds).toEqual([['a']])
})

test('one failure is the failure of one', async () => {
  const { call } = recorded(
    keys => new Map(keys.map(key => [key, key === 'b' ? { error: new Error('bad') } : { value: key }])),
  )
  const outcomes = await Promise.allSettled([call('a'), call('b')])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
})

test('a round that breaks is the failure of all in it, and the next round works', async () => {
  let broken = true
  const { call } = recorded(keys => {
    if (broken) throw new Error('broken')
    return new Map(keys.map(key => [key, { value: key }]))
  })
  const outcomes = await Promise.allSettled([call('a'), call('b')])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  broken = false
  expect(await call('a')).toBe('a')
})

test('no round is larger than an argv should be', async () => {
  const { rounds, call } = recorded()
  await Promise.all(Array.from({ length: 150 }, (_, n) => call(`k${n}`)))
  expect(rounds.map(round => round.length)).toEqual([64, 64, 22])
})
