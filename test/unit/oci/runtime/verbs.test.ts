import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { TspodError } from '../../../../src/errors.ts'
import { processStart } from '../../../../src/files.ts'
import type { Id } from '../../../../src/model.ts'
import {
  deleteContainer,
  execArgs,
  forgetContainer,
  type Runtime,
  startContainer,
} from '../../../../src/oci/runtime/index.ts'
import type { Run } from '../../../../src/process.ts'
import { recorder } from './recorder.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync('/tmp/tspod-runtime-unit-')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe('verbs', () => {
  const id = 'a'.repeat(64) as Id
  const runtime = (): Runtime => ({
    name: 'runc',
    path: '/usr/sbin/runc',
    version: '1',
    root: join(directory, 'state'),
  })
  const haveState = (): void => void mkdirSync(join(directory, 'state', id), { recursive: true })

  test('deleting a container the runtime does not know starts no process', async () => {
    const run = recorder(() => ({}))
    await deleteContainer(run, runtime(), id, { force: true })
    expect(run.calls).toEqual([])
  })

  test('deleting believes the state directory, not the exit code', async () => {
    haveState()
    const failing = recorder(() => ({ exitCode: 0 }))
    await expect(deleteContainer(failing, runtime(), id, { force: false })).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
    })
    const gone = recorder(() => {
      rmSync(join(directory, 'state', id), { recursive: true })
      return { exitCode: 1, stderr: 'no such container' }
    })
    await deleteContainer(gone, runtime(), id, { force: true })
    expect(gone.calls).toEqual([['/usr/sbin/runc', '--root', join(directory, 'state'), 'delete', '--force', id]])
    expect(existsSync(join(directory, 'state', id))).toBe(false)
  })

  test('a start that claims success while the container still waits is a failure', async () => {
    haveState()
    writeFileSync(join(directory, 'state', id, 'exec.fifo'), '')
    await expect(
      startContainer(
        recorder(() => ({})),
        runtime(),
        id,
      ),
    ).rejects.toMatchObject({ code: 'START_FAILED' })
  })

  const hangs: Run = async ({ argv, timeoutMs }) => {
    throw new TspodError('COMMAND_TIMEOUT', `${argv[0]} after ${timeoutMs} ms`, { remedy: 'x' })
  }
  /** A runtime that lets the container go and then dies or hangs. */
  const letsGoThen =
    (then: () => ReturnType<Run>): Run =>
    async () => {
      rmSync(join(directory, 'state', id, 'exec.fifo'))
      return then()
    }
  const waiting = (): void => {
    haveState()
    writeFileSync(join(directory, 'state', id, 'exec.fifo'), '')
  }
  const alive = { pid: process.pid, start: processStart(process.pid) as string }
  const dead = { pid: process.pid, start: '1' }
  const killed = async () => ({ argv: [], exitCode: 137, stdout: '', stderr: '' })

  test('a runtime that dies after it has started the container has started it', async () => {
    for (const then of [killed, () => hangs({ argv: ['runc'] })]) {
      waiting()
      await startContainer(letsGoThen(then), runtime(), id, 'web', alive)
    }
  })

  test('a runtime that dies before, or with the container, has not', async () => {
    waiting()
    await expect(startContainer(killed, runtime(), id, 'web', alive)).rejects.toMatchObject({
      code: 'START_FAILED',
      message: 'container web: the runtime was killed by signal 9',
    })
    await expect(startContainer(letsGoThen(killed), runtime(), id, 'web', dead)).rejects.toMatchObject({
      code: 'START_FAILED',
    })
  })

  test('a runtime that hangs is named with what it was to do, after the time that tspod.toml gives it', async () => {
    haveState()
    const slow = { ...runtime(), timeoutMs: 2000 }
    await expect(startContainer(hangs, slow, id, 'web')).rejects.toMatchObject({
      code: 'COMMAND_TIMEOUT',
      message: 'runc did not start container web within 2 s and was killed',
    })
    await expect(deleteContainer(hangs, slow, id, { force: true })).rejects.toMatchObject({
      code: 'COMMAND_TIMEOUT',
      message: `runc did not delete container ${id.slice(0, 12)} within 2 s and was killed`,
    })
  })

  test('a container can be forgotten without its runtime', async () => {
    haveState()
    await forgetContainer(runtime(), id)
    expect(existsSync(join(directory, 'state', id))).toBe(false)
  })

  test('exec hands over the process file', () => {
    expect(execArgs(runtime(), id, { processFile: '/p.json', pidFile: '/pid', detach: true })).toEqual([
      ...['/usr/sbin/runc', '--root', join(directory, 'state')],
      ...['exec', '--process', '/p.json', '--pid-file', '/pid', '--detach', id],
    ])
  })
})
