/**
 * A service whose surroundings are tight: its memory is bounded as a whole, which takes a systemd that has the memory
 * controller; the journal's disk is full; the journal does not listen.
 */
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import { type Machine, startMachine, v1MemoryLack } from '../support/machine.ts'
import { program } from '../support/place.ts'
import { testUnless } from '../support/requires.ts'
import { installTemplate, makeService } from '../support/service.ts'
import { machineLack } from '../support/tree.ts'
import { containers, podText, succeeds, takeDownAll } from '../support/tspod.ts'
import { eventually } from '../support/wait.ts'

const lack = await machineLack()
const memoryLack = await v1MemoryLack()
let machine: Machine

beforeAll(async () => {
  if (lack !== undefined) return
  machine = await startMachine({ cgroups: memoryLack === undefined ? 'v1' : 'v2' })
  await machine.exec(program(machine, 'scripts/demo-image.ts'))
  await installTemplate(machine)
}, 240_000)
afterEach(async () => {
  if (machine !== undefined) await takeDownAll(machine)
})
afterAll(() => machine?.remove())

/** Fills memory when it is told to: a tmpfs counts for whoever writes to it. */
const EATER = 'trap "exit 0" TERM; while [ ! -e /tmp/go ]; do sleep 0.1; done; exec dd if=/dev/zero of=/dev/shm/f bs=1M'

testUnless(lack ?? memoryLack)(
  'MemoryMax= of a unit bounds its containers, also when it is set while they run',
  async () => {
    const hog = podText('hog', { scripts: [EATER], restartPolicy: 'Never' })
    const app = await makeService(machine, 'app', hog + podText('other'))
    expect(await app.start()).toBe(0)
    const [path = ''] = await app.show('ControlGroup')
    // systemd keeps its books in a tree of their own under v1, and the containers are in that as well.
    expect((await machine.exec(['systemctl', 'status', app.unit])).stdout).toMatch(/pod-hog-[0-9a-f]+\n.*c1\n.*sh -c/)
    await machine.exec(['systemctl', 'set-property', '--runtime', app.unit, 'MemoryMax=32M'])
    const limit = await machine.sh(`cat '/sys/fs/cgroup/memory${path}/memory.limit_in_bytes'`)
    expect(limit.stdout.trim()).toBe(String(32 * 1024 * 1024))
    await succeeds(machine, ['exec', 'hog-c1', 'touch', '/tmp/go'])
    await eventually(
      async () => (await containers(machine)).find(({ name }) => name === 'hog-c1')?.state,
      state => state === 'exited',
    )
    const [{ State: state }] = JSON.parse(await succeeds(machine, ['inspect', 'hog-c1'])) as [{ State: object }]
    expect(state).toMatchObject({ ExitCode: 137 })
    expect(await app.show('ActiveState', 'StatusText')).toEqual([
      'active',
      '1/2 containers up; hog-c1 exited with code 137',
    ])
    await app.remove()
  },
)

/** Far more than the journal's socket holds, and a sign that it has got through. */
const LOUD =
  'i=0; while [ $i -lt 20000 ]; do echo "line $i of a talkative container"; i=$((i + 1)); done; touch /tmp/said; exec sleep 1000'

testUnless(lack)('a journal without room changes nothing of a service, and its lines are in its own log', async () => {
  await machine.sh(
    'mkdir -p /var/log/journal && mount -t tmpfs -o size=4m tmpfs /var/log/journal && chmod 2755 /var/log/journal',
  )
  await machine.sh(
    'journalctl --flush; dd if=/dev/zero of=/var/log/journal/full bs=4k; systemctl restart systemd-journald',
  )
  expect((await machine.sh('echo x >/var/log/journal/more')).exitCode).not.toBe(0)
  const app = await makeService(machine, 'app', podText('loud', { scripts: [LOUD] }))
  expect(await app.start()).toBe(0)
  await eventually(
    async () => (await machine.exec(['/src/bin/tspod', 'exec', 'loud-c1', 'test', '-e', '/tmp/said'])).exitCode,
    code => code === 0,
  )
  expect(await app.show('ActiveState', 'StatusText')).toEqual(['active', '1/1 containers up'])
  expect(await succeeds(machine, ['logs', '--tail', '1', 'loud-c1'])).toContain('line 19999 of a talkative container')
  expect(await app.stop()).toBe(0)
  expect(await app.show('ActiveState', 'Result')).toEqual(['inactive', 'success'])
  await app.remove()
  await machine.sh('umount /var/log/journal; systemctl restart systemd-journald')
})

testUnless(lack)('a service stops in order while the journal stands still', async () => {
  const app = await makeService(machine, 'app', podText('loud', { scripts: [LOUD] }))
  expect(await app.start()).toBe(0)
  await machine.sh('pkill -STOP -x systemd-journal')
  try {
    expect(await app.stop()).toBe(0)
    expect(await app.show('ActiveState', 'Result')).toEqual(['inactive', 'success'])
    expect(await containers(machine)).toEqual([])
  } finally {
    await machine.sh('pkill -CONT -x systemd-journal')
  }
  await app.remove()
})
