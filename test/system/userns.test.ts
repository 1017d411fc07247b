/** User namespaces with crun and cgroup v2, and over a reboot. */
import { afterAll, beforeAll, expect } from '@jest/globals'
import { describeLeaks, difference, snapshotIn } from '../support/leaks.ts'
import { type Machine, startMachine } from '../support/machine.ts'
import { program } from '../support/place.ts'
import { testUnless } from '../support/requires.ts'
import { machineLack } from '../support/tree.ts'
import { DEMO_IMAGE, succeeds, WAIT_COMMAND } from '../support/tspod.ts'

const lack = await machineLack()
const onMachine = testUnless(lack)
let machine: Machine

const MANIFEST = `---\n${JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'own' },
  spec: {
    hostUsers: false,
    terminationGracePeriodSeconds: 2,
    volumes: [
      { name: 'disk', emptyDir: {} },
      { name: 'host', hostPath: { path: '/var/of-host', type: 'Directory' } },
    ],
    containers: [
      {
        name: 'main',
        image: DEMO_IMAGE,
        command: ['sh', '-c', WAIT_COMMAND],
        volumeMounts: [
          { name: 'disk', mountPath: '/disk' },
          { name: 'host', mountPath: '/host' },
        ],
      },
    ],
  },
})}\n`

beforeAll(async () => {
  if (lack !== undefined) return
  machine = await startMachine()
  await machine.exec(program(machine, 'scripts/demo-image.ts'))
  await machine.sh('mkdir /var/of-host')
  await succeeds(machine, ['kube', 'play', '-'], { input: MANIFEST })
  await succeeds(machine, ['kube', 'down', '-'], { input: MANIFEST })
}, 240_000)
afterAll(() => machine?.remove())

const inside = (line: string): Promise<string> => succeeds(machine, ['exec', 'own-main', 'sh', '-c', line])

onMachine(
  'under crun a pod with a user namespace keeps the options of its mounts, and its ids over a reboot',
  async () => {
    // Several ranges of ids: containers-storage copies a layer for them, which stays with the image.
    const plain = MANIFEST.replaceAll('"own"', '"sized"').replace('"hostUsers":false,', '')
    const flags = ['--userns', 'auto:size=2000,uidmapping=1000:1000:1']
    await succeeds(machine, ['kube', 'play', ...flags, '-'], { input: plain })
    const sized = ['exec', 'sized-main', 'sh', '-c', 'cat /proc/self/uid_map; stat -c %u / /home/app']
    expect((await succeeds(machine, sized)).replaceAll(/ +/g, ' ')).toMatch(
      /^ 0 (\d+) 1000\n 1000 1000 1\n 1001 \d+ 999\n0\n1000\n$/,
    )
    await succeeds(machine, ['kube', 'down', '-'], { input: plain })

    const before = await snapshotIn(machine)
    await machine.sh(
      'mkdir -p /var/of-host/below && mount -t tmpfs below /var/of-host/below && touch /var/of-host/below/seen',
    )
    await succeeds(machine, ['kube', 'play', '-'], { input: MANIFEST })
    expect(await succeeds(machine, ['inspect', '--format', '{{.OCIRuntime}}', 'own-main'])).toBe('crun\n')
    const map = (await inside('cat /proc/self/uid_map')).trim().split(/ +/)
    expect(map[0]).toBe('0')
    expect(Number(map[1])).toBeGreaterThan(65_536)
    expect(map[2]).toBe('65536')
    const mounts = await inside('cat /proc/self/mountinfo')
    for (const path of ['disk', 'host']) expect(mounts).toMatch(new RegExp(` /${path} rw,nosuid,nodev,.*idmapped`))
    expect(await inside('ls /host/below; touch /disk/kept; chown 5:6 /disk/kept')).toBe('seen\n')

    await machine.crash()
    await machine.boot()
    await machine.sh('mkdir -p /var/of-host')
    expect(await succeeds(machine, ['system', 'refresh', '--start'])).toBe('own\n')
    expect((await inside('cat /proc/self/uid_map')).trim().split(/ +/)).toEqual(map)
    expect(await inside('stat -c %u:%g /disk/kept')).toBe('5:6\n')
    expect(await succeeds(machine, ['system', 'fsck'])).toBe('all is well\n')
    await succeeds(machine, ['kube', 'down', '-'], { input: MANIFEST })
    const leaks = difference(before, await snapshotIn(machine))
    // Of mounts and cgroups the machine has others on each boot.
    const lasting = leaks.filter(({ kind }) => ['storage containers', 'storage layers', 'processes'].includes(kind))
    expect(describeLeaks(lasting)).toBe('')
    expect((await machine.sh('find /run/tspod/pods /run/tspod/roots /run/tspod/containers -mindepth 1')).stdout).toBe(
      '',
    )
  },
)
