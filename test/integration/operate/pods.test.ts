import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Finished } from '../../../src/process.ts'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { containers, launcher, podText, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(async () => {
  await takeDownAll(cell)
  await cell.sh('rm -rf /tmp/order')
})
afterAll(() => cell?.remove())

const ENDS = "trap 'exit 0' TERM; sleep 1000 & wait"
const states = async (): Promise<string[]> => (await containers(cell)).map(({ name, state }) => `${name} ${state}`)
const play = (text: string, ...flags: string[]): Promise<string> =>
  succeeds(cell, ['kube', 'play', ...flags, '-'], { input: text })

type Wish = { name: string; script: string; restartPolicy?: string }

/** A pod with init containers; every container writes down when it starts and when it is asked to stop. */
function podWith(
  init: Wish[],
  regular: Wish[],
  more: { policy?: string; annotations?: Record<string, string> } = {},
): string {
  const container = ({ name, script, restartPolicy }: Wish) => ({
    name,
    image: 'localhost/tspod-demo:latest',
    command: ['sh', '-c', script],
    ...(restartPolicy && { restartPolicy }),
    volumeMounts: [{ name: 'order', mountPath: '/order' }],
  })
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', annotations: more.annotations ?? {} },
    spec: {
      restartPolicy: more.policy ?? 'Always',
      terminationGracePeriodSeconds: 5,
      initContainers: init.map(container),
      containers: regular.map(container),
      volumes: [{ name: 'order', hostPath: { path: '/tmp/order', type: 'DirectoryOrCreate' } }],
    },
  })
}

/** Writes `+NAME` when it starts and `-NAME` when it is told to stop. */
const told = (name: string): string =>
  `echo +${name} >>/order/log; trap 'echo -${name} >>/order/log; exit 0' TERM; while :; do sleep 0.05; done`
/** Of pods: the cell has one of its own. */
const interfaces = async (): Promise<string> => (await cell.sh('ip -o link show type veth | grep -v uplink')).stdout
const order = async (): Promise<string[]> =>
  (await cell.sh('cat /tmp/order/log; rm /tmp/order/log')).stdout.trim().split('\n')

describe('stop, start, restart, kill', () => {
  test('a stopped pod holds nothing of the kernel, and starts again as it was', async () => {
    await withLeakCheck(cell, async () => {
      await play(podText('web', { scripts: [ENDS, ENDS] }))
      await succeeds(cell, ['pod', 'stop', 'web'])
      expect(await states()).toEqual(['web-c1 stopped', 'web-c2 stopped'])
      expect(await interfaces()).toBe('')
      expect((await cell.sh('findmnt -t nsfs,overlay -n')).stdout).toBe('')
      await succeeds(cell, ['pod', 'start', 'web'])
      expect(await states()).toEqual(['web-c1 running', 'web-c2 running'])
      await succeeds(cell, ['pod', 'restart', 'web'])
      expect(await states()).toEqual(['web-c1 running', 'web-c2 running'])
      await succeeds(cell, ['pod', 'kill', 'web'])
      expect(await states()).toEqual(['web-c1 stopped', 'web-c2 stopped'])
      await succeeds(cell, ['pod', 'rm', 'web'])
    })
  })

  test('pause and unpause, each for all containers', async () => {
    await play(podText('web', { scripts: [ENDS, ENDS] }))
    await succeeds(cell, ['pod', 'pause', 'web'])
    expect(await states()).toEqual(['web-c1 paused', 'web-c2 paused'])
    await succeeds(cell, ['pod', 'unpause', 'web'])
    expect(await states()).toEqual(['web-c1 running', 'web-c2 running'])
  })

  test('one bad container does not stop the rest, and the error names it', async () => {
    await play(podText('web', { scripts: [ENDS, ENDS] }))
    await succeeds(cell, ['pod', 'stop', 'web'])
    const { id } = (await containers(cell))[0]!
    // Its bundle cannot be written: there is a file where its directory should be.
    await cell.sh(`rm -rf /run/tspod/containers/${id}; touch /run/tspod/containers/${id}`)
    const finished = await tspod(cell, ['pod', 'start', 'web'])
    expect(finished.exitCode).toBe(125)
    expect(finished.stderr).toMatch(/web-c1: /)
    expect((await states())[1]).toBe('web-c2 running')
    await cell.sh(`rm -f /run/tspod/containers/${id}`)
  })

  test('a pod that runs is not removed without force; one that does not exist has Podman’s words', async () => {
    await play(podText('web'))
    const kept = await tspod(cell, ['pod', 'rm', 'web'])
    expect([kept.exitCode, kept.stderr]).toEqual([125, expect.stringMatching(/cannot be removed without force/)])
    const none = await tspod(cell, ['pod', 'stop', 'nobody'])
    expect([none.exitCode, none.stderr]).toEqual([
      125,
      expect.stringMatching(/no pod with name or ID nobody found: no such pod/),
    ])
    await succeeds(cell, ['pod', 'rm', '-f', '-i', 'nobody', 'web'])
    expect(await states()).toEqual([])
  })
})

describe('order', () => {
  test('init, sidecar, regular; and back: regular, then sidecars, the last one first', async () => {
    const init = [
      { name: 'i', script: 'echo +i >>/order/log' },
      { name: 's1', script: told('s1'), restartPolicy: 'Always' },
      { name: 's2', script: told('s2'), restartPolicy: 'Always' },
    ]
    await play(podWith(init, [{ name: 'a', script: told('a') }]))
    await cell.sh('until [ "$(wc -l </tmp/order/log)" = 4 ]; do sleep 0.05; done')
    await succeeds(cell, ['pod', 'stop', 'p'])
    const lines = await order()
    expect(lines[0]).toBe('+i')
    expect(lines.slice(-3)).toEqual(['-a', '-s2', '-s1'])
    // The init container is done for the life of the pod; the sidecars come again.
    await succeeds(cell, ['pod', 'start', 'p'])
    await cell.sh('until [ "$(wc -l </tmp/order/log)" = 3 ]; do sleep 0.05; done')
    expect((await order()).toSorted()).toEqual(['+a', '+s1', '+s2'])
  })

  test('an init container of the type always runs at every start', async () => {
    const annotations = { 'io.podman.annotations.init.container.type': 'always' }
    await play(podWith([{ name: 'i', script: 'echo +i >>/order/log' }], [{ name: 'a', script: ENDS }], { annotations }))
    await succeeds(cell, ['pod', 'restart', 'p'])
    expect(await order()).toEqual(['+i', '+i'])
    // In a pod that has begun its time is over: nobody has it run again, and how it ended stays known.
    await succeeds(cell, ['start', 'p-i'])
    await succeeds(cell, ['restart', 'p-i'])
    expect((await containers(cell)).find(({ name }) => name === 'p-i')).toMatchObject({ state: 'exited', exitCode: 0 })
    expect(await order()).toEqual([''])
  })

  test('dependencies start before and stop after what needs them', async () => {
    const annotations = { 'io.tspod.depends-on/a': 'b' }
    const regular = ['a', 'b'].map(name => ({ name, script: told(name) }))
    await play(podWith([], regular, { annotations }))
    await cell.sh('until [ "$(wc -l </tmp/order/log)" = 2 ]; do sleep 0.05; done')
    await succeeds(cell, ['pod', 'stop', 'p'])
    const lines = await order()
    expect(lines.slice(-2)).toEqual(['-a', '-b'])
  })
})

describe('init containers', () => {
  test('one that fails is tried again as restartPolicy says, first at once, then in back-off', async () => {
    const init = [{ name: 'i', script: 'echo x >>/order/log; [ "$(wc -l </order/log)" -ge 2 ]' }]
    await play(podWith(init, [{ name: 'a', script: ENDS }]))
    expect((await containers(cell)).find(({ name }) => name === 'p-i')).toMatchObject({ restarts: 1, exitCode: 0 })
  })

  test('one that keeps failing waits, and says so', async () => {
    const played = await tspod(cell, ['kube', 'play', '-'], {
      input: podWith([{ name: 'i', script: 'exit 4' }], [{ name: 'a', script: ENDS }]),
    })
    expect(played.exitCode).toBe(125)
    expect(played.stderr).toMatch(/init container p-i .* exited with code 4/)
    expect((await containers(cell)).find(({ name }) => name === 'p-i')).toMatchObject({
      restarts: 1,
      exitCode: 4,
      status: 'CrashLoopBackOff',
    })
  })

  test('one that succeeds when its time has come brings up the rest, and nothing waits in memory but a shell', async () => {
    await withLeakCheck(cell, async () => {
      const init = [{ name: 'i', script: 'echo x >>/order/log; [ "$(wc -l </order/log)" -ge 3 ]' }]
      await tspod(cell, ['kube', 'play', '-'], { input: podWith(init, [{ name: 'a', script: ENDS }]) })
      // Its first look is over in a moment; then a shell and its sleep wait, and no Node, until ten seconds have passed.
      const sleeps = 'pgrep -x sleep -P "$(cat /run/tspod/timekeeper)" >/dev/null'
      const script = `for i in $(seq 50); do ${sleeps} && break; sleep 0.1; done; ${sleeps} && pgrep -xc node`
      expect((await cell.sh(script)).stdout).toBe('0\n')
      expect(await succeeds(cell, ['wait', '--condition', 'running', 'p-a'])).toBe('-1\n')
      expect((await containers(cell)).find(({ name }) => name === 'p-i')).toMatchObject({ restarts: 2, exitCode: 0 })
      await succeeds(cell, ['pod', 'rm', '-f', 'p'])
    })
  })

  describe('one that takes its time holds up nobody who wants to end the pod', () => {
    const SLOW = podWith(
      [{ name: 'i', script: ENDS }],
      ['a', 'b'].map(name => ({ name, script: ENDS })),
    )

    /** Plays it, runs a command as soon as the init container is seen running, and waits for the play. */
    async function during(args: string[]): Promise<{ play: Finished; other: Finished }> {
      const playing = tspod(cell, ['kube', 'play', '-'], { input: SLOW })
      await eventually(states, all => all.includes('p-i running'))
      const other = await tspod(cell, args, { input: SLOW })
      return { play: await playing, other }
    }

    test.each<[string[], string[]]>([
      [['kube', 'down', '-'], []],
      [['pod', 'rm', '-f', 'p'], []],
      [
        ['pod', 'stop', 'p'],
        ['p-i stopped', 'p-a configured', 'p-b configured'],
      ],
      [
        ['pod', 'kill', 'p'],
        ['p-i stopped', 'p-a configured', 'p-b configured'],
      ],
      [
        ['stop', 'p-a'],
        ['p-i running', 'p-a configured', 'p-b created'],
      ],
      [
        ['stop', 'p-i'],
        ['p-i stopped', 'p-a configured', 'p-b configured'],
      ],
    ])('%j', async (args, left) => {
      await withLeakCheck(cell, async () => {
        const { play, other } = await during(args)
        expect([other.stderr, other.exitCode]).toEqual(['', 0])
        expect([play.exitCode, play.stderr]).toEqual([125, expect.stringMatching(/p-i is not waited for: .* came in/)])
        expect(await states()).toEqual(left)
        await takeDownAll(cell)
      })
    })

    test('its end brings up the rest, though the play is gone', async () => {
      const { play } = await during(['stop', 'p-a'])
      expect(play.exitCode).toBe(125)
      // Its namespace goes with it, and this command with that.
      await tspod(cell, ['exec', 'p-i', 'kill', '-TERM', '1'])
      await succeeds(cell, ['wait', '--condition', 'running', 'p-b'])
      expect(await states()).toEqual(['p-i exited', 'p-a configured', 'p-b running'])
    })
  })

  test('a timekeeper that was killed is back with the next look at the pods', async () => {
    await withLeakCheck(cell, async () => {
      await tspod(cell, ['kube', 'play', '-'], { input: podText('crash', { script: 'exit 1' }) })
      await cell.sh('until [ -s /run/tspod/timekeeper ]; do sleep 0.1; done; kill -9 "$(cat /run/tspod/timekeeper)"')
      await succeeds(cell, ['ps'])
      await cell.sh(
        'for i in $(seq 150); do [ "$(' +
          launcher(cell) +
          ' ps -a --format {{.Restarts}})" -ge 2 ] && break; sleep 0.1; done',
      )
      expect((await containers(cell))[0]!.restarts).toBeGreaterThanOrEqual(2)
      await succeeds(cell, ['pod', 'rm', '-f', 'crash'])
    })
  })

  test('under Never a failed one fails the pod, which then holds nothing', async () => {
    await tspod(cell, ['kube', 'play', '-'], {
      input: podWith([{ name: 'i', script: 'exit 4' }], [{ name: 'a', script: ENDS }], { policy: 'Never' }),
    })
    const [pod] = JSON.parse(await succeeds(cell, ['pod', 'ps', '--format', 'json']))
    expect(pod).toMatchObject({ phase: 'Failed' })
    expect(await interfaces()).toBe('')
  })
})

describe('a pod whose work is done', () => {
  test('gives back its network and stops its sidecars', async () => {
    const side = [{ name: 's', script: told('s'), restartPolicy: 'Always' }]
    await play(podWith(side, [{ name: 'a', script: 'sleep 0.2' }], { policy: 'Never' }))
    await succeeds(cell, ['wait', 'p-a', 'p-s'])
    await cell.sh('for i in $(seq 50); do ip -o link show type veth | grep -qv uplink || break; sleep 0.1; done')
    expect(await interfaces()).toBe('')
    const [pod] = JSON.parse(await succeeds(cell, ['pod', 'ps', '--format', 'json']))
    expect(pod).toMatchObject({ phase: 'Succeeded' })
  })
})
