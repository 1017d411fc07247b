/** The operations under a booted systemd with cgroup v2: scopes, the freezer of v2, and the timekeeper's own scope. */
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals'
import { withLeakCheck } from '../support/leaks.ts'
import { type Machine, startMachine } from '../support/machine.ts'
import { program } from '../support/place.ts'
import { testUnless } from '../support/requires.ts'
import { machineLack } from '../support/tree.ts'
import { containers, podText, succeeds, takeDownAll, tspod, warmUp } from '../support/tspod.ts'

const lack = await machineLack()
const onMachine = testUnless(lack)
let machine: Machine
beforeAll(async () => {
  if (lack !== undefined) return
  machine = await startMachine()
  await machine.exec(program(machine, 'scripts/demo-image.ts'))
  await warmUp(machine)
}, 240_000)
afterEach(async () => {
  if (machine !== undefined) await takeDownAll(machine)
})
afterAll(() => machine?.remove())

const states = async (): Promise<string[]> => (await containers(machine)).map(({ name, state }) => `${name} ${state}`)
/** But for what answers for the names of all pods. */
const scopes = async (): Promise<string> =>
  (await machine.sh("systemctl list-units --plain --no-legend 'tspod*' | awk '!/^tspod-resolver/ {print $1}'")).stdout

onMachine('stop, start, pause, restart, kill: the scope comes and goes with the pod', async () => {
  await withLeakCheck(machine, async () => {
    await succeeds(machine, ['kube', 'play', '-'], { input: podText('web') })
    expect(await scopes()).toMatch(/^tspod-pod-web-\w+\.scope\n$/)
    await succeeds(machine, ['pause', 'web-c1'])
    expect(await states()).toEqual(['web-c1 paused'])
    await succeeds(machine, ['unpause', 'web-c1'])
    await succeeds(machine, ['restart', 'web-c1'])
    await succeeds(machine, ['stop', 'web-c1'])
    expect(await scopes()).toBe('')
    await succeeds(machine, ['start', 'web-c1'])
    expect(await scopes()).toMatch(/^tspod-pod-web-\w+\.scope\n$/)
    await succeeds(machine, ['kill', 'web-c1'])
    expect(await states()).toEqual(['web-c1 stopped'])
    await succeeds(machine, ['pod', 'rm', 'web'])
  })
})

onMachine('a service stands for its pods and ends with them', async () => {
  await withLeakCheck(machine, async () => {
    const text = podText('one') + podText('two')
    await succeeds(machine, ['kube', 'play', '--service-container', '-'], { input: text })
    expect((await states()).map(line => line.split(' ')[1])).toEqual(['running', 'running', 'running'])
    await succeeds(machine, ['pod', 'stop', '--all'])
    expect((await states()).map(line => line.split(' ')[1])).toEqual(['stopped', 'stopped', 'stopped'])
    expect(await scopes()).toBe('')
    await succeeds(machine, ['kube', 'down', '-'], { input: text })
  })
})

onMachine('a back-off is waited for in a scope of its own, which ends with it', async () => {
  await withLeakCheck(machine, async () => {
    await tspod(machine, ['kube', 'play', '-'], { input: podText('crash', { script: 'exit 1' }) })
    await machine.sh(
      "for i in $(seq 100); do systemctl list-units 'tspod-timekeeper*' | grep -q scope && break; sleep 0.1; done",
    )
    expect(await scopes()).toMatch(/tspod-timekeeper-\d+\.scope/)
    await machine.sh(
      'for i in $(seq 150); do tspod=$(/src/bin/tspod ps -a --format "{{.Restarts}}"); [ "$tspod" -ge 2 ] && break; sleep 0.1; done',
    )
    expect((await containers(machine))[0]).toMatchObject({ restarts: 2 })
    await succeeds(machine, ['pod', 'rm', '-f', 'crash'])
  })
})
