import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { containers, launcher, podText, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const POD = podText('web')
const PAIR = podText('web', { scripts: ["trap 'exit 0' TERM; sleep 1000 & wait", 'sleep 1000'] })

const play = (text: string, ...flags: string[]): Promise<string> =>
  succeeds(cell, ['kube', 'play', ...flags, '-'], { input: text })
const stateOf = async (name: string): Promise<string | undefined> =>
  (await containers(cell)).find(container => container.name === name)?.state
const one = async (name: string) => (await containers(cell)).find(container => container.name === name)!
const refused = async (args: string[], words: RegExp, code = 125): Promise<void> => {
  const finished = await tspod(cell, args)
  expect(finished.exitCode).toBe(code)
  expect(finished.stderr).toMatch(words)
}

describe('stop and start', () => {
  test('a container that was stopped stays so, whatever restartPolicy says, and comes back with what it wrote', async () => {
    await play(PAIR)
    await succeeds(cell, ['exec', 'web-c1', 'sh', '-c', 'echo kept >/tmp/mark'])
    expect(await succeeds(cell, ['stop', 'web-c1'])).toBe('web-c1\n')
    expect(await stateOf('web-c1')).toBe('stopped')
    // Looking after the pod must not bring it back.
    await succeeds(cell, ['pod', 'cleanup', 'web'])
    expect(await stateOf('web-c1')).toBe('stopped')
    await succeeds(cell, ['start', 'web-c1'])
    expect(await stateOf('web-c1')).toBe('running')
    expect(await succeeds(cell, ['exec', 'web-c1', 'cat', '/tmp/mark'])).toBe('kept\n')
  })

  test('one that ignores TERM is killed after the time given', async () => {
    await play(PAIR)
    await succeeds(cell, ['stop', '-t', '0', 'web-c2'])
    expect(await one('web-c2')).toMatchObject({ state: 'stopped', exitCode: 137 })
  })

  test('without any grace nothing is asked first, as in Podman', async () => {
    await play(POD)
    await succeeds(cell, ['stop', '-t', '0', 'web-c1'])
    expect(await one('web-c1')).toMatchObject({ state: 'stopped', exitCode: 137 })
  })

  test('the last one that stops takes the network of its pod with it; a start brings it back with the same address', async () => {
    await play(POD)
    const before = JSON.parse(await succeeds(cell, ['pod', 'ps', '--format', 'json']))[0].ips
    await succeeds(cell, ['stop', 'web-c1'])
    expect((await cell.sh('ip -o link show type veth | grep -v uplink')).stdout).toBe('')
    expect(JSON.parse(await succeeds(cell, ['pod', 'ps', '--format', 'json']))[0].ips).toEqual([])
    await succeeds(cell, ['start', 'web-c1'])
    expect(JSON.parse(await succeeds(cell, ['pod', 'ps', '--format', 'json']))[0].ips).toEqual(before)
  })

  test('what is done already is no error, what does not exist is, and --ignore overlooks that', async () => {
    await play(POD)
    await succeeds(cell, ['start', 'web-c1'])
    await succeeds(cell, ['stop', 'web-c1'])
    await succeeds(cell, ['stop', 'web-c1'])
    await refused(['stop', 'nobody'], /no container with name or ID "nobody" found: no such container/)
    await refused(['stop', 'web'], /no container with name or ID "web" found: no such container/)
    expect(await succeeds(cell, ['stop', '--ignore', 'nobody'])).toBe('')
  })

  test('one bad name does not keep the others from being stopped', async () => {
    await play(POD)
    const finished = await tspod(cell, ['stop', 'nobody', 'web-c1'])
    expect([finished.exitCode, finished.stdout]).toEqual([125, 'web-c1\n'])
    expect(await stateOf('web-c1')).toBe('stopped')
  })
})

describe('kill', () => {
  test('ends a container for good: a kill by hand is no crash', async () => {
    await play(PAIR)
    await succeeds(cell, ['kill', 'web-c2'])
    expect(await one('web-c2')).toMatchObject({ state: 'stopped', exitCode: 137, restarts: 0 })
    await refused(
      ['kill', 'web-c2'],
      /can only kill running containers. web-c2 is in state stopped: container state improper/,
    )
  })

  test('a TERM that is followed late counts as well, and a HUP is only a signal', async () => {
    const script = "trap 'sleep 1; exit 7' TERM; trap 'echo again' HUP; while :; do sleep 0.1; done"
    await play(podText('web', { script }))
    await succeeds(cell, ['kill', '-s', 'HUP', 'web-c1'])
    await expectLog('web-c1', /again/)
    await succeeds(cell, ['kill', '-s', 'SIGTERM', 'web-c1'])
    expect(await succeeds(cell, ['wait', 'web-c1'])).toBe('7\n')
    await succeeds(cell, ['pod', 'cleanup', 'web'])
    expect(await one('web-c1')).toMatchObject({ state: 'stopped', restarts: 0 })
    await refused(['kill', '-s', 'NONE', 'web-c1'], /invalid signal: NONE/)
  })

  async function expectLog(name: string, words: RegExp): Promise<void> {
    for (let attempt = 0; attempt < 50; attempt++) {
      if (words.test(await succeeds(cell, ['logs', name]))) return
      await cell.sh('sleep 0.1')
    }
    throw new Error(`${name} never said ${words}`)
  }
})

describe('pause', () => {
  test('freezes, refuses what makes no sense meanwhile, and a stop wakes it up', async () => {
    await play(
      podText('web', {
        script: "trap 'exit 0' TERM; i=0; while :; do i=$((i+1)); echo $i >/tmp/now; sleep 0.05; done",
      }),
    )
    await succeeds(cell, ['pause', 'web-c1'])
    const { pid } = await one('web-c1')
    const at = async (): Promise<string> => (await cell.sh(`cat /proc/${pid}/root/tmp/now; sleep 0.3`)).stdout
    expect(await at()).toBe(await at())
    expect(await one('web-c1')).toMatchObject({ state: 'paused', status: 'Paused' })
    await refused(['pause', 'web-c1'], /"web-c1" is already paused: container state improper/)
    await refused(['exec', 'web-c1', 'true'], /container state improper/, 255)
    await refused(['exec', '-d', 'web-c1', 'true'], /container state improper/)
    await refused(['restart', 'web-c1'], /unable to restart a container in a paused or unknown state/)
    await refused(['rm', 'web-c1'], /cannot remove container web-c1 as it is paused/, 2)
    await succeeds(cell, ['unpause', 'web-c1'])
    expect(await at()).not.toBe(await at())
    await succeeds(cell, ['pause', 'web-c1'])
    await succeeds(cell, ['stop', 'web-c1'])
    expect(await one('web-c1')).toMatchObject({ state: 'stopped', exitCode: 0 })
  })
})

describe('restart, init, rm', () => {
  test('pod start after a stop that was killed ends that stop first, and then starts', async () => {
    await play(podText('web', { script: "trap '' TERM; while :; do sleep 0.1; done", restartPolicy: 'Never' }))
    const before = await one('web-c1')
    const stop = (await cell.sh(`${launcher(cell)} stop -t 600 web-c1 >/dev/null 2>&1 & echo $!`)).stdout.trim()
    await eventually(
      () => one('web-c1'),
      ({ state }) => state === 'stopping',
    )
    await cell.sh(`kill -9 ${stop}`)
    await succeeds(cell, ['pod', 'start', 'web'])
    const after = await one('web-c1')
    expect(after.state).toBe('running')
    expect(after.pid).not.toBe(before.pid)
  })

  test('a restart keeps the address, and the others of the pod notice nothing', async () => {
    await play(PAIR)
    const before = await one('web-c2')
    const first = await one('web-c1')
    await succeeds(cell, ['restart', 'web-c1'])
    expect(await one('web-c2')).toMatchObject({ pid: before.pid })
    expect((await one('web-c1')).pid).not.toBe(first.pid)
  })

  test('what could not be made again for want of its image is not stopped', async () => {
    await play(PAIR)
    const before = await one('web-c1')
    await cell.sh('cd /var/lib/containers/storage/*-images && cp images.json /tmp && echo "[]" >images.json')
    await refused(['restart', 'web-c1'], /image \S+ of container web-c1 is not on this host any more/)
    await refused(['pod', 'restart', 'web'], /is not on this host any more/)
    await cell.sh('cp /tmp/images.json /var/lib/containers/storage/*-images/')
    expect(await one('web-c1')).toMatchObject({ state: 'running', pid: before.pid })
  })

  test('init makes it and waits, start then only starts it', async () => {
    await play(POD)
    await succeeds(cell, ['stop', 'web-c1'])
    await succeeds(cell, ['init', 'web-c1'])
    expect(await stateOf('web-c1')).toBe('created')
    await refused(['init', 'web-c1'], /has already been created in runtime: container state improper/)
    await succeeds(cell, ['start', 'web-c1'])
    expect(await stateOf('web-c1')).toBe('running')
  })

  test('rm takes one container away and leaves its pod, without a trace of the container', async () => {
    await withLeakCheck(cell, async () => {
      await play(PAIR)
      await refused(['rm', 'web-c1'], /cannot remove container web-c1 as it is running/, 2)
      await succeeds(cell, ['rm', '-f', '-t', '0', 'web-c1'])
      expect((await containers(cell)).map(({ name }) => name)).toEqual(['web-c2'])
      expect(await stateOf('web-c2')).toBe('running')
      await succeeds(cell, ['pod', 'rm', '-f', '-t', '0', 'web'])
    })
  })

  test.each<[string, string[], number]>([
    ['what does not exist', ['rm', 'nobody'], 1],
    ['what still runs', ['rm', 'web-c1'], 2],
    ['both', ['rm', 'nobody', 'web-c1'], 125],
    ['a pod that does not exist', ['pod', 'rm', 'nobody'], 1],
    ['a pod that still runs', ['pod', 'rm', 'web'], 125],
  ])('the exit code of rm is Podman’s: %s', async (_, args, code) => {
    await play(POD)
    expect((await tspod(cell, args)).exitCode).toBe(code)
  })

  test('prune removes what has ended for good and nothing else', async () => {
    await play(PAIR)
    await play(podText('done', { script: 'exit 0', restartPolicy: 'Never' }))
    await succeeds(cell, ['wait', 'done-c1'])
    await succeeds(cell, ['stop', 'web-c1'])
    await succeeds(cell, ['container', 'prune', '-f'])
    expect((await containers(cell)).map(({ name }) => name)).toEqual(['web-c2'])
    await succeeds(cell, ['pod', 'prune'])
    expect(await succeeds(cell, ['pod', 'ps', '-q'])).toMatch(/^[0-9a-f]{12}\n/)
  })
})

test('a pod whose last container is removed is at rest; one whose ended container was made again is not pruned', async () => {
  await play(POD)
  await play(podText('again', { script: 'exit 0', restartPolicy: 'Never' }))
  await succeeds(cell, ['wait', 'again-c1'])
  await succeeds(cell, ['init', 'again-c1'])
  expect(await succeeds(cell, ['pod', 'prune', '-f'])).toBe('')
  await succeeds(cell, ['rm', '-f', '-t', '0', 'web-c1'])
  expect(await succeeds(cell, ['pod', 'inspect', 'web', '-f', '{{.State}}'])).toBe('Stopped\n')
})

describe('wait', () => {
  test('prints the exit code of each, in the order asked for', async () => {
    await play(podText('job', { scripts: ['sleep 0.3; exit 3', 'exit 0'], restartPolicy: 'Never' }))
    expect(await succeeds(cell, ['wait', 'job-c1', 'job-c2'])).toBe('3\n0\n')
    expect(await succeeds(cell, ['pod', 'wait', 'job'])).toBe('3\n')
  })

  test('knows conditions, intervals, and names what it does not know', async () => {
    await play(POD)
    expect(await succeeds(cell, ['wait', '--condition', 'running', '-i', '10ms', 'web-c1'])).toBe('-1\n')
    await refused(['wait', '--condition', 'gone', 'web-c1'], /unknown container state: gone/)
    expect(await succeeds(cell, ['wait', '--ignore', 'nobody'])).toBe('-1\n')
  })
})

describe('names and choices', () => {
  test('rename: found under the new name, and under its name in the pod', async () => {
    await play(POD)
    await succeeds(cell, ['rename', 'web-c1', 'www'])
    await succeeds(cell, ['exec', 'www', 'true'])
    await succeeds(cell, ['exec', 'web/c1', 'true'])
    await refused(['exec', 'web-c1', 'true'], /no such (object|container)/)
    await play(podText('two'))
    await refused(['rename', 'two-c1', 'www'], /name "www" is in use: container already exists/)
    await refused(['rename', 'two-c1', 'no good'], /names must match/)
  })

  test('--filter and --all choose, names beside them are refused', async () => {
    await play(POD)
    await play(podText('job', { script: 'exit 0', restartPolicy: 'Never' }))
    await succeeds(cell, ['wait', 'job-c1'])
    expect(await succeeds(cell, ['stop', '--filter', 'name=^web-'])).toBe('web-c1\n')
    expect(await succeeds(cell, ['start', '--all', '--filter', 'restart-policy=always'])).toBe('web-c1\n')
    await refused(['stop', '--all', 'web-c1'], /cannot be used together/)
    await refused(['stop', '--filter', 'colour=red'], /colour is an invalid filter/)
  })

  test('pod create makes pods and starts none, of a manifest or without containers', async () => {
    await withLeakCheck(cell, async () => {
      await cell.sh('cat >/tmp/pod.yaml', { input: POD })
      await refused(['pod', 'create', '--pod-security', 'restricted', '/tmp/pod.yaml'], /restricted/)
      await refused(['pod', 'create', '--name', 'empty', '--validate', 'warn'], /--validate is for pods of a manifest/)
      expect(await succeeds(cell, ['pod', 'create', '/tmp/pod.yaml'])).toMatch(/^[0-9a-f]{64}\n$/)
      expect(await stateOf('web-c1')).toBe('created')
      await succeeds(cell, ['pod', 'start', 'web'])
      expect(await stateOf('web-c1')).toBe('running')
      await succeeds(cell, ['pod', 'create', '--name', 'empty', '--label', 'a=b'])
      await succeeds(cell, ['pod', 'start', 'empty'])
      expect(await succeeds(cell, ['pod', 'ps', '--format', '{{.Name}} {{.Status}}'])).toBe(
        'web Running\nempty Running\n',
      )
      await succeeds(cell, ['pod', 'rm', '-f', '--all'])
    })
  })
})
