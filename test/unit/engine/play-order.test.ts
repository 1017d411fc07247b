import { describe, expect, test } from '@jest/globals'
import { followersFirst, leadersFirst } from '../../../src/engine/play/order.ts'

type Pod = { name: string; startAfter?: string }
const place = (pod: Pod): Pod => pod
const chain: Pod[] = [
  { name: 'db-2', startAfter: 'db-1' },
  { name: 'web' },
  { name: 'db-0' },
  { name: 'db-1', startAfter: 'db-0' },
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
    const before: (string | undefined)[] = []
    const results = await leadersFirst(chain, place, (pod, leader: string | undefined) => {
      before.push(leader)
      return act(pod)
    })
    expect(results).toEqual(['db-2', 'web', 'db-0', 'db-1'])
    expect(before).toEqual([undefined, undefined, 'db-0', 'db-1'])
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

  test('do not wait for one that is not there', async () => {
    const { act } = diary()
    expect(await leadersFirst([{ name: 'db-1', startAfter: 'db-0' }], place, act)).toEqual(['db-1'])
  })
})
