import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import {
  containers,
  DEMO_IMAGE,
  type ListedPod,
  pods,
  readyCell,
  specText,
  succeeds,
  takeDownAll,
  tspod,
  WAIT_COMMAND,
} from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const container = (name: string, script: string): object => ({ name, image: DEMO_IMAGE, command: ['sh', '-c', script] })
const pod = (name: string, spec: object): string => specText(name, { terminationGracePeriodSeconds: 1, ...spec })

type Told = ListedPod & { status: string; message?: string; activeUntil?: string }
const only = async (): Promise<Told> => (await pods(cell))[0] as Told
const untilFailed = (): Promise<Told> => eventually(only, ({ phase }) => phase === 'Failed', 30_000)
const timekeepers = async (): Promise<string> => (await cell.sh('pgrep -x timekeeper')).stdout

describe('a pod with activeDeadlineSeconds', () => {
  // shows: PodSpec.activeDeadlineSeconds
  test('is stopped with its grace when they are over, has failed, and is not started again', () =>
    withLeakCheck(cell, async () => {
      const obeys = `trap 'echo bye; exit 0' TERM; sleep 100000 & wait`
      const stubborn = `trap '' TERM; while :; do sleep 1; done`
      const manifest = pod('late', {
        activeDeadlineSeconds: 4,
        containers: [container('obeys', obeys), container('stubborn', stubborn), container('crashes', 'exit 1')],
      })
      await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
      const before = await only()
      expect(before.phase).toBe('Running')
      expect(Date.parse(before.activeUntil ?? '')).toBeGreaterThan(Date.now() - 4_000)
      // What is paused is active all the same; and nobody has to be there for the time to pass.
      await succeeds(cell, ['pause', 'late-stubborn'])
      await cell.sh('pkill -9 -x timekeeper')
      const after = await untilFailed()
      expect(after).toMatchObject({
        status: 'DeadlineExceeded',
        message: 'Pod was active on the node longer than the specified deadline',
        ready: 0,
      })
      expect(after).not.toHaveProperty('activeUntil')
      expect(JSON.parse(await succeeds(cell, ['pod', 'inspect', 'late']))).toMatchObject([
        { phase: 'Failed', reason: 'DeadlineExceeded', message: after.message, spec: { deadlineMs: 4_000 } },
      ])
      expect(await containers(cell)).toMatchObject([
        { name: 'late-obeys', exitCode: 0 },
        { name: 'late-stubborn', exitCode: 137 },
        { name: 'late-crashes', exitCode: 1, status: 'Error' },
      ])
      expect(await succeeds(cell, ['logs', 'late-obeys'])).toBe('bye\n')
      const how = ['--stream=false', '--filter', 'event=fail', '--format', '{{.Name}} {{.Reason}}']
      expect(await succeeds(cell, ['events', ...how])).toBe('late DeadlineExceeded\n')
      await eventually(timekeepers, text => text === '')
      // Whoever starts it by hand gives it as much time again; whoever stops it needs none.
      await succeeds(cell, ['pod', 'start', 'late'])
      expect((await only()).phase).toBe('Running')
      await untilFailed()
      await succeeds(cell, ['start', 'late-obeys'])
      await succeeds(cell, ['pod', 'stop', 'late'])
      expect(await only()).toMatchObject({ status: 'Stopped' })
      await eventually(timekeepers, text => text === '')
      await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
    }))

  test('does not wait for an init container any longer than that, nor does the play', () =>
    withLeakCheck(cell, async () => {
      const manifest = pod('stuck', {
        activeDeadlineSeconds: 2,
        initContainers: [container('first', WAIT_COMMAND)],
        containers: [container('main', WAIT_COMMAND)],
      })
      const { exitCode, stderr } = await tspod(cell, ['kube', 'play', '-'], { input: manifest })
      expect([exitCode, stderr]).toEqual([125, expect.stringContaining('activeDeadlineSeconds of its pod are over')])
      expect(await only()).toMatchObject({ phase: 'Failed', status: 'DeadlineExceeded' })
      await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
    }))

  test('that ends before has not failed; one that is waited for gives a code that is not 0', () =>
    withLeakCheck(cell, async () => {
      const early = pod('early', {
        activeDeadlineSeconds: 2,
        restartPolicy: 'Never',
        containers: [container('c', 'true')],
      })
      await succeeds(cell, ['kube', 'play', '-'], { input: early })
      await eventually(only, ({ phase }) => phase === 'Succeeded')
      const overdue = pod('overdue', { activeDeadlineSeconds: 2, containers: [container('c', WAIT_COMMAND)] })
      expect(await tspod(cell, ['kube', 'play', '--wait', '-'], { input: overdue })).toMatchObject({ exitCode: 1 })
      expect(await only()).toMatchObject({ name: 'early', phase: 'Succeeded' })
      await succeeds(cell, ['kube', 'down', '-'], { input: early })
    }))

  test('of a Job has failed for the Job as well', () =>
    withLeakCheck(cell, async () => {
      const spec = {
        restartPolicy: 'OnFailure',
        terminationGracePeriodSeconds: 1,
        activeDeadlineSeconds: 1,
        containers: [container('c', WAIT_COMMAND)],
      }
      const manifest = JSON.stringify({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'slow' },
        spec: { backoffLimit: 0, template: { spec } },
      })
      await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
      const job = await eventually(
        async () => (JSON.parse(await succeeds(cell, ['pod', 'inspect', 'slow-pod'])) as { job: object }[])[0]!.job,
        one => 'status' in one && one.status === 'Failed',
        30_000,
      )
      expect(job).toMatchObject({ reason: 'BackoffLimitExceeded', failed: 1 })
      await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
    }))
})
