/** Limits of disk space: who is over one is evicted, and nothing of ours runs for those who are not. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import {
  DEMO_IMAGE,
  type ListedPod,
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

type Told = ListedPod & { status: string; message?: string }
const listed = async (): Promise<Record<string, Told>> =>
  Object.fromEntries((await pods(cell)).map(pod => [pod.name, pod as Told]))
const timekeepers = async (): Promise<string> => (await cell.sh('pgrep -x timekeeper')).stdout

const resources = { limits: { 'ephemeral-storage': '4Mi' } }
const volumes = [{ name: 'cache', emptyDir: { sizeLimit: '2Mi' } }]
const stubborn = (script: string): string => `${script}; trap '' TERM; while :; do sleep 1; done`
const pod = (name: string, script: string, more: object = {}): string => {
  const main = { name: 'main', image: DEMO_IMAGE, command: ['sh', '-c', script] }
  const mounts = [{ name: 'cache', mountPath: '/cache' }]
  const spec = { containers: [{ ...main, volumeMounts: mounts, ...more }], volumes, terminationGracePeriodSeconds: 40 }
  return specText(name, spec)
}
const write = (path: string, mebibytes: number): string => `head -c ${mebibytes << 20} /dev/zero >${path}`

// shows: EmptyDirVolumeSource.sizeLimit
test('a pod that uses more disk than it may is evicted, and its emptyDirs give it back', () =>
  withLeakCheck(cell, async () => {
    const manifest =
      pod('fits', `${write('/cache/x', 1)}; ln -s / /cache/all; ${WAIT_COMMAND}`, { resources }) +
      pod('fills', stubborn(write('/cache/x', 3))) +
      pod('layers', stubborn(write('/x', 5)), { resources })
    await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
    const disk = (await cell.sh('echo /var/lib/tspod/pods/*/volumes/cache')).stdout.trim().split(' ')
    expect(disk).toHaveLength(3)
    // Whoever ends the timekeeper only delays it: the next look at pods starts another.
    await cell.sh('pkill -9 -x timekeeper')
    const isOver = (all: Record<string, Told>): boolean => [all.fills, all.layers].every(one => one?.phase === 'Failed')
    const all = await eventually(listed, isOver, 60_000)
    expect(all.fills).toMatchObject({
      status: 'Evicted',
      message: 'Usage of EmptyDir volume "cache" exceeds the limit "2Mi".',
    })
    expect(all.layers).toMatchObject({
      status: 'Evicted',
      message: 'Pod ephemeral local storage usage exceeds the total limit of containers 4Mi.',
    })
    expect(all.fits).toMatchObject({ phase: 'Running' })
    // They have failed when nothing of them runs; their directories go after that.
    const caches = async (): Promise<string> =>
      (await cell.sh('ls -d /var/lib/tspod/pods/*/volumes/cache | wc -l')).stdout
    await eventually(caches, count => count === '1\n')
    const how = ['--stream=false', '--filter', 'event=fail', '--format', '{{.Name}} {{.Reason}}']
    expect((await succeeds(cell, ['events', ...how])).trim().split('\n').sort()).toEqual([
      'fills Evicted',
      'layers Evicted',
    ])
    // Started by hand it begins with an empty directory.
    await succeeds(cell, ['pod', 'start', 'layers'])
    expect(await timekeepers()).not.toBe('')
    await succeeds(cell, ['pod', 'stop', '--time', '0', 'layers'])
    await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
    await eventually(timekeepers, text => text === '', 30_000)
  }))
