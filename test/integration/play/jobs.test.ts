import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { sharedWith } from '../../support/cell.ts'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import {
  containers,
  DEMO_IMAGE,
  pods,
  readyCell,
  succeeds,
  takeDownAll,
  tspod,
  WAIT_COMMAND,
} from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
/** A directory that the cell sees under the same path. */
let shared: string
beforeAll(async () => {
  cell = await readyCell()
  shared = sharedWith(cell)
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

type Wish = { policy?: string; spec?: object; pod?: object }

/** A Job of one container that can write to a directory of the cell. */
function job(name: string, script: string, { policy = 'Never', spec = {} }: Wish = {}): string {
  const container = {
    name: 'main',
    image: DEMO_IMAGE,
    command: ['sh', '-c', script],
    volumeMounts: [{ name: 'diary', mountPath: '/diary' }],
  }
  const volumes = [{ name: 'diary', hostPath: { path: shared } }]
  const pod = { restartPolicy: policy, terminationGracePeriodSeconds: 5, containers: [container], volumes }
  return JSON.stringify({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { template: { spec: pod }, ...spec },
  })
}

const diary = (name: string): string[] => readFileSync(join(shared, name), 'utf8').trim().split('\n').filter(Boolean)

type Told = { status: string; reason: string; succeeded: number; failed: number }
const told = async (pod: string): Promise<Told> =>
  (JSON.parse(await succeeds(cell, ['pod', 'inspect', pod])) as { job: Told }[])[0]!.job

describe('a Job', () => {
  test('runs as many pods as it needs, so many at once, and is taken down whole', () =>
    withLeakCheck(cell, async () => {
      const script = 'read at rest </proc/uptime; sleep 0.7; read end rest </proc/uptime; echo $at $end >>/diary/three'
      const manifest = job('sum', script, { spec: { completions: 3, parallelism: 2 } })
      const played = await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
      expect(played.match(/^Pod:$/gm)).toHaveLength(2)
      await eventually(
        () => told('sum-pod'),
        ({ status }) => status === 'Complete',
      )
      expect(await told('sum-pod-2')).toMatchObject({ reason: 'Completed', succeeded: 3, failed: 0, completions: 3 })
      expect((await pods(cell)).map(({ name, phase }) => `${name} ${phase}`).sort()).toEqual([
        ...['sum-pod Succeeded', 'sum-pod-2 Succeeded', 'sum-pod-3 Succeeded'],
      ])
      const runs = diary('three').map(line => line.split(' ').map(Number))
      const third = runs.toSorted(([a = 0], [b = 0]) => a - b)[2]
      expect(third?.[0]).toBeGreaterThanOrEqual(Math.min(...runs.map(([, end = 0]) => end)))
      expect(await succeeds(cell, ['events', '--stream=false', '--filter', 'type=job'])).toContain('job complete')
      expect(
        (await succeeds(cell, ['ps', '-a', '-q', '--filter', 'label=job-name=sum'])).trim().split('\n'),
      ).toHaveLength(3)
      await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
      expect(await pods(cell)).toEqual([])
    }))

  test('gives each pod its index, and tries again after a pause, whoever ends what waits for it', () =>
    withLeakCheck(cell, async () => {
      // Index 1 fails the first time.
      const script =
        'echo $JOB_COMPLETION_INDEX $(hostname) >>/diary/indexed; [ $JOB_COMPLETION_INDEX = 0 ] || [ $(grep -c ^1 /diary/indexed) = 2 ]'
      const spec = { completions: 2, parallelism: 1, completionMode: 'Indexed', backoffLimit: 1 }
      const waited = tspod(cell, ['kube', 'play', '--wait', '-'], { input: job('parts', script, { spec }) })
      await eventually(
        () => pods(cell),
        all => all.some(({ name, phase }) => name === 'parts-pod-2' && phase === 'Failed'),
      )
      await eventually(
        () => cell.sh('pgrep -x timekeeper'),
        ({ exitCode }) => exitCode === 0,
      )
      await cell.sh('pkill -9 -x timekeeper')
      // The next look finds that somebody has to wait.
      await pods(cell)
      const { exitCode, stderr } = await waited
      expect([exitCode, stderr]).toEqual([0, ''])
      expect(diary('indexed').sort()).toEqual(['0 parts-0', '1 parts-1', '1 parts-1'])
      expect(await pods(cell)).toEqual([])
    }))

  test('pulls what has gone for its later pods, until it is there', async () => {
    const manifest = job('twice', 'sleep 1', { spec: { completions: 2, parallelism: 1 } })
    await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
    await cell.sh('cd /var/lib/containers/storage/*-images && cp images.json /tmp && echo "[]" >images.json')
    const how = ['--stream=false', '--filter', 'type=job', '--format', '{{.Name}} {{.Reason}} {{.Message}}']
    await eventually(
      () => succeeds(cell, ['events', ...how]),
      text => text.includes('twice FailedCreate'),
    )
    expect(await succeeds(cell, ['events', '--stream=false', '--filter', 'type=image'])).toContain('pulling')
    await cell.sh('cp /tmp/images.json /var/lib/containers/storage/*-images/')
    await eventually(
      () => told('twice-pod'),
      ({ status }) => status === 'Complete',
      60_000,
    )
    await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
  })

  test('that failed too often gives its code, and its other pods are stopped', () =>
    withLeakCheck(cell, async () => {
      const script = `mkdir /diary/fails && exit 3; ${WAIT_COMMAND}`
      const spec = { completions: 2, parallelism: 2, backoffLimit: 0 }
      const { exitCode } = await tspod(cell, ['kube', 'play', '--wait', '-'], { input: job('fails', script, { spec }) })
      expect(exitCode).toBe(3)
    }))

  test('is restarted in place with OnFailure, and is over when that happens too often', () =>
    withLeakCheck(cell, async () => {
      const manifest = job('again', 'exit 4', { policy: 'OnFailure', spec: { backoffLimit: 1 } })
      await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
      await eventually(
        () => told('again-pod'),
        ({ status }) => status === 'Failed',
      )
      expect(await told('again-pod')).toMatchObject({ reason: 'BackoffLimitExceeded' })
      expect(await containers(cell)).toMatchObject([{ name: 'again-pod-main', restarts: 1 }])
      await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
    }))

  // shows: JobSpec.activeDeadlineSeconds JobSpec.ttlSecondsAfterFinished
  test('ends at its deadline, and goes when its time is up', () =>
    withLeakCheck(cell, async () => {
      const spec = { activeDeadlineSeconds: 1, ttlSecondsAfterFinished: 1 }
      const manifest = job('late', WAIT_COMMAND, { spec })
      await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
      await eventually(
        () => pods(cell),
        all => all.length === 0,
      )
      const how = ['--stream=false', '--filter', 'type=job', '--format', '{{.Name}} {{.Reason}}']
      expect(await succeeds(cell, ['events', ...how])).toContain('late DeadlineExceeded')
      await takeDownAll(cell)
    }))
})

test('pods of a Job go on by themselves where the database had to be made anew', () =>
  withLeakCheck(cell, async () => {
    const manifest = job('kept', WAIT_COMMAND)
    await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
    await cell.sh('echo nonsense >/var/lib/tspod/state.db; rm -f /var/lib/tspod/state.db-*')
    await succeeds(cell, ['system', 'fsck', '--rebuild'])
    expect((await pods(cell)).map(({ name, phase }) => `${name} ${phase}`)).toEqual(['kept-pod Running'])
    await cell.sh('rm /var/lib/tspod/state.db.damaged-*')
    await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
    expect(await pods(cell)).toEqual([])
  }))
