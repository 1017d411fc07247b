import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals'
import { describeLeaks, difference, snapshotIn } from '../support/leaks.ts'
import { type Machine, startMachine } from '../support/machine.ts'
import { program } from '../support/place.ts'
import { testUnless } from '../support/requires.ts'
import { machineLack } from '../support/tree.ts'
import {
  DEMO_IMAGE,
  type ListedContainer,
  specText,
  succeeds,
  takeDownAll,
  tspod,
  WAIT_COMMAND,
  warmUp,
} from '../support/tspod.ts'
import { eventually } from '../support/wait.ts'

const lack = await machineLack()
const onMachine = testUnless(lack)
let machine: Machine

beforeAll(async () => {
  if (lack !== undefined) return
  machine = await startMachine()
  const image = await machine.exec(program(machine, 'scripts/demo-image.ts'))
  expect(image.stderr).toBe('')
  await warmUp(machine)
}, 240_000)
afterEach(async () => {
  if (machine !== undefined) await takeDownAll(machine)
})
afterAll(() => machine?.remove())

const pod = (name: string, restartPolicy: string, scripts: Record<string, string>, first = 'true'): string => {
  const container = ([key, script]: [string, string]): object => ({
    name: key,
    image: DEMO_IMAGE,
    command: ['sh', '-c', script],
    volumeMounts: [
      { name: 'kept', mountPath: '/kept' },
      { name: 'told', mountPath: '/told' },
    ],
  })
  const spec = {
    restartPolicy,
    terminationGracePeriodSeconds: 2,
    volumes: [
      { name: 'kept', emptyDir: {} },
      { name: 'told', secret: { secretName: 'word' } },
    ],
    initContainers: [container(['first', first])],
    containers: Object.entries(scripts).map(container),
  }
  return specText(name, spec)
}

const SECRET = '---\n{"apiVersion":"v1","kind":"Secret","metadata":{"name":"word"},"stringData":{"word":"xyzzy"}}\n'
/** `back` says how often its init container ran; the two others of its kind must not come back. */
const MANIFEST = [
  SECRET,
  pod('back', 'Always', { c1: WAIT_COMMAND, c2: `cat /told/word; echo; ${WAIT_COMMAND}` }, 'echo run >>/kept/runs'),
  pod('half', 'OnFailure', { done: 'true', work: WAIT_COMMAND }),
  pod('once', 'Never', { c1: WAIT_COMMAND }),
  pod('still', 'Always', { c1: WAIT_COMMAND }),
].join('')

const states = async (roots: string[] = []): Promise<Record<string, string>> => {
  const rows = JSON.parse(await succeeds(machine, [...roots, 'ps', '-a', '--format', 'json'])) as ListedContainer[]
  const regular = rows.filter(({ name }) => !name.endsWith('-first'))
  return Object.fromEntries(regular.map(({ name, state }) => [name, state]))
}

const RUNNING = {
  'back-c1': 'running',
  'back-c2': 'running',
  'half-done': 'exited',
  'half-work': 'running',
  'once-c1': 'exited',
  'still-c1': 'stopped',
}

async function playAll(roots: string[] = []): Promise<void> {
  await succeeds(machine, [...roots, 'kube', 'play', '-'], { input: MANIFEST })
  await succeeds(machine, [...roots, 'pod', 'stop', 'still'])
  await eventually(
    () => states(roots),
    now => now['half-done'] === 'exited',
  )
  expect(await states(roots)).toEqual({ ...RUNNING, 'once-c1': 'running' })
}

/** What an init container holds up is started by its end, which nobody here waits for. */
const becomeRunning = async (roots: string[] = []): Promise<void> => {
  const same = (now: Record<string, string>): boolean =>
    Object.entries(RUNNING).every(([name, state]) => now[name] === state)
  await eventually(() => states(roots), same)
  expect(await states(roots)).toEqual(RUNNING)
}

async function checkBack(roots: string[] = []): Promise<void> {
  expect(await succeeds(machine, [...roots, 'exec', 'back-c1', 'cat', '/kept/runs'])).toBe('run\nrun\n')
  expect(await succeeds(machine, [...roots, 'logs', '--tail', '1', 'back-c2'])).toBe('xyzzy\n')
  const address = await succeeds(machine, [...roots, 'exec', 'half-work', 'nslookup', 'back'])
  expect(address).toMatch(/Address: 10\./)
}

describe('on Debian 13, after a reboot', () => {
  const ways: [title: string, down: () => Promise<void>][] = [
    ['a power cut', () => machine.crash()],
    ['a shutdown', () => machine.poweroff()],
  ]
  for (const [title, down] of ways) {
    onMachine(`${title}: what restartPolicy says comes back by the unit, and nothing else`, async () => {
      await machine.sh(
        'sed s,@TSPOD@,/src/bin/tspod,g /src/templates/tspod-restart.service >/etc/systemd/system/tspod-restart.service',
      )
      await machine.exec(['systemctl', 'enable', 'tspod-restart.service'])
      await playAll()
      await down()
      await machine.boot()
      const unit = await machine.sh('systemctl is-active tspod-restart.service; journalctl -u tspod-restart -o cat')
      expect(unit.stdout).toMatch(/^active\n/)
      await becomeRunning()
      await checkBack()
      const told = await succeeds(machine, [
        'events',
        '--stream=false',
        '-f',
        'event=refresh',
        '--format',
        '{{.Reason}}',
      ])
      expect(told).toBe('Rebooted\n'.repeat(told.split('\n').length - 1))
      await machine.exec(['systemctl', 'disable', '--now', 'tspod-restart.service'])
      await takeDownAll(machine)
    })
  }

  onMachine('a run directory that survives it is cleared by the first command, once, and nothing starts', async () => {
    const roots = ['--root', '/var/lib/other', '--runroot', '/var/lib/other-run']
    await succeeds(machine, [...roots, 'pod', 'ps'])
    const before = await snapshotIn(machine)
    await playAll(roots)
    const old = await machine.sh('cd /var/lib/other-run && cat boot && ls pods containers runtime/*')
    await machine.crash()
    await machine.boot()
    expect((await machine.sh('ls /var/lib/other-run')).stdout).toContain('pods\n')
    const after = { ...RUNNING, 'back-c1': 'exited', 'back-c2': 'exited', 'half-work': 'exited' }
    // Twenty first commands at once: one of them clears, and all see the same.
    const many = await machine.sh(`for i in $(seq 20); do /src/bin/tspod ${roots.join(' ')} pod ps -q & done; wait`)
    expect(many.stderr).toBe('')
    expect(await states(roots)).toEqual(after)
    const left = await machine.sh('cd /var/lib/other-run && ls; cat boot')
    expect(left.stdout.split('\n').slice(0, -1)).toEqual(['boot'])
    expect(left.stdout).not.toContain(old.stdout.split('\n')[0])
    const refreshed = ['events', '--stream=false', '-f', 'event=refresh', '--format', '{{.Reason}}']
    expect(await succeeds(machine, [...roots, ...refreshed])).toBe('Rebooted\n')
    const brought = await tspod(machine, [...roots, 'system', 'refresh', '--start'])
    expect(brought).toMatchObject({ exitCode: 0, stderr: '', stdout: 'back\nhalf\nonce\n' })
    await becomeRunning(roots)
    await checkBack(roots)
    await succeeds(machine, [...roots, 'kube', 'down', '-'], { input: MANIFEST })
    const leaks = difference(before, await snapshotIn(machine))
    // Of mounts and cgroups the machine has others on each boot.
    const lasting = leaks.filter(({ kind }) => ['storage containers', 'storage layers', 'processes'].includes(kind))
    expect(describeLeaks(lasting)).toBe('')
    expect((await machine.sh('grep other-run /proc/self/mountinfo')).stdout).toBe('')
    expect((await machine.sh('find /var/lib/other-run/pods /var/lib/other-run/containers -mindepth 1')).stdout).toBe('')
  })
})
