import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { probing, shell } from '../../support/probing.ts'
import { readyCell, specText, succeeds, takeDownAll, tspod, WAIT_COMMAND } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const { play, container, told } = probing(() => cell)

const exec = (script: string): object => ({ exec: { command: ['sh', '-c', script] } })
const MOUNT = { volumeMounts: [{ name: 'told', mountPath: '/told' }] }
const VOLUME = { volumes: [{ name: 'told', hostPath: { path: '/tmp/told', type: 'DirectoryOrCreate' } }] }
const lines = async (): Promise<string[]> => (await cell.sh('cat /tmp/told/all')).stdout.split('\n').filter(Boolean)

// shows: Lifecycle.postStart Lifecycle.preStop LifecycleHandler.exec
test('postStart comes before the next container starts, preStop before the stop signal', () =>
  withLeakCheck(cell, async () => {
    const say = (text: string): string => `echo ${text} >>/told/all`
    const script = (name: string): string =>
      `${say(`${name} runs`)}; trap '${say(`${name} TERM`)}; exit 0' TERM; sleep 1000 & wait`
    const lifecycle = { postStart: exec(`sleep 1; ${say('postStart')}`), preStop: exec(`${say('preStop')}; sleep 1`) }
    await play(
      'hooked',
      [shell('one', script('one'), { ...MOUNT, lifecycle }), shell('two', script('two'), MOUNT)],
      VOLUME,
    )
    await eventually(lines, list => list.length === 3)
    expect(await lines()).toEqual(['one runs', 'postStart', 'two runs'])
    await succeeds(cell, ['pod', 'stop', 'hooked'])
    const all = await lines()
    expect(all.slice(3).filter(line => line !== 'two TERM')).toEqual(['preStop', 'one TERM'])
    await takeDownAll(cell)
    await cell.sh('rm -rf /tmp/told')
  }))

test('a postStart that fails has its container ended, and the restart policy decides', () =>
  withLeakCheck(cell, async () => {
    const lifecycle = { postStart: exec('exit 3') }
    const input = specText('fails', { restartPolicy: 'Never', containers: [shell('c', WAIT_COMMAND, { lifecycle })] })
    const played = await tspod(cell, ['kube', 'play', '-'], { input })
    expect(played.exitCode).toBe(125)
    expect(played.stderr).toMatch('the postStart hook of container fails-c failed')
    expect(await container('fails-c')).toMatchObject({ state: 'exited', status: 'PostStartHookError', restarts: 0 })
    expect(await told()).toMatch('FailedPostStartHook: PostStartHook failed')
    await takeDownAll(cell)
    // Fails the first time only: the file is on the host.
    const once = { postStart: exec('[ -e /told/ran ] || { touch /told/ran; exit 1; }') }
    await play('twice', [shell('c', WAIT_COMMAND, { ...MOUNT, lifecycle: once })], VOLUME)
    expect(await container('twice-c')).toMatchObject({ state: 'running', ready: true, restarts: 1 })
    await takeDownAll(cell)
    await cell.sh('rm -rf /tmp/told')
  }))

// shows: LifecycleHandler.sleep SleepAction.seconds
test('preStop takes its time off the grace, and two seconds are left for the program at least', () =>
  withLeakCheck(cell, async () => {
    const lifecycle = { preStop: { sleep: { seconds: 3 } } }
    const polite = "trap 'sleep 1; echo done >/told/all; exit 0' TERM; sleep 1000 & wait"
    await play('slow', [shell('c', polite, { ...MOUNT, lifecycle })], { ...VOLUME, terminationGracePeriodSeconds: 3 })
    const began = performance.now()
    await succeeds(cell, ['pod', 'stop', 'slow'])
    expect(performance.now() - began).toBeGreaterThan(3_900)
    expect(await lines()).toEqual(['done'])
    const long = { ...VOLUME, terminationGracePeriodSeconds: 600 }
    await play('long', [shell('c', polite, { ...MOUNT, lifecycle: { preStop: { sleep: { seconds: 600 } } } })], long)
    // Without any grace there is no hook: this would not end before the test does.
    await succeeds(cell, ['pod', 'stop', '-t', '0', 'long'])
    await takeDownAll(cell)
    await cell.sh('rm -rf /tmp/told')
  }))

test('preStop runs when a probe ends its container, not when that ends by itself; one that hangs is cut short', () =>
  withLeakCheck(cell, async () => {
    const lifecycle = { preStop: exec('echo preStop >>/told/all; sleep 1000') }
    const livenessProbe = {
      exec: { command: ['test', '-e', '/nothing'] },
      periodSeconds: 1,
      failureThreshold: 1,
      terminationGracePeriodSeconds: 4,
    }
    await play('ended', [shell('c', 'sleep 2; exit 0', { ...MOUNT, lifecycle })], { ...VOLUME, restartPolicy: 'Never' })
    await eventually(
      () => container('ended-c'),
      now => now.state === 'exited',
    )
    expect(await lines()).toEqual([])
    await takeDownAll(cell)
    await play('probed', [shell('c', WAIT_COMMAND, { ...MOUNT, lifecycle, livenessProbe })], {
      ...VOLUME,
      restartPolicy: 'Never',
    })
    await eventually(
      () => container('probed-c'),
      now => now.state === 'exited',
      20_000,
    )
    expect(await lines()).toEqual(['preStop'])
    expect((await cell.sh("pgrep -xf 'sleep 1000' | wc -l")).stdout.trim()).toBe('0')
    await takeDownAll(cell)
    await cell.sh('rm -rf /tmp/told')
  }))

test('a postStart that takes long gives way to whoever takes the pod down', () =>
  withLeakCheck(cell, async () => {
    const lifecycle = { postStart: exec('sleep 1000') }
    const input = specText('long', {
      terminationGracePeriodSeconds: 2,
      containers: [shell('c', WAIT_COMMAND, { lifecycle })],
    })
    const playing = tspod(cell, ['kube', 'play', '-'], { input, timeoutMs: 60_000 })
    await eventually(
      () => container('long-c').catch(() => undefined),
      now => now?.state === 'running',
    )
    expect(await container('long-c')).toMatchObject({ ready: false })
    await succeeds(cell, ['kube', 'down', '-'], { input })
    expect((await playing).stderr).toMatch('is not waited for')
  }))
