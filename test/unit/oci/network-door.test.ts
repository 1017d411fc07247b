import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { defaultNetwork } from '../../../src/oci/network-define.ts'
import { type NetworkDoor, networkDoor } from '../../../src/oci/network-door.ts'
import { netavarkInput } from '../../../src/oci/network-input.ts'
import { pathsFor } from '../../../src/paths.ts'
import type { Run } from '../../../src/process.ts'

const network = defaultNetwork('tspod0', [])
const root = mkdtempSync(join(tmpdir(), 'tspod-door-'))

afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Answers like netavark and keeps who was at work together: one list per moment. */
function recorder(fails: ReadonlySet<string> = new Set()): { run: Run; together: string[][] } {
  const together: string[][] = []
  const active = new Set<string>()
  const run: Run = async command => {
    const [program = '', ...args] = command.argv
    const answer = { argv: command.argv, exitCode: 0, stdout: '{}', stderr: '' }
    if (program !== 'netavark') return answer
    const pod = (JSON.parse(command.input ?? '{}') as { container_name: string }).container_name
    const name = `${args.includes('setup') ? '+' : '-'}${pod}`
    active.add(name)
    together.push([...active])
    await new Promise(resolve => setImmediate(resolve))
    active.delete(name)
    return fails.has(name) ? { ...answer, exitCode: 1, stdout: '{"error":"no"}' } : answer
  }
  return { run, together }
}

const input = (name: string, hostPort?: number) =>
  netavarkInput(
    { id: name, name },
    [{ definition: network, address: '10.91.0.2', aliases: [] }],
    [{ containerPort: 80, hostIp: '', protocol: 'tcp', ...(hostPort !== undefined && { hostPort }) }],
  )

const open = (run: Run, exclusive = (work: () => Promise<void>) => work()): NetworkDoor =>
  networkDoor(run, pathsFor(root, root), exclusive)

/** The most that were at work at once after moment `from`. */
const most = (together: string[][], from = 0): number => Math.max(...together.slice(from).map(list => list.length))

describe('setting up many pods at once', () => {
  test('the first goes alone, a pod with ports before those without; all others together', async () => {
    const { run, together } = recorder()
    const door = open(run)
    await Promise.all([
      door.setup('/n', input('a')),
      door.setup('/n', input('b', 1)),
      ...['c', 'd', 'e'].map(name => door.setup('/n', input(name))),
    ])
    expect(together[0]).toEqual(['+b'])
    expect(together[1]?.[0]).not.toBe('+b')
    expect(most(together, 1)).toBeGreaterThan(1)
  })

  test('when the first fails the next goes alone, and only the first is told', async () => {
    const { run, together } = recorder(new Set(['+a']))
    const door = open(run)
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map(name => door.setup('/n', input(name))))
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect(together.find(list => list.includes('+b'))).toEqual(['+b'])
  })

  test('later ones need nobody to go first', async () => {
    const { run, together } = recorder()
    const door = open(run)
    await door.setup('/n', input('a', 1))
    const from = together.length
    await Promise.all(['b', 'c'].map(name => door.setup('/n', input(name, 2))))
    expect(most(together, from)).toBe(2)
  })

  test('never more than four at once', async () => {
    const { run, together } = recorder()
    const door = open(run)
    await Promise.all(Array.from({ length: 20 }, (_, n) => door.setup('/n', input(`p${n}`))))
    expect(most(together)).toBe(4)
    expect(together).toHaveLength(20)
  })
})

test('a failure to get the lock is told to everybody who waits', async () => {
  const { run, together } = recorder()
  const door = open(run, () => Promise.reject(new Error('held by another')))
  const outcomes = await Promise.allSettled([door.setup('/n', input('a')), door.setup('/n', input('b'))])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(together).toEqual([])
  await expect(door.setup('/n', input('c'))).rejects.toThrow('held by another')
})
