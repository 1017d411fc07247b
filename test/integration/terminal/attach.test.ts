import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { onTerminal } from '../../support/terminal.ts'
import { containers, DEMO_IMAGE, launcher, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(async () => {
  await takeDownAll(cell)
  await cell.sh('rm -f /run/seen')
})
afterAll(() => cell?.remove())

type Wish = { stdin?: boolean; stdinOnce?: boolean; tty?: boolean; restartPolicy?: string; start?: false }

async function play(name: string, script: string, wish: Wish = {}): Promise<void> {
  const { restartPolicy = 'Never', start = true, ...streams } = wish
  const container = { name: 'c1', image: DEMO_IMAGE, command: ['sh', '-c', script], ...streams }
  const spec = { restartPolicy, terminationGracePeriodSeconds: 1, containers: [container] }
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec })
  await succeeds(cell, ['kube', 'play', `--start=${start}`, '-'], { input: text })
}

const ECHO = 'echo out; while read line; do echo "got $line"; [ "$line" = end ] && exit 7; done; echo closed; exit 9'
/** Prints until it is told to end. */
const UNTIL_TOLD = 'while [ ! -e /tmp/told ]; do echo tick; sleep 0.1; done; exit 3'
/** For a line of shell with an attachment in the background that writes to /run/seen: ends the container and waits. */
const tellOnceSeen = (name: string): string =>
  `p=$!; until [ -s /run/seen ]; do sleep 0.05; done; ${launcher(cell)} exec ${name} touch /tmp/told; wait $p`
/** An attachment with some input that is ended by TERM once it has shown something; what it showed. */
const leaveOnceSeen = (input: string, args: string): string =>
  `${input} >/run/typed; ${launcher(cell)} attach ${args} </run/typed >/run/seen & p=$!
  until [ -s /run/seen ]; do sleep 0.05; done; kill -TERM $p; wait $p; cat /run/seen`
const states = async (): Promise<string[]> => (await containers(cell)).map(({ state }) => state)

describe('without a terminal', () => {
  test('output comes on the stream it was written to, and the exit code is the container’s', () =>
    withLeakCheck(cell, async () => {
      await play('plain', 'read a; echo "to out $a"; echo "to err" >&2; exit 5', { stdin: true })
      const attached = await tspod(cell, ['attach', 'plain-c1'], { input: 'word\n' })
      expect(attached).toMatchObject({ exitCode: 5, stdout: 'to out word\n', stderr: 'to err\n' })
      await takeDownAll(cell)
    }))

  test('a MiB goes in and comes out unchanged', async () => {
    await play('bulk', 'head -c 1048576 | tee /tmp/copy | md5sum; exec wc -c /tmp/copy', { stdin: true })
    const line = `head -c 1048576 /dev/urandom >/run/bulk; md5sum </run/bulk; ${launcher(cell)} attach bulk-c1 </run/bulk`
    const [sent, received, size] = (await cell.sh(line)).stdout.split('\n')
    expect(received).toBe(sent)
    expect(size).toBe('1048576 /tmp/copy')
  })

  // shows: Container.stdinOnce
  test('the end of the input leaves the container’s input open, until stdinOnce says otherwise', async () => {
    await play('kept', ECHO, { stdin: true })
    await play('once', ECHO, { stdin: true, stdinOnce: true })
    const once = await tspod(cell, ['attach', 'once-c1'], { input: 'hello\n' })
    expect(once).toMatchObject({ exitCode: 9, stdout: 'got hello\nclosed\n' })
    // TERM ends the first attachment, not the container: it is not passed on.
    expect((await cell.sh(leaveOnceSeen('echo one', '--sig-proxy=false kept-c1'))).stdout).toBe('got one\n')
    expect(await tspod(cell, ['attach', 'kept-c1'], { input: 'end\n' })).toMatchObject({
      exitCode: 7,
      stdout: 'got end\n',
    })
  })

  test('--no-stdin sends nothing', async () => {
    await play('deaf', 'while :; do echo tick; sleep 0.1; done & read line; echo "got $line"', { stdin: true })
    const { stdout } = await cell.sh(leaveOnceSeen('echo word', '--no-stdin --sig-proxy=false deaf-c1'))
    expect(stdout).toMatch(/^(tick\n)+$/)
    expect(await states()).toEqual(['running'])
  })

  test('an input that the manifest does not ask for is not swallowed in silence', async () => {
    await play('none', UNTIL_TOLD)
    const attached = await cell.sh(
      `echo word | ${launcher(cell)} attach none-c1 >/run/seen & ${tellOnceSeen('none-c1')}`,
    )
    expect(attached).toMatchObject({ exitCode: 3, stderr: expect.stringMatching(/warning.*stdin: true/) })
  })
})

describe('signals', () => {
  const TRAPS = 'for s in INT TERM HUP USR1; do trap "echo got $s" $s; done; while :; do echo tick; sleep 0.1; done'
  const attached = (flags: string): string =>
    `${launcher(cell)} attach --no-stdin ${flags} signals-c1 >/run/seen & p=$!; until [ -s /run/seen ]; do sleep 0.05; done`

  test('are passed on to the main process', async () => {
    await play('signals', TRAPS)
    const pass =
      'for s in INT TERM HUP USR1; do kill -$s $p; until grep -q "got $s" /run/seen; do sleep 0.05; done; done'
    const { stdout } = await cell.sh(`${attached('')}; ${pass}; kill -9 $p; grep got /run/seen`, { timeoutMs: 30_000 })
    expect(stdout).toBe('got INT\ngot TERM\ngot HUP\ngot USR1\n')
  })

  test('with --sig-proxy=false end the attachment only', async () => {
    await play('signals', TRAPS)
    const line = `${attached('--sig-proxy=false')}; kill -TERM $p; wait $p; echo "code $?"; grep got /run/seen`
    expect(await cell.sh(line)).toMatchObject({ stdout: 'code 143\n', stderr: '' })
    expect(await states()).toEqual(['running'])
  })
})

describe('on a terminal', () => {
  const attach = (name: string, ...flags: string[]): string[] => [launcher(cell), 'attach', ...flags, name]

  test('keys arrive one by one, sizes too, and ctrl-p ctrl-q leaves it running', () =>
    withLeakCheck(cell, async () => {
      await play('shell', 'exec sh -i', { stdin: true, tty: true })
      const seen = await onTerminal(cell, attach('shell-c1'), [
        { send: 'stty size\r' },
        { expect: '24 80' },
        { resize: [40, 132] },
        { send: 'sleep 0.2; stty size\r' },
        { expect: '40 132' },
        // ctrl-c belongs to the shell inside.
        { send: `sh -c 'echo a""sleep; exec sleep 100'\r` },
        { expect: 'asleep' },
        { send: '\x03' },
        { send: 'echo it-$((40+2))\r' },
        { expect: 'it-42' },
        { send: '\x10\x11' },
      ])
      expect(seen).toMatchObject({ code: 0, restored: true })
      expect(await states()).toEqual(['running'])
      await takeDownAll(cell)
    }))

  test('other keys detach when they are chosen, and none when they are empty', async () => {
    await play('keys', 'stty raw -echo; while :; do echo tick; sleep 0.2; done & exec cat -v', {
      stdin: true,
      tty: true,
    })
    const chosen = await onTerminal(cell, attach('keys-c1', '--detach-keys', 'ctrl-a,d'), [
      { expect: 'tick' },
      { send: '\x10\x11\x01x\n' },
      { expect: '^P^Q^Ax' },
      { send: '\x01d' },
    ])
    expect(chosen).toMatchObject({ code: 0, restored: true })
    const none = await onTerminal(cell, attach('keys-c1', '--detach-keys', ''), [
      { expect: 'tick' },
      { send: '\x10\x11\n' },
      { expect: '^P^Q' },
      { signal: 9 },
    ])
    expect(none.code).toBe(-9)
  })

  test('a container that ends puts the terminal back and hands its exit code on', async () => {
    await play('ends', 'exec sh -i', { stdin: true, tty: true })
    const seen = await onTerminal(cell, attach('ends-c1'), [{ send: 'exit 12\r' }])
    expect(seen).toMatchObject({ code: 12, restored: true })
  })

  test('a terminal that hangs up ends the attachment, not the container', async () => {
    await play('hangs', 'trap "" HUP; exec sh -i', { stdin: true, tty: true })
    const seen = await onTerminal(cell, attach('hangs-c1'), [
      { send: 'echo a-$((1+1))\r' },
      { expect: 'a-2' },
      { close: true },
    ])
    expect(seen.restored).toBeNull()
    expect(await states()).toEqual(['running'])
  })
})

describe('start --attach', () => {
  test('shows everything from the first byte on and hands the exit code on, again and again', async () => {
    await play('job', 'echo first; read line; echo "got $line"; exit 5', { stdin: true, start: false })
    for (const line of ['one', 'two']) {
      const started = await tspod(cell, ['start', '-ai', 'job-c1'], { input: `${line}\n` })
      expect(started).toMatchObject({ exitCode: 5, stdout: `first\ngot ${line}\n`, stderr: '' })
      await eventually(states, seen => seen.join() === 'exited')
    }
  })

  test.each<[string, string[], RegExp]>([
    ['several containers', ['start', '-a', 'a', 'b'], /you cannot start and attach multiple containers at once/],
    ['signals without it', ['start', '--sig-proxy', 'a'], /you cannot use sig-proxy without --attach/],
  ])('%s: refused', async (_, args, message) => {
    const refused = await tspod(cell, args)
    expect(refused.exitCode).toBe(125)
    expect(refused.stderr).toMatch(message)
  })
})

describe('what does not work says so', () => {
  test.each<[string, string[], RegExp]>([
    ['a container that has ended', ['attach', 'done-c1'], /^Error: you can only attach to running containers/],
    ['a name that nobody has', ['attach', 'nobody'], /^Error: no pod or container with name or ID "nobody" found/],
    [
      'keys that do not exist',
      ['attach', '--detach-keys', 'shift-a', 'done-c1'],
      /invalid detach keys: Unknown character: 'shift-a'/,
    ],
    ['no name', ['attach'], /attach requires the name or id of one running container or the latest flag/],
    ['a name and --latest', ['attach', '--latest', 'done-c1'], /attach requires the name or id of one running/],
  ])('%s', async (_, args, message) => {
    await play('done', 'exit 0')
    await eventually(states, seen => seen.join() === 'exited')
    const refused = await tspod(cell, args)
    expect([refused.exitCode, refused.stdout]).toEqual([125, ''])
    expect(refused.stderr).toMatch(message)
  })
})

test('--latest is the container that was created last', async () => {
  await play('older', UNTIL_TOLD)
  await play('newer', UNTIL_TOLD)
  const line = `${launcher(cell)} attach --no-stdin --latest >/run/seen & ${tellOnceSeen('newer-c1')}`
  expect((await cell.sh(line)).exitCode).toBe(3)
})

test('a container that is restarted at once still hands its exit code on', async () => {
  await play('again', 'read a; exit 6', { stdin: true, restartPolicy: 'Always' })
  expect((await tspod(cell, ['attach', 'again-c1'], { input: 'go\n' })).exitCode).toBe(6)
})
