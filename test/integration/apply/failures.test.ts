import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { apply, configMap, envFrom, manifest, pod, secret } from '../../support/apply.ts'
import type { Place } from '../../support/place.ts'
import {
  containers,
  launcher,
  pods,
  readyCell,
  succeeds,
  takeDownAll,
  tspod,
  WAIT_COMMAND,
} from '../../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(async () => {
  for (const app of ['shop', 'other']) await tspod(cell, ['down', app, '--volumes'])
  await takeDownAll(cell)
})
afterAll(() => cell?.remove())

const running = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await containers(cell)).map(({ name, id, pid }) => [name, `${id.slice(0, 12)} ${pid}`]))
const modeOf = async (name: string): Promise<string> => succeeds(cell, ['exec', name, 'sh', '-c', 'echo $MODE'])
const mode = (value: string, more: object = {}): object => ({ env: [{ name: 'MODE', value }], ...more })

describe('a pod that does not come up', () => {
  test('has its image missing: nothing has been touched', async () => {
    await apply(cell, manifest(pod('web', mode('old')), pod('db')))
    const before = await running()
    const input = manifest(
      pod('web', mode('new', { image: 'localhost/none:1', imagePullPolicy: 'Never' })),
      pod('db', mode('new')),
    )
    const failed = await tspod(cell, ['apply', '--app', 'shop', '-f', '-'], { input })
    expect(failed.exitCode).toBe(125)
    expect(failed.stderr).toContain('localhost/none:1')
    expect(await running()).toEqual(before)
    expect((await apply(cell, manifest(pod('web', mode('old')), pod('db')))).told).toEqual([
      'pod/web unchanged',
      'pod/db unchanged',
    ])
  }, 60_000)

  test('cannot be started: the old one comes back, and the error says why', async () => {
    await apply(cell, manifest(pod('web', mode('old'))))
    const failed = await apply(cell, manifest(pod('web', mode('new', { command: ['/no/such/program'] }))))
    expect(failed.exitCode).toBe(1)
    expect(failed.told).toEqual(['pod/web rolled back'])
    expect(failed.report.results[0]?.message).toMatch(/no program "\/no\/such\/program".*it is what it was before/)
    expect(await modeOf('web-main')).toBe('old\n')
    expect((await apply(cell, manifest(pod('web', mode('old'))))).told).toEqual(['pod/web unchanged'])
    expect((await apply(cell, manifest(pod('web', mode('good'))))).told).toEqual(['pod/web configured'])
    expect(await modeOf('web-main')).toBe('good\n')
  }, 60_000)

  test('ends at once while somebody waits for it: the old one comes back', async () => {
    const [once, bad] = ['old', 'new'].map(value => pod('web', mode(value), { restartPolicy: 'Never' }))
    await apply(cell, manifest(once!))
    // With a probe it is not ready before it has ended, however busy this machine is.
    const readinessProbe = { exec: { command: ['true'] }, periodSeconds: 1 }
    const container = mode('new', { command: ['sh', '-c', 'exit 3'], readinessProbe })
    const failed = await apply(
      cell,
      manifest(pod('web', container, { restartPolicy: 'Never' })),
      '--wait',
      '--timeout',
      '20s',
    )
    expect(failed.told).toEqual(['pod/web rolled back'])
    expect(await modeOf('web-main')).toBe('old\n')
    expect((await apply(cell, manifest(bad!), '--wait', '--timeout', '20s')).told).toEqual(['pod/web configured'])
  }, 60_000)

  test('gives up after it has worked for a while: it is waited for until it rests, and the old one comes back', async () => {
    await apply(cell, manifest(pod('web', mode('old'), { restartPolicy: 'Never' })))
    const now = `read up idle </proc/uptime; now=\${up%.*}\${up#*.}`
    const command = ['sh', '-c', `${now}; end=$((now + 70)); while [ $now -lt $end ]; do ${now}; done; exit 3`]
    const bad = manifest(pod('web', mode('new', { command }), { restartPolicy: 'Never' }))
    const failed = await apply(cell, bad, '--wait', '--timeout', '20s')
    expect(failed.told).toEqual(['pod/web rolled back'])
    expect(failed.report.results[0]?.message).toContain('it has ended')
    expect(await modeOf('web-main')).toBe('old\n')
  }, 60_000)

  test('crashes again and again: what it is in is told while it is waited for, and in the error', async () => {
    await apply(cell, manifest(pod('web', mode('old'))))
    const input = manifest(pod('web', mode('new', { command: ['sh', '-c', 'exit 3'] })))
    const args = ['apply', '--app', 'shop', '-f', '-', '--wait', '--timeout', '4s']
    const failed = await tspod(cell, args, { input })
    expect(failed.exitCode).toBe(1)
    const trouble = /container web-main: (Error|CrashLoopBackOff) \(exit code 3(, restarts: \d)?\)/
    expect(failed.stderr).toMatch(new RegExp(`^web: not ready yet: ${trouble.source}$`, 'm'))
    expect(failed.stdout).toMatch(
      new RegExp(`^pod/web rolled back: it was not ready after 4 s: ${trouble.source}`, 'm'),
    )
  }, 60_000)

  // shows: DeploymentSpec.minReadySeconds ReplicaSetSpec.minReadySeconds ReplicationControllerSpec.minReadySeconds
  // shows: DaemonSetSpec.minReadySeconds StatefulSetSpec.minReadySeconds
  test('dies within its minReadySeconds: the old one comes back', async () => {
    const kinds = ['Deployment', 'ReplicaSet', 'ReplicationController', 'DaemonSet', 'StatefulSet']
    const workloads = (command: string): string => {
      const all = kinds.map(kind => {
        const isPlain = kind === 'ReplicationController'
        const labels = { app: kind }
        const { spec } = pod('web', mode('old', { command: ['sh', '-c', command] }))
        const more = { minReadySeconds: 5, template: { metadata: { labels }, spec } }
        return {
          apiVersion: isPlain ? 'v1' : 'apps/v1',
          kind,
          metadata: { name: kind.toLowerCase() },
          spec: { selector: isPlain ? labels : { matchLabels: labels }, ...more },
        }
      })
      return manifest(...all)
    }
    const told = (outcome: string): string[] =>
      kinds.map(kind => `${kind.toLowerCase()}/${kind.toLowerCase()} ${outcome}`)
    await apply(cell, workloads(WAIT_COMMAND))
    const failed = await apply(cell, workloads('sleep 2; exit 1'), '--wait', '--timeout', '8s')
    expect([...failed.told].sort()).toEqual(told('rolled back').sort())
    expect([...(await apply(cell, workloads(WAIT_COMMAND))).told].sort()).toEqual(told('unchanged').sort())
  }, 90_000)

  test('takes the whole apply back where that is asked for, Secrets and new pods too', async () => {
    const text = (value: string, web: object, ...more: object[]): string =>
      manifest(secret('keys', { MODE: value }), pod('db', envFrom('secretRef', 'keys')), pod('web', web), ...more)
    await apply(cell, text('old', mode('old')))
    const bad = mode('new', { command: ['/no/such/program'] })
    const failed = await apply(cell, text('new', bad, pod('extra')), '--on-failure', 'rollback')
    expect(failed.exitCode).toBe(1)
    expect(await modeOf('web-main')).toBe('old\n')
    expect(await modeOf('db-main')).toBe('old\n')
    expect((await pods(cell)).map(({ name }) => name).sort()).toEqual(['db', 'web'])
    expect((await apply(cell, text('old', mode('old')))).told).toEqual([
      ...['secret/keys unchanged', 'pod/db unchanged', 'pod/web unchanged'],
    ])
  }, 60_000)

  test('stays as it is where that is asked for, and what comes later is left alone', async () => {
    const wave = (number: string): object => ({ annotations: { 'io.tspod.wave': number } })
    await apply(cell, manifest(pod('web', mode('old')), pod('late', mode('old'), wave('1') as never)))
    const bad = pod('web', mode('new', { command: ['/no/such/program'] }))
    const failed = await apply(
      cell,
      manifest(bad, pod('late', mode('new'), wave('1') as never)),
      '--on-failure',
      'stop',
    )
    expect(failed.told).toEqual(['pod/web failed', 'pod/late skipped'])
    expect(await modeOf('late-main')).toBe('old\n')
    const good = await apply(cell, manifest(pod('web', mode('new')), pod('late', mode('new'), wave('1') as never)))
    expect(good.told).toEqual(['pod/web configured', 'pod/late configured'])
  }, 60_000)
})

describe('what belongs to somebody else', () => {
  test('is refused with both named, unless it is taken over', async () => {
    await succeeds(cell, ['kube', 'play', '-'], { input: manifest(pod('web')) })
    await succeeds(cell, ['apply', '--app', 'other', '-f', '-'], {
      input: manifest(pod('db'), configMap('c', { a: 'b' })),
    })
    const before = await running()
    const input = manifest(configMap('c', { a: 'c' }), pod('web', mode('new')), pod('db', mode('new')), pod('mine'))
    const refused = await tspod(cell, ['apply', '--app', 'shop', '-f', '-'], { input })
    expect(refused.exitCode).toBe(125)
    expect(refused.stderr).toContain('configmap/c belongs to app other')
    expect(refused.stderr).toContain('pod/db belongs to app other')
    expect(refused.stderr).toContain('pod/web was made by kube play')
    expect(await running()).toEqual(before)
    expect((await tspod(cell, ['diff', '--app', 'shop', '-f', '-'], { input })).exitCode).toBe(125)
    const taken = await apply(cell, input, '--force-conflicts')
    expect(taken.told).toContain('pod/web configured')
    expect(await succeeds(cell, ['apps'])).not.toMatch(/^other .* 2 /m)
  }, 60_000)

  test('is a port of the host: refused before anything is touched, but not its own or one that is pruned', async () => {
    const port = { ports: [{ containerPort: 80, hostPort: 18_080 }] }
    await succeeds(cell, ['apply', '--app', 'other', '-f', '-'], { input: manifest(pod('db', port)) })
    await apply(cell, manifest(pod('web', mode('old'))))
    const before = await running()
    const input = manifest(pod('web', mode('new', port)))
    const refused = await tspod(cell, ['apply', '--app', 'shop', '-f', '-'], { input })
    expect(refused.stderr).toMatch(/port 0\.0\.0\.0:18080\/tcp is published by pod db/)
    expect(await running()).toEqual(before)
    const other = { input: manifest(pod('renamed', { ...mode('new'), ...port })) }
    expect(await succeeds(cell, ['apply', '--app', 'other', '--prune', '-f', '-'], other)).toContain('pod/db pruned')
    const again = { input: manifest(pod('renamed', { ...mode('newer'), ...port })) }
    expect(await succeeds(cell, ['apply', '--app', 'other', '-f', '-'], again)).toContain('pod/renamed configured')
  }, 60_000)
})

describe('an apply that is interrupted', () => {
  const text = (value: string): string =>
    manifest(
      configMap('settings', { MODE: value }),
      ...['a', 'b', 'c'].map(name => pod(name, envFrom('configMapRef', 'settings'))),
      pod('late', envFrom('configMapRef', 'settings'), { annotations: { 'io.tspod.wave': '1' } }),
    )

  for (const [index, part] of [0.1, 0.35, 0.55, 0.8].entries()) {
    test(`by kill -9 at ${Math.round(part * 100)} % of it: the next one gets to the same end`, async () => {
      await apply(cell, text('old'))
      const began = Date.now()
      await apply(cell, text(`other-${index}`))
      const lastedMs = Date.now() - began
      await cell.sh(`cat >/tmp/apply-${index}.yaml`, { input: text('new') })
      const line = `${launcher(cell)} apply --app shop -f /tmp/apply-${index}.yaml >/dev/null 2>&1`
      await cell.sh(`${line} & victim=$!; sleep ${(lastedMs * part) / 1000}; kill -9 $victim; wait`)
      const again = await apply(cell, text('new'))
      expect(again.exitCode).toBe(0)
      for (const name of ['a', 'b', 'c', 'late']) expect(await modeOf(`${name}-main`)).toBe('new\n')
      expect((await apply(cell, text('new'))).told.every(line => line.endsWith('unchanged'))).toBe(true)
      expect((await containers(cell)).length).toBe(4)
    }, 90_000)
  }

  test('by ctrl-c: what it had stopped is back before it ends', async () => {
    // Stopping takes a while, so that the signal falls into it.
    const slow = "trap 'sleep 1; exit 0' TERM; sleep 100000 & wait"
    const one = (value: string): string =>
      manifest(pod('a', mode(value, { command: ['sh', '-c', slow] })), pod('b', mode(value)))
    await apply(cell, one('old'))
    await cell.sh('cat >/tmp/apply-int.yaml', { input: one('new') })
    const line = `${launcher(cell)} apply --app shop -f /tmp/apply-int.yaml`
    // Interrupted as soon as the old pod has been asked to stop.
    const script = `${line} >/tmp/said 2>&1 & victim=$!; for i in $(seq 200); do
      ${launcher(cell)} pod ps --format '{{.Name}} {{.Status}}' | grep -q '^b .*Running' || break; sleep 0.05; done
      kill -INT $victim; wait $victim; echo "code $?"; cat /tmp/said`
    const said = await cell.sh(script)
    expect(said.stdout).toMatch(/^code (130|0)$/m)
    const is = said.stdout.includes('code 0') ? 'new' : 'old'
    expect(await modeOf('a-main')).toBe(`${is}\n`)
    expect(await modeOf('b-main')).toBe(`${is}\n`)
    expect((await apply(cell, one('new'))).exitCode).toBe(0)
    expect(await modeOf('a-main')).toBe('new\n')
  }, 90_000)

  test('by another one of the same app: one after the other, and the last one is what is there', async () => {
    await apply(cell, text('old'))
    const [first, second] = await Promise.all([apply(cell, text('one')), apply(cell, text('two'))])
    expect([first.exitCode, second.exitCode]).toEqual([0, 0])
    const modes = await Promise.all(['a', 'b', 'c', 'late'].map(name => modeOf(`${name}-main`)))
    expect(new Set(modes).size).toBe(1)
  }, 90_000)
})
