/** F08, F09, F22, F24: monitors that are killed or stand still, pids that are used again, memory that runs out. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { faultyCell, others, sh, takeDownOthers, unharmed } from '../support/faults.ts'
import type { Place } from '../support/place.ts'
import { launcher, pods, podText, succeeds, tspod } from '../support/tspod.ts'
import { eventually } from '../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await faultyCell()
}, 60_000)
afterEach(() => takeDownOthers(cell))
afterAll(() => cell?.remove())

type Found = {
  id: string
  pid: number
  conmonPid: number
  state: string
  restarts: number
  exitCode?: number
  reason?: string
}
const only = async (): Promise<Found> => (await others(cell))[0] as unknown as Found

async function monitorOf(id: string): Promise<number> {
  return Number(await sh(cell, `pgrep -f '[c]onmon --cid ${id}'`))
}

const down = (name: string) => succeeds(cell, ['kube', 'down', '-'], { input: podText(name) })
const play = (name: string, wish = {}) => succeeds(cell, ['kube', 'play', '-'], { input: podText(name, wish) })

test('F08 conmon killed, restartPolicy Always: ps says so, the next look starts it again under a new monitor', () =>
  unharmed(cell, async () => {
    await play('watched')
    const before = await only()
    await sh(cell, `kill -9 ${await monitorOf(before.id)}`)
    expect(await succeeds(cell, ['ps', '-a'])).toMatch(/MonitorLost/i)
    await succeeds(cell, ['container', 'cleanup', before.id])
    const after = await only()
    expect(after).toMatchObject({ state: 'running', restarts: 1 })
    expect(after.pid).not.toBe(before.pid)
    expect(await sh(cell, `cut -d ' ' -f 3 /proc/${before.pid}/stat 2>/dev/null || echo gone`)).toMatch(/^(Z|gone)$/)
    await down('watched')
  }))

test('F08 conmon killed, restartPolicy Never: the container is ended, with a code that is not 0', () =>
  unharmed(cell, async () => {
    await play('watched', { restartPolicy: 'Never' })
    const before = await only()
    await sh(cell, `kill -9 ${await monitorOf(before.id)}`)
    await succeeds(cell, ['container', 'cleanup', before.id])
    const after = await only()
    expect(after.state).not.toBe('running')
    expect(after.exitCode).not.toBe(0)
    await down('watched')
  }))

test('F08 conmon and container killed: the code is unknown, not 0, and down leaves nothing', () =>
  unharmed(cell, async () => {
    await play('watched', { restartPolicy: 'Never' })
    const before = await only()
    await sh(cell, `kill -9 ${await monitorOf(before.id)} ${before.pid}`)
    await succeeds(cell, ['container', 'cleanup', before.id])
    expect((await only()).exitCode).not.toBe(0)
    await down('watched')
  }))

test('F08 conmon killed: down alone leaves nothing', () =>
  unharmed(cell, async () => {
    await play('watched')
    await sh(cell, `kill -9 ${await monitorOf((await only()).id)}`)
    await down('watched')
  }))

test('F08 conmon killed: stop asks, waits for the grace, and knows whom it killed', () =>
  unharmed(cell, async () => {
    const trap = "trap 'sleep 0.5; exit 0' TERM; while :; do sleep 0.1; done"
    const wish = { scripts: [trap, "trap '' TERM; while :; do sleep 1; done"], restartPolicy: 'Never' }
    await play('watched', wish)
    for (const { id } of await others(cell)) await sh(cell, `kill -9 ${await monitorOf(id)}`)
    await succeeds(cell, ['stop', '--time', '2', 'watched-c1', 'watched-c2'])
    // Nobody was there to see the code of the first, which ended by itself within its grace.
    expect(await others(cell)).toMatchObject([
      { state: 'stopped', exitCode: 255 },
      { state: 'stopped', exitCode: 137 },
    ])
    await down('watched')
  }))

test('F09 conmon stands still: ps, logs and down answer, and down leaves nothing', () =>
  unharmed(cell, async () => {
    await play('watched')
    await sh(cell, `kill -STOP ${await monitorOf((await only()).id)}`)
    const limits = { timeoutMs: 60_000 }
    await succeeds(cell, ['ps'], limits)
    await succeeds(cell, ['logs', 'watched'], limits)
    await succeeds(cell, ['kube', 'down', '-'], { input: podText('watched'), ...limits })
  }))

/** Starts `sleep` in such a way that it gets exactly this pid of the cell's. */
async function recycle(pid: number): Promise<void> {
  await eventually(
    () => sh(cell, `test -e /proc/${pid} && echo there || echo gone`),
    answer => answer === 'gone',
  )
  const once = `echo ${pid - 1} >/proc/sys/kernel/ns_last_pid; sleep 1000 >/dev/null 2>&1 & echo $!`
  for (let attempt = 0; attempt < 50; attempt++) {
    const got = Number(await sh(cell, once))
    if (got === pid) return
    await sh(cell, `kill -9 ${got}`)
  }
  throw new Error(`pid ${pid} could not be had again`)
}

test('F22 the pids of container and monitor belong to strangers: no command touches them', () =>
  unharmed(cell, async () => {
    await play('recycled', { restartPolicy: 'Never' })
    const { id, pid } = await only()
    const monitor = await monitorOf(id)
    await sh(cell, `kill -9 ${monitor} ${pid}`)
    await recycle(pid)
    await recycle(monitor)
    expect((await only()).state).not.toBe('running')
    await succeeds(cell, ['container', 'cleanup', id])
    await tspod(cell, ['exec', 'recycled', 'true'])
    await down('recycled')
    const strangers = await sh(cell, `cat /proc/${pid}/comm /proc/${monitor}/comm; kill -9 ${pid} ${monitor}`)
    expect(strangers).toBe('sleep\nsleep')
  }))

for (const megabytes of [30, 45, 60, 75]) {
  test(`F24 tspod has only ${megabytes} MB of memory: it is done or dies, and the next play works`, () =>
    unharmed(cell, async () => {
      const group = '/sys/fs/cgroup/memory/small'
      await sh(cell, `mkdir ${group}; echo ${megabytes}M >${group}/memory.limit_in_bytes`)
      const input = podText('starved')
      await cell.sh(`echo $$ >${group}/cgroup.procs; exec ${launcher(cell)} kube play -`, { input })
      await sh(
        cell,
        `for p in $(cat ${group}/cgroup.procs); do echo $p >/sys/fs/cgroup/memory/cgroup.procs; done; rmdir ${group}`,
      )
      const again = await tspod(cell, ['kube', 'play', '-'], { input })
      if (again.exitCode !== 0) expect(again.stderr).toMatch(/is in use: pod already exists/)
      expect((await pods(cell)).map(({ name, phase }) => `${name} ${phase}`)).toContain('starved Running')
      await down('starved')
    }))
}
