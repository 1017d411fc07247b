/** A few at a time, in order, and nothing left behind. */
import { expect, test } from '@jest/globals'
import { sideBySide } from '../../src/side-by-side.ts'

/** Things that end when they are told to. */
function works() {
  const ends = new Map<string, (error?: Error) => void>()
  const begun: string[] = []
  const act = (name: string): Promise<string> => {
    begun.push(name)
    return new Promise((resolve, reject) => {
      ends.set(name, error => (error === undefined ? resolve(name.toUpperCase()) : reject(error)))
    })
  }
  const end = async (name: string, error?: Error): Promise<void> => {
    ends.get(name)?.(error)
    await new Promise(resolve => setImmediate(resolve))
  }
  return { begun, act, end }
}

test('no more than the limit at a time, and what came of them in their order', async () => {
  const { begun, act, end } = works()
  const all = sideBySide(['a', 'b', 'c', 'd'], 2, act)
  expect(begun).toEqual(['a', 'b'])
  await end('b')
  expect(begun).toEqual(['a', 'b', 'c'])
  await end('c')
  await end('d')
  await end('a')
  expect(await all).toEqual(['A', 'B', 'C', 'D'])
})

test('a failure begins nothing more, and is told when what is under way has ended', async () => {
  const { begun, act, end } = works()
  const all = sideBySide(['a', 'b', 'c'], 2, act)
  let isOver = false
  const ended = all.catch(error => {
    isOver = true
    return error
  })
  await end('a', new Error('first'))
  expect([begun, isOver]).toEqual([['a', 'b'], false])
  await end('b', new Error('second'))
  expect(await ended).toEqual(new Error('first'))
})

test('of nothing comes nothing', async () => {
  expect(await sideBySide([], 4, () => Promise.reject(new Error('no')))).toEqual([])
})
