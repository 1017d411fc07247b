import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { ExecSession } from '../../../src/engine/index.ts'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { onTerminal } from '../../support/terminal.ts'
import { DEMO_IMAGE, launcher, readyCell, succeeds, takeDownAll, tspod, WAIT_COMMAND } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
  await play('box', {})
  await play('tight', {
    securityContext: {
      runAsUser: 1000,
      runAsGroup: 2000,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'], add: ['KILL'] },
    },
    resources: { limits: { memory: '64Mi' } },
  })
}, 60_000)
afterAll(async () => {
  await takeDownAll(cell)
  await cell?.remove()
})

function play(name: string, more: object): Promise<string> {
  const container = { name: 'c1', image: DEMO_IMAGE, command: ['sh', '-c', WAIT_COMMAND], ...more }
  const spec = { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [container] }
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec })
  return succeeds(cell, ['kube', 'play', '-'], { input: text })
}

const inspected = async (name: string): Promise<ExecSession[]> => {
  const [container] = JSON.parse(await succeeds(cell, ['inspect', name])) as { execSessions: ExecSession[] }[]
  return container!.execSessions
}
const sessionOf = async (id: string): Promise<ExecSession> => {
  const session = (await inspected('box-c1')).find(one => one.id === id)
  if (session === undefined) throw new Error(`no session ${id}`)
  return session
}

describe('exit codes', () => {
  test.each<[string, string[], number]>([
    ['of the command', ['sh', '-c', 'exit 42'], 42],
    ['of a command that a signal ended', ['sh', '-c', 'kill -TERM $$'], 143],
    ['of a command that does not exist', ['nothing-like-this'], 127],
    ['of a file that cannot be run', ['/etc/passwd'], 126],
    ['of a directory', ['/etc'], 126],
  ])('%s', async (_, command, code) => {
    expect((await tspod(cell, ['exec', 'box-c1', ...command])).exitCode).toBe(code)
    const { exitCode, running, command: recorded } = (await inspected('box-c1')).at(-1)!
    expect([exitCode, running, recorded]).toEqual([code, false, command])
  })
})

describe('what the command gets', () => {
  const STATUS = '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):'
  const status = (name: string, command: string[], ...flags: string[]): Promise<string> =>
    succeeds(cell, ['exec', ...flags, name, ...command, 'grep', '-E', STATUS, '/proc/self/status'])
  const value = (text: string, field: string): string => new RegExp(`^${field}:\\s*(\\w+)`, 'm').exec(text)?.[1] ?? ''
  const CAP_KILL = '0000000000000020'

  test.each<[string, string]>([
    ['1', 'uid=1 gid=0 groups=0'],
    ['1:1', 'uid=1 gid=1 groups=1'],
    ['0', 'uid=0(root) gid=0(root) groups=0(root)'],
    ['root:5', 'uid=0(root) gid=5 groups=5'],
  ])('-u %s is exactly that, whatever runAsUser says', async (user, id) => {
    const plain = (text: string): string => text.replaceAll(/\([^)]*\)/g, '').trim()
    expect(plain(await succeeds(cell, ['exec', '-u', user, 'tight-c1', 'id']))).toBe(plain(id))
  })

  test('the container’s user without -u', async () => {
    expect(await succeeds(cell, ['exec', 'tight-c1', 'id'])).toMatch(/^uid=1000\S* gid=2000\S* groups=2000/)
  })

  test('the container’s capabilities, seccomp filter and no_new_privs; -u 0 gets no more', async () => {
    for (const [flags, effective] of [
      [[], '0000000000000000'],
      [['-u', '0'], CAP_KILL],
    ] as const) {
      const seen = await status('tight-c1', [], ...flags)
      expect(['CapInh', 'CapAmb'].map(field => value(seen, field))).toEqual(['0000000000000000', '0000000000000000'])
      expect(value(seen, 'CapBnd')).toBe(CAP_KILL)
      expect(value(seen, 'CapEff')).toBe(effective)
      expect([value(seen, 'NoNewPrivs'), value(seen, 'Seccomp')]).toEqual(['1', '2'])
    }
  })

  test('every capability with --privileged, in the background too, and still no inheritable ones', async () => {
    const [own, given] = [await cell.sh('grep CapEff /proc/self/status'), await status('box-c1', [], '--privileged')]
    expect(value(given, 'CapEff')).toBe(value(own.stdout, 'CapEff'))
    expect([value(given, 'CapInh'), value(given, 'Seccomp')]).toEqual(['0000000000000000', '2'])
    const id = (
      await succeeds(cell, ['exec', '-d', '--privileged', 'box-c1', 'sh', '-c', 'cat /proc/self/status >/tmp/seen'])
    ).trim()
    await eventually(
      () => sessionOf(id),
      session => session.exitCode === 0,
    )
    const seen = await succeeds(cell, ['exec', 'box-c1', 'cat', '/tmp/seen'])
    expect(value(seen, 'CapEff')).toBe(value(own.stdout, 'CapEff'))
  })

  test('the container’s cgroups', async () => {
    const cgroup = async (...command: string[]): Promise<string> => succeeds(cell, ['exec', 'tight-c1', ...command])
    expect(await cgroup('cat', '/proc/self/cgroup')).toBe(await cgroup('cat', '/proc/1/cgroup'))
  })

  test('variables of files and of flags, the flag last; a directory', async () => {
    await cell.sh('printf "# comment\\nA=file\\nB=from file\\n" >/run/vars')
    const flags = ['--env-file', '/run/vars', '-e', 'A=flag', '-w', '/tmp']
    expect(await succeeds(cell, ['exec', ...flags, 'box-c1', 'sh', '-c', 'echo "$A,$B,$PWD"'])).toBe(
      'flag,from file,/tmp\n',
    )
    const refused = await tspod(cell, ['exec', '-w', '/proc/self/fd/7', 'box-c1', 'id'])
    expect(refused.exitCode).toBe(125)
  })

  test('no descriptor but its three', async () => {
    const line = `exec 7</etc/passwd; ${launcher(cell)} exec box-c1 sh -c 'ls /proc/$$/fd; true'`
    expect((await cell.sh(line)).stdout.split('\n').filter(fd => Number(fd) > 2 && Number(fd) !== 10)).toEqual([])
  })

  test('a mebibyte in and out unchanged', async () => {
    const line = `head -c 1048576 /dev/urandom >/run/in; ${launcher(cell)} exec -i box-c1 cat </run/in | cmp - /run/in && echo same`
    expect((await cell.sh(line)).stdout).toBe('same\n')
  })
})

describe('on a terminal', () => {
  test('size, later sizes, ctrl-c, the exit code, and the terminal as it was', async () => {
    const seen = await onTerminal(
      cell,
      [launcher(cell), 'exec', '-it', 'box-c1', 'sh'],
      [
        { send: 'stty size\r' },
        { expect: '24 80' },
        { resize: [50, 120] },
        { send: 'sleep 0.2; stty size\r' },
        { expect: '50 120' },
        { send: `sh -c 'echo a""sleep; exec sleep 100'\r` },
        { expect: 'asleep' },
        { send: '\x03' },
        { send: 'exit 5\r' },
      ],
    )
    expect(seen).toMatchObject({ code: 5, restored: true })
  })
})

describe('on a terminal too', () => {
  test('everything from the first byte on, the runtime’s refusals, and the detach keys', async () => {
    const exec = (...words: string[]): string[] => [launcher(cell), 'exec', '-it', ...words]
    const quick = await onTerminal(cell, exec('box-c1', 'sh', '-c', 'echo first; exit 3'), [])
    expect(quick).toMatchObject({ output: expect.stringMatching(/^first\r+\n$/), code: 3, restored: true })
    expect((await onTerminal(cell, exec('box-c1', 'nothing-like-this'), [])).code).toBe(127)
    const left = await onTerminal(
      cell,
      exec(
        '--detach-keys',
        'ctrl-a,d',
        'box-c1',
        'sh',
        '-c',
        'echo here; until [ -e /tmp/left ]; do sleep 0.1; done; exit 6',
      ),
      [{ expect: 'here' }, { send: '\x01d' }],
    )
    expect(left).toMatchObject({ code: 0, restored: true })
    const session = (await inspected('box-c1')).at(-1)!
    expect(session.running).toBe(true)
    await succeeds(cell, ['exec', 'box-c1', 'touch', '/tmp/left'])
    const ended = await eventually(
      () => sessionOf(session.id),
      one => one.exitCode !== undefined,
    )
    expect(ended).toMatchObject({ running: false, exitCode: 6 })
  })
})

describe('in the background', () => {
  test('the session is recorded with its exit code, its output goes nowhere', async () => {
    const started = await succeeds(cell, ['exec', '-d', 'box-c1', 'sh', '-c', 'echo noise; sleep 0.5; exit 8'])
    expect(started).toMatch(/^[0-9a-f]{64}\n$/)
    const ended = await eventually(
      () => sessionOf(started.trim()),
      session => session.exitCode !== undefined,
    )
    expect(ended).toMatchObject({ running: false, exitCode: 8, finishedMs: expect.any(Number) })
  })

  test('a command that does not exist is refused at once, and recorded as such', async () => {
    const refused = await tspod(cell, ['exec', '-d', 'box-c1', 'nothing-like-this'])
    expect([refused.exitCode, refused.stdout]).toEqual([127, ''])
    expect((await inspected('box-c1')).at(-1)).toMatchObject({ running: false, exitCode: 127 })
  })

  test('it goes with its container', () =>
    withLeakCheck(cell, async () => {
      await play('brief', {})
      const id = (await succeeds(cell, ['exec', '-d', 'brief-c1', 'sleep', '4711'])).trim()
      expect((await inspected('brief-c1'))[0]).toMatchObject({ id, running: true, pid: expect.any(Number) })
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'brief' }, spec: {} }
      await succeeds(cell, ['kube', 'down', '-'], { input: JSON.stringify(pod) })
      expect((await cell.exec(['pgrep', '-f', 'sleep 471[1]|exec-process-spe[c]'])).stdout).toBe('')
    }))
})

describe('sessions', () => {
  test('whose tspod was killed run on, and end without an exit code', async () => {
    const line = `${launcher(cell)} exec box-c1 sh -c 'echo $$; while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 4' >/run/seen 2>/dev/null </dev/null & p=$!
      until [ -s /run/seen ]; do sleep 0.05; done; sleep 0.2; kill -9 $p`
    await cell.sh(line)
    const running = (await inspected('box-c1')).at(-1)!
    expect(running).toMatchObject({ running: true })
    await succeeds(cell, ['exec', 'box-c1', 'touch', '/tmp/go'])
    const ended = await eventually(
      () => sessionOf(running.id),
      session => !session.running,
    )
    expect(ended.exitCode).toBeUndefined()
    await succeeds(cell, ['exec', 'box-c1', 'rm', '/tmp/go'])
    expect(await sessionOf(running.id)).toMatchObject({ running: false, finishedMs: expect.any(Number) })
    expect((await sessionOf(running.id)).exitCode).toBeUndefined()
  })

  test('the last twenty that ended are kept', async () => {
    const line = `for n in $(seq 22); do ${launcher(cell)} exec box-c1 true || exit 1; done`
    expect((await cell.sh(line)).exitCode).toBe(0)
    expect((await inspected('box-c1')).length).toBeLessThanOrEqual(21)
    expect((await cell.sh('ls -d /run/tspod/containers/*/exec-* 2>/dev/null | wc -l')).stdout).toBe('0\n')
  })
})

test('--latest is the container that was created last', async () => {
  await play('newest', {})
  expect(await succeeds(cell, ['exec', '--latest', 'hostname'])).toBe('newest\n')
})
