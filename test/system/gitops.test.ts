/** GitOps sources under a real systemd: a commit, or an edit, is what runs a moment later, and units tell the truth. */
import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals'
import { appText, type Sources, sourcesOn } from '../support/gitops.ts'
import { type Machine, startMachine } from '../support/machine.ts'
import { program } from '../support/place.ts'
import { testUnless } from '../support/requires.ts'
import { machineLack } from '../support/tree.ts'
import { pods, succeeds, takeDownAll, tspod, warmUp } from '../support/tspod.ts'
import { type MachineUnits, unitsOn } from '../support/units.ts'
import { eventually } from '../support/wait.ts'

const lack = await machineLack()
const onMachine = testUnless(lack)
let machine: Machine
let units: MachineUnits
let sources: Sources

beforeAll(async () => {
  if (lack !== undefined) return
  machine = await startMachine()
  units = unitsOn(machine)
  sources = sourcesOn(machine, '/srv/sources')
  const image = await machine.exec(program(machine, 'scripts/demo-image.ts'))
  expect(image.stderr).toBe('')
  await warmUp(machine)
  await succeeds(machine, ['systemd', 'install'])
}, 240_000)
afterEach(async () => {
  if (machine === undefined) return
  const listed = JSON.parse(await succeeds(machine, ['gitops', 'list', '--format', 'json'])) as { name: string }[]
  for (const { name } of listed) await tspod(machine, ['gitops', 'remove', '--prune', name])
  await takeDownAll(machine)
  await machine.sh('rm -rf /srv/sources; systemctl reset-failed')
})
afterAll(() => machine?.remove())

const DIR = '/srv/sources/shop'
const serviceOf = async (property: string): Promise<string> => units.show('tspod-gitops@shop.service', property)
const add = (...flags: string[]) => succeeds(machine, ['gitops', 'add', 'shop', '--dir', DIR, ...flags])

/** What runs, as `name=value`. */
async function values(): Promise<string> {
  const running = (await pods(machine)).filter(({ phase }) => phase === 'Running').map(({ name }) => name)
  const asked = running.map(async name => {
    const { stdout } = await tspod(machine, ['exec', `${name}-app`, 'sh', '-c', 'echo $VALUE'])
    return `${name}=${stdout.trim()}`
  })
  return (await Promise.all(asked)).sort().join(' ')
}
const becomes = (expected: string): Promise<string> =>
  eventually(values, answer => answer === expected, 30_000).catch(async error => {
    const { stdout } = await machine.sh(
      'journalctl -b --no-pager -u "tspod-gitops@*" -n 40; systemctl status "tspod-gitops@*"; /src/bin/tspod gitops status; /src/bin/tspod pod ps',
    )
    throw new Error(`${expected}: ${(error as Error).message}\n${stdout}`)
  })

describe('the units of a source', () => {
  onMachine('systemd finds nothing wrong with them', async () => {
    await succeeds(machine, ['systemd', 'install', '--user'])
    const names = ['service', 'timer', 'path'].map(kind => `tspod-gitops@shop.${kind}`)
    expect(await machine.exec(['systemd-analyze', 'verify', ...names])).toMatchObject({ exitCode: 0, stderr: '' })
    const own = ['service', 'timer', 'path'].map(kind => `/root/.config/systemd/user/tspod-gitops@.${kind}`)
    const user = await machine.exec(['systemd-analyze', 'verify', '--user', ...own], {
      env: { XDG_RUNTIME_DIR: '/root' },
    })
    expect(user).toMatchObject({ exitCode: 0, stderr: '' })
  })
})

describe('a plain directory', () => {
  onMachine('is what runs: added, edited, broken, repaired, one file deleted', async () => {
    await sources.write(`${DIR}/web.yaml`, appText('web'))
    await sources.write(`${DIR}/db.yaml`, appText('db'))
    await add()
    await becomes('db=one web=one')
    await sources.write(`${DIR}/web.yaml`, appText('web', 'two'))
    await becomes('db=one web=two')
    await sources.write(`${DIR}/web.yaml`, 'oops: [')
    await eventually(
      () => serviceOf('ActiveState'),
      state => state === 'failed',
    )
    expect(await serviceOf('StatusText')).toMatch(/^refused: .*web\.yaml/)
    expect(await values()).toBe('db=one web=two')
    await sources.write(`${DIR}/web.yaml`, appText('web', 'three'))
    await becomes('db=one web=three')
    await eventually(
      () => serviceOf('ActiveState'),
      state => state === 'inactive',
    )
    await sources.sh(`rm ${DIR}/db.yaml`)
    await becomes('web=three')
  })

  onMachine('a trigger file that is touched has it reconciled, too', async () => {
    await sources.write(`${DIR}/web.yaml`, appText('web'))
    await add('--interval', '1h')
    await becomes('web=one')
    await eventually(
      () => serviceOf('ActiveState'),
      state => state === 'inactive',
    )
    await succeeds(machine, ['pod', 'stop', 'web'])
    await sources.sh('touch /var/lib/tspod/gitops/shop/trigger')
    await becomes('web=one')
  })
})

describe('a checkout', () => {
  onMachine('each commit runs at once, without the timer', async () => {
    await sources.repository('shop', { 'web.yaml': appText('web') })
    await add('--interval', '1h')
    await becomes('web=one')
    await eventually(
      () => serviceOf('ActiveState'),
      state => state === 'inactive',
    )
    for (const value of ['two', 'three', 'four']) {
      await sources.write(`${DIR}/web.yaml`, appText('web', value))
      await sources.sh(`cd ${DIR} && git add -A && git -c user.name=t -c user.email=t@t commit -qm x`)
      await becomes(`web=${value}`)
      await eventually(
        () => serviceOf('ActiveState'),
        state => state === 'inactive',
      )
    }
  })

  onMachine('what is edited and not committed does not run', async () => {
    await sources.repository('shop', { 'web.yaml': appText('web') })
    await add()
    await becomes('web=one')
    await sources.write(`${DIR}/web.yaml`, appText('web', 'draft'))
    await succeeds(machine, ['gitops', 'reconcile', 'shop'])
    expect(await values()).toBe('web=one')
    await sources.commit('shop', {})
    await becomes('web=draft')
  })
})

describe('what the host has a say in', () => {
  const told = (): Promise<string> => sources.sh('cat /srv/told 2>/dev/null || true')
  const NOTIFIER = '#!/bin/sh\nprintf "%s %s\\n" "$TSPOD_SOURCE" "$TSPOD_EVENT" >>/srv/told\n'

  onMachine(
    'values are put in as they change, also for units; somebody is told, and a collector finds numbers',
    async () => {
      await sources.write('/srv/notify', NOTIFIER)
      await sources.sh('chmod 755 /srv/notify; mkdir -p /srv/metrics')
      await sources.write('/srv/vars', 'WHO=first\n')
      await sources.repository('shop', { 'web.yaml': appText('web', '$' + '{WHO}') })
      await add(
        '--unit',
        '--interval',
        '1h',
        '--vars',
        '/srv/vars',
        '--notify',
        '/srv/notify',
        '--metrics',
        '/srv/metrics/shop.prom',
      )
      await becomes('web=first')
      await eventually(
        () => serviceOf('ActiveState'),
        state => state === 'inactive',
      )
      // A file that is written twice is changed twice: the second time is what counts.
      await sources.sh('echo WHO=second >/srv/vars.new; mv /srv/vars.new /srv/vars')
      await becomes('web=second')
      await eventually(told, text => text === 'shop applied\nshop applied\n')
      await eventually(
        () => serviceOf('ActiveState'),
        state => state === 'inactive',
      )
      await sources.sh('echo OTHER=x >/srv/vars')
      await eventually(told, text => text.endsWith('shop failing\n'))
      expect(await values()).toBe('web=second')
      expect(await sources.sh('grep ^tspod_gitops_up_to_date /srv/metrics/shop.prom')).toMatch(/ 0\n$/)
      await succeeds(machine, ['gitops', 'remove', '--prune', 'shop'])
      expect(await sources.sh('ls /srv/metrics')).toBe('')
      await sources.sh('rm -r /srv/told /srv/notify /srv/metrics /srv/vars')
    },
  )
})

describe('manifests as units', () => {
  const unit = 'tspod-kube@shop-web.service'
  onMachine('each is started, reloaded, repaired and stopped, and one of somebody else is never touched', async () => {
    await sources.repository('shop', { 'web.yaml': appText('web'), 'db.yaml': appText('db') })
    await add('--unit')
    await becomes('db=one web=one')
    expect(await units.show(unit, 'ActiveState')).toBe('active')
    expect(await units.show(unit, 'UnitFileState')).toBe('enabled')
    await sources.commit('shop', { 'web.yaml': appText('web', 'two') })
    await becomes('db=one web=two')
    expect(await units.show(unit, 'ActiveState')).toBe('active')
    await eventually(
      () => serviceOf('ActiveState'),
      state => state === 'inactive',
    )
    await machine.exec(['systemctl', 'stop', unit])
    expect(await values()).toBe('db=one')
    expect((await sources.reconcile('shop')).run.reason).toContain(`start unit/${unit}`)
    expect(await values()).toBe('db=one web=two')
    await units.write('/etc/tspod/kube/shop-mine.yaml', appText('mine'))
    await sources.commit('shop', { 'mine.yaml': appText('mine', 'theirs') })
    const refused = await eventually(
      () => sources.reconcile('shop'),
      ({ run }) => run.outcome === 'refused',
    )
    expect(refused.run.failure?.message).toMatch(/mine\.yaml: there is a manifest for .* already/)
    await sources.commit('shop', { 'mine.yaml': undefined, 'db.yaml': undefined })
    await becomes('web=two')
    await eventually(
      () => units.show('tspod-kube@shop-db.service', 'ActiveState'),
      state => state === 'inactive',
    )
    expect((await sources.status('shop')).status).toBe('Ready')
    await succeeds(machine, ['gitops', 'remove', '--prune', 'shop'])
    expect(await values()).toBe('')
    expect(await units.show(unit, 'UnitFileState')).toBe('disabled')
    expect(await sources.sh('ls /etc/tspod/kube')).toBe('shop-mine.yaml\n')
    await sources.sh('rm -r /etc/tspod/kube')
  })

  onMachine('one that does not start is put back to what ran', async () => {
    await sources.repository('shop', { 'web.yaml': appText('web') })
    await add('--unit', '--watch=false')
    expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0 })
    await sources.commit('shop', {
      'web.yaml': appText('web', 'two', { image: 'localhost/nowhere:1', imagePullPolicy: 'Never' }),
    })
    expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 1, run: { outcome: 'failed' } })
    expect(await values()).toBe('web=one')
    await sources.commit('shop', { 'web.yaml': appText('web', 'three') })
    expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0 })
    expect(await values()).toBe('web=three')
  })
})

describe('the life of a source', () => {
  onMachine('its next run is known; suspended, nothing happens; removed, its units are gone', async () => {
    await sources.repository('shop', { 'web.yaml': appText('web') })
    await add('--interval', '30m')
    await becomes('web=one')
    await eventually(
      () => serviceOf('ActiveState'),
      state => state === 'inactive',
    )
    const { stdout } = await tspod(machine, ['gitops', 'status', 'shop'])
    expect(stdout).toMatch(/Status: Ready\n.*Next: in (29|30)m/s)
    await succeeds(machine, ['gitops', 'suspend', 'shop', '--reason', 'test', '--until', '+1h'])
    await sources.commit('shop', { 'web.yaml': appText('web', 'two') })
    await eventually(
      () => serviceOf('StatusText'),
      text => text.startsWith('skipped: suspended by '),
    )
    expect(await values()).toBe('web=one')
    expect((await tspod(machine, ['gitops', 'status', 'shop'])).exitCode).toBe(3)
    await succeeds(machine, ['gitops', 'resume', 'shop'])
    await succeeds(machine, ['gitops', 'reconcile', 'shop'])
    expect(await values()).toBe('web=two')
    // The interval is half an hour: the end of a suspension has a timer of its own.
    await succeeds(machine, ['gitops', 'suspend', 'shop', '--until', '+1h'])
    await succeeds(machine, ['gitops', 'suspend', 'shop', '--until', '+3s'])
    await sources.commit('shop', { 'web.yaml': appText('web', 'three') })
    await becomes('web=three')
    await succeeds(machine, ['gitops', 'suspend', 'shop', '--until', '+1h'])
    await succeeds(machine, ['gitops', 'remove', 'shop'])
    expect(await values()).toBe('web=three')
    const left = await sources.sh(
      'ls -d /etc/systemd/system/tspod-gitops@shop* /etc/systemd/system/*.wants/tspod-gitops@* 2>/dev/null || true',
    )
    expect(left).toBe('')
    expect(
      (await machine.exec(['systemctl', 'list-units', '--all', '--plain', '--no-legend', 'tspod-gitops*'])).stdout,
    ).toBe('')
  })

  onMachine('after a power cut what it has applied is back, without anybody', async () => {
    await sources.repository('shop', { 'web.yaml': appText('web') })
    await add()
    await becomes('web=one')
    await sources.commit('shop', { 'web.yaml': appText('web', 'two') })
    await becomes('web=two')
    await machine.crash()
    await machine.boot()
    await becomes('web=two')
    await sources.commit('shop', { 'web.yaml': appText('web', 'three') })
    await becomes('web=three')
  })
})
