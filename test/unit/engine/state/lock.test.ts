import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { systemClock } from '../../../../src/clock.ts'
import { type LockRequest, takeLock, wantedBy } from '../../../../src/engine/state/lock.ts'
import { lockDirectory, type Paths } from '../../../../src/paths.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tspod-lock-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const request = (more: Partial<LockRequest> = {}): LockRequest => ({
  paths: { root } as Paths,
  clock: systemClock,
  name: 'web',
  command: 'tspod test',
  timeoutMs: 5000,
  ...more,
})
const holdElsewhere = join(import.meta.dirname, '../../../support/hold-lock.ts')

/** A process that takes the lock and says so. */
async function holder(): Promise<{ kill(): Promise<void> }> {
  const child = spawn(process.execPath, [holdElsewhere, root, 'web'], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise(resolve => child.stdout.once('data', resolve))
  return {
    kill: () =>
      new Promise(resolve => {
        child.once('exit', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

test('a lock keeps a second one out and names its holder', async () => {
  const { kill } = await holder()
  await expect(takeLock(request({ timeoutMs: 100 }))).rejects.toThrow(/held by process \d+ \(tspod elsewhere\)/)
  await kill()
})

test('a lock is free as soon as its holder is killed', async () => {
  const { kill } = await holder()
  await kill()
  const begin = systemClock.monotonicMs()
  await using _lock = await takeLock(request())
  expect(systemClock.monotonicMs() - begin).toBeLessThan(1000)
})

test('who waits gets it when it is given back', async () => {
  const first = await takeLock(request())
  const second = takeLock(request())
  await first[Symbol.asyncDispose]()
  await using _lock = await second
})

test('who insists is seen by the holder for as long as it waits, and others are not', async () => {
  const { paths } = request()
  const first = await takeLock(request())
  const patient = takeLock(request({ timeoutMs: 60 }))
  await expect(patient).rejects.toThrow(/was held by/)
  expect(await wantedBy(paths, 'web')).toBeUndefined()
  const second = takeLock(request({ insist: true, command: 'tspod kube down' }))
  while ((await wantedBy(paths, 'web')) === undefined) await systemClock.sleep(5)
  expect(await wantedBy(paths, 'web')).toBe(`process ${process.pid} (tspod kube down)`)
  await first[Symbol.asyncDispose]()
  await using _second = await second
  expect(await wantedBy(paths, 'web')).toBeUndefined()
})

test('what somebody wanted who is dead by now counts for nothing', async () => {
  mkdirSync(join(root, 'locks'), { recursive: true })
  writeFileSync(join(root, 'locks/web.wanted'), `${process.pid} 1 tspod kube down\n`)
  expect(await wantedBy(request().paths, 'web')).toBeUndefined()
})

test('a lock file that is removed with its object leaves nothing, and the name can be locked again', async () => {
  const first = await takeLock(request())
  await first.removeFile()
  expect(existsSync(join(root, 'locks/web.lock'))).toBe(false)
  await using _second = await takeLock(request())
  await first[Symbol.asyncDispose]()
  expect(existsSync(join(root, 'locks/web.lock'))).toBe(true)
})

test('removing it again and again while others wait for it is no trouble for them', async () => {
  const takeAndRemove = async (): Promise<void> => {
    for (let round = 0; round < 60; round++) {
      await using lock = await takeLock(request({ timeoutMs: 60_000 }))
      await lock.removeFile()
    }
  }
  await Promise.all(Array.from({ length: 8 }, takeAndRemove))
  expect(readdirSync(lockDirectory({ root } as Paths))).toEqual([])
}, 60_000)
