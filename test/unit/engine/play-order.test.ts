import { describe, expect, test } from '@jest/globals'
import { followersFirst, lateOnes, leadersFirst, placeOf } from '../../../src/engine/play/order.ts'
import type { PodSpec } from '../../../src/model.ts'

type Pod = { name: string; startAfter: string[] }
const place = (pod: Pod): Pod => pod
const chain: Pod[] = [
  { name: 'db-2', startAfter: ['db-1'] },
  { name: 'web', startAfter: [] },
  { name: 'db-0', startAfter: [] },
  { name: 'db-1', startAfter: ['db-0'] },
]

/** Notes when each pod begins and when it has ended. */
function diary(): { lines: string[]; act: (pod: Pod) => Promise<string> } {
  const lines: string[] = []
  return {
    lines,
    act: async ({ name }) => {
      lines.push(`${name} begins`)
      await new Promise(resolve => setImmediate(resolve))
      lines.push(`${name} ends`)
      return name
    },
  }
}
const at = (lines: readonly string[], line: string): number => lines.indexOf(line)

describe('pods that have an order', () => {
  test('begin when the one before them is up, whatever order they are named in', async () => {
    const { lines, act } = diary()
    const before: string[][] = []
    const results = await leadersFirst(chain, place, (pod, leaders: readonly string[]) => {
      before.push([...leaders])
      return act(pod)
    })
    expect(results).toEqual(['db-2', 'web', 'db-0', 'db-1'])
    expect(before).toEqual([[], [], ['db-0'], ['db-1']])
    expect(at(lines, 'db-1 begins')).toBeGreaterThan(at(lines, 'db-0 ends'))
    expect(at(lines, 'db-2 begins')).toBeGreaterThan(at(lines, 'db-1 ends'))
    expect(at(lines, 'web begins')).toBeLessThan(at(lines, 'db-0 ends'))
  })

  test('end the other way round', async () => {
    const { lines, act } = diary()
    expect(await followersFirst(chain, place, act)).toEqual(['db-2', 'web', 'db-0', 'db-1'])
    expect(at(lines, 'db-1 begins')).toBeGreaterThan(at(lines, 'db-2 ends'))
    expect(at(lines, 'db-0 begins')).toBeGreaterThan(at(lines, 'db-1 ends'))
  })

  test('wait for each of those they start after', async () => {
    const { lines, act } = diary()
    const pods = [
      { name: 'web', startAfter: ['db', 'cache'] },
      ...['db', 'cache'].map(name => ({ name, startAfter: [] })),
    ]
    await leadersFirst(pods, place, act)
    expect(at(lines, 'web begins')).toBeGreaterThan(Math.max(at(lines, 'db ends'), at(lines, 'cache ends')))
    lines.length = 0
    await followersFirst(pods, place, act)
    expect(Math.min(at(lines, 'db begins'), at(lines, 'cache begins'))).toBeGreaterThan(at(lines, 'web ends'))
  })

  test('are read from records of earlier versions as well', () => {
    const spec = { startAfter: 'db-0' } as unknown as PodSpec
    expect(placeOf({ name: 'db-1', spec })).toEqual({ name: 'db-1', startAfter: ['db-0'] })
  })

  test('do not wait for one that is not there', async () => {
    const { act } = diary()
    expect(await leadersFirst([{ name: 'db-1', startAfter: ['db-0'] }], place, act)).toEqual(['db-1'])
  })

  test('are late when one before them has to be ready first, or is late itself', () => {
    const spec = (name: string, startAfter: string[], readiness = false): PodSpec =>
      ({ name, startAfter, initContainers: [], containers: [{ probes: readiness ? { readiness: {} } : {} }] }) as never
    const pods = [
      spec('db', [], true),
      spec('api', ['db']),
      spec('web', ['api']),
      spec('cache', []),
      spec('log', ['cache']),
    ]
    expect([...lateOnes(pods)]).toEqual(['api', 'web'])
  })
})
