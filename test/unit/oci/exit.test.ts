import { spawn } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { systemClock } from '../../../src/clock.ts'
import { processStart } from '../../../src/files.ts'
import type { Id } from '../../../src/model.ts'
import {
  isAlive,
  judgeProcess,
  type ProcessId,
  readExit,
  signalContainer,
  type Watched,
  waitExit,
} from '../../../src/oci/exit.ts'

const id = 'b'.repeat(64) as Id
const me: ProcessId = { pid: process.pid, start: processStart(process.pid)! }
/** A process that had our pid before us: what a recycled pid looks like. */
const stranger: ProcessId = { pid: process.pid, start: '1' }

let exits: string
beforeEach(() => {
  exits = mkdtempSync('/tmp/tspod-exits-')
})
afterEach(() => rmSync(exits, { recursive: true, force: true }))

describe('exit files', () => {
  const cases: [text: string, code: number | undefined][] = [
    ['0', 0],
    ['3\n', 3],
    ['137', 137],
    ['-1', 255],
    ['', undefined],
    ['garbage', undefined],
  ]
  for (const [text, code] of cases) {
    test(`${JSON.stringify(text)} means ${code}`, () => {
      writeFileSync(join(exits, id), text)
      utimesSync(join(exits, id), 1000, 1000)
      expect(readExit(exits, id)).toEqual(code === undefined ? undefined : { code, finishedMs: 1_000_000 })
    })
  }

  test('none is none', () => expect(readExit(exits, id)).toBeUndefined())
})

describe('a recycled pid', () => {
  test('is not alive', () => {
    expect(isAlive(me)).toBe(true)
    expect(isAlive(stranger)).toBe(false)
  })

  test('never gets the signal', () => {
    expect(signalContainer(stranger.pid, stranger.start, 'SIGKILL')).toBe(false)
  })

  test('pids 0, 1 and negative ones are never signalled', () => {
    for (const pid of [0, 1, -1, -2]) expect(signalContainer(pid, processStart(1)!, 'SIGKILL')).toBe(false)
  })
})

test('the right process gets the signal', async () => {
  const child = spawn('/bin/sleep', ['30'], { stdio: 'ignore' })
  const ended = new Promise(resolve => child.once('exit', (_, signal) => resolve(signal)))
  const start = processStart(child.pid!)!
  expect(signalContainer(child.pid!, start, 'SIGTERM')).toBe(true)
  expect(await ended).toBe('SIGTERM')
  expect(signalContainer(child.pid!, start, 'SIGTERM')).toBe(false)
})

describe('verdicts', () => {
  const cases: Record<string, { watched: Watched; exit?: string; is: string }> = {
    'both alive': { watched: { id, container: me, monitor: me }, is: 'running' },
    'container gone, monitor about to tell': { watched: { id, container: stranger, monitor: me }, is: 'running' },
    'exit recorded, monitor still busy': { watched: { id, container: stranger, monitor: me }, exit: '0', is: 'exited' },
    'exit recorded, all gone': { watched: { id, container: stranger, monitor: stranger }, exit: '1', is: 'exited' },
    'monitor killed': { watched: { id, container: me, monitor: stranger }, is: 'monitor-lost' },
    'both killed': { watched: { id, container: stranger, monitor: stranger }, is: 'lost' },
  }
  for (const [name, { watched, exit, is }] of Object.entries(cases)) {
    test(`${name}: ${is}`, () => {
      if (exit !== undefined) writeFileSync(join(exits, id), exit)
      expect(judgeProcess(exits, watched).is).toBe(is)
    })
  }
})

describe('waitExit', () => {
  const running: Watched = { id, container: me, monitor: me }

  test('wakes at once when conmon renames the file into place', async () => {
    const begun = performance.now()
    const waiting = waitExit(exits, [running], 10_000, systemClock)
    writeFileSync(join(exits, `${id}.TMP`), '7')
    renameSync(join(exits, `${id}.TMP`), join(exits, id))
    expect((await waiting).get(id)).toMatchObject({ is: 'exited', exit: { code: 7 } })
    expect(performance.now() - begun).toBeLessThan(400)
  })

  test('gives up at its deadline and says who is left by leaving him out', async () => {
    const other = 'c'.repeat(64) as Id
    writeFileSync(join(exits, other), '0')
    const verdicts = await waitExit(exits, [running, { ...running, id: other }], 30, systemClock)
    expect([...verdicts.keys()]).toEqual([other])
  })

  test('sees a killed monitor without any file', async () => {
    const monitor = spawn('/bin/sleep', ['30'], { stdio: 'ignore' })
    const watched = { id, container: me, monitor: { pid: monitor.pid!, start: processStart(monitor.pid!)! } }
    const waiting = waitExit(exits, [watched], 4_000, systemClock)
    monitor.kill('SIGKILL')
    expect((await waiting).get(id)).toEqual({ is: 'monitor-lost' })
  })

  test('ends when it is told to', async () => {
    const stop = new AbortController()
    const waiting = waitExit(exits, [running], 10_000, systemClock, stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })

  test('nothing to wait for', async () => {
    expect((await waitExit(exits, [], 10_000, systemClock)).size).toBe(0)
  })
})
