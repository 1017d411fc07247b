/** Manifests as units: what the verbs do, and whether systemd's word for a unit is true whatever happens to it. */
import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals'
import fc from 'fast-check'
import { escapeName, escapePath, unescapeName } from '../../src/systemd/escape.ts'
import { type Machine, NODE_INSIDE, startMachine } from '../support/machine.ts'
import { program } from '../support/place.ts'
import { testUnless } from '../support/requires.ts'
import { machineLack } from '../support/tree.ts'
import { containers, podText, succeeds, takeDownAll, warmUp } from '../support/tspod.ts'
import { type MachineUnits, unitsOn } from '../support/units.ts'
import { eventually } from '../support/wait.ts'

const lack = await machineLack()
const onMachine = testUnless(lack)
let machine: Machine
let units: MachineUnits

beforeAll(async () => {
  if (lack !== undefined) return
  machine = await startMachine()
  units = unitsOn(machine)
  const image = await machine.exec(program(machine, 'scripts/demo-image.ts'))
  expect(image.stderr).toBe('')
  await warmUp(machine)
  await succeeds(machine, ['systemd', 'install'])
}, 240_000)
afterEach(async () => {
  if (machine === undefined) return
  await machine.sh(`tspod=/src/bin/tspod; for unit in $($tspod systemd list --format json | grep -o 'tspod-kube@.*service"' |
    tr -d '"' | sed 's/\\\\\\\\/\\\\/g' | sort -u); do systemctl stop "$unit"; systemctl disable -q "$unit"; done
    rm -rf /etc/tspod/kube; systemctl reset-failed`)
  await takeDownAll(machine)
})
afterAll(() => machine?.remove())

const UP = 'active success: web Running'

const startWeb = async (): Promise<void> => {
  await units.manifest('web')
  expect(await units.verb('start', 'web')).toMatchObject({ exitCode: 0, stderr: '' })
  expect(await units.truth('web')).toBe(UP)
}

describe('the units of an installation', () => {
  onMachine('systemd finds nothing wrong with them', async () => {
    await succeeds(machine, ['systemd', 'install', '--user'])
    const system = await machine.exec(['systemd-analyze', 'verify', 'tspod-kube@web.service', 'tspod-restart.service'])
    expect(system).toMatchObject({ exitCode: 0, stdout: '', stderr: '' })
    const user = await machine.exec(
      ['systemd-analyze', 'verify', '--user', '/root/.config/systemd/user/tspod-kube@.service'],
      { env: { XDG_RUNTIME_DIR: '/root' } },
    )
    expect(user).toMatchObject({ exitCode: 0, stdout: '', stderr: '' })
  })

  onMachine(
    'names are escaped as systemd-escape does, both ways, and nothing in them gets out of their place',
    async () => {
      const names = fc.sample(fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }), 300)
      const hostile = [
        'a b',
        '"q"',
        "'",
        '%n%%',
        '$HOME ${X}',
        'a;b',
        '\\x41\\',
        ']\n[Service]\nUser=x',
        'ü☃',
        '.a',
        '-x',
      ]
      const texts = [...hostile, ...names].map(text => text.replaceAll('\0', '')).filter(text => text !== '')
      // Not as arguments: they would go through D-Bus, which takes no such characters.
      const each = async (command: string, given: readonly string[]): Promise<string> => {
        const line = `xargs -0 ${command}`
        return (await machine.sh(line, { input: given.map(text => `${text}\0`).join('') })).stdout
      }
      expect((await each('systemd-escape --', texts)).trimEnd().split(' ')).toEqual(texts.map(escapeName))
      const paths = texts.map(text => `/${text}`).filter(path => !/(^|\/)\.\.(\/|$)/.test(path))
      expect((await each('systemd-escape --path --', paths)).trimEnd().split(' ')).toEqual(paths.map(escapePath))
      const some = texts.slice(0, 100).map(escapeName)
      const back = await each('sh -c \'for n; do systemd-escape --unescape -- "$n"; printf "\\0"; done\' sh', some)
      expect(back.split('\n\0').slice(0, -1)).toEqual(some.map(unescapeName))
      for (const text of hostile) {
        const unit = `tspod-kube@${escapeName(`/${text}`)}.service`
        const command = await units.show(unit, 'ExecStart')
        expect(command).toContain(`argv[]=/src/bin/tspod systemd run play -- ${escapeName(`/${text}`)} ;`)
        expect(await units.show(unit, 'User')).toBe('')
      }
    },
  )
})

describe('a manifest as a service', () => {
  onMachine('by name, with options beside it: start, look, reload, stop', async () => {
    await units.manifest('web')
    await units.options('web', '[Kube]\nNetwork=none\nPodmanArgs=--no-hostname\n')
    expect(await units.verb('start', 'web')).toMatchObject({ exitCode: 0, stdout: 'tspod-kube@web.service\n' })
    expect(await units.truth('web')).toBe(UP)
    expect((await succeeds(machine, ['exec', 'web-c1', 'ls', '/sys/class/net'])).trim()).toBe('lo')
    expect((await units.verb('status', 'web')).stdout).toMatch(/Active: active \(running\).*Pods: web Running 1\/1/s)
    expect((await units.verb('list')).stdout).toMatch(/^web +no +active/m)
    await units.write('/etc/tspod/kube/web.yaml', `${podText('web')}${podText('two')}`)
    expect(await units.verb('reload', 'web')).toMatchObject({ exitCode: 0 })
    expect(await units.truth('web')).toBe(`${UP}, two Running`)
    await units.write('/etc/tspod/kube/web.yaml', podText('two'))
    expect(await units.verb('reload', 'web')).toMatchObject({ exitCode: 0 })
    expect(await units.truth('web')).toBe('active success: two Running')
    await units.write('/etc/tspod/kube/web.yaml', 'oops: [')
    const broken = await units.verb('reload', 'web')
    expect(broken).toMatchObject({
      exitCode: 125,
      stderr: expect.stringMatching(/web\.yaml:1:8 error YAML_SYNTAX.*it failed\n/s),
    })
    expect(await units.truth('web')).toBe('active success: two Running')
    await machine.exec(['rm', '/etc/tspod/kube/web.yaml'])
    expect(await units.verb('stop', 'web')).toMatchObject({ exitCode: 0 })
    expect(await units.truth('web')).toBe('inactive success: ')
    expect(await units.leftovers()).toBe('')
  })

  onMachine('by a path of any name', async () => {
    const path = '/srv/my apps/50% "$HOME"; ü.yaml'
    await units.write(path, podText('odd'))
    const started = await units.verb('start', path)
    expect(started).toMatchObject({ exitCode: 0, stderr: '' })
    expect((await units.verb('status', path)).stdout).toContain('Pods: odd Running 1/1')
    expect(await units.verb('stop', started.stdout.trim())).toMatchObject({ exitCode: 0 })
    expect(await units.leftovers()).toBe('')
  })

  onMachine(
    "taken over from one of Podman's: where it starts, with what, and what is said about the rest",
    async () => {
      const kube = '[Unit]\nDescription=From Quadlet\n[Kube]\nYaml=app.yaml\nNetwork=none\nAutoUpdate=registry\n'
      await units.write(
        '/etc/containers/systemd/shop.kube',
        `${kube}SetWorkingDirectory=yaml\n[Install]\nWantedBy=shop.target\n`,
      )
      await units.write('/etc/containers/systemd/app.yaml', podText('shop'))
      const imported = await units.verb('import', '/etc/containers/systemd')
      expect(imported.stderr).toMatch(/^\/etc\/containers\/systemd\/shop\.kube:6:12 AutoUpdate= is not kept/)
      const enabled = await units.verb('enable', '--now', 'shop')
      expect(enabled.stderr).toMatch(/^Created symlink \S*shop\.target\.wants\/tspod-kube@shop\.service → \S*\n$/)
      expect(await units.show('tspod-kube@shop.service', 'Description')).toBe('From Quadlet')
      expect(await units.show('tspod-kube@shop.service', 'WorkingDirectory')).toBe('/etc/containers/systemd')
      expect((await succeeds(machine, ['exec', 'shop-c1', 'ls', '/sys/class/net'])).trim()).toBe('lo')
      expect(await units.verb('disable', '--now', 'shop')).toMatchObject({ exitCode: 0 })
      expect(await units.leftovers()).toBe('')
      await machine.sh(
        'rm -r /etc/containers/systemd /etc/systemd/system/tspod-kube@shop.service.d; systemctl daemon-reload',
      )
    },
  )

  onMachine('one that does not start says why, and leaves nothing', async () => {
    await units.manifest('web')
    await machine.sh("sed -i 's/localhost.tspod-demo:latest/localhost\\/missing:1/' /etc/tspod/kube/web.yaml")
    const { exitCode, stderr } = await units.verb('start', 'web')
    expect(exitCode).toBe(125)
    expect(stderr).toMatch(/missing:1.*Error: start tspod-kube@web\.service: it failed: its process ended with 125/s)
    expect(await units.truth('web')).toBe('failed exit-code: ')
    expect(await units.leftovers()).toBe('')
    expect((await units.verb('status', 'web')).exitCode).toBe(3)
  })

  onMachine(
    'a stop while an image is fetched from a registry that says nothing ends at once, and is no failure',
    async () => {
      await units.manifest('web')
      await machine.sh("sed -i 's/localhost.tspod-demo:latest/localhost:5999\\/slow:1/' /etc/tspod/kube/web.yaml")
      const silent = "require('net').createServer(() => {}).listen(5999)"
      await machine.exec(['systemd-run', '-q', '--unit=silent', NODE_INSIDE, '-e', silent])
      await machine.exec(['systemctl', 'start', '--no-block', 'tspod-kube@web'])
      await eventually(
        () => machine.exec(['pgrep', '-x', 'skopeo']),
        ({ exitCode }) => exitCode === 0,
      )
      expect(await units.active('web')).toBe('activating success')
      expect(await units.verb('stop', 'web')).toMatchObject({ exitCode: 0 })
      expect(await units.truth('web')).toBe('inactive success: ')
      expect(await units.leftovers()).toBe('')
      await machine.exec(['systemctl', 'stop', 'silent'])
    },
  )
})

describe('whatever happens, the state of the unit is true', () => {
  const ended = async (state: string): Promise<void> => {
    await eventually(
      () => units.truth('web'),
      truth => truth === state,
    )
    expect(await units.leftovers()).toBe('')
  }

  onMachine('systemd reads its files again, and replaces itself', async () => {
    await startWeb()
    await machine.exec(['systemctl', 'daemon-reload'])
    await machine.exec(['systemctl', 'daemon-reexec'])
    expect(await units.truth('web')).toBe(UP)
    expect(await units.verb('restart', 'web')).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await units.verb('stop', 'web')).toMatchObject({ exitCode: 0 })
    await ended('inactive success: ')
  })

  onMachine(
    'the service monitor is killed: the containers are stopped by their own signal, and it has failed',
    async () => {
      const script = "trap 'echo bye >/dev/termination-log; sleep 1; echo asked; exit 0' TERM; sleep 100000 & wait"
      await units.manifest('web', { script })
      await units.verb('start', 'web')
      await machine.sh('kill -9 $(systemctl show -P MainPID tspod-kube@web)')
      await ended('failed signal: ')
      expect((await machine.exec(['journalctl', '-b', '-o', 'cat', 'CONTAINER_NAME=web-c1'])).stdout).toContain('asked')
    },
  )

  onMachine('systemctl kill: the service is over', async () => {
    await startWeb()
    await machine.exec(['systemctl', 'kill', 'tspod-kube@web'])
    await ended('inactive success: ')
  })

  onMachine('masked while it runs: it goes on, cannot be started, and is stopped in its own way', async () => {
    await startWeb()
    await machine.exec(['systemctl', 'mask', '--runtime', 'tspod-kube@web.service'])
    expect(await units.truth('web')).toBe(UP)
    expect(await units.verb('restart', 'web')).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining('masked'),
    })
    expect(await units.truth('web')).toBe(UP)
    expect(await units.verb('stop', 'web')).toMatchObject({ exitCode: 0, stderr: '' })
    await ended('inactive success: ')
    await machine.exec(['systemctl', 'unmask', '--runtime', 'tspod-kube@web.service'])
  })
})

describe('after a reboot', () => {
  const boots: [title: string, down: () => Promise<void>][] = [
    ['a shutdown', () => machine.poweroff()],
    ['a power cut', () => machine.crash()],
  ]
  for (const [title, down] of boots) {
    onMachine(`${title}: what is enabled comes up in its order after the network, and nothing else does`, async () => {
      await machine.exec(['systemctl', 'enable', 'tspod-restart.service'])
      for (const name of ['web', 'late', 'idle']) await units.manifest(name)
      const dropIn = '/etc/systemd/system/tspod-kube@late.service.d/order.conf'
      await units.write(dropIn, '[Unit]\nAfter=tspod-kube@web.service\nRequires=tspod-kube@web.service\n')
      const enabled = await units.verb('enable', '--now', 'web', 'late')
      expect(enabled.stderr).toMatch(/^Created symlink .*multi-user\.target\.wants\/tspod-kube@web\.service → .*\n/)
      expect(await units.verb('start', 'idle')).toMatchObject({ exitCode: 0 })
      await down()
      await machine.boot()
      await eventually(
        () => units.active('late'),
        state => state.startsWith('active'),
        60_000,
      )
      expect(await units.active('web')).toBe('active success')
      expect(await units.active('idle')).toBe('inactive success')
      const running = (await containers(machine)).filter(({ state }) => state === 'running').map(({ name }) => name)
      expect(running.filter(name => !name.endsWith('-service')).sort()).toEqual(['late-c1', 'web-c1'])
      const at = async (unit: string, property: string): Promise<number> => Number(await units.show(unit, property))
      const ready = await at('tspod-kube@web.service', 'ActiveEnterTimestampMonotonic')
      expect(await at('tspod-kube@late.service', 'ExecMainStartTimestampMonotonic')).toBeGreaterThanOrEqual(ready)
      const network = await at('network-online.target', 'ActiveEnterTimestampMonotonic')
      expect(await at('tspod-kube@web.service', 'InactiveExitTimestampMonotonic')).toBeGreaterThanOrEqual(network)
      expect(await units.verb('disable', '--now', 'late', 'web')).toMatchObject({ exitCode: 0 })
      await succeeds(machine, ['kube', 'down', '/etc/tspod/kube/idle.yaml'])
      expect(await units.leftovers()).toBe('')
      await machine.exec(['systemctl', 'disable', 'tspod-restart.service'])
      await machine.exec(['rm', '-r', dropIn.slice(0, dropIn.lastIndexOf('/'))])
    })
  }
})

describe("a user's own systemd", () => {
  onMachine('runs units of root without a login where linger is on, and doctor says where it is not', async () => {
    const doctor = async (): Promise<string> => (await machine.exec(['/src/bin/tspod', 'doctor'])).stdout
    await succeeds(machine, ['systemd', 'install', '--user'])
    const none = await units.verb('start', '--user', 'web')
    expect(none).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('web.yaml: no such file') })
    await units.write('/root/.config/tspod/kube/web.yaml', podText('web'))
    expect(await units.verb('start', '--user', 'web')).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining('loginctl enable-linger'),
    })
    await machine.exec(['loginctl', 'enable-linger', 'root'])
    const started = await eventually(
      () => units.verb('enable', '--user', '--now', 'web'),
      ({ exitCode }) => exitCode === 0,
    )
    expect(started.stdout).toBe('tspod-kube@web.service\n')
    expect((await units.verb('list', '--user')).stdout).toMatch(/^web +yes +active/m)
    expect(await doctor()).toMatch(/linger +units of root run without a login/)
    expect(await units.verb('disable', '--user', '--now', 'web')).toMatchObject({ exitCode: 0 })
    expect(await units.leftovers()).toBe('')
    expect(await units.verb('enable', '--user', 'web')).toMatchObject({ exitCode: 0 })
    await machine.exec(['loginctl', 'disable-linger', 'root'])
    expect(await doctor()).toMatch(/warn +linger +only while root is logged in: tspod-kube@web.service/)
    await machine.sh('rm -r /root/.config/systemd /root/.config/tspod')
  })
})

// The last one: not everything of Debian's gets over it.
describe('without a bus', () => {
  onMachine('D-Bus stops: the unit runs, stops and starts, and the verbs say what is missing', async () => {
    await startWeb()
    const script = `systemctl stop dbus.socket dbus.service
      /src/bin/tspod systemd status web; echo "verb $?"; echo "now $(systemctl is-active tspod-kube@web)"
      systemctl stop tspod-kube@web; echo "stopped $(systemctl is-active tspod-kube@web) $(/src/bin/tspod pod ps -q)"
      systemctl start tspod-kube@web; echo "started $(systemctl is-active tspod-kube@web)"
      systemctl start dbus.socket; echo over`
    await units.write('/root/without-bus', script)
    await machine.sh('systemd-run -q --no-block --collect sh -c "sh /root/without-bus >/root/told 2>&1"')
    const told = await eventually(
      async () => (await machine.exec(['cat', '/root/told'])).stdout,
      text => text.endsWith('over\n'),
      60_000,
    )
    expect(told).toMatch(/^Error: systemd cannot be reached over D-Bus .*\n.*start D-Bus.*\nverb 125\nnow active\n/)
    expect(told).toMatch(/stopped inactive \nstarted active\nover\n$/)
    expect(await units.truth('web')).toBe(UP)
  })
})
