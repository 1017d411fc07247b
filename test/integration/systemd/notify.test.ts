/** What a service manager is told, byte for byte and in order; no manager is needed for that, only its socket. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type Ear, listen, type Message } from '../../support/notify.ts'
import type { Place } from '../../support/place.ts'
import {
  containers,
  launcher,
  podText,
  readyCell,
  succeeds,
  takeDownAll,
  tspod,
  WAIT_COMMAND,
} from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
let ear: Ear
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(async () => {
  await ear?.stop()
  await takeDownAll(cell)
})
afterAll(() => cell?.remove())

const told = (): { env: Record<string, string> } => ({ env: { NOTIFY_SOCKET: ear.socket } })
const play = (text: string, ...flags: string[]) =>
  tspod(cell, ['kube', 'play', '--service-container', ...flags, '-'], { input: text, ...told() })
const isStatus = ({ text }: Message): boolean => /^STATUS=[^\n]*$/.test(text)
/** Everything but STATUS, which stands alone in its datagrams. */
const words = async (): Promise<string[]> =>
  (await ear.messages()).filter(one => !isStatus(one)).map(({ text }) => text)
const statuses = async (): Promise<string[]> => (await ear.messages()).filter(isStatus).map(({ text }) => text)
const BARRIER = 'BARRIER=1'

/** The process that stands for the service. */
async function monitorOfService(): Promise<number> {
  const service = (await containers(cell)).find(({ name }) => name.endsWith('-service'))
  const [found] = JSON.parse(await succeeds(cell, ['container', 'inspect', service!.name]))
  return found.State.ConmonPid
}

describe('a play with a service container', () => {
  test('says how it gets on, then who stands for it and that it is ready in one datagram, and waits until that is read', async () => {
    ear = await listen(cell)
    const text = podText('web', { scripts: [WAIT_COMMAND, WAIT_COMMAND] }) + podText('db')
    expect(await play(text)).toMatchObject({ exitCode: 0 })
    const all = await ear.messages()
    const ready = `MAINPID=${await monitorOfService()}\nREADY=1`
    expect(await words()).toEqual([ready, BARRIER])
    expect(all.slice(-2)).toMatchObject([
      { text: ready, descriptors: 0 },
      { text: BARRIER, descriptors: 1 },
    ])
    const lines = await statuses()
    expect(lines[0]).toMatch(/^STATUS=0\/3 containers up; waiting for web-c1, web-c2, db-c1$/)
    expect(lines.at(-1)).toBe('STATUS=3/3 containers up')
    // Neither a monitor nor a container knows of the manager.
    expect((await cell.sh('cat /proc/[0-9]*/environ | tr "\\0" "\\n" | grep -c NOTIFY_SOCKET')).stdout.trim()).toBe('0')
  })

  test.each<[name: string, scripts: [string[], string[]], code: number, ready: boolean, status: string]>([
    ['no container fails', [['wait'], ['wait']], 0, true, 'STATUS=2/2 containers up'],
    ['some fail', [['wait'], ['/none']], 125, true, 'STATUS=1/2 containers up; web-c2 exited with code 128'],
    ['all fail', [['/none'], ['/none']], 125, false, ''],
  ])('%s to start', async (_, scripts, code, ready, status) => {
    ear = await listen(cell)
    const commands = scripts.map(([program]) => (program === 'wait' ? ['sh', '-c', WAIT_COMMAND] : ['/none']))
    const pod = JSON.parse(podText('web', { scripts: ['', ''] }).slice(4))
    pod.spec.containers.forEach((one: { command: string[] }, index: number) => {
      one.command = commands[index]!
    })
    expect(await play(JSON.stringify(pod))).toMatchObject({ exitCode: code })
    expect((await words()).some(text => text.includes('READY=1'))).toBe(ready)
    if (ready) expect((await statuses()).at(-1)).toBe(status)
    const service = (await containers(cell)).find(({ name }) => name.endsWith('-service'))
    expect(service).toMatchObject({ state: ready ? 'running' : 'stopped' })
    // What its unit has given up does not come back behind its back.
    if (!ready) expect(await succeeds(cell, ['system', 'tick'])).toBe('')
  })

  test('that is wrong says why, and nothing of readiness', async () => {
    ear = await listen(cell)
    expect(await play('kind: Pod')).toMatchObject({ exitCode: 125 })
    expect(await words()).toEqual([])
    const lost = podText('web').replace('localhost/tspod-demo:latest', 'localhost/none:none')
    expect(await play(lost.replace('"command"', '"imagePullPolicy": "Never", "command"'))).toMatchObject({
      exitCode: 125,
    })
    expect(await words()).toEqual([BARRIER])
    expect((await statuses()).at(-1)).toMatch(/^STATUS=localhost\/none:none: image not known/)
  })

  test('a listener of the abstract kind hears the same', async () => {
    ear = await listen(cell, '@tspod-test-ear')
    expect(await play(podText('web'))).toMatchObject({ exitCode: 0 })
    expect(await words()).toEqual([`MAINPID=${await monitorOfService()}\nREADY=1`, BARRIER])
  })

  test('one that stops reading is not waited for for ever, and none at all is no trouble', async () => {
    ear = await listen(cell, undefined, 2)
    expect(await play(podText('web'))).toMatchObject({ exitCode: 0 })
    const gone = { input: podText('db'), env: { NOTIFY_SOCKET: '/tmp/nobody' } }
    expect(await tspod(cell, ['kube', 'play', '--service-container', '-'], gone)).toMatchObject({ exitCode: 0 })
  })
})

/** A pod with annotations. */
const annotated = (
  name: string,
  annotations: Record<string, string>,
  wish: Parameters<typeof podText>[1] = {},
): string => {
  const pod = JSON.parse(podText(name, wish).slice(4))
  return JSON.stringify({ ...pod, metadata: { name, annotations } })
}

describe('containers that have a say', () => {
  /** A play that stays, in the background; answers once the line is in its ear, or the play has ended. */
  const begin = async (text: string, ...flags: string[]): Promise<void> => {
    await cell.sh('cat >/tmp/said.yaml', { input: text })
    const command = `${launcher(cell)} kube play --service-container ${flags.join(' ')} /tmp/said.yaml`
    await cell.sh(
      `(NOTIFY_SOCKET=${ear.socket} ${command} >/tmp/said.out 2>&1; echo "code $?" >>/tmp/said.out) </dev/null >/dev/null 2>&1 & echo $! >/tmp/said.pid`,
    )
  }
  const ended = async (): Promise<string> =>
    (
      await eventually(
        async () => (await cell.sh('cat /tmp/said.out')).stdout,
        said => /^code /m.test(said),
      )
    )
      .trim()
      .split('\n')
      .at(-1)!
  const isReady = async (): Promise<boolean> => (await words()).some(text => text.includes('READY=1'))
  /** Says something in the name of a container, through its own door. */
  const say = async (container: string, ...messages: string[]): Promise<string> => {
    const pid = (await containers(cell)).find(({ name }) => name === container)!.pid
    const script = `
import socket, sys, os, array
for text in sys.argv[2:]:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.connect('/proc/' + sys.argv[1] + '/root/run/notify/notify.sock')
    if text == 'BARRIER=1':
        r, w = os.pipe()
        s.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [w]))])
        os.close(w)
        print('barrier', len(os.read(r, 1)))
    else:
        s.send(text.encode())
`
    await cell.sh('cat >/tmp/say.py', { input: script })
    const quoted = messages.map(text => `'${text}'`).join(' ')
    const said = await cell.sh(`timeout 10 python3 /tmp/say.py ${pid} ${quoted} 2>&1; echo "code $?"`)
    return said.stdout
  }

  test('conmon: ready once all run, and the play stays for the service and ends with it', async () => {
    ear = await listen(cell)
    await begin(annotated('web', { 'io.containers.sdnotify': 'conmon' }))
    await eventually(isReady, ready => ready)
    const [ready] = await words()
    const [, pid] = /^MAINPID=(\d+)\nREADY=1$/.exec(ready!)!
    expect((await cell.sh(`tr '\\0' ' ' </proc/${pid}/cmdline`)).stdout).toMatch(/kube play --service-container/)
    await succeeds(cell, ['kube', 'down', '/tmp/said.yaml'])
    expect(await ended()).toBe('code 0')
  })

  test('container: not ready before each has said so; what else it says is taken, and a barrier is honoured', async () => {
    ear = await listen(cell)
    const text = annotated(
      'web',
      { 'io.containers.sdnotify/c1': 'container' },
      { scripts: [WAIT_COMMAND, WAIT_COMMAND] },
    )
    await begin(text)
    const waits = (line: string): boolean => line === 'STATUS=2/2 containers up; waiting for web-c1 to be ready'
    await eventually(statuses, lines => lines.some(waits))
    const env = await succeeds(cell, ['exec', 'web-c1', 'env'])
    expect(env).toMatch(/^NOTIFY_SOCKET=\/run\/notify\/notify.sock$/m)
    expect(await succeeds(cell, ['exec', 'web-c2', 'env'])).not.toMatch(/NOTIFY/)
    expect(await say('web-c1', 'STATUS=nearly', '', 'X'.repeat(3000), 'MAINPID=1', 'BARRIER=1')).toBe(
      'barrier 0\ncode 0\n',
    )
    expect(await isReady()).toBe(false)
    await say('web-c1', 'READY=1')
    await eventually(isReady, ready => ready)
    // It goes on having a reader, also after its own restart.
    expect(await say('web-c1', ...Array(300).fill('WATCHDOG=1'), 'BARRIER=1')).toBe('barrier 0\ncode 0\n')
    await succeeds(cell, ['restart', 'web-c1'])
    expect(await say('web-c1', 'READY=1', 'BARRIER=1')).toBe('barrier 0\ncode 0\n')
    expect(await succeeds(cell, ['system', 'fsck'])).toMatch(/all is well/)
    await succeeds(cell, ['kube', 'down', '/tmp/said.yaml'])
    expect(await ended()).toBe('code 0')
    expect((await words()).filter(word => word !== BARRIER)).toHaveLength(1)
    expect((await cell.sh('ls /run/tspod/notify')).stdout).toBe('')
  })

  /** A pod whose probes wait for files in its container. */
  const watched = (livenessProbe: object): string => {
    const pod = JSON.parse(podText('web').slice(4))
    pod.metadata.annotations = { 'io.containers.sdnotify': 'healthy' }
    pod.spec.containers[0].startupProbe = { ...until('/tmp/up'), failureThreshold: 100 }
    pod.spec.containers[0].livenessProbe = livenessProbe
    return JSON.stringify(pod)
  }
  const until = (file: string): object => ({ exec: { command: ['test', '-e', file] }, periodSeconds: 1 })

  test('healthy: not ready before its probes say so, in one datagram and nothing after it', async () => {
    ear = await listen(cell)
    await begin(watched({ ...until('/tmp/alive'), failureThreshold: 100 }))
    const waits = (line: string): boolean => line === 'STATUS=1/1 containers up; waiting for web-c1 to be ready'
    await eventually(statuses, lines => lines.some(waits))
    await succeeds(cell, ['exec', 'web-c1', 'touch', '/tmp/up'])
    await eventually(
      async () => (await containers(cell)).map(({ ready }) => ready),
      ready => ready[0] === true,
    )
    // It has started, and is not healthy yet.
    expect(await isReady()).toBe(false)
    await succeeds(cell, ['exec', 'web-c1', 'touch', '/tmp/alive'])
    await eventually(isReady, ready => ready)
    const said = (await words()).filter(word => word !== BARRIER && !word.startsWith('STATUS='))
    expect(said).toEqual([expect.stringMatching(/^MAINPID=\d+\nREADY=1$/)])
    await succeeds(cell, ['kube', 'down', '/tmp/said.yaml'])
    expect(await ended()).toBe('code 0')
  })

  test('healthy: one that its liveness probe ends before is an error', async () => {
    ear = await listen(cell)
    const text = JSON.parse(watched({ ...until('/tmp/alive'), failureThreshold: 2 }))
    delete text.spec.containers[0].startupProbe
    await begin(JSON.stringify(text))
    expect(await ended()).toBe('code 125')
    expect((await cell.sh('cat /tmp/said.out')).stdout).toMatch(
      /container stopped running before it was healthy: [0-9a-f]{64}/,
    )
    expect(await isReady()).toBe(false)
  })

  test('container: one that ends without a word is an error', async () => {
    ear = await listen(cell)
    await begin(
      annotated('web', { 'io.containers.sdnotify': 'container' }, { script: 'exit 0', restartPolicy: 'Never' }),
    )
    expect(await ended()).toBe('code 125')
    expect((await cell.sh('cat /tmp/said.out')).stdout).toMatch(
      /container stopped running before READY message was received: [0-9a-f]{64}/,
    )
    expect(await isReady()).toBe(false)
  })
})

describe('other commands', () => {
  test('kube down says that it stops and how long that may take', async () => {
    ear = await listen(cell)
    await succeeds(cell, ['kube', 'play', '-'], { input: podText('web') })
    await succeeds(cell, ['kube', 'down', '-'], { input: podText('web'), ...told() })
    // The pod's five seconds and half a minute for what comes after.
    expect(await words()).toEqual(['STOPPING=1', 'EXTEND_TIMEOUT_USEC=35000000', BARRIER])
  })

  test('a play without a service container says nothing', async () => {
    ear = await listen(cell)
    await succeeds(cell, ['kube', 'play', '-'], { input: podText('web'), ...told() })
    expect(await ear.messages()).toEqual([])
  })

  test('nothing of it is loaded where nobody listens', async () => {
    const opened = async (env: string): Promise<string> => {
      const line = `${env} strace -f -o /tmp/trace -e trace=openat ${launcher(cell)} kube down /tmp/pod.yaml >/dev/null 2>&1
        grep -c 'dist/notify[.]node' /tmp/trace`
      return (await cell.sh(line, { input: podText('web') })).stdout.trim()
    }
    ear = await listen(cell)
    await cell.sh('cat >/tmp/pod.yaml', { input: podText('web') })
    expect(await opened('')).toBe('0')
    expect(await opened(`NOTIFY_SOCKET=${ear.socket}`)).not.toBe('0')
  })
})
