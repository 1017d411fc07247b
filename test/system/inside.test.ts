/** Operations that look into containers, with crun and runc below systemd's cgroup v2 tree. */
import { afterAll, beforeAll, describe, expect } from '@jest/globals'
import { withLeakCheck } from '../support/leaks.ts'
import { type Machine, startMachine } from '../support/machine.ts'
import { program } from '../support/place.ts'
import { testUnless } from '../support/requires.ts'
import { machineLack } from '../support/tree.ts'
import { launcher, podText, succeeds, WAIT_COMMAND, warmUp } from '../support/tspod.ts'

const RUNTIMES = ['crun', 'runc']
const lack = await machineLack()
const onMachine = testUnless(lack)
let machine: Machine

beforeAll(async () => {
  if (lack !== undefined) return
  machine = await startMachine()
  const image = await machine.exec(program(machine, 'scripts/demo-image.ts'))
  expect(image.stderr).toBe('')
  for (const runtime of RUNTIMES) await warmUp(machine, runtime)
}, 240_000)
afterAll(() => machine?.remove())

describe('on cgroup v2', () => {
  for (const runtime of RUNTIMES) {
    onMachine(`files, processes and figures of containers, with ${runtime}`, () =>
      withLeakCheck(machine, async () => {
        const scripts = [`echo new >/etc/new; ${WAIT_COMMAND}`, 'echo kept >/kept; exit 0']
        const text = podText('inside', { scripts, restartPolicy: 'Never' })
        await succeeds(machine, ['--runtime', runtime, 'kube', 'play', '-'], { input: text })
        const ended = `until ${launcher(machine)} ps -a --format json | grep -q '"exited"'; do sleep 0.1; done`
        const files = `echo in >/tmp/in; tspod() { ${launcher(machine)} "$@"; }
          tspod cp /tmp/in inside-c1:/dev/shm/in && tspod exec inside-c1 cat /dev/shm/in
          tspod cp inside-c1:/etc/new - | tar -xO; tspod cp inside-c2:/kept /tmp/kept && cat /tmp/kept
          tspod export inside-c1 | tar -xO etc/new; cat "$(tspod mount inside-c2)/kept"; tspod umount inside-c2 >/dev/null
          tspod diff inside-c2; rm /tmp/in /tmp/kept`
        expect((await machine.sh(`${ended}\n${files}`)).stdout.split('\n').filter(Boolean)).toEqual([
          ...['in', 'new', 'kept', 'new', 'kept', 'A /kept'],
        ])
        const processes = (await succeeds(machine, ['top', 'inside-c1', 'pid', 'user', 'comm'])).split('\n')
        expect(processes.slice(0, 3).map(line => line.trim().split(/ +/))).toEqual([
          ['PID', 'USER', 'COMMAND'],
          ['1', 'root', 'sh'],
          [expect.any(String), 'root', 'sleep'],
        ])
        const [figures] = JSON.parse(await succeeds(machine, ['stats', '--no-stream', '--format', 'json', 'inside-c1']))
        expect(figures).toMatchObject({ name: 'inside-c1', cpu_percent: expect.stringMatching(/%$/) })
        // The memory controller of the development machines is in a v1 tree, which the machine does not see.
        const controllers = (await machine.sh('cat /sys/fs/cgroup/cgroup.controllers')).stdout
        if (!controllers.includes('memory')) expect(figures).toMatchObject({ mem_usage: null, mem_percent: null })
        else expect(figures.mem_usage).toMatch(/B \/ /)
        await succeeds(machine, ['kube', 'down', '-'], { input: text })
      }),
    )
  }
})
