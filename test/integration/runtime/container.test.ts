import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { systemClock } from '../../../src/clock.ts'
import { endSilentMonitor } from '../../../src/engine/run/strays.ts'
import { processStart } from '../../../src/files.ts'
import {
  type Created,
  deleteContainer,
  dismissMonitor,
  isAlive,
  isKnown,
  killCgroup,
  readExit,
  readHierarchies,
  signalContainer,
  waitGone,
  wasOomKilled,
} from '../../../src/oci/index.ts'
import { exitDirectory } from '../../../src/paths.ts'
import { run } from '../../../src/process.ts'
import { type Lab, makeLab, processesNaming } from '../../support/container.ts'

let lab: Lab
beforeEach(async () => {
  lab = await makeLab()
})
afterEach(async () => {
  await lab.remove()
  for (let attempt = 0; attempt < 40 && lab.leftovers().length > 0; attempt++) await systemClock.sleep(25)
  expect(lab.leftovers()).toEqual([])
})

describe('a container', () => {
  test('is created, started, logs, ends with its code, and leaves nothing', async () => {
    lab.configure('echo out; echo err >&2; exit 3')
    const created = await lab.create()
    expect(isAlive(created)).toBe(true)
    expect(readExit(exitDirectory(lab.paths), lab.id)).toBeUndefined()
    await lab.start()
    expect(await lab.wait(created)).toMatchObject({ is: 'exited', exit: { code: 3 } })
    expect(
      lab
        .log()
        .map(line => line.split(' ').slice(1).join(' '))
        .sort(),
    ).toEqual(['stderr F err', 'stdout F out'])
  })

  test('has a monitor that may be there before its bundle', async () => {
    const begun = lab.begin()
    await (await begun).entered
    expect(existsSync(join(lab.directory, 'bundle/config.json'))).toBe(false)
    lab.configure('exit 4')
    const created = await lab.create({}, begun)
    await lab.start()
    expect(await lab.wait(created)).toMatchObject({ is: 'exited', exit: { code: 4 } })
  })

  test('that never comes leaves no monitor, and no end of one on record', async () => {
    const begun = await lab.begin()
    await begun.entered
    dismissMonitor(begun)
    for (let attempt = 0; attempt < 40 && processesNaming(lab.directory).length > 0; attempt++)
      await systemClock.sleep(25)
    expect(processesNaming(lab.directory)).toEqual([])
    expect(readExit(exitDirectory(lab.paths), lab.id)).toBeUndefined()
  })

  test('killed by a signal: 128 + its number', async () => {
    lab.configure('sleep 60')
    const created = await lab.create()
    await lab.start()
    expect(signalContainer(created.pid, created.start, 'SIGKILL')).toBe(true)
    expect(await lab.wait(created)).toMatchObject({ is: 'exited', exit: { code: 137 } })
  })

  test('can be run again with the same id; the first exit is not taken for the second', async () => {
    lab.configure('exit 1')
    const first = await lab.create()
    await lab.start()
    await lab.wait(first)
    await deleteContainer(run, lab.runtime, lab.id, { force: false })
    lab.configure('sleep 60')
    const second = await lab.create()
    await lab.start()
    expect(await lab.wait(second, 50)).toBeUndefined()
  })

  test('over its memory limit: the kill is known as one', async () => {
    lab.configure('x=$(busybox yes | busybox head -c 200000000 | busybox tr "\\n" x); echo survived')
    const created = await lab.create()
    await lab.start()
    const verdict = await lab.wait(created)
    // The shell or its last child may be the victim; conmon is told of either by the kernel.
    expect(verdict).toMatchObject({ is: 'exited' })
    expect(wasOomKilled(join(lab.directory, 'bundle'))).toBe(true)
  })
})

describe('conmon', () => {
  test('holds only its own descriptors, no environment of ours, and sits in the control cgroup', async () => {
    lab.configure('sleep 60')
    const { conmonPid } = await lab.create()
    const proc = `/proc/${conmonPid}`
    const open = readdirSync(`${proc}/fd`).map(fd => readlinkSync(`${proc}/fd/${fd}`))
    const own = /^(\/dev\/null|socket:|pipe:|anon_inode:\[(eventfd|signalfd|inotify|eventpoll)\]|\/sys\/fs\/cgroup\/)/
    expect(open.filter(target => !own.test(target) && !target.startsWith(lab.directory))).toEqual([])
    const environment = readFileSync(`${proc}/environ`, 'utf8')
      .split('\0')
      .map(entry => entry.split('=')[0])
    expect(environment.filter(name => !['PATH', '_OCI_SYNCPIPE', '_OCI_STARTPIPE', ''].includes(name!))).toEqual([])
    expect(readFileSync(`${proc}/cgroup`, 'utf8')).toContain(`:${lab.cgroup.control}\n`)
  })

  test('listens on no abstract socket', async () => {
    lab.configure('sleep 60')
    await lab.create()
    expect(readFileSync('/proc/net/unix', 'utf8')).not.toMatch(/ @\S*(attach|conmon)/)
  })

  test('killed: the container is seen as without a monitor, and its end as lost', async () => {
    lab.configure('sleep 60')
    const created = await lab.create()
    await lab.start()
    process.kill(created.conmonPid, 'SIGKILL')
    expect(await lab.wait(created)).toEqual({ is: 'monitor-lost' })
    killCgroup(readHierarchies(), lab.cgroup.path)
    for (let attempt = 0; attempt < 100 && isAlive(created); attempt++) await systemClock.sleep(10)
    expect(await lab.wait(created)).toEqual({ is: 'lost' })
  })
})

describe('a monitor that no record names', () => {
  const runDir = (): string => join(lab.directory, 'c')
  const end = (): Promise<void> => endSilentMonitor(runDir(), exitDirectory(lab.paths), lab.id, systemClock)
  const monitorOf = (created: Created) => ({ pid: created.conmonPid, start: created.conmonStart })

  test('is ended and tells nothing any more', async () => {
    lab.configure('sleep 60')
    const created = await lab.create()
    await lab.start()
    await end()
    expect(isAlive(monitorOf(created))).toBe(false)
    expect(isAlive(created)).toBe(true)
    signalContainer(created.pid, created.start, 'SIGKILL')
    expect(await waitGone(created, 20_000, systemClock)).toBe(true)
    expect(readExit(exitDirectory(lab.paths), lab.id)).toBeUndefined()
  })

  test('is left to its exit hook when it has told how the container ended', async () => {
    lab.configure('exit 3')
    const created = await lab.create({ exitHook: ['/bin/sleep', '1'] })
    await lab.start()
    expect(await lab.wait(created)).toMatchObject({ is: 'exited', exit: { code: 3 } })
    await end()
    expect(isAlive(monitorOf(created))).toBe(true)
  })

  test('is gone, and its pid is a stranger’s: that one is left alone', async () => {
    lab.configure('sleep 60')
    const created = await lab.create()
    const stranger = spawn('sleep', ['60'])
    try {
      const [pid, start] = [stranger.pid!, processStart(stranger.pid!)!]
      writeFileSync(join(runDir(), 'conmon.pid'), String(pid))
      await end()
      expect([isAlive({ pid, start }), isAlive(monitorOf(created))]).toEqual([true, true])
    } finally {
      stranger.kill('SIGKILL')
    }
  })
})

describe('a container that cannot be', () => {
  const cases: Record<string, { args: string[]; says: RegExp }> = {
    'the program is not in the image': { args: ['nope'], says: /has no program "nope"/ },
    'the program is not in the image (absolute)': { args: ['/nope'], says: /has no program "\/nope"/ },
    'the program is a directory': { args: ['/proc'], says: /not executable|is a directory/i },
  }
  for (const [name, { args, says }] of Object.entries(cases)) {
    test(`${name}: one sentence with a remedy`, async () => {
      lab.configure(args)
      const failing = lab.create()
      await expect(failing).rejects.toMatchObject({ code: 'START_FAILED', message: expect.stringMatching(says) })
      await failing.catch(error => expect(error.message).not.toContain('\n'))
    })
  }

  test('a broken config', async () => {
    lab.configure(['x'])
    writeFileSync(join(lab.directory, 'bundle/config.json'), '{"ociVersion":')
    await expect(lab.create()).rejects.toMatchObject({ code: 'START_FAILED' })
  })

  test('conmon is not installed', async () => {
    lab.configure('true')
    await expect(lab.create({ conmonPath: '/nope/conmon' })).rejects.toMatchObject({ code: 'TOOL_MISSING' })
  })

  test('conmon refuses its arguments', async () => {
    lab.configure('true')
    const log = [{ driver: 'bogus:x' as 'none', path: '', maxBytes: 0 }]
    await expect(lab.create({ log })).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('bogus'),
    })
  })

  test('the move to the cgroup fails: conmon is ended before it did anything', async () => {
    lab.configure('true')
    let pid = 0
    const beforeStart = async (conmonPid: number): Promise<void> => {
      pid = conmonPid
      throw new Error('no cgroup for you')
    }
    await expect(lab.create({ beforeStart })).rejects.toThrow('no cgroup for you')
    await systemClock.sleep(50)
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    expect(isKnown(lab.runtime, lab.id)).toBe(false)
  })
})

/** Fake runtimes: small programs in place of the real one. */
describe('a runtime that misbehaves', () => {
  const fake = (script: string): Lab['runtime'] => {
    const path = join(lab.directory, 'fake-runtime')
    writeFileSync(path, `#!/bin/sh\n${script}\n`)
    chmodSync(path, 0o755)
    return { ...lab.runtime, name: 'fake', path }
  }

  test('hangs: it is killed at the deadline, with its children', async () => {
    lab.configure('true')
    await expect(lab.create({ runtime: fake('sleep 300'), timeoutMs: 300 })).rejects.toMatchObject({
      code: 'COMMAND_TIMEOUT',
    })
    await systemClock.sleep(100)
    expect(processesNaming(lab.directory)).toEqual([])
  })

  test('claims success without a container', async () => {
    lab.configure('true')
    await expect(lab.create({ runtime: fake('exit 0') })).rejects.toMatchObject({ code: 'START_FAILED' })
  })

  test('names a process that is not there', async () => {
    lab.configure('true')
    const pidFile = join(lab.directory, 'c/container.pid')
    await expect(lab.create({ runtime: fake(`echo 4194000 > ${pidFile}`) })).rejects.toMatchObject({
      code: 'START_FAILED',
    })
  })

  test('died while it wrote its state: delete gets rid of that', async () => {
    for (const [file, content] of Object.entries({ nothing: '', 'state.json': '{"id":', status: '{' })) {
      mkdirSync(join(lab.runtime.root, lab.id), { recursive: true })
      if (file !== 'nothing') writeFileSync(join(lab.runtime.root, lab.id, file), content)
      await deleteContainer(run, lab.runtime, lab.id, { force: true })
      expect(isKnown(lab.runtime, lab.id)).toBe(false)
    }
  })

  test('is killed in the middle', async () => {
    lab.configure('true')
    await expect(lab.create({ runtime: fake('kill -9 $$') })).rejects.toMatchObject({ code: 'START_FAILED' })
  })

  test('writes nonsense to its log', async () => {
    lab.configure('true')
    const log = join(lab.directory, 'c/runtime.log')
    const runtime = fake(`printf '{"level":\\n\\033[2Jboom\\n' > ${log}; exit 1`)
    await expect(lab.create({ runtime })).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('boom'),
    })
  })
})

test('a pid that was given to somebody else is never signalled', async () => {
  const first = spawn('/bin/sleep', ['60'], { stdio: 'ignore' })
  const pid = first.pid!
  const start = processStart(pid)!
  const gone = new Promise(resolve => first.once('exit', resolve))
  first.kill('SIGKILL')
  await gone
  // The start time counts in hundredths of a second.
  await systemClock.sleep(30)
  writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1))
  const second = spawn('/bin/sleep', ['60'], { stdio: 'ignore' })
  try {
    // Somebody else on this machine may have been faster; then there is nothing to show.
    if (second.pid !== pid) return console.warn('skipped: the pid went to another process')
    expect(signalContainer(pid, start, 'SIGKILL')).toBe(false)
    expect(processStart(pid)).not.toBe(start)
    expect(second.killed).toBe(false)
  } finally {
    second.kill('SIGKILL')
  }
})

describe('the log', () => {
  test('replaced by a link: nothing is written through it', async () => {
    const canary = join(lab.directory, 'canary')
    writeFileSync(canary, 'untouched')
    mkdirSync(dirname(lab.logPath), { recursive: true })
    symlinkSync(canary, lab.logPath)
    lab.configure('echo evil')
    await expect(lab.create()).rejects.toMatchObject({ code: 'UNSAFE_PATH' })
    expect(readFileSync(canary, 'utf8')).toBe('untouched')
  })

  test('is for root only, whatever the umask', async () => {
    const before = process.umask(0)
    try {
      lab.configure('true')
      await lab.create()
    } finally {
      process.umask(before)
    }
    expect(lstatSync(lab.logPath).mode & 0o777).toBe(0o600)
    for (const directory of [
      dirname(lab.logPath),
      exitDirectory(lab.paths),
      join(lab.directory, 'c'),
      lab.runtime.root,
    ]) {
      expect([directory, lstatSync(directory).mode & 0o777]).toEqual([directory, 0o700])
    }
  })

  test('stays below its size limit', async () => {
    lab.configure('i=0; while [ $i -lt 2000 ]; do echo "a line of some length, number $i"; i=$((i+1)); done')
    const created = await lab.create({ log: [{ driver: 'k8s-file', path: lab.logPath, maxBytes: 20_000 }] })
    await lab.start()
    await lab.wait(created)
    expect(lstatSync(lab.logPath).size).toBeLessThanOrEqual(20_000)
    expect(lab.log().at(-1)).toContain('number 1999')
    expect(readdirSync(dirname(lab.logPath))).toEqual(['0.log'])
  })
})
