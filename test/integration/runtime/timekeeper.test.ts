import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { FIXED_PATH } from '../../../src/process.ts'
import { eventually } from '../../support/wait.ts'

const TIMEKEEPER = join(import.meta.dirname, '../../../templates/timekeeper')

let directory: string
let keepers: ChildProcess[]
beforeEach(() => {
  directory = mkdtempSync('/tmp/tspod-keeper-test-')
  mkdirSync(join(directory, 'run'))
  writeFileSync(join(directory, 'run/boot'), 'token')
  keepers = []
})
afterEach(() => {
  for (const keeper of keepers) keeper.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

/** A program in the test's directory, run with that as its working directory. */
function program(name: string, script: string): void {
  writeFileSync(join(directory, name), `#!/bin/sh\ncd ${directory}\n${script}\n`)
  chmodSync(join(directory, name), 0o755)
}

/** What was called, in order: programs write lines into one file. */
const calls = (): string[] =>
  existsSync(join(directory, 'calls')) ? readFileSync(join(directory, 'calls'), 'utf8').trim().split('\n') : []
const mark = (): string => readFileSync(join(directory, 'run/timekeeper'), 'utf8').trim()
const hasMark = (): boolean => existsSync(join(directory, 'run/timekeeper'))

/** Starts one; `code` is its exit code once it has ended. */
function start(): { pid: number; code: Promise<number | null> } {
  const argv = [join(directory, 'launcher'), '/r', join(directory, 'run')]
  const child = spawn(TIMEKEEPER, argv, { stdio: 'ignore', env: { PATH: `${directory}:${FIXED_PATH}` } })
  keepers.push(child)
  return { pid: child.pid!, code: new Promise(resolve => child.once('exit', resolve)) }
}

/** The answers of `system tick`, one for each call; the last one stays. */
const answers = (...texts: string[]): void => {
  writeFileSync(join(directory, 'answers'), texts.map(text => `${text}\n`).join(''))
  program('launcher', 'echo "$*" >>calls; head -n 1 answers; [ "$(wc -l <answers)" = 1 ] || sed -i 1d answers')
}
const TICK = () => `--root /r --runroot ${join(directory, 'run')} system tick`

test('waits as long as each look says, and ends when there is nothing to wait for', async () => {
  answers('7', '60', '')
  program('sleep', 'echo "sleep $1" >>calls')
  expect(await start().code).toBe(0)
  // The look after the end is for whoever came in between and relied on this one.
  expect(calls()).toEqual(['sleep 0.2', TICK(), 'sleep 7', TICK(), 'sleep 60', TICK(), TICK()])
  expect(hasMark()).toBe(false)
})

test('there is one at a time: a second one goes home at once', async () => {
  answers('30')
  const first = start()
  await eventually(async () => hasMark() && calls().length === 1, Boolean)
  expect(await start().code).toBe(0)
  expect(mark()).toBe(String(first.pid))
  expect(calls()).toEqual([TICK()])
})

test('a signal has it look anew, also one that arrives while it looks', async () => {
  answers('30')
  const { pid } = start()
  await eventually(async () => calls().length === 1 && hasMark(), Boolean)
  await eventually(async () => childrenOf(pid).length === 1, Boolean)
  process.kill(pid, 'SIGUSR1')
  await eventually(async () => calls().length === 2, Boolean)
  program('launcher', `echo "$*" >>calls; [ "$(wc -l <calls)" != 3 ] || kill -USR1 ${pid}; echo 30`)
  await eventually(async () => childrenOf(pid).length === 1, Boolean)
  process.kill(pid, 'SIGUSR1')
  await eventually(async () => calls().length === 4, Boolean)
})

test('killed, it leaves no lock behind: its sleep does not hold it', async () => {
  answers('30')
  const first = start()
  await eventually(async () => calls().length === 1 && childrenOf(first.pid).length === 1, Boolean)
  const [sleeper] = childrenOf(first.pid)
  process.kill(first.pid, 'SIGKILL')
  await first.code
  answers('')
  expect(await start().code).toBe(0)
  process.kill(Number(sleeper), 'SIGKILL')
})

test('a look that fails is repeated after a while', async () => {
  program('launcher', 'echo look >>calls; [ "$(grep -c look calls)" -ge 3 ] || exit 125')
  program('sleep', 'echo "sleep $1" >>calls')
  expect(await start().code).toBe(0)
  expect(calls()).toEqual(['sleep 0.2', 'look', 'sleep 10', 'look', 'sleep 10', 'look', 'look'])
})

describe('pods with limits of disk space', () => {
  /** A pod that may have so many KiB in directories of the test, with tabs in between. */
  function limit(pod: string, kib: number, ...names: string[]): void {
    mkdirSync(join(directory, 'run/pods', pod), { recursive: true })
    const paths = names.map(name => join(directory, name))
    for (const path of paths) mkdirSync(path, { recursive: true })
    const file = join(directory, 'run/pods', pod, 'limits')
    const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
    writeFileSync(file, `${before}${[kib, ...paths].join('\t')}\n`)
  }
  const fill = (name: string, kib: number): void => writeFileSync(join(directory, name), Buffer.alloc(kib * 1024))
  /** Each sleep is one round; the third removes the limits, so that there is an end. */
  const rounds = (script = ':'): void =>
    program(
      'sleep',
      `echo "sleep $1" >>calls; ${script}; [ "$(grep -c sleep calls)" -lt 4 ] || rm -f run/pods/*/limits`,
    )

  test('are measured every ten seconds, and the launcher is left alone as long as nobody is over', async () => {
    answers('')
    limit('one', 1000, 'a b', 'c')
    limit('one', 100, 'c')
    fill('a b/x', 800)
    rounds()
    expect(await start().code).toBe(0)
    expect(calls()).toEqual(['sleep 0.2', TICK(), 'sleep 10', 'sleep 10', 'sleep 10', TICK()])
  })

  test('that are over one are named, all of them', async () => {
    answers('')
    limit('one', 1000, 'a', 'b')
    limit('two', 1_000_000, 'a')
    limit('two', 10, 'b')
    limit('three', 10, 'c')
    rounds('mkdir -p a b; [ "$(grep -c sleep calls)" != 3 ] || head -c 2000000 /dev/zero >b/x')
    expect(await start().code).toBe(0)
    expect(calls()).toEqual(['sleep 0.2', TICK(), 'sleep 10', 'sleep 10', `${TICK()} one two`, 'sleep 10', TICK()])
  })

  test('are measured while a time is waited for, which comes no later', async () => {
    answers('25', '')
    limit('one', 1000, 'a')
    rounds()
    expect(await start().code).toBe(0)
    expect(calls()).toEqual(['sleep 0.2', TICK(), 'sleep 10', 'sleep 10', 'sleep 5', TICK(), TICK()])
  })

  test('do not count what links lead to', async () => {
    answers('')
    limit('one', 10, 'a')
    mkdirSync(join(directory, 'big'))
    fill('big/x', 1000)
    symlinkSync(join(directory, 'big'), join(directory, 'a/link'))
    symlinkSync(join(directory, 'a'), join(directory, 'a/loop'))
    rounds()
    expect(await start().code).toBe(0)
    expect(calls().filter(call => call.includes('one'))).toEqual([])
  })
})

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
}
