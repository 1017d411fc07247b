/** One systemd unit for a whole manifest: what it holds, what it says, and how it ends. */
import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals'
import { systemClock } from '../../src/clock.ts'
import { withLeakCheck } from '../support/leaks.ts'
import { type Machine, NODE_INSIDE, startMachine } from '../support/machine.ts'
import { program } from '../support/place.ts'
import { testUnless } from '../support/requires.ts'
import { installTemplate, makeService, type Service } from '../support/service.ts'
import { machineLack } from '../support/tree.ts'
import { containers, podText, succeeds, takeDownAll, WAIT_COMMAND, warmUp } from '../support/tspod.ts'
import { eventually } from '../support/wait.ts'

const lack = await machineLack()
const onMachine = testUnless(lack)
let machine: Machine
let service: Service | undefined

beforeAll(async () => {
  if (lack !== undefined) return
  machine = await startMachine()
  await machine.sh(`ip link add eth0 type veth peer name uplink && ip link set uplink up && ip link set eth0 up &&
    ip address add 192.0.2.20/24 dev eth0 && ip route add default via 192.0.2.1`)
  await machine.exec(program(machine, 'scripts/demo-image.ts'))
  await installTemplate(machine)
  await warmUp(machine)
  // As the other folders of an installation this one stays once it is needed.
  await machine.sh('mkdir -m 700 /run/tspod/notify')
}, 240_000)
afterEach(async () => {
  await service?.remove()
  service = undefined
  if (machine !== undefined) await takeDownAll(machine)
})
afterAll(() => machine?.remove())

const made = async (...args: Parameters<typeof makeService> extends [unknown, ...infer Rest] ? Rest : never) => {
  service = await makeService(machine, ...args)
  return service
}
const one = async (name: string) => (await containers(machine)).find(container => container.name === name)!
const cgroupOf = async (pid: number): Promise<string> =>
  /^0::(.*)$/m.exec((await machine.sh(`cat /proc/${pid}/cgroup`)).stdout)?.[1] ?? ''
/** The monitor of a container, by the kernel. */
const monitorOf = async (name: string): Promise<number> =>
  Number((await machine.sh(`pgrep -x conmon -a | awk '/--name ${name} /{print $1}'`)).stdout)
const journal = async (...args: string[]): Promise<string> =>
  (await machine.exec(['journalctl', '--no-pager', '--output=cat', ...args])).stdout

describe('a service of two pods', () => {
  const text = podText('web', { scripts: [`echo said-by-web; ${WAIT_COMMAND}`, WAIT_COMMAND] }) + podText('db')

  onMachine('lives in its unit as a whole: containers, monitors, what is started again and what is executed', () =>
    withLeakCheck(machine, async () => {
      const app = await made('app', text)
      expect(await app.start()).toBe(0)
      const [state, main, status, path] = await app.show('ActiveState', 'MainPID', 'StatusText', 'ControlGroup')
      expect([state, status]).toEqual(['active', '3/3 containers up'])
      const name = (await containers(machine)).find(container => container.name.endsWith('-service'))!.name
      expect(Number(main)).toBe(await monitorOf(name))
      const whole = await app.cgroups()
      expect(whole).toEqual({
        control: ['conmon', 'conmon', 'conmon', 'conmon'],
        [`pod-${name}/service`]: ['catatonit'],
        'pod-db/c1': ['sh', 'sleep'],
        'pod-web/c1': ['sh', 'sleep'],
        'pod-web/c2': ['sh', 'sleep'],
      })
      // Controllers are handed down, which the kernel allows only to a cgroup without processes of its own.
      expect((await machine.sh(`cat /sys/fs/cgroup'${path}'/cgroup.subtree_control`)).stdout.trim()).toBe('hugetlb')
      // Each command of this test runs in a transient unit of its own, as a person's shell does in a session.
      await succeeds(machine, ['restart', 'web-c1'])
      expect(await app.cgroups()).toEqual(whole)
      await succeeds(machine, ['exec', '--detach', 'web-c2', 'sleep', '77'])
      expect((await app.cgroups())['pod-web/c2']).toEqual(['sh', 'sleep', 'sleep'])
      await machine.sh(`kill -KILL ${(await one('db-c1')).pid}`)
      await eventually(
        () => one('db-c1'),
        ({ restarts, state }) => restarts === 1 && state === 'running',
      )
      const again = await one('db-c1')
      expect(await cgroupOf(again.pid!)).toMatch(`${path}/pod-db-`)
      // What a person does to it is told as well.
      await succeeds(machine, ['stop', 'web-c2'])
      expect(await app.show('StatusText')).toEqual(['2/3 containers up; web-c2 is stopped'])
      expect(await succeeds(machine, ['system', 'fsck'])).toMatch(/all is well/)
      expect(await app.stop()).toBe(0)
      expect(await app.show('ActiveState', 'Result')).toEqual(['inactive', 'success'])
      expect(await containers(machine)).toEqual([])
      await app.remove()
    }),
  )

  onMachine(
    'speaks in its unit’s journal, each line with its container and pod, and to `tspod logs` as before',
    async () => {
      const app = await made('talk', text)
      const { unit } = app
      await app.start()
      const lines = await eventually(
        () => journal('-u', unit),
        said => said.includes('said-by-web'),
      )
      expect(lines.match(/said-by-web/g)).toHaveLength(1)
      const asked = (...fields: string[]) => journal(...fields, '_COMM=conmon')
      expect(await asked('CONTAINER_NAME=web-c1', 'CONTAINER_TAG=web', `_SYSTEMD_UNIT=${unit}`)).toBe('said-by-web\n\n')
      expect(await succeeds(machine, ['logs', 'web/c1'])).toBe('said-by-web\n')
      // A journal that is gone holds nothing up.
      const sockets = 'systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket'
      await machine.sh(`systemctl stop systemd-journald.service ${sockets}`)
      await succeeds(machine, ['restart', 'web-c1'])
      await eventually(
        () => succeeds(machine, ['logs', 'web/c1']),
        said => said.endsWith('said-by-web\nsaid-by-web\n'),
      )
      expect(await app.show('ActiveState')).toEqual(['active'])
      await machine.sh('systemctl start systemd-journald.socket systemd-journald.service')
      expect(await app.stop()).toBe(0)
    },
  )

  onMachine('started by hand when its unit is gone, lives where other pods do', async () => {
    // A unit that takes nothing down when it ends leaves records of pods whose processes are gone.
    const app = await made('app', text, { dropIn: 'ExecStop=\nExecStopPost=' })
    await app.start()
    await machine.exec(['systemctl', 'kill', '--signal=KILL', app.unit])
    await app.reaches('failed')
    await machine.exec(['systemctl', 'reset-failed', app.unit])
    await succeeds(machine, ['pod', 'start', 'db'])
    expect(await cgroupOf((await one('db-c1')).pid!)).toMatch(/^\/machine\.slice\/tspod-pod-db-/)
    expect((await machine.sh('ls -d /sys/fs/cgroup/system.slice/*tspod*kube* 2>&1')).stdout).not.toMatch(/app.service/)
    // And the next start of the unit makes all of it new.
    expect(await app.start()).toBe(0)
    expect((await app.cgroups())['pod-db/c1']).toEqual(['sh', 'sleep'])
    await machine.sh("rm -r '/run/systemd/system/tspod-kube@app.service.d'; systemctl daemon-reload")
  })
})

describe('exit codes reach the unit', () => {
  type Row = [propagation: 'none' | 'any' | 'all', codes: [number, number], code: number]
  const rows: Row[] = [
    ['none', [0, 0], 0],
    ['none', [0, 1], 0],
    ['none', [1, 1], 0],
    ['any', [0, 0], 0],
    ['any', [0, 1], 137],
    ['any', [1, 1], 137],
    ['all', [0, 0], 0],
    ['all', [0, 1], 0],
    ['all', [1, 1], 137],
  ]
  for (const policy of ['ignore', 'conmon']) {
    onMachine(`in all nine cases, with the policy ${policy}`, async () => {
      const found: [...Row, state: string][] = []
      for (const [propagation, codes] of rows) {
        const pod = JSON.parse(
          podText('job', { scripts: codes.map(code => `sleep 0.2; exit ${code}`), restartPolicy: 'Never' }).slice(4),
        )
        pod.metadata.annotations = { 'io.containers.sdnotify': policy }
        const job = await makeService(machine, 'job', JSON.stringify(pod), {
          options: `ExitCodePropagation=${propagation}`,
        })
        await job.start()
        const state = await job.reaches('inactive', 'failed')
        found.push([propagation, codes, Number((await job.show('ExecMainStatus'))[0]), state])
        await job.remove()
      }
      expect(found).toEqual(rows.map(row => [...row, row[2] === 0 ? 'inactive' : 'failed']))
    })
  }

  onMachine('also of what has ended before anybody could be told', async () => {
    const script = { scripts: ['exit 0', 'exit 1'], restartPolicy: 'Never' as const }
    const job = await made('job', podText('job', script), { options: 'ExitCodePropagation=any' })
    await job.start()
    expect(await job.reaches('inactive', 'failed')).toBe('failed')
    expect(await job.show('ExecMainStatus')).toEqual(['137'])
  })
})

describe('the unit is what its service is', () => {
  onMachine('failed when nothing starts, active when something does', async () => {
    const pod = JSON.parse(podText('web', { scripts: ['', WAIT_COMMAND] }).slice(4))
    pod.spec.containers[0].command = ['/none']
    const app = await made('app', JSON.stringify(pod))
    await app.start()
    expect(await app.show('ActiveState', 'StatusText')).toEqual([
      'active',
      '1/2 containers up; web-c1 exited with code 128',
    ])
    await app.remove()
    pod.spec.containers[1].command = ['/none']
    const none = await made('app', JSON.stringify(pod))
    expect(await none.start()).not.toBe(0)
    expect(await none.show('ActiveState', 'ExecMainStatus')).toEqual(['failed', '125'])
    expect(await containers(machine)).toEqual([])
  })

  onMachine('failed when the monitor of the service is killed, and nothing is left', () =>
    withLeakCheck(machine, async () => {
      const app = await made('app', podText('web'))
      await app.start()
      await machine.sh(`kill -KILL ${(await app.show('MainPID'))[0]}`)
      await app.reaches('failed')
      expect(await app.show('Result')).toEqual(['signal'])
      expect(await containers(machine)).toEqual([])
      await app.remove()
    }),
  )

  onMachine('the same without D-Bus, and to a systemd that has executed itself anew', () =>
    withLeakCheck(machine, async () => {
      const app = await made('app', podText('web') + podText('db'))
      // One command of this test for all of it: without D-Bus no other one reaches the machine.
      const show = `systemctl show ${app.unit} --property`
      const said = await machine.sh(`systemctl stop dbus.socket dbus.service
        systemctl start ${app.unit} && ${show} ActiveState
        /src/bin/tspod restart web-c1
        (cd "/sys/fs/cgroup$(${show} ControlGroup --value)" && cat pod-web-*/c1/cgroup.procs | wc -l)
        systemctl daemon-reexec
        /src/bin/tspod stop db-c1
        ${show} StatusText
        systemctl stop ${app.unit} && ${show} ActiveState,Result
        systemctl start dbus.socket dbus.service`)
      expect(said.stdout.trim().split('\n')).toEqual([
        ...['ActiveState=active', 'web-c1', '2', 'db-c1', 'StatusText=1/2 containers up; db-c1 is stopped'],
        ...['Result=success', 'ActiveState=inactive'],
      ])
      await app.remove()
    }),
  )

  onMachine('inactive when it is stopped and nobody knows any more what was played, and nothing is left', async () => {
    const app = await made('app', podText('web') + podText('db'))
    await app.start()
    await machine.sh('rm /run/tspod/unit:*')
    expect(await app.stop()).toBe(0)
    expect(await app.show('ActiveState', 'Result')).toEqual(['inactive', 'success'])
    expect(await containers(machine)).toEqual([])
  })

  onMachine('inactive when all of it is asked to end at once, and nothing is left', () =>
    withLeakCheck(machine, async () => {
      const app = await made('app', podText('web') + podText('db'))
      await app.start()
      await machine.exec(['systemctl', 'kill', app.unit])
      expect(await app.reaches('inactive', 'failed')).toBe('inactive')
      expect(await containers(machine)).toEqual([])
      await app.remove()
    }),
  )

  onMachine('active when the monitor of a container is killed: that one runs on', async () => {
    const app = await made('app', podText('web'))
    await app.start()
    await machine.sh(`kill -KILL ${await monitorOf('web-c1')}`)
    expect(await app.show('ActiveState')).toEqual(['active'])
    expect((await app.cgroups())['pod-web/c1']).toEqual(['sh', 'sleep'])
    expect(await app.stop()).toBe(0)
    expect(await app.show('ActiveState')).toEqual(['inactive'])
    expect(await containers(machine)).toEqual([])
  })

  onMachine('failed when all of it is killed, and new with the next start', () =>
    withLeakCheck(machine, async () => {
      const app = await made('app', podText('web'))
      await app.start()
      await machine.exec(['systemctl', 'kill', '--signal=KILL', app.unit])
      await app.reaches('failed')
      expect(await containers(machine)).toEqual([])
      expect(await app.start()).toBe(0)
      expect(await app.show('ActiveState', 'StatusText')).toEqual(['active', '1/1 containers up'])
      await app.remove()
    }),
  )

  /** It never says that it is ready, so that the start takes for ever. */
  const mute = (): string => {
    const pod = JSON.parse(podText('mute').slice(4))
    pod.metadata.annotations = { 'io.containers.sdnotify': 'container' }
    return JSON.stringify(pod)
  }
  const begun = async (app: Service): Promise<void> => {
    await machine.exec(['systemctl', 'start', '--no-block', app.unit])
    await eventually(
      () => app.show('StatusText'),
      ([status]) => status === '1/1 containers up; waiting for mute-c1 to be ready',
    )
    expect(await app.show('ActiveState')).toEqual(['activating'])
  }

  onMachine('active once its probes say that it is healthy; what probes is outside the unit, and goes', () =>
    withLeakCheck(machine, async () => {
      const pod = JSON.parse(podText('well').slice(4))
      pod.metadata.annotations = { 'io.containers.sdnotify': 'healthy' }
      const exec = { command: ['test', '-e', '/tmp/alive'] }
      pod.spec.containers[0].livenessProbe = { exec, periodSeconds: 1, failureThreshold: 100 }
      const app = await made('app', JSON.stringify(pod))
      await machine.exec(['systemctl', 'start', '--no-block', app.unit])
      await eventually(
        () => app.show('StatusText'),
        ([status]) => status === '1/1 containers up; waiting for well-c1 to be ready',
      )
      expect(await app.show('ActiveState')).toEqual(['activating'])
      const prober = "pgrep -f 'dist/[p]rober.cjs'"
      expect((await machine.sh(`cat /proc/$(${prober})/cgroup`)).stdout).toMatch(/tspod-prober-\d+\.scope/)
      await succeeds(machine, ['exec', 'well-c1', 'touch', '/tmp/alive'])
      await app.reaches('active')
      expect(await app.stop()).toBe(0)
      expect(await app.show('ActiveState')).toEqual(['inactive'])
      await eventually(
        async () => (await machine.sh(prober)).stdout,
        text => text === '',
      )
      await app.remove()
    }),
  )

  onMachine('inactive when it is stopped while it waits for a container, and nothing is left', () =>
    withLeakCheck(machine, async () => {
      const app = await made('app', mute())
      await begun(app)
      expect(await app.stop()).toBe(0)
      expect(await app.show('ActiveState')).toEqual(['inactive'])
      expect(await containers(machine)).toEqual([])
      await app.remove()
    }),
  )

  onMachine('failed when its tspod is killed while it waits, and nothing is left', () =>
    withLeakCheck(machine, async () => {
      const app = await made('app', mute())
      await begun(app)
      await machine.sh(`kill -KILL ${(await app.show('MainPID'))[0]}`)
      await app.reaches('failed')
      expect(await containers(machine)).toEqual([])
      await app.remove()
    }),
  )

  onMachine(
    'active once the container says so; tspod stays as its main process, and its death is the service’s',
    async () => {
      const app = await made('app', mute())
      await begun(app)
      const { pid } = await one('mute-c1')
      const said = `NOTIFY_SOCKET=/proc/${pid}/root/run/notify/notify.sock systemd-notify --ready --status=well`
      expect((await machine.sh(said)).stderr).toBe('')
      await app.reaches('active')
      const [main, status] = await app.show('MainPID', 'StatusText')
      expect(status).toBe('1/1 containers up')
      expect((await machine.sh(`cat /proc/${main}/cmdline | tr '\\0' ' '`)).stdout).toMatch(/systemd run play/)
      await machine.sh(`kill -KILL ${main}`)
      await app.reaches('failed')
      expect(await containers(machine)).toEqual([])
    },
  )

  onMachine('inactive when it is stopped while an image is fetched, however long that takes', async () => {
    // Whoever connects there never gets an answer.
    const silence = "require('node:net').createServer(() => undefined).listen(5999)"
    await machine.exec(['systemd-run', '--unit=silence', NODE_INSIDE, '--eval', silence])
    const text = podText('far').replaceAll('localhost/tspod-demo:latest', 'localhost:5999/far:1')
    const app = await made('app', text, { dropIn: 'TimeoutStartSec=3' })
    await machine.exec(['systemctl', 'start', '--no-block', app.unit])
    await eventually(
      () => app.show('StatusText'),
      ([status]) => /Trying to pull/.test(status!),
    )
    await systemClock.sleep(4_000)
    expect(await app.show('ActiveState')).toEqual(['activating'])
    expect(await app.stop()).toBe(0)
    expect(await app.show('ActiveState')).toEqual(['inactive'])
    expect(await containers(machine)).toEqual([])
    await machine.exec(['systemctl', 'stop', 'silence'])
  })

  onMachine('stopping for as long as its pods may take, whatever TimeoutStopSec says', async () => {
    const script = "trap 'sleep 4; echo in-order; exit 0' TERM; sleep 100000 & wait"
    const app = await made('app', podText('slow', { script }), { dropIn: 'TimeoutStopSec=2' })
    await app.start()
    expect(await app.stop()).toBe(0)
    expect(await app.show('ActiveState', 'Result')).toEqual(['inactive', 'success'])
    expect(await journal('CONTAINER_NAME=slow-c1')).toMatch(/in-order/)
    expect(await containers(machine)).toEqual([])
  })

  onMachine('reloading while its manifest is played anew, and then stood for by the new service', async () => {
    const app = await made('app', podText('web'))
    await app.start()
    const [before] = await app.show('MainPID')
    expect((await machine.exec(['systemctl', 'reload', app.unit])).exitCode).toBe(0)
    const [state, after, status] = await app.show('ActiveState', 'MainPID', 'StatusText')
    expect([state, status]).toEqual(['active', '1/1 containers up'])
    expect(after).not.toBe(before)
    expect(await app.cgroups()).toMatchObject({ control: ['conmon', 'conmon'], 'pod-web/c1': ['sh', 'sleep'] })
  })
})
