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
