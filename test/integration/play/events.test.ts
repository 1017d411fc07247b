import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, launcher, podText, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

type Event = {
  ID: string
  Name: string
  Status: string
  Type: string
  Reason: string
  Message: string
  Image?: string
  ContainerExitCode?: number
  Warning: boolean
  Attributes: Record<string, string>
}

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

async function told(...flags: string[]): Promise<Event[]> {
  const text = await succeeds(cell, ['events', '--stream=false', '--format', 'json', ...flags])
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Event)
}

const words = (events: readonly Event[]): string[] =>
  events.map(({ Type, Status, Name }) => `${Type} ${Status} ${Name}`)

test("a pod's life, in Podman's words", async () => {
  const text = podText('life', { scripts: ['sleep 1; exit 3'], restartPolicy: 'Never' })
  await succeeds(cell, ['kube', 'play', '-'], { input: text })
  const died = await eventually(
    () => told('--filter', 'container=life-c1', '--filter', 'event=died'),
    list => list.length > 0,
  )
  expect(died).toMatchObject([{ ContainerExitCode: 3, Reason: 'Error', Warning: true, Image: DEMO_IMAGE }])
  await succeeds(cell, ['kube', 'down', '-'], { input: text })
  const [present] = await told('-f', 'container=life-c1', '-f', 'event=present')
  expect(present?.Message).toBe(`Container image "${DEMO_IMAGE}" already present on machine`)
  expect(words((await told()).filter(({ Name }) => Name.startsWith('life')))).toEqual([
    'container present life-c1',
    'container create life-c1',
    'container init life-c1',
    'container start life-c1',
    'pod create life',
    'pod start life',
    'container died life-c1',
    'container cleanup life-c1',
    'container remove life-c1',
    'pod remove life',
  ])
})

test('a container that keeps failing: its restart is put off, and that is told once', async () => {
  const text = podText('loop', { script: 'exit 1' })
  await succeeds(cell, ['kube', 'play', '-'], { input: text })
  const reasons = async (): Promise<string[]> =>
    (await told('-f', 'container=loop-c1')).map(({ Reason }) => Reason).filter(Boolean)
  const seen = await eventually(reasons, list => list.includes('BackOff'))
  // The first restart is not put off.
  expect(seen).toEqual(['Pulled', 'Created', 'Started', 'Error', 'Created', 'Started', 'Error', 'BackOff'])
  await succeeds(cell, ['ps', '-a'])
  await succeeds(cell, ['system', 'tick'])
  expect(await reasons()).toEqual(seen)
  const [backOff] = await told('-f', 'reason=BackOff', '-f', 'name=loop-c1')
  expect(backOff).toMatchObject({
    Warning: true,
    Message: 'Back-off restarting failed container c1 in pod loop: next start in 10 s',
  })
})

test('commands in a container, with their exit codes', async () => {
  await succeeds(cell, ['kube', 'play', '-'], { input: podText('busy') })
  expect((await tspod(cell, ['exec', 'busy-c1', 'sh', '-c', 'exit 7'])).exitCode).toBe(7)
  expect((await tspod(cell, ['exec', 'busy-c1', '/nothing'])).exitCode).toBe(127)
  const events = (await told('-f', 'container=busy-c1')).filter(({ Status }) => Status.startsWith('exec'))
  expect(events.map(({ Status, ContainerExitCode }) => [Status, ContainerExitCode])).toEqual([
    ['exec', undefined],
    ['exec_died', 7],
    ['exec', undefined],
    ['exec_died', 127],
  ])
  expect(events[0]?.Attributes.execID).toBe(events[1]?.Attributes.execID)
})

test('a command in the background tells once how it ended, whoever is there to hear it', async () => {
  await succeeds(cell, ['kube', 'play', '-'], { input: podText('away') })
  const id = (await succeeds(cell, ['exec', '-d', 'away-c1', 'sh', '-c', 'sleep 0.3; exit 9'])).trim()
  const ends = () => told('-f', 'container=away-c1', '-f', 'event=exec_died')
  const died = await eventually(ends, list => list.length > 0)
  expect(died).toMatchObject([{ ContainerExitCode: 9, Image: DEMO_IMAGE, Attributes: { execID: id } }])
  // The next session settles those before it: nothing is told a second time.
  await succeeds(cell, ['exec', 'away-c1', 'true'])
  expect((await ends()).map(({ ContainerExitCode }) => ContainerExitCode)).toEqual([9, 0])
})

test('attach, export, commit', async () => {
  const text = podText('looked', { script: 'read line; echo "got $line"; exit 4', restartPolicy: 'Never' })
  const spec = text.replace('"name": "c1",', '"name": "c1", "stdin": true,')
  await succeeds(cell, ['kube', 'play', '-'], { input: spec })
  await succeeds(cell, ['export', '-o', '/tmp/looked.tar', 'looked-c1'])
  await succeeds(cell, ['commit', '-q', 'looked-c1', 'localhost/looked'])
  expect((await tspod(cell, ['attach', 'looked-c1'], { input: 'word\n' })).stdout).toBe('got word\n')
  await eventually(
    () => told('-f', 'container=looked-c1', '-f', 'event=died'),
    list => list.length > 0,
  )
  const seen = words(await told('-f', 'container=looked-c1'))
  for (const word of ['export', 'commit', 'attach']) {
    expect(seen.filter(line => line === `container ${word} looked-c1`)).toHaveLength(1)
  }
})

test('secrets, claims and pulls', async () => {
  const since = String(Math.floor(Date.now() / 1000) - 1)
  const input = `
apiVersion: v1
kind: Secret
metadata: {name: told-secret}
stringData: {a: b}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: told-claim}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
`
  await succeeds(cell, ['kube', 'play', '-'], { input })
  await succeeds(cell, ['kube', 'play', '-'], { input })
  await succeeds(cell, ['kube', 'down', '--force', '-'], { input })
  const missing = await tspod(cell, ['image', 'pull', 'localhost:1/nothing'])
  expect(missing.exitCode).toBe(125)
  const events = (await told('--since', since)).filter(({ Type }) => Type !== 'container' && Type !== 'pod')
  expect(words(events)).toEqual([
    'secret create told-secret',
    'volume create told-claim',
    'secret remove told-secret',
    'secret create told-secret',
    'secret remove told-secret',
    'volume remove told-claim',
    'image pulling localhost:1/nothing',
    'image pull-error localhost:1/nothing',
  ])
})

test('followed until somebody interrupts, which is no failure', async () => {
  const line = `${launcher(cell)} events -o table -f`
  // SIGINT is ignored by what a shell puts in the background, but Node sets its own handler.
  const following = cell.sh(`${line} >/tmp/followed & watcher=$!
    for i in $(seq 100); do grep -q Killing /tmp/followed && break; sleep 0.2; done
    kill -INT $watcher; wait $watcher; echo "ended with $?"; cat /tmp/followed`)
  // Whoever follows sees nothing of before.
  await eventually(
    () => cell.sh('pgrep -f "events -o table"'),
    ({ exitCode }) => exitCode === 0,
  )
  for (let round = 0; round < 5; round++) {
    await succeeds(cell, ['kube', 'play', '-'], { input: podText('seen') })
    await succeeds(cell, ['kube', 'down', '-'], { input: podText('seen') })
  }
  const { stdout } = await following
  expect(stdout).toMatch(/^ended with 0\nLAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n/)
  expect(stdout).toMatch(/Normal +Killing +container\/seen-c1 +Stopping container c1\n/)
})

test('a sandbox that cannot be made is told of', async () => {
  await succeeds(cell, ['kube', 'play', '-'], { input: podText('first', { port: 18_777 }) })
  await cell.sh('mount --bind /bin/false /usr/lib/podman/netavark')
  const { exitCode } = await tspod(cell, ['kube', 'play', '-'], { input: podText('groundless') })
  await cell.sh('umount /usr/lib/podman/netavark')
  expect(exitCode).not.toBe(0)
  expect(await told('-f', 'reason=FailedCreatePodSandBox')).toMatchObject([
    { Type: 'pod', Name: 'groundless', Warning: true },
  ])
})
