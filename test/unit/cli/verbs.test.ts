/** What single verbs ask of the engine and make of its answer. */
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { envEntries } from '../../../src/cli/exec.ts'
import { interpret } from '../../../src/cli/interpret.ts'
import type { Engine, ExecRequest } from '../../../src/engine/index.ts'
import { TspodError } from '../../../src/errors.ts'
import { appendToLogFile } from '../../../src/log.ts'
import type { LocalImage } from '../../../src/model.ts'
import { SYSTEM_PATHS } from '../../../src/paths.ts'
import type { Terminal } from '../../../src/terminal.ts'
import { VERSION } from '../../../src/version.ts'
import { NOW_MS, recordedOutput, recordedWorld } from '../../support/world.ts'

async function run(args: readonly string[], engine: Partial<Engine>, overrides = {}) {
  const recorded = recordedWorld(engine, overrides)
  const invocation = await interpret(args, 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  return { ...(await invocation.verb.run(invocation.input, recorded.world)), told: recorded.err() }
}

const noSuchObject = (name: string) => new TspodError('NO_SUCH_OBJECT', `no such object: "${name}"`, { remedy: 'look' })

describe('exec', () => {
  const asking = (asked: { name?: string; request?: ExecRequest }): Partial<Engine> => ({
    exec: async (name, request) => {
      Object.assign(asked, { name, request })
      return 42
    },
  })
  const terminal = {
    out: recordedOutput({ isTerminal: true }).output,
    stdin: () => Object.assign(Readable.from([]), { isTTY: true }),
  }
  test("the command's exit code, and its flags", async () => {
    const asked: { name?: string; request?: ExecRequest } = {}
    const line = [
      'exec',
      '-i',
      '-u',
      'me:grp',
      '-w',
      '/tmp',
      '-e',
      'A=1',
      '-e',
      'B=x=,y',
      'web',
      'sh',
      '-c',
      'exit $1',
      '--',
      '-i',
    ]
    expect(await run(line, asking(asked))).toMatchObject({ exitCode: 42, told: '' })
    expect(asked).toEqual({
      name: 'web',
      request: {
        args: ['sh', '-c', 'exit $1', '--', '-i'],
        env: ['A=1', 'B=x=,y'],
        user: 'me:grp',
        cwd: '/tmp',
        tty: false,
        interactive: true,
        privileged: false,
      },
    })
  })
  test('-d prints the id of the session and does not wait', async () => {
    const asked: { request?: ExecRequest } = {}
    const engine: Partial<Engine> = {
      execDetached: async (_, request) => {
        asked.request = request
        return 'f'.repeat(64)
      },
    }
    expect(await run(['exec', '-d', '--privileged', 'web', 'ls'], engine)).toMatchObject({
      stdout: `${'f'.repeat(64)}\n`,
    })
    expect(asked.request).toMatchObject({ args: ['ls'], privileged: true })
  })
  test.each<[string, string[], RegExp]>([
    ['detach keys', ['--detach-keys', 'ctrl-a', 'web', 'ls'], /--detach-keys is not supported without -t/],
    ['descriptors of the caller', ['--preserve-fds', '2', 'web', 'ls'], /--preserve-fds is not supported/],
    ['no command', ['web'], /^must provide a non-empty command to start an exec session: invalid argument/],
    ['no command after --', ['web', '--'], /^must provide a non-empty command/],
    ['no file', ['--env-file', '/nowhere/env', 'web', 'ls'], /^cannot read the environment file \/nowhere\/env/],
  ])('%s: refused', async (_, words, message) => {
    await expect(run(['exec', ...words], asking({}))).rejects.toThrow(message)
  })
  test('nothing is not refused: no detach keys, no descriptors', async () => {
    const none = ['exec', '--detach-keys', '', '--preserve-fds', '0', 'web', 'ls']
    expect(await run(none, asking({}))).toMatchObject({ exitCode: 42 })
  })
  test('lines of an environment file', () => {
    expect(envEntries('# no\n\n  A=1\r\nB= two = 2 \n\tC=\n', 'f')).toEqual(['A=1', 'B= two = 2 ', 'C='])
    expect(() => envEntries('A=1\nHOME\n', 'my.env')).toThrow('my.env:2: want KEY=VALUE')
    expect(() => envEntries('=x', 'my.env')).toThrow('my.env:1')
  })
  test('kubectl writes -- before the command', async () => {
    const asked: { request?: ExecRequest } = {}
    await run(['exec', 'web', '--', 'ls', '--', '-l'], asking(asked))
    expect(asked.request?.args).toEqual(['ls', '--', '-l'])
  })
  test('a terminal only where there is one', async () => {
    const asked: { request?: ExecRequest } = {}
    const onTerminal: Partial<Engine> = {
      execOnTerminal: async (_, request) => {
        asked.request = request
        return { is: 'exited', code: 7 }
      },
    }
    const here = { ...terminal, terminal: () => ({}) as Terminal }
    expect(await run(['exec', '-it', 'web', 'sh'], onTerminal, here)).toMatchObject({ exitCode: 7 })
    expect(asked.request).toMatchObject({ detachKeys: [16, 17] })
    expect(asked.request).toMatchObject({ tty: true, interactive: true })
    const { told } = await run(['exec', '-it', 'web', 'sh'], asking(asked))
    expect(asked.request).toMatchObject({ tty: false, interactive: true })
    expect(told).toBe('warning: standard input or output is no terminal: -t is without effect\n')
  })
})

describe('image pull', () => {
  const engine: Partial<Engine> = {
    pull: async (name, _options, progress) => {
      progress({ object: name, text: 'copying\u001b[2J' })
      if (name === 'bad') throw new TspodError('IMAGE_PULL_FAILED', 'no such tag', { remedy: 'choose one' })
      return { id: `id-of-${name}` } as LocalImage
    },
  }
  test('one that fails does not keep the others back', async () => {
    expect(await run(['image', 'pull', 'a', 'bad', 'b'], engine)).toEqual({
      stdout: 'id-of-a\nid-of-b\n',
      stderr: 'Error: no such tag\n  choose one\n',
      exitCode: 125,
      told: 'a: copying?[2J\nbad: copying?[2J\nb: copying?[2J\n',
    })
  })
  test('the variable names a file that need not exist; the flag wins', async () => {
    const seen: unknown[] = []
    const keeping: Partial<Engine> = {
      pull: async (_name, options) => {
        seen.push(options)
        return { id: 'i' } as LocalImage
      },
    }
    await run(['pull', '-q', 'a'], keeping, { env: { REGISTRY_AUTH_FILE: 'absent.json' }, cwd: '/here' })
    await run(['pull', '-q', 'a'], keeping, { env: { REGISTRY_AUTH_FILE: 'passwd' }, cwd: '/etc' })
    await run(['pull', '--authfile', '/dev/null', 'a'], keeping, { env: { REGISTRY_AUTH_FILE: '/etc/passwd' } })
    expect(seen).toEqual([
      { quiet: true },
      { quiet: true, authFile: '/etc/passwd' },
      { quiet: false, authFile: '/dev/null' },
    ])
  })
  test('proxies of the environment reach the pull, in either spelling', async () => {
    let seen: unknown
    const keeping: Partial<Engine> = {
      pull: async (_name, options) => {
        seen = options
        return { id: 'i' } as LocalImage
      },
    }
    await run(['pull', '-q', 'a'], keeping, {
      env: { HTTPS_PROXY: 'http://up', https_proxy: 'http://low', NO_PROXY: 'x' },
    })
    expect(seen).toEqual({ quiet: true, proxy: { https_proxy: 'http://low', no_proxy: 'x' } })
  })
})

describe('container cleanup, system tick and their log', () => {
  let logRoot: string
  beforeAll(() => {
    logRoot = mkdtempSync(join(tmpdir(), 'tspod-log-'))
  })
  afterAll(() => rmSync(logRoot, { recursive: true }))

  const cases: [waitMs: number | undefined, stdout: string | undefined][] = [
    [undefined, undefined],
    [0, '1\n'],
    [9_999, '10\n'],
    [10_000, '10\n'],
  ]
  for (const [waitMs, stdout] of cases) {
    test(`something is due in ${waitMs} ms: the timekeeper reads ${JSON.stringify(stdout)}`, async () => {
      const outcome = await run(['system', 'tick'], { tick: async () => waitMs })
      expect(outcome.stdout).toBe(stdout)
      expect(outcome.exitCode ?? 0).toBe(0)
    })
  }
  test('a container that is gone needs nothing', async () => {
    const engine: Partial<Engine> = {
      cleanup: async () => {
        throw noSuchObject('id')
      },
    }
    expect(await run(['container', 'cleanup', 'id'], engine)).toEqual({ told: '' })
  })
  test('an error is kept in a file that only root reads', async () => {
    const engine: Partial<Engine> = {
      cleanup: async () => {
        throw new TspodError('STORE_UNUSABLE', 'disk full', { remedy: 'make room' })
      },
    }
    const paths = { ...SYSTEM_PATHS, logRoot }
    expect(await run(['container', 'cleanup', 'id'], engine, { paths })).toMatchObject({ exitCode: 125 })
    const file = join(logRoot, 'tspod.log')
    expect(readFileSync(file, 'utf8')).toBe(
      '2026-01-02T12:00:00.000Z cleanup of container id: Error: disk full |   make room\n',
    )
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })
  test('the file does not grow for ever, and is never a link', () => {
    const file = join(logRoot, 'tspod.log')
    writeFileSync(file, 'x'.repeat(1024 * 1024))
    appendToLogFile(logRoot, NOW_MS, 'one more')
    appendToLogFile(logRoot, NOW_MS, 'the next file')
    expect(statSync(`${file}.1`).size).toBeGreaterThan(1024 * 1024)
    expect(readFileSync(file, 'utf8')).toBe('2026-01-02T12:00:00.000Z the next file\n')
    rmSync(file)
    symlinkSync('/etc/hostname', file)
    expect(() => appendToLogFile(logRoot, NOW_MS, 'x')).toThrow('ELOOP')
  })
})

describe('version', () => {
  test('is the one of package.json', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'))
    expect(VERSION).toBe(version)
    expect((await run(['version'], {})).stdout).toMatch(
      /^Version: {2}\d+\.\d+\.\d+\nNode: {5}\d+\..*\nOS\/Arch: {2}linux\/\w+\n$/,
    )
    expect(JSON.parse((await run(['version', '--format', 'json'], {})).stdout ?? '')).toMatchObject({ version })
  })
})
