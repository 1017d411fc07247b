import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { ApplyPlan } from '../../../src/engine/index.ts'
import { apply, diff, manifest, pod } from '../../support/apply.ts'
import { sourcesOn } from '../../support/gitops.ts'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { containers, launcher, readyCell, succeeds, takeDownAll, tspod, WAIT_COMMAND } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(async () => {
  await tspod(cell, ['down', 'shop', '--volumes'])
  await takeDownAll(cell)
})
afterAll(() => cell?.remove())

/** How long a pod is up before it is ready. */
const READY_AFTER_MS = 1000
const readinessProbe = { exec: { command: ['test', '-e', '/tmp/ready'] }, periodSeconds: 1, failureThreshold: 1 }
const SLOW = `sleep ${READY_AFTER_MS / 1000}; touch /tmp/ready; ${WAIT_COMMAND}`

type Wish = { kind?: string; replicas?: number; name?: string; script?: string; command?: string[]; depends?: string }

/** A workload whose pods are ready a while after they have begun; `value` is what differs. */
function workload(value: string, spec: object = {}, wish: Wish = {}): object {
  const { kind = 'Deployment', replicas = 3, name = 'web', script = SLOW, command = ['sh', '-c', script] } = wish
  const env = [
    { name: 'MODE', value },
    { name: 'ME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  ]
  const labels = { app: name }
  const annotations = wish.depends === undefined ? {} : { 'io.tspod.depends-on': wish.depends }
  const template = { metadata: { labels }, spec: pod(name, { command, env, readinessProbe }).spec }
  const count = kind === 'DaemonSet' ? {} : { replicas }
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, annotations },
    spec: { ...count, selector: { matchLabels: labels }, template, ...spec },
  }
}

const ids = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await containers(cell)).map(({ name, id }) => [name, id]))
const modes = async (): Promise<Record<string, string>> => {
  const names = (await containers(cell)).map(({ name }) => name)
  names.sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  const said = names.map(async name => [name, (await succeeds(cell, ['exec', name, 'sh', '-c', 'echo $MODE'])).trim()])
  return Object.fromEntries(await Promise.all(said))
}

type Happening = { what: string; name: string; atMs: number }

/** Starts and ends of containers since then, in their order. */
async function since(beganMs: number): Promise<Happening[]> {
  const text = await succeeds(cell, ['events', '--stream=false', '--format', 'json'])
  const lines = text.trim().split('\n').filter(Boolean)
  const events = lines.map(line => JSON.parse(line) as { Name: string; Status: string; timeNano: number })
  return events
    .map(({ Name, Status, timeNano }) => ({ what: Status, name: Name, atMs: timeNano / 1e6 }))
    .filter(({ what, name, atMs }) => /^(?:start|died)$/.test(what) && name.endsWith('-main') && atMs > beganMs)
    .sort((a, b) => a.atMs - b.atMs)
}

/** How many are missing at the worst time: one that has begun still is for a while, which a busy machine may see late. */
function worst(happenings: readonly Happening[]): number {
  const changes = happenings.map(({ what, atMs }) =>
    what === 'died' ? { atMs, by: 1 } : { atMs: atMs + READY_AFTER_MS / 2, by: -1 },
  )
  let missing = 0
  return Math.max(0, ...changes.sort((a, b) => a.atMs - b.atMs).map(({ by }) => (missing += by)))
}

const until = (...flags: string[]): string[] => ['--wait', '--timeout', '60s', ...flags]
const planned = ({ plan }: { plan: ApplyPlan }) => plan.objects[0]
const mains = (...names: string[]): string[] => names.map(name => `${name}-main`)

describe('pods of a workload are replaced', () => {
  test('one at a time when there are three, each when the one before it is ready, and the plan says so', async () => {
    await apply(cell, manifest(workload('old')), ...until())
    const plan = planned(await diff(cell, manifest(workload('new'))))
    expect(plan).toMatchObject({ action: 'configure', effect: 'restart', atOnce: 1 })
    expect(plan).not.toHaveProperty('outageMs')
    expect(plan?.pods?.map(({ outageMs = 0 }) => outageMs > 5000)).toEqual([true, true, true])
    const input = manifest(workload('new'))
    const text = await tspod(cell, ['diff', '--app', 'shop', '-q', '-f', '-'], { input })
    expect(text.stdout).toMatch(/^deployment\/web +configure +restart, 1 at a time +3 of 3 pods: spec\./m)

    const beganMs = Date.now()
    const done = await apply(cell, input)
    expect(done.told).toEqual(['deployment/web configured'])
    expect(done.report.ready).toBe(true)
    const happenings = await since(beganMs)
    expect(happenings.map(({ what, name }) => `${what} ${name}`)).toEqual(
      mains('web-pod', 'web-pod-2', 'web-pod-3').flatMap(name => [`died ${name}`, `start ${name}`]),
    )
    expect(worst(happenings)).toBe(1)
    expect(new Set(Object.values(await modes()))).toEqual(new Set(['new']))
    expect((await apply(cell, input)).told).toEqual(['deployment/web unchanged'])
  }, 90_000)

  // shows: DeploymentSpec.strategy DeploymentStrategy.type DeploymentStrategy.rollingUpdate
  // shows: RollingUpdateDeployment.maxUnavailable
  test('as many at a time as the strategy says, and another strategy restarts nothing', async () => {
    const strategies = {
      half: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '50%', maxSurge: 0 } },
      all: { type: 'Recreate' },
    }
    const of = (value: string, strategy?: object): string =>
      manifest(workload(value, strategy === undefined ? {} : { strategy }, { replicas: 4 }))
    await apply(cell, of('old'), ...until())
    const before = await ids()
    expect((await apply(cell, of('old', strategies.half))).told).toEqual(['deployment/web unchanged'])
    expect(await ids()).toEqual(before)
    let beganMs = Date.now()
    await apply(cell, of('new', strategies.half))
    expect(worst(await since(beganMs))).toBe(2)
    expect(planned(await diff(cell, of('newer', strategies.all)))?.outageMs).toBeGreaterThan(5000)
    beganMs = Date.now()
    await apply(cell, of('newer', strategies.all))
    expect(worst(await since(beganMs))).toBe(4)
  }, 120_000)

  // shows: StatefulSetSpec.updateStrategy StatefulSetUpdateStrategy.rollingUpdate
  // shows: RollingUpdateStatefulSetStrategy.maxUnavailable RollingUpdateStatefulSetStrategy.partition
  test('from the last one down in a StatefulSet, and not below its partition', async () => {
    const of = (value: string, rollingUpdate: object = {}): string =>
      manifest(workload(value, { updateStrategy: { rollingUpdate } }, { kind: 'StatefulSet', name: 'db' }))
    const ends = (happenings: readonly Happening[]): string[] =>
      happenings.filter(({ what }) => what === 'died').map(({ name }) => name)
    await apply(cell, of('old'), ...until())
    let beganMs = Date.now()
    await apply(cell, of('new'))
    expect(ends(await since(beganMs))).toEqual(mains('db-2', 'db-1', 'db-0'))
    expect(worst(await since(beganMs))).toBe(1)
    beganMs = Date.now()
    await apply(cell, of('newer', { maxUnavailable: 2 }))
    expect(worst(await since(beganMs))).toBe(2)

    const part = of('newest', { partition: 2 })
    expect(planned(await diff(cell, part))?.pods?.map(({ action }) => action)).toEqual([
      ...['unchanged', 'unchanged', 'configure'],
    ])
    beganMs = Date.now()
    await apply(cell, part)
    expect(ends(await since(beganMs))).toEqual(mains('db-2'))
    const again = await apply(cell, part)
    expect(again.told).toEqual(['statefulset/db unchanged'])
    expect(planned(again.report)?.because).toEqual([
      '2 of 3 pods: it is not what its template says, and stays as it is below partition 2',
    ])
    expect(Object.values(await modes())).toEqual(['newer', 'newer', 'newest'])
    await apply(cell, of('newest'))
    expect(Object.values(await modes())).toEqual(['newest', 'newest', 'newest'])
  }, 150_000)

  // shows: DaemonSetSpec.updateStrategy DaemonSetUpdateStrategy.type StatefulSetUpdateStrategy.type
  test('when somebody has removed them, where that is asked for', async () => {
    const updateStrategy = { type: 'OnDelete' }
    const of = (value: string): string =>
      manifest(
        workload(value, { updateStrategy }, { kind: 'DaemonSet', name: 'agent' }),
        workload(value, { updateStrategy }, { kind: 'StatefulSet', name: 'db', replicas: 2 }),
      )
    await apply(cell, of('old'), ...until())
    const before = await ids()
    const { told, report } = await apply(cell, of('new'))
    expect(told).toEqual(['daemonset/agent unchanged', 'statefulset/db unchanged'])
    expect(planned(report)?.because).toEqual([expect.stringContaining('until it is removed (OnDelete)')])
    expect(await ids()).toEqual(before)
    await succeeds(cell, ['pod', 'stop', 'db-0'])
    await succeeds(cell, ['pod', 'rm', '--force', 'db-1', 'agent-pod'])
    expect((await apply(cell, of('new'), ...until())).told).toEqual([
      'daemonset/agent created',
      'statefulset/db configured',
    ])
    expect(await modes()).toEqual({ 'agent-pod-main': 'new', 'db-0-main': 'old', 'db-1-main': 'new' })
  }, 90_000)

  test('side by side with another workload, and before what depends on them', async () => {
    const of = (value: string): string =>
      manifest(
        workload(value, {}, { name: 'api', replicas: 2 }),
        workload(value, {}, { name: 'log', replicas: 2 }),
        workload(value, {}, { name: 'web', replicas: 2, depends: 'deployment/api' }),
      )
    await apply(cell, of('old'), ...until())
    const beganMs = Date.now()
    await apply(cell, of('new'))
    const happenings = await since(beganMs)
    const own = (name: string): Happening[] => happenings.filter(one => one.name.startsWith(`${name}-`))
    const span = (name: string) => ({ from: own(name)[0]?.atMs ?? 0, to: own(name).at(-1)?.atMs ?? 0 })
    for (const name of ['api', 'log', 'web']) expect(worst(own(name))).toBe(1)
    expect(span('log').from).toBeLessThan(span('api').to)
    expect(span('api').from).toBeLessThan(span('log').to)
    expect(span('web').from).toBeGreaterThan(span('api').to)
  }, 90_000)

  test('all at once as far as they serve nobody: what is broken is in nobody’s way', async () => {
    const of = (value: string): string => manifest(workload(value, {}, { kind: 'StatefulSet', name: 'db' }))
    await apply(cell, of('old'), ...until())
    const names = mains('db-0', 'db-1', 'db-2')
    await Promise.all(names.map(name => succeeds(cell, ['exec', name, 'rm', '/tmp/ready'])))
    await eventually(
      () => containers(cell),
      all => all.every(({ ready }) => ready === false),
    )
    const beganMs = Date.now()
    const done = await apply(cell, of('new'), ...until())
    expect([done.exitCode, ...done.told]).toEqual([0, 'statefulset/db configured'])
    const ends = (await since(beganMs)).map(({ what }) => what)
    expect(ends).toEqual(['died', 'died', 'died', 'start', 'start', 'start'])
  }, 90_000)
})

test('a reconcile of a GitOps source does the same, and ends where a pod does not come up', async () => {
  const sources = sourcesOn(cell)
  const of = (value: string, wish: Wish = {}): Record<string, string> => ({
    'web.yaml': manifest(workload(value, {}, { replicas: 2, ...wish })),
  })
  await sources.repository('shop', of('old'))
  await sources.add('shop')
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
  await sources.commit('shop', of('new'))
  const { stdout } = await tspod(cell, ['gitops', 'diff', 'shop'])
  expect(stdout).toMatch(/^~ deployment\/web configure \(restart, 1 at a time\)$/m)
  const beganMs = Date.now()
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
  expect(worst(await since(beganMs))).toBe(1)
  const before = await ids()
  await sources.commit('shop', of('bad', { command: ['/no/such/program'] }))
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 1, run: { outcome: 'failed' } })
  expect((await ids())['web-pod-2-main']).toBe(before['web-pod-2-main'])
  expect(Object.values(await modes())).toEqual(['new', 'new'])
  await succeeds(cell, ['gitops', 'remove', 'shop', '--prune'])
}, 90_000)

describe('pods that do not come up', () => {
  const broken = { command: ['/no/such/program'] }

  test('cannot be started: the first one comes back, and the others are what they were', async () => {
    await apply(cell, manifest(workload('old')), ...until())
    const before = await ids()
    const failed = await apply(cell, manifest(workload('new', {}, broken)))
    expect([failed.exitCode, ...failed.told]).toEqual([1, 'deployment/web rolled back'])
    expect(failed.report.results[0]?.message).toMatch(
      /^web-pod: .*no program "\/no\/such\/program".*it is what it was before; 2 other pods go on as they were$/,
    )
    const after = await ids()
    for (const name of mains('web-pod-2', 'web-pod-3')) expect(after[name]).toBe(before[name])
    expect(new Set(Object.values(await modes()))).toEqual(new Set(['old']))
    expect((await apply(cell, manifest(workload('old')))).told).toEqual(['deployment/web unchanged'])
  }, 60_000)

  // shows: DeploymentSpec.progressDeadlineSeconds
  test('are not ready within progressDeadlineSeconds: they are left as they are where that is asked for', async () => {
    const spec = { progressDeadlineSeconds: 3 }
    const bad = manifest(workload('new', spec, { script: WAIT_COMMAND }))
    await apply(cell, manifest(workload('old')), ...until())
    const beganMs = Date.now()
    const failed = await apply(cell, bad, '--on-failure', 'stop')
    expect(failed.told).toEqual(['deployment/web failed'])
    expect(failed.report.results[0]?.message).toContain('it was not ready after 3 s')
    expect(worst(await since(beganMs))).toBe(1)
    expect(Object.values(await modes())).toEqual(['new', 'old', 'old'])
    // The one that is missing is one of those that may be.
    expect((await apply(cell, bad, '--on-failure', 'stop')).told).toEqual(['deployment/web failed'])
    expect(Object.values(await modes())).toEqual(['new', 'old', 'old'])
    expect((await apply(cell, manifest(workload('good', spec)))).told).toEqual(['deployment/web configured'])
    expect(Object.values(await modes())).toEqual(['good', 'good', 'good'])
  }, 90_000)

  test('later ones: all come back one at a time where that is asked for, but those that were not begun', async () => {
    await apply(cell, manifest(workload('old')), ...until())
    const before = await ids()
    const script = `if [ $ME = web-pod-2 ]; then exec sleep 100; fi; ${SLOW}`
    const bad = manifest(workload('new', {}, { script }))
    const beganMs = Date.now()
    const failed = await apply(cell, bad, '--wait', '--timeout', '5s', '--on-failure', 'rollback')
    expect([failed.exitCode, ...failed.told]).toEqual([1, 'deployment/web rolled back'])
    const after = await ids()
    expect(Object.keys(before).filter(name => before[name] === after[name])).toEqual(mains('web-pod-3'))
    expect(new Set(Object.values(await modes()))).toEqual(new Set(['old']))
    expect(worst(await since(beganMs).then(all => all.filter(({ name }) => name !== 'web-pod-2-main')))).toBe(1)
  }, 90_000)
})

test('nothing of what was replaced some at a time is left behind', async () => {
  const both = (value: string, wish: Wish = {}): string =>
    manifest(workload(value, {}, { replicas: 2, ...wish }), workload(value, {}, { replicas: 2, ...wish, name: 'api' }))
  await apply(cell, both('old'))
  await succeeds(cell, ['down', 'shop'])
  await withLeakCheck(cell, async () => {
    await apply(cell, both('old'), ...until())
    expect((await apply(cell, both('new'))).exitCode).toBe(0)
    expect((await apply(cell, both('bad', { command: ['/no/such/program'] }))).exitCode).toBe(1)
    await succeeds(cell, ['down', 'shop'])
  })
}, 90_000)

describe('an apply that is interrupted', () => {
  for (const pods of [1, 2]) {
    test(`by kill -9 after ${pods} of 3: the next one goes on, with one missing at a time`, async () => {
      await apply(cell, manifest(workload('old')), ...until())
      const before = await ids()
      await cell.sh('cat >/tmp/roll.yaml', { input: manifest(workload('new')) })
      const line = `exec ${launcher(cell)} apply --app shop -f /tmp/roll.yaml >/dev/null 2>&1`
      const victim = (await cell.sh(`(${line}) & echo $!`)).stdout.trim()
      const beganMs = Date.now()
      await eventually(
        () => ids(),
        now =>
          Object.keys(now).filter(name => before[name] !== undefined && now[name] !== before[name]).length === pods,
      )
      await cell.sh(`kill -9 ${victim}`)
      expect((await apply(cell, manifest(workload('new')))).exitCode).toBe(0)
      expect(new Set(Object.values(await modes()))).toEqual(new Set(['new']))
      const happenings = await since(beganMs)
      expect(happenings.filter(({ what }) => what === 'died')).toHaveLength(3)
      expect(worst(happenings)).toBe(1)
      expect((await apply(cell, manifest(workload('new')))).told).toEqual(['deployment/web unchanged'])
    }, 90_000)
  }

  test('by ctrl-c: no pod is begun after it, and the next one knows what it has replaced', async () => {
    await apply(cell, manifest(workload('old')), ...until())
    const before = await ids()
    const bad = manifest(workload('new', {}, { script: WAIT_COMMAND }))
    await cell.sh('cat >/tmp/roll.yaml', { input: bad })
    const line = `${launcher(cell)} apply --app shop -f /tmp/roll.yaml`
    const script = `${line} >/tmp/said 2>&1 & victim=$!; for i in $(seq 100); do
      ${launcher(cell)} exec web-pod-main sh -c 'test $MODE = new' 2>/dev/null && break; sleep 0.1; done
      kill -INT $victim; wait $victim; echo "code $?"; cat /tmp/said`
    expect((await cell.sh(script)).stdout).toMatch(/^code 130$/m)
    const after = await ids()
    for (const name of mains('web-pod-2', 'web-pod-3')) expect(after[name]).toBe(before[name])
    expect(Object.values(await modes())).toEqual(['new', 'old', 'old'])
    const again = await apply(cell, bad, '--wait', '--timeout', '3s')
    expect(again.told).toEqual(['deployment/web rolled back'])
    expect(Object.values(await modes())).toEqual(['old', 'old', 'old'])
  }, 90_000)
})
