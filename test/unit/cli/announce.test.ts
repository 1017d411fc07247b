import { describe, expect, test } from '@jest/globals'
import { announcer } from '../../../src/cli/announce.ts'
import type { Clock } from '../../../src/clock.ts'
import type { Engine, PlayReport } from '../../../src/engine/index.ts'
import type { Notifier } from '../../../src/systemd/index.ts'

/** A notifier that writes down what it is told, and a clock whose sleeps end when the test says so. */
function stage() {
  const said: string[] = []
  const note =
    (word: string) =>
    (value?: unknown): void =>
      void said.push(value === undefined ? word : `${word} ${value}`)
  const notifier: Notifier = {
    ready: note('ready'),
    status: note('status'),
    stopping: note('stopping'),
    reloading: note('reloading'),
    unchanged: note('unchanged'),
    extend: note('extend'),
    settled: async () => note('settled')(),
  }
  let wake: (() => void) | undefined
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    sleep: (_, signal) =>
      new Promise((resolve, reject) => {
        wake = resolve
        signal?.addEventListener('abort', () => reject(signal.reason))
      }),
  }
  const tick = async (): Promise<void> => {
    wake?.()
    await new Promise(setImmediate)
  }
  return { said, tick, announced: announcer(notifier, clock) }
}

const REPORT: PlayReport = { volumes: [], secrets: [], pods: [] }

describe('what a play tells as it goes', () => {
  test('asks for more time as long as images are fetched, and no longer', async () => {
    const { said, tick, announced } = stage()
    announced.fetching({ object: 'web:1', text: 'Trying to pull web:1...' })
    announced.fetching({ object: 'web:1', text: 'copying' })
    await tick()
    announced.watch.standing?.('0/1 containers up')
    await tick()
    await tick()
    announced.up(12)
    await announced.finish()
    expect(said).toEqual([
      ...['status web:1: Trying to pull web:1...', 'extend 30000', 'status web:1: copying', 'extend 30000'],
      ...['status 0/1 containers up', 'ready 12', 'settled'],
    ])
  })

  test('asks for each pod that stops as long as that may take', () => {
    const { said, announced } = stage()
    announced.watch.stopping?.(600_000)
    expect(said).toEqual(['extend 630000'])
  })

  test.each<[name: string, act: (announced: ReturnType<typeof announcer>) => void, said: string[]]>([
    ['is over with a new main process', one => one.up(7), ['reloading', 'ready 7']],
    ['is over when nothing has started', one => one.up(undefined), ['reloading', 'unchanged']],
    ['is over when it fails', one => one.failed(new Error('no')), ['reloading', 'status no', 'unchanged']],
  ])('reloading %s', (_, act, expected) => {
    const { said, announced } = stage()
    announced.watch.reloading?.()
    act(announced)
    expect(said).toEqual(expected)
  })

  test('a service that has ended before its monitor could be named ends the play with its code', async () => {
    const engine = { serviceEnd: async () => 137 } as Partial<Engine> as Engine
    const code = (main: PlayReport['main']): Promise<number> => {
      const report = { ...REPORT, service: 's' as never, ...(main !== undefined && { main }) }
      return stage().announced.exitCode(report, engine, { exitCode: 125 })
    }
    expect(await code('ended')).toBe(137)
    // No process has such a number.
    expect(await code(2 ** 30)).toBe(137)
    expect(await code(process.pid)).toBe(125)
    expect(await code(undefined)).toBe(125)
  })
})
