/**
 * The big example (08: two init containers, three containers, a ConfigMap volume, a Secret variable, a claim, ports
 * for TCP and UDP) played and asked everything: the same on every host and OCI runtime.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { withLeakCheck } from './leaks.ts'
import { type Place, program } from './place.ts'
import { containers, launcher, pods, succeeds, tspod } from './tspod.ts'
import { eventually } from './wait.ts'

const FILE = join(import.meta.dirname, '../../examples/manifests/08-three-of-everything.yaml')
const [TCP_PORT, BOTH_PORT, DATAGRAM_PORT_INSIDE] = [8088, 8089, 7000]

/** The example; without its limits for hosts that have no cgroup controllers to enforce them. */
export function threeOfEverything(how: { limits: boolean }): string {
  const text = readFileSync(FILE, 'utf8')
  if (how.limits) return text
  const without = text.replace(/^ +resources:\n +limits:\n +cpu: .*\n +memory: .*\n/m, '')
  if (without === text) throw new Error(`${FILE} no longer has the limits that this takes away`)
  return without
}

/** Plays `manifest` with `runtime` in `place` (an address of which is `address`), checks it, and takes it down. */
export async function playThreeOfEverything(
  place: Place,
  how: { runtime: string; address: string; manifest: string },
): Promise<void> {
  const { runtime, address, manifest: input } = how
  await withLeakCheck(place, async () => {
    const played = await tspod(place, ['--runtime', runtime, 'kube', 'play', '-'], { input })
    expect(`${played.exitCode} ${played.stderr.replace(/^note: .*\n/gm, '')}`).toBe('0 ')
    expect(played.stdout).toMatch(
      /^Volumes:\nvisits\nSecrets:\n[0-9a-f]{25}\nPod:\n[0-9a-f]{64}\nContainers:\n([0-9a-f]{64}\n){3}\n$/,
    )
    await expectListed(place)
    await expectRuntime(place, runtime)
    await expectExec(place)
    await expectLogs(place)
    await expectInspect(place)
    await expectPorts(place, address)
    const removed = await succeeds(place, ['kube', 'down', '-'], { input })
    expect(removed).toMatch(
      /^Pods stopped:\n[0-9a-f]{64}\nPods removed:\n[0-9a-f]{64}\nSecrets removed:\n[0-9a-f]{25}\nVolumes removed:\n$/,
    )
  })
}

async function expectListed(place: Place): Promise<void> {
  const listed = (await containers(place)).map(({ name, state }) => `${name} ${state}`)
  expect(listed).toEqual([
    ...['three-first exited', 'three-second exited'],
    ...['three-web running', 'three-echo running', 'three-worker running'],
  ])
  expect(await pods(place)).toEqual([expect.objectContaining({ name: 'three', phase: 'Running', ready: 3 })])
}

/** The container's state is where that very runtime keeps it. */
async function expectRuntime(place: Place, runtime: string): Promise<void> {
  const [web] = (await containers(place)).filter(({ name }) => name === 'three-web')
  const state = await place.exec([runtime, '--root', `/run/tspod/runtime/${runtime}`, 'state', web!.id])
  expect(JSON.parse(state.stdout)).toMatchObject({ id: web!.id, status: 'running', pid: web!.pid })
}

async function expectExec(place: Place): Promise<void> {
  const prepared = await tspod(place, ['exec', 'three-worker', 'cat', '/visits/state'])
  expect(prepared).toMatchObject({ exitCode: 0, stdout: 'prepared\n' })
  const code = await tspod(place, ['exec', 'three-web', 'sh', '-c', 'exit 42'])
  expect(code.exitCode).toBe(42)
  const missing = await tspod(place, ['exec', 'three-web', 'no-such-program'])
  expect(missing.exitCode).toBe(127)
  const fed = await tspod(place, ['exec', '-i', '-e', 'A=b', 'three-web', 'sh', '-c', 'read x; echo $A $x'], {
    input: 'c\n',
  })
  expect(fed.stdout).toBe('b c\n')
}

async function expectLogs(place: Place): Promise<void> {
  expect(await succeeds(place, ['logs', 'three-worker'])).toBe('token of 16 characters\n')
  // Whoever follows sees what is printed later, and stays.
  const follow = `timeout 4 ${launcher(place)} logs -f three-worker & follower=$!; sleep 1
    ${launcher(place)} exec three-worker sh -c 'echo printed later >/proc/1/fd/1'; wait $follower; echo "code $?"`
  const followed = await place.sh(follow)
  expect(followed.stdout).toBe('token of 16 characters\nprinted later\ncode 124\n')
}

async function expectInspect(place: Place): Promise<void> {
  const text = await succeeds(place, ['inspect', 'three'])
  expect(JSON.parse(text)).toHaveLength(1)
  expect(text).toContain('three-worker')
  expect(text).not.toContain('not-a-real-token')
  expect(await succeeds(place, ['inspect', 'three-worker'])).not.toContain('not-a-real-token')
}

async function expectPorts(place: Place, address: string): Promise<void> {
  const page = await place.exec(['curl', '-s', '-m', '5', `http://${address}:${TCP_PORT}/`])
  expect(page.stdout).toBe('<h1>three of everything</h1>\n')
  const echo = await place.sh(`(echo over tcp; sleep 1) | busybox nc ${address} ${BOTH_PORT}`)
  expect(echo.stdout).toBe('over tcp\n')
  const [echoing] = (await containers(place)).filter(({ name }) => name === 'three-echo')
  // busybox cannot answer datagrams: a program of ours does, in the pod's network.
  const answer = program(place, 'test/support/datagram.ts', 'answer', String(DATAGRAM_PORT_INSIDE)).join(' ')
  const server = place.sh(`exec timeout 20 nsenter -t ${echoing!.pid} -n ${answer}`)
  const ask = program(place, 'test/support/datagram.ts', 'ask', address, String(BOTH_PORT), 'udp')
  await eventually(
    () => place.exec(ask),
    ({ stdout }) => stdout === 'answer to udp\n',
  )
  expect((await server).exitCode).toBe(0)
}
