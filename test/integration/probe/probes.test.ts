import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { probing, shell } from '../../support/probing.ts'
import { containers, example, readyCell, succeeds, takeDownAll, WAIT_COMMAND } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const { play, container, ready, told, probers } = probing(() => cell)

const FAST = { periodSeconds: 1, failureThreshold: 1 }
const exec = (...command: string[]): object => ({ exec: { command } })

// shows: Container.readinessProbe Probe.exec Probe.httpGet Probe.tcpSocket ExecAction.command HTTPGetAction.path
// shows: HTTPGetAction.port TCPSocketAction.port Probe.periodSeconds Probe.failureThreshold
test('readiness of each kind decides whether a container counts as ready, and never restarts it', () =>
  withLeakCheck(cell, async () => {
    const serve =
      'mkdir -p /tmp/www && echo yes >/tmp/www/health; httpd -f -p 8080 -h /tmp/www & nc -ll -p 9090 -e true & ' +
      "trap 'kill $(jobs -p); exit 0' TERM; wait"
    await play('kinds', [
      shell('exec', WAIT_COMMAND, { readinessProbe: { ...exec('test', '-e', '/tmp/ready'), ...FAST } }),
      shell('http', serve, { readinessProbe: { httpGet: { path: '/health', port: 8080 }, ...FAST } }),
      shell('tcp', WAIT_COMMAND, { readinessProbe: { tcpSocket: { port: 9090 }, ...FAST } }),
      shell('bad', WAIT_COMMAND, { readinessProbe: { httpGet: { path: '/nothing', port: 8080 }, ...FAST } }),
      shell('shut', WAIT_COMMAND, { readinessProbe: { tcpSocket: { port: 9 }, ...FAST } }),
    ])
    const becomes = (count: number): Promise<number> =>
      eventually(
        () => ready('kinds'),
        now => now === count,
      )
    await becomes(2)
    await succeeds(cell, ['exec', 'kinds-exec', 'touch', '/tmp/ready'])
    await becomes(3)
    await succeeds(cell, ['exec', 'kinds-exec', 'rm', '/tmp/ready'])
    await becomes(2)
    expect((await containers(cell)).map(({ restarts }) => restarts)).toEqual([0, 0, 0, 0, 0])
    const events = await told()
    expect(events).toMatch('Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 404')
    expect(events).toMatch(/Unhealthy: Readiness probe failed: dial tcp [\d.]+:9: connect: connection refused/)
    expect(await probers()).toHaveLength(1)
    // It ends by itself with the last container that is probed.
    await takeDownAll(cell)
    await eventually(probers, list => list.length === 0)
  }))

// shows: Container.livenessProbe Probe.terminationGracePeriodSeconds
test('liveness that fails has its container killed with its own grace, and run again', () =>
  withLeakCheck(cell, async () => {
    const script = `trap '' TERM; touch /tmp/alive; sleep 3; rm -f /tmp/alive; while :; do sleep 1; done`
    const livenessProbe = {
      ...exec('test', '-e', '/tmp/alive'),
      periodSeconds: 1,
      failureThreshold: 2,
      terminationGracePeriodSeconds: 1,
    }
    await play('dies', [shell('c', script, { livenessProbe })], { terminationGracePeriodSeconds: 100 })
    await eventually(
      () => container('dies-c'),
      now => now.health === 'healthy',
    )
    await eventually(
      () => container('dies-c'),
      now => now.restarts === 1 && now.state === 'running',
      30_000,
    )
    const events = await told()
    expect(events).toMatch('Unhealthy: Liveness probe failed: command exited with code 1')
    expect(events).toMatch('Killing: Container c failed liveness probe, will be restarted')
    await succeeds(cell, ['pod', 'stop', '-t', '0', 'dies'])
    await takeDownAll(cell)
  }))

test('a container that a probe has ended with code 0 is run again by OnFailure, and not by Never', () =>
  withLeakCheck(cell, async () => {
    const livenessProbe = { ...exec('false'), ...FAST }
    const list = [shell('c', WAIT_COMMAND, { livenessProbe })]
    await play('again', list, { restartPolicy: 'OnFailure' })
    await play('never', list, { restartPolicy: 'Never' })
    await eventually(
      () => container('again-c'),
      now => now.restarts > 0,
      20_000,
    )
    const ended = await eventually(
      () => container('never-c'),
      now => now.state === 'exited',
      20_000,
    )
    expect(ended).toMatchObject({ restarts: 0, exitCode: 0 })
    await takeDownAll(cell)
  }))

// shows: Container.startupProbe Probe.timeoutSeconds
test('S30 other probes wait for startup, and a command that takes too long is killed and has failed', () =>
  withLeakCheck(cell, async () => {
    const slow = `sleep 4; touch /tmp/up; ${WAIT_COMMAND}`
    await play('slow', [
      shell('c', slow, {
        startupProbe: { ...exec('test', '-e', '/tmp/up'), periodSeconds: 1, failureThreshold: 30 },
        livenessProbe: { ...exec('test', '-e', '/tmp/up'), ...FAST },
      }),
      shell('hangs', WAIT_COMMAND, {
        readinessProbe: { ...exec('sh', '-c', 'sleep 777 & sleep 778'), ...FAST, timeoutSeconds: 1 },
      }),
    ])
    expect(await container('slow-c')).toMatchObject({ ready: false, health: 'starting' })
    await eventually(
      () => container('slow-c'),
      now => now.ready && now.health === 'healthy',
      20_000,
    )
    expect(await container('slow-c')).toMatchObject({ restarts: 0 })
    const timedOut = /Readiness probe failed: command "sh -c sleep 777 & sleep 778" timed out after 1s/
    await eventually(told, text => timedOut.test(text))
    // At most those of the probe that runs right now.
    const { stdout } = await cell.sh("pgrep -xf 'sleep 77[78]' | wc -l")
    expect(Number(stdout)).toBeLessThanOrEqual(2)
    await takeDownAll(cell)
  }))

test('the startup probe of a sidecar gates the init container after it', () =>
  withLeakCheck(cell, async () => {
    const mounts = { volumeMounts: [{ name: 'told', mountPath: '/told' }] }
    await play('gated', [shell('main', `date +%s >/told/main; ${WAIT_COMMAND}`, mounts)], {
      volumes: [{ name: 'told', emptyDir: {} }],
      initContainers: [
        shell('side', `sleep 3; date +%s >/told/side; ${WAIT_COMMAND}`, {
          ...mounts,
          restartPolicy: 'Always',
          startupProbe: { ...exec('test', '-e', '/told/side'), periodSeconds: 1, failureThreshold: 30 },
        }),
        shell('init', 'test -e /told/side && date +%s >/told/init', mounts),
      ],
    })
    const order = await succeeds(cell, ['exec', 'gated-main', 'cat', '/told/side', '/told/init', '/told/main'])
    const [side, init, main] = order.trim().split('\n').map(Number)
    expect(init).toBeGreaterThanOrEqual(side!)
    expect(main).toBeGreaterThanOrEqual(init!)
    await takeDownAll(cell)
  }))

test('a prober that is killed is brought back by the next look, and loses nothing', () =>
  withLeakCheck(cell, async () => {
    await play('kept', [shell('c', WAIT_COMMAND, { readinessProbe: { ...exec('test', '-e', '/tmp/ready'), ...FAST } })])
    const [first] = await eventually(probers, list => list.length === 1)
    await cell.sh(`kill -9 ${first}`)
    await succeeds(cell, ['exec', 'kept-c', 'touch', '/tmp/ready'])
    await eventually(
      () => ready('kept'),
      now => now === 1,
    )
    const [second, ...more] = await probers()
    expect([second === first, more]).toEqual([false, []])
    expect(await container('kept-c')).toMatchObject({ restarts: 0 })
    await takeDownAll(cell)
  }))

test('S30 a command of a probe that prints without end costs the prober nothing', () =>
  withLeakCheck(cell, async () => {
    const much = exec('head', '-c', '500000000', '/dev/zero')
    await play('loud', [shell('c', WAIT_COMMAND, { readinessProbe: { ...much, ...FAST, timeoutSeconds: 30 } })])
    await eventually(
      () => ready('loud'),
      now => now === 1,
      40_000,
    )
    const [pid] = await probers()
    const peak = Number((await cell.sh(`awk '/VmHWM/{print $2}' /proc/${pid}/status`)).stdout)
    expect(peak).toBeGreaterThan(10_000)
    expect(peak).toBeLessThan(150_000)
    await takeDownAll(cell)
  }))

test('the example comes to be ready by all of its probes', () =>
  withLeakCheck(cell, async () => {
    await succeeds(cell, ['kube', 'play', example(cell, '13-probes.yaml')])
    await eventually(
      () => container('probed-web'),
      now => now.ready && now.health === 'healthy',
      20_000,
    )
    expect(await succeeds(cell, ['system', 'fsck'])).toMatch(/all is well/)
    expect(await succeeds(cell, ['ps'])).toMatch(/^probed-web +probed +yes +Running +0 /m)
    expect(await succeeds(cell, ['ps', '--format', '{{.Status}}'])).toMatch(/^Up .* \(healthy\)\n$/)
    const [inspected] = [JSON.parse(await succeeds(cell, ['pod', 'inspect', 'probed']))].flat()
    expect(inspected.conditions).toContainEqual({ type: 'Ready', status: true, reason: '', message: '' })
    await takeDownAll(cell)
  }))

describe('without probes', () => {
  test('nothing stays that could probe', () =>
    withLeakCheck(cell, async () => {
      await play('plain', [shell('c', WAIT_COMMAND)])
      expect(await container('plain-c')).toMatchObject({ ready: true, health: null })
      expect(await probers()).toEqual([])
      expect((await cell.sh('ls /run/tspod')).stdout).not.toMatch('prober')
      await takeDownAll(cell)
    }))
})
