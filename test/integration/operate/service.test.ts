import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { containers, launcher, podText, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const nameFor = (text: string): string => `${createHash('sha256').update(text).digest('hex').slice(0, 12)}-service`
const play = (text: string, ...flags: string[]): Promise<string> =>
  succeeds(cell, ['kube', 'play', '--service-container', ...flags, '-'], { input: text })
const find = async (name: string) => (await containers(cell)).find(container => container.name === name)

/** Waits until the service has ended, and answers its exit code. */
const serviceCode = async (text: string): Promise<number> => Number(await succeeds(cell, ['wait', nameFor(text)]))

describe('the service container', () => {
  test('has the name that the file tells, runs beside the pod, and goes with it', async () => {
    await withLeakCheck(cell, async () => {
      const text = podText('web')
      await play(text)
      expect(await find(nameFor(text))).toMatchObject({ state: 'running', kind: 'service' })
      await succeeds(cell, ['kube', 'down', '-'], { input: text })
      expect(await containers(cell)).toEqual([])
    })
  })

  test('stands for all pods of a file: it stops after the last one and is back with the first', async () => {
    const text = podText('one') + podText('two')
    await play(text)
    await succeeds(cell, ['pod', 'stop', 'one'])
    expect(await find(nameFor(text))).toMatchObject({ state: 'running' })
    await succeeds(cell, ['pod', 'stop', 'two'])
    expect(await find(nameFor(text))).toMatchObject({ state: 'stopped', exitCode: 0 })
    await succeeds(cell, ['pod', 'restart', 'two'])
    expect(await find(nameFor(text))).toMatchObject({ state: 'running' })
    // One that is paused stands for them all the same.
    await succeeds(cell, ['pause', nameFor(text)])
    await succeeds(cell, ['pod', 'start', 'one'])
    expect(await find(nameFor(text))).toMatchObject({ state: 'paused' })
    await succeeds(cell, ['pod', 'stop', 'one', 'two'])
    expect(await find(nameFor(text))).toMatchObject({ state: 'stopped', exitCode: 0 })
    await succeeds(cell, ['pod', 'start', 'two'])
    await succeeds(cell, ['pod', 'rm', '-f', 'one'])
    expect(await find(nameFor(text))).toMatchObject({ state: 'running' })
    await succeeds(cell, ['pod', 'rm', '-f', 'two'])
    expect(await containers(cell)).toEqual([])
  })

  test('stops with its last container, by whichever command', async () => {
    const text = podText('web')
    await play(text)
    await succeeds(cell, ['stop', 'web-c1'])
    expect(await find(nameFor(text))).toMatchObject({ state: 'stopped' })
    await succeeds(cell, ['start', 'web-c1'])
    expect(await find(nameFor(text))).toMatchObject({ state: 'running' })
    await succeeds(cell, ['kill', 'web-c1'])
    expect(await find(nameFor(text))).toMatchObject({ state: 'stopped' })
  })

  test('is not removed while a pod is left, but takes its pods along with --depend', async () => {
    const text = podText('web')
    await play(text)
    const refused = await tspod(cell, ['rm', '-f', nameFor(text)])
    expect(refused.exitCode).toBe(125)
    expect(refused.stderr).toMatch(
      /is the service container of pod\(s\) [0-9a-f]{64} and cannot be removed without removing the pod\(s\)/,
    )
    expect(await find(nameFor(text))).toMatchObject({ state: 'running' })
    await succeeds(cell, ['rm', '--depend', '-t', '0', nameFor(text)])
    expect(await containers(cell)).toEqual([])
  })

  test('survives nothing of a play that cannot start: no row, no process', async () => {
    await withLeakCheck(cell, async () => {
      const text = podText('web', { port: 18_081 })
      await cell.sh('busybox nc -l -p 18081 >/dev/null 2>&1 & echo $! >/tmp/nc')
      const finished = await tspod(cell, ['kube', 'play', '--service-container', '-'], { input: text })
      expect(finished.exitCode).toBe(125)
      await cell.sh('kill $(cat /tmp/nc)')
      expect(await containers(cell)).toEqual([])
    })
  })

  test('is replaced with its pods', async () => {
    const text = podText('web')
    await play(text)
    const before = await find(nameFor(text))
    await play(text, '--replace')
    const after = await find(nameFor(text))
    expect(after).toMatchObject({ state: 'running' })
    expect(after!.id).not.toBe(before!.id)
    const changed = podText('web', { script: 'sleep 1000' })
    await play(changed, '--replace')
    expect(await find(nameFor(text))).toBeUndefined()
    expect(await find(nameFor(changed))).toMatchObject({ state: 'running' })
  })
})

describe('exit codes of a service', () => {
  const cases: [propagation: string, scripts: string[], code: number][] = [
    ['none', ['exit 0', 'exit 1'], 0],
    ['none', ['exit 1', 'exit 1'], 0],
    ['any', ['exit 0', 'exit 0'], 0],
    ['any', ['exit 0', 'exit 1'], 137],
    ['any', ['exit 1', 'exit 1'], 137],
    ['all', ['exit 0', 'exit 0'], 0],
    ['all', ['exit 0', 'exit 1'], 0],
    ['all', ['exit 1', 'exit 1'], 137],
  ]
  for (const [propagation, scripts, code] of cases) {
    test(`${propagation}: ${scripts.join(' and ')} make ${code}`, async () => {
      const text = podText('web', { scripts, restartPolicy: 'Never' })
      await play(text, `--service-exit-code-propagation=${propagation}`)
      expect(await serviceCode(text)).toBe(code)
    })
  }

  test('another word is refused', async () => {
    const finished = await tspod(cell, ['kube', 'play', '--service-exit-code-propagation=some', '-'], {
      input: podText('a'),
    })
    expect([finished.exitCode, finished.stderr]).toEqual([
      125,
      expect.stringMatching(/unsupported exit-code propagation "some"/),
    ])
  })
})

describe('--wait', () => {
  test('waits for the end, removes everything, and ends with the code of the workload', async () => {
    await withLeakCheck(cell, async () => {
      const text = podText('job', { script: 'sleep 0.5; echo done; exit 3', restartPolicy: 'Never' })
      const finished = await tspod(cell, ['kube', 'play', '--wait', '-'], { input: text })
      expect(finished.stdout).toMatch(
        /Use ctrl\+c to clean up or wait for pods to exit\nCleaning up containers, pods, and volumes/,
      )
      expect(finished.exitCode).toBe(3)
      expect(await containers(cell)).toEqual([])
    })
  })

  test('a Deployment is a workload like any other', async () => {
    const pod = JSON.parse(podText('x', { script: 'sleep 0.2; exit 0' }).slice(4))
    const template = { metadata: { labels: { app: 'd' } }, spec: { ...pod.spec, restartPolicy: 'Always' } }
    const spec = { selector: { matchLabels: { app: 'd' } }, template }
    const text = JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec })
    await play(text)
    expect(await find(nameFor(text))).toMatchObject({ state: 'running' })
    await succeeds(cell, ['kube', 'down', '-'], { input: text })
    expect(await containers(cell)).toEqual([])
  })

  test('a signal cleans up, also after a container that does not listen', async () => {
    await withLeakCheck(cell, async () => {
      await cell.sh(`cat >/tmp/wait.yaml`, { input: podText('web', { script: 'sleep 1000' }) })
      const script = `${launcher(cell)} kube play --wait /tmp/wait.yaml >/tmp/out & pid=$!
        until grep -q ctrl+c /tmp/out; do sleep 0.1; done
        kill -INT $pid; wait $pid; echo "code $?"`
      const { stdout } = await cell.sh(script)
      expect(stdout).toBe('code 130\n')
      expect(await containers(cell)).toEqual([])
    })
  })
})
