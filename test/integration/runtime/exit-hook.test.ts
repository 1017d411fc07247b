import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { systemClock } from '../../../src/clock.ts'
import { processStart } from '../../../src/files.ts'
import { FIXED_PATH, run } from '../../../src/process.ts'
import { makeLab } from '../../support/container.ts'

const HOOK = join(import.meta.dirname, '../../../templates/exit-hook')

let directory: string
let launcher: string
let podDirectory: string
let others: ChildProcess[]
beforeEach(() => {
  directory = mkdtempSync('/tmp/tspod-hook-')
  podDirectory = join(directory, 'pod')
  mkdirSync(podDirectory)
  others = []
  launcher = program('launcher', 'echo "$@" >> calls')
})
afterEach(() => {
  for (const other of others) other.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

/** A program in the test's directory, run with that as its working directory. */
function program(name: string, script: string): string {
  const path = join(directory, name)
  writeFileSync(path, `#!/bin/sh\ncd ${directory}\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}
const calls = (): string[] =>
  existsSync(join(directory, 'calls')) ? readFileSync(join(directory, 'calls'), 'utf8').trim().split('\n') : []
const hold = (text: string): void => writeFileSync(join(podDirectory, 'hold'), text)
const callHook = (env: Record<string, string> = {}) =>
  run({ argv: [HOOK, launcher, '/r', '/rr', podDirectory, 'abc'], env })

/** A living process with any name, as the kernel shows it in /proc/PID/stat. */
async function processNamed(name: string): Promise<number> {
  const child = spawn('/bin/bash', ['-c', `printf '%s' "$1" > /proc/self/comm; read -r x`, 'bash', name], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  others.push(child)
  for (let attempt = 0; attempt < 100; attempt++) {
    if (readFileSync(`/proc/${child.pid}/comm`, 'utf8').trim() === name) break
    await systemClock.sleep(10)
  }
  return child.pid!
}

test('nobody holds the pod: cleanup is called, once', async () => {
  expect((await callHook()).exitCode).toBe(0)
  expect(calls()).toEqual(['--root /r --runroot /rr container cleanup abc'])
})

describe('the holder', () => {
  for (const name of ['tspod', 'a b', 'x) Z 1 2 3', '(((', '*']) {
    test(`named ${JSON.stringify(name)} lives: nothing to do`, async () => {
      const pid = await processNamed(name)
      hold(`${pid} ${processStart(pid)}\n`)
      expect((await callHook()).exitCode).toBe(0)
      expect(calls()).toEqual([])
    })
  }

  test('is a zombie: cleanup is called', async () => {
    // The shell does not reap its child while it reads.
    const parent = spawn('/bin/bash', ['-c', 'sleep 0.05 & echo $!; exec sleep 30'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    others.push(parent)
    const pid = Number(await new Promise(resolve => parent.stdout?.once('data', resolve)))
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    hold(`${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}\n`)
    for (let attempt = 0; attempt < 100 && processStart(pid) !== undefined; attempt++) await systemClock.sleep(10)
    await callHook()
    expect(calls()).toHaveLength(1)
  })

  const marks: Record<string, string> = {
    'a pid used again': `${process.pid} 1\n`,
    'a process that is gone': '4194000 123\n',
    'an empty mark': '',
    'a mark without an end': `${process.pid}`,
    'a mark that is no mark': 'hello there\n',
    'a path instead of a pid': '../../etc 1\n',
    'a pattern instead of a pid': '* *\n',
  }
  for (const [name, text] of Object.entries(marks)) {
    test(`${name}: cleanup is called`, async () => {
      hold(text)
      await callHook()
      expect(calls()).toHaveLength(1)
    })
  }
})

test('somebody takes the pod between two attempts: the hook goes home', async () => {
  launcher = program('launcher', 'echo cleanup >> calls; exit 125')
  program('sleep', `echo "${process.pid} ${processStart(process.pid)}" > ${podDirectory}/hold`)
  expect((await callHook({ PATH: `${directory}:${FIXED_PATH}` })).exitCode).toBe(0)
  expect(calls()).toEqual(['cleanup'])
})

test('a cleanup that fails is tried again a few times, then given up', async () => {
  launcher = program('launcher', 'echo cleanup >> calls; exit 125')
  program('sleep', 'echo "sleep $1" >> calls')
  expect((await callHook({ PATH: `${directory}:${FIXED_PATH}` })).exitCode).toBe(1)
  expect(calls()).toEqual(['cleanup', 'sleep 5', 'cleanup', 'sleep 10', 'cleanup', 'sleep 15', 'cleanup'])
})

test('names with blanks and shell characters stay one argument', async () => {
  const odd = join(directory, 'a $(touch pwned) "b')
  mkdirSync(odd)
  const argv = [HOOK, launcher, odd, '/rr;x', odd, 'id * id'] as const
  launcher = program('launcher', 'for a; do echo "[$a]" >> calls; done')
  await run({ argv: [...argv], cwd: directory })
  expect(calls()).toEqual(['[--root]', `[${odd}]`, '[--runroot]', '[/rr;x]', '[container]', '[cleanup]', '[id * id]'])
  expect(existsSync(join(directory, 'pwned'))).toBe(false)
})

test('when held it needs nothing but the shell itself, which is what makes it cheap', async () => {
  hold(`${process.pid} ${processStart(process.pid)}\n`)
  expect((await callHook({ PATH: '/nowhere' })).exitCode).toBe(0)
  expect(calls()).toEqual([])
})

test('conmon calls it after it has recorded the exit', async () => {
  const lab = await makeLab()
  try {
    launcher = program(
      'launcher',
      `cat ${lab.paths.runRoot}/exits/* > seen; ls -l /proc/self/fd > fds; echo "$@" >> calls`,
    )
    lab.configure('exit 9')
    const created = await lab.create({
      exitHook: [HOOK, launcher, lab.paths.root, lab.paths.runRoot, podDirectory, lab.id],
    })
    await lab.start()
    await lab.wait(created)
    for (let attempt = 0; attempt < 100 && calls().length === 0; attempt++) await systemClock.sleep(20)
    expect(calls()).toEqual([`--root ${lab.paths.root} --runroot ${lab.paths.runRoot} container cleanup ${lab.id}`])
    expect(readFileSync(join(directory, 'seen'), 'utf8')).toBe('9')
    // 0, 1, 2, and what ls opens itself; 1 is the hook's pipe or the shell's redirection.
    expect(readFileSync(join(directory, 'fds'), 'utf8').match(/ \d+ -> /g)?.length).toBeLessThanOrEqual(4)
  } finally {
    await lab.remove()
  }
})
