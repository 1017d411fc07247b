/** top and stats of real containers. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, launcher, readyCell, succeeds, tspod, WAIT_COMMAND } from '../../support/tspod.ts'

/** The zombie's parent has become a program that reaps nobody. */
const ZOMBIE = `(sleep 0.1 & exec sleep 100000) & ${WAIT_COMMAND}`
const BUSY = "trap 'exit 0' TERM; while :; do :; done & wait"
const podOf = (name: string, more: object, containers: object[]): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, ...more, containers },
  })
const container = (name: string, script: string, more: object = {}): object => ({
  name,
  image: DEMO_IMAGE,
  command: ['sh', '-c', script],
  ...more,
})
const LIMITS = { resources: { limits: { memory: '32Mi' } } }
const MANIFEST = [
  podOf('web', {}, [
    container('zombie', ZOMBIE, { securityContext: { runAsUser: 1000 } }),
    container('busy', BUSY, LIMITS),
    container('over', 'exit 0'),
  ]),
  podOf('shared', { shareProcessNamespace: true }, [container('a', 'sleep 1111'), container('b', 'sleep 2222')]),
  podOf('hosted', { hostNetwork: true, hostPID: true }, [container('c', WAIT_COMMAND)]),
].join('\n---\n')

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
  await succeeds(cell, ['kube', 'play', '-'], { input: MANIFEST })
  await cell.sh(`until ${launcher(cell)} ps -a --format json | grep -q '"exited"'; do sleep 0.1; done
    until ${launcher(cell)} top web-zombie state | grep -q Z; do sleep 0.1; done`)
}, 60_000)
afterAll(() => cell?.remove())

const rows = async (...args: string[]): Promise<string[][]> =>
  (await succeeds(cell, args))
    .trimEnd()
    .split('\n')
    .map(line => line.trim().split(/ {3,}/))

test('top shows users and pids of the container, and zombies as such', async () => {
  const [header, first, ...others] = await rows('top', 'web-zombie', 'user', 'pid', 'ppid', 'state', 'args')
  expect(header).toEqual(['USER', 'PID', 'PPID', 'STATE', 'COMMAND'])
  expect(first!.slice(0, 4)).toEqual(['app', '1', '0', 'S'])
  expect(others.find(row => row[3] === 'Z')?.[4]).toBe('[sleep] <defunct>')
  expect(others.find(row => row[4] === 'sleep 100000')?.[2]).toBe('1')
  const real = await succeeds(cell, ['exec', 'web-zombie', 'ps', '-o', 'pid'])
  expect(others.every(row => real.includes(row[1]!))).toBe(true)
})

test('pids of the host are those of ps, and an exec is seen as well', async () => {
  const listed = JSON.parse(await succeeds(cell, ['ps', '--format', 'json'])) as { name: string; pid: number }[]
  const pid = listed.find(({ name }) => name === 'web-zombie')!.pid
  await cell.sh(`${launcher(cell)} exec web-zombie sleep 4242 >/dev/null 2>&1 & 
    until ${launcher(cell)} top web-zombie args | grep -q 'sleep 4242'; do sleep 0.1; done`)
  const found = await rows('container', 'top', 'web-zombie', 'hpid', 'args')
  expect(found[1]![0]).toBe(String(pid))
  expect(found.map(row => row[1])).toContain('sleep 4242')
})

test('rights and limits are those of the process', async () => {
  const [, row] = await rows('top', 'web-busy', 'capeff', 'capinh', 'seccomp', 'tty')
  expect(row![0]).toMatch(/^CHOWN,DAC_OVERRIDE,FOWNER,.*SYS_CHROOT,SETFCAP$/)
  expect(row!.slice(1)).toEqual(['none', 'filter', '?'])
  expect((await rows('top', 'web-zombie', 'capeff'))[1]).toEqual(['none'])
})

test('pod top: all containers, in a namespace they share and in one of the host', async () => {
  const shared = await rows('pod', 'top', 'shared', 'pid', 'ppid', 'args')
  expect(shared.map(row => row[2]).slice(1)).toEqual(['/catatonit -P', 'sleep 1111', 'sleep 2222'])
  expect(new Set(shared.slice(1).map(row => row[0])).size).toBe(3)
  expect(shared[1]![0]).toBe('1')
  const [, hosted] = await rows('top', 'hosted-c', 'pid', 'hpid')
  expect(hosted![0]).toBe(hosted![1])
})

test('refusals have the words of Podman', async () => {
  const over = await tspod(cell, ['top', 'web-over'])
  expect(over).toMatchObject({
    exitCode: 125,
    stderr: expect.stringContaining('top can only be used on running containers'),
  })
  const unknown = await tspod(cell, ['top', 'web-busy', 'nope'])
  expect(unknown.stderr).toMatch(/'nope': unknown descriptor/)
  expect((await tspod(cell, ['top', 'nobody'])).stderr).toMatch(/no such container/)
})

type Stats = Record<'name' | 'cpu_percent' | 'mem_usage' | 'net_io' | 'pids' | 'cpu_time', string | null>
const statsOf = async (...args: string[]): Promise<Stats[]> =>
  JSON.parse(await succeeds(cell, ['stats', '--no-stream', '--format', 'json', ...args])) as Stats[]

test('stats: a busy container is busy, its limit is shown, its network counts', async () => {
  const [busy, idle] = await statsOf('web-busy', 'web-zombie')
  expect(Number.parseFloat(busy!.cpu_percent!)).toBeGreaterThan(Number.parseFloat(idle!.cpu_percent!))
  expect(Number.parseFloat(busy!.cpu_percent!)).toBeGreaterThan(5)
  expect(busy!.mem_usage).toMatch(/B \/ 33\.55MB$/)
  expect(Number(busy!.pids)).toBeGreaterThanOrEqual(2)
  expect(busy!.net_io).toMatch(/^[\d.]+k?B \/ [\d.]+k?B$/)
})

test('stats: what does not run or cannot be told is null, not 0', async () => {
  const [over] = await statsOf('web-over')
  expect(over).toMatchObject({ name: 'web-over', cpu_percent: null, mem_usage: null, pids: null, net_io: null })
  expect((await statsOf('hosted-c'))[0]).toMatchObject({ net_io: null, cpu_time: expect.any(String) })
  const names = (await statsOf()).map(({ name }) => name)
  expect(names).toContain('web-busy')
  expect(names).not.toContain('web-over')
  expect((await statsOf('--all')).map(({ name }) => name)).toContain('web-over')
})

test('pod stats: the containers of one pod', async () => {
  const all = JSON.parse(await succeeds(cell, ['pod', 'stats', '--no-stream', '--format', 'json', 'web'])) as {
    Name: string
  }[]
  expect(all.map(({ Name }) => Name).sort()).toEqual(['web-busy', 'web-zombie'])
})
