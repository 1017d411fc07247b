/** F23, F43 to F45: memory that runs out, mounts that others take away or keep busy, foreign edits, storms of orphans. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { faultyCell, others, sh, takeDownOthers, unharmed } from '../support/faults.ts'
import type { Place } from '../support/place.ts'
import { DEMO_IMAGE, podText, succeeds, tspod } from '../support/tspod.ts'
import { eventually } from '../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await faultyCell()
}, 60_000)
afterEach(() => takeDownOthers(cell))
afterAll(() => cell?.remove())

type Found = { id: string; pid: number; state: string; exitCode?: number; restarts: number; reason?: string }
const only = async (): Promise<Found> => (await others(cell))[0] as unknown as Found
const play = (text: string) => succeeds(cell, ['kube', 'play', '-'], { input: text })
const down = (text: string) => succeeds(cell, ['kube', 'down', '-'], { input: text })

test('F23 one container runs out of memory: OOMKilled, 137, counted; its sibling goes on', () =>
  unharmed(cell, async () => {
    const pod = JSON.parse(
      podText('greedy', { scripts: ['head -c 100m /dev/zero | tail', 'sleep 1000'], restartPolicy: 'Never' }).slice(4),
    )
    pod.spec.containers[0].resources = { limits: { memory: '16Mi' } }
    const text = JSON.stringify(pod)
    await play(text)
    const ended = await eventually(
      () => others(cell),
      all => all.some(({ state }) => state === 'exited'),
    )
    expect(ended.map(({ state, exitCode }) => `${state} ${exitCode ?? ''}`)).toEqual(['exited 137', 'running '])
    expect(await succeeds(cell, ['ps', '-a'])).toMatch(/OOMKilled/)
    await down(text)
  }))

const TEXT = podText('edited')

const edits: Record<string, string> = {
  'F43 the root file system is unmounted lazily': 'umount -l $root',
  'F43 a file of its root is held open by a process of the host':
    'sleep 1000 3</proc/$pid/root/bin/busybox >/dev/null 2>&1 & echo $! >/tmp/foreign',
  'F43 a process of the host works inside its root': 'cd $root; sleep 1000 >/dev/null 2>&1 & echo $! >/tmp/foreign',
  'F44 its process is killed': 'kill -9 $pid',
  'F44 it is killed and deleted by its runtime': '$runtime --root /run/tspod/runtime/$runtime delete --force $id',
  'F44 its cgroups are killed and deleted':
    'for g in $(find /sys/fs/cgroup -depth -type d -path "*edited*"); do xargs -r kill -9 <$g/cgroup.procs; sleep 0.2; rmdir $g; done; true',
  'F44 its image is removed': `skopeo delete containers-storage:${DEMO_IMAGE} 2>/dev/null; true`,
  'F44 its runtime state is removed': 'rm -r /run/tspod/runtime/$runtime/$id',
  'F44 its bundle is removed': 'rm -r /run/tspod/containers/$id',
  'F44 its log is removed': 'rm -r /var/log/tspod/pods/*edited*',
  'F44 all run files of its pod are removed': 'rm -rf /run/tspod/pods/$pod 2>/dev/null; true',
}

for (const [what, line] of Object.entries(edits)) {
  test(`${what}: ps answers, no crash loop, down leaves nothing`, () =>
    unharmed(cell, async () => {
      await play(TEXT)
      const { id, pid } = await only()
      const pod = (
        JSON.parse(await succeeds(cell, ['pod', 'inspect', 'edited'])) as { id?: string; Id?: string }[]
      ).map(one => one.Id ?? one.id)[0]
      const runtime = await sh(
        cell,
        `ls /run/tspod/runtime | while read r; do test -e /run/tspod/runtime/$r/${id} && echo $r; done; true`,
      )
      const [first] = runtime.split('\n')
      const root = JSON.parse(await sh(cell, `cat /run/tspod/containers/${id}/config.json`)).root.path
      await cell.sh(`id=${id} pid=${pid} pod=${pod} runtime=${first} root=${root}; ${line}`)
      await succeeds(cell, ['ps', '-a'])
      await succeeds(cell, ['container', 'cleanup', id])
      await eventually(only, ({ restarts }) => restarts <= 1)
      await down(TEXT)
      await sh(cell, 'test ! -e /tmp/foreign || kill -9 $(cat /tmp/foreign); rm -f /tmp/foreign')
    }))
}

test('F45 a container leaves thousands of orphans behind: no zombie stays, and down leaves nothing', () =>
  unharmed(cell, async () => {
    const text = podText('storm', {
      script: 'i=0; while [ $i -lt 3000 ]; do (sleep 0.01 &) ; i=$((i+1)); done; sleep 1000',
    })
    await play(text)
    await succeeds(cell, ['exec', 'storm', 'true'])
    await tspod(cell, ['ps'])
    await down(text)
    await eventually(
      () => sh(cell, 'ps -eo stat | grep -c ^Z || true'),
      count => Number(count) <= 1,
    )
  }))
