import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import {
  containers,
  DEMO_IMAGE,
  type ListedContainer,
  pods,
  readyCell,
  specText,
  succeeds,
  takeDownAll,
  WAIT_COMMAND,
} from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const FAST = { periodSeconds: 1, failureThreshold: 1 }

const one = (name: string, script: string, more: object = {}): object => ({
  name,
  image: DEMO_IMAGE,
  command: ['sh', '-c', script],
  ...more,
})

const play = (name: string, list: object[], more: object = {}): Promise<string> =>
  succeeds(cell, ['kube', 'play', '-'], {
    input: specText(name, { terminationGracePeriodSeconds: 5, containers: list, ...more }),
  })

type Seen = ListedContainer & { ready: boolean; health: string | null }

const seen = async (name: string): Promise<Seen> => {
  const found = (await containers(cell)).find(container => container.name === name)
  if (found === undefined) throw new Error(`no container ${name}`)
  return found as Seen
}

const readyOf = async (pod: string): Promise<number> => (await pods(cell)).find(({ name }) => name === pod)?.ready ?? -1

const eventsOf = async (): Promise<string> => succeeds(cell, ['events', '--stream=false'])

const probers = async (): Promise<string[]> =>
  (await cell.sh("pgrep -f 'dist/prober.cjs'")).stdout.split('\n').filter(Boolean)

describe('readiness', () => {
  // shows: Container.readinessProbe
  test('of each kind of probe decides whether a container counts as ready, and never restarts it', () =>
    withLeakCheck(cell, async () => {
      const server = `mkdir -p /tmp/www && echo yes >/tmp/www/health; trap 'exit 0' TERM; httpd -f -p 8080 -h /tmp/www & nc -lk -p 9090 -e true & wait`
      await play('kinds', [
        one('exec', WAIT_COMMAND, {
          readinessProbe: { exec: { command: ['test', '-e', '/tmp/ready'] }, ...FAST },
        }),
        one('http', server, { readinessProbe: { httpGet: { path: '/health', port: 8080 }, ...FAST } }),
        one('tcp', WAIT_COMMAND, { readinessProbe: { tcpSocket: { port: 9090 }, ...FAST } }),
        one('bad', WAIT_COMMAND, { readinessProbe: { httpGet: { path: '/nothing', port: 8080 }, ...FAST } }),
      ])
      await eventually(
        () => readyOf('kinds'),
        ready => ready === 2,
        20_000,
      )
      await succeeds(cell, ['exec', 'kinds-exec', 'touch', '/tmp/ready'])
      await eventually(
        () => readyOf('kinds'),
        ready => ready === 3,
        20_000,
      )
      await succeeds(cell, ['exec', 'kinds-exec', 'rm', '/tmp/ready'])
      await eventually(
        () => readyOf('kinds'),
        ready => ready === 2,
        20_000,
      )
      expect((await containers(cell)).map(({ restarts }) => restarts)).toEqual([0, 0, 0, 0])
      expect(await eventsOf()).toMatch(/Readiness probe failed: HTTP probe failed with statuscode: 404/)
      expect(await probers()).toHaveLength(1)
      await succeeds(cell, ['kube', 'down', '-'], { input: specText('kinds', { containers: [] }) })
      await eventually(probers, list => list.length === 0, 15_000)
    }))
})

describe('liveness', () => {
  // shows: Container.livenessProbe
  test('that fails has its container killed and run again, with its own grace', () =>
    withLeakCheck(cell, async () => {
      const stubborn = `trap '' TERM; sleep 3; rm -f /tmp/alive; touch /tmp/dead; while :; do sleep 1; done`
      await play('dies', [
        one('c', `touch /tmp/alive; ${stubborn}`, {
          livenessProbe: {
            exec: { command: ['test', '-e', '/tmp/alive'] },
            periodSeconds: 1,
            failureThreshold: 2,
            terminationGracePeriodSeconds: 1,
          },
        }),
      ], { terminationGracePeriodSeconds: 600 })
      await eventually(() => seen('dies-c'), now => now.health === 'healthy', 15_000)
      await eventually(() => seen('dies-c'), now => now.restarts === 1 && now.state === 'running', 30_000)
      const told = await eventsOf()
      expect(told).toMatch(/Liveness probe failed/)
      expect(told).toMatch(/Container c failed liveness probe, will be restarted/)
      await succeeds(cell, ['kube', 'down', '--force', '-'], { input: specText('dies', { containers: [] }) }).catch(() => undefined)
    }))
})
