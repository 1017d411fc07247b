import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { apply, configMap, diff, envFrom, manifest, pod, secret } from '../../support/apply.ts'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import {
  containers,
  DEMO_IMAGE,
  pods,
  readyCell,
  succeeds,
  takeDownAll,
  tspod,
  WAIT_COMMAND,
} from '../../support/tspod.ts'
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

const running = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await containers(cell)).map(({ name, id, pid }) => [name, `${id.slice(0, 12)} ${pid}`]))

function deployment(replicas: number, value = 'same'): object {
  const container = {
    name: 'main',
    image: DEMO_IMAGE,
    command: ['sh', '-c', WAIT_COMMAND],
    env: [{ name: 'MODE', value }],
  }
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { terminationGracePeriodSeconds: 5, containers: [container] },
  }
  const spec = { replicas, selector: { matchLabels: { app: 'web' } }, template }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec }
}

const job = (script: string): object => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'once' },
  spec: {
    template: {
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'main', image: DEMO_IMAGE, command: ['sh', '-c', script] }],
      },
    },
  },
})

describe('workloads', () => {
  test('get and lose only the pods that make the difference, and replace those whose spec is another', async () => {
    expect((await apply(cell, manifest(deployment(2)))).told).toEqual(['deployment/web created'])
    const two = await running()
    const { plan } = await diff(cell, manifest(deployment(3)))
    expect(plan.objects[0]).toMatchObject({ action: 'configure', because: ['1 of 3 pods: it is not there'] })
    expect(plan.objects[0]?.pods?.map(({ name, action }) => `${name} ${action}`)).toEqual([
      ...['web-pod unchanged', 'web-pod-2 unchanged', 'web-pod-3 create'],
    ])
    await apply(cell, manifest(deployment(3)))
    expect(await running()).toMatchObject(two)
    const less = await apply(cell, manifest(deployment(1)))
    expect(less.told).toEqual(['deployment/web configured'])
    expect(await running()).toEqual({ 'web-pod-main': two['web-pod-main'] })
    await apply(cell, manifest(deployment(1, 'other')))
    expect((await running())['web-pod-main']).not.toBe(two['web-pod-main'])
    expect((await apply(cell, manifest(deployment(0)))).told).toEqual(['deployment/web configured'])
    expect(await pods(cell)).toEqual([])
    expect((await apply(cell, manifest(deployment(0)))).told).toEqual(['deployment/web unchanged'])
  }, 60_000)

  test('leave a Job that is done alone, and begin one with another spec anew', async () => {
    expect((await apply(cell, manifest(job('true')))).told).toEqual(['job/once created'])
    await eventually(
      () => pods(cell),
      ([only]) => only?.phase === 'Succeeded',
    )
    const before = (await pods(cell)).map(({ id }) => id)
    expect((await apply(cell, manifest(job('true')))).told).toEqual(['job/once unchanged'])
    expect((await pods(cell)).map(({ id }) => id)).toEqual(before)
    const { plan } = await diff(cell, manifest(job('sleep 0.1')))
    expect(plan.objects[0]).toMatchObject({ action: 'configure', effect: 'recreate' })
    expect((await apply(cell, manifest(job('sleep 0.1')))).told).toEqual(['job/once configured'])
    expect((await pods(cell)).map(({ id }) => id)).not.toEqual(before)
  }, 60_000)
})

type Started = { State: { StartedAt: string } }

describe('order', () => {
  const needs = (...names: string[]): Record<string, unknown> => ({
    annotations: { 'io.tspod.depends-on': names.map(name => `pod/${name}`).join(', ') },
  })
  /** Names of pods in the order of such events. */
  const told = async (action: string): Promise<string[]> => {
    const text = await succeeds(cell, ['events', '--stream=false', '--format', 'json', '--filter', `event=${action}`])
    const lines = text.trim().split('\n').filter(Boolean)
    const events = lines.map(line => JSON.parse(line) as { Name: string; timeNano: number })
    const mains = events.filter(({ Name }) => /-main$/.test(Name))
    return mains.sort((a, b) => a.timeNano - b.timeNano).map(({ Name }) => Name)
  }

  test('by io.tspod.depends-on: pods start after those they need and stop before them, in play and apply alike', async () => {
    const text = manifest(pod('web', {}, needs('api', 'cache')), pod('api', {}, needs('db')), pod('cache'), pod('db'))
    await apply(cell, text)
    const starts = (await told('start')).slice(-4)
    expect(starts.indexOf('db-main')).toBeLessThan(starts.indexOf('api-main'))
    expect(starts[3]).toBe('web-main')
    await succeeds(cell, ['down', 'shop'])
    const ends = (await told('died')).slice(-4)
    expect(ends[0]).toBe('web-main')
    expect(ends.indexOf('api-main')).toBeLessThan(ends.indexOf('db-main'))
    await succeeds(cell, ['kube', 'play', '-'], { input: text })
    expect((await told('start')).slice(-4)[3]).toBe('web-main')
  }, 60_000)

  test('by readiness: a pod starts when the one that it needs is ready, in play and apply alike', async () => {
    // A start by hand takes up the old root file system.
    const probe = { exec: { command: ['test', '-e', '/tmp/ready'] }, periodSeconds: 1, failureThreshold: 1 }
    const slow = {
      command: ['sh', '-c', `rm -f /tmp/ready; sleep 2; touch /tmp/ready; ${WAIT_COMMAND}`],
      readinessProbe: probe,
    }
    const text = manifest(pod('web', {}, needs('db')), pod('db', slow))
    const gapMs = async (): Promise<number> => {
      const rows = JSON.parse(await succeeds(cell, ['container', 'inspect', 'db-main', 'web-main'])) as Started[]
      const [db = 0, web = 0] = rows.map(({ State }) => Date.parse(State.StartedAt))
      return web - db
    }
    expect((await apply(cell, text)).told).toEqual(['pod/web created', 'pod/db created'])
    expect(await gapMs()).toBeGreaterThan(1900)
    // One that stands and is ready is not waited for, one that is started is.
    await succeeds(cell, ['pod', 'stop', 'web', 'db'])
    expect((await apply(cell, text)).told).toEqual(['pod/web started', 'pod/db started'])
    expect(await gapMs()).toBeGreaterThan(1900)
    await succeeds(cell, ['down', 'shop'])
    await succeeds(cell, ['kube', 'play', '-'], { input: text })
    expect(await gapMs()).toBeGreaterThan(1900)
  }, 60_000)

  test('by io.tspod.wave: a wave begins when the one before it is up', async () => {
    const wave = (number: number): Record<string, unknown> => ({ annotations: { 'io.tspod.wave': `${number}` } })
    const text = manifest(pod('z', {}, wave(-1)), pod('b'), pod('a', {}, wave(2)))
    expect((await apply(cell, text)).told).toEqual(['pod/z created', 'pod/b created', 'pod/a created'])
    expect((await told('start')).slice(-3)).toEqual(['z-main', 'b-main', 'a-main'])
  }, 60_000)
})

describe('down NAME', () => {
  test('takes everything of an app but its volumes, which go when that is asked for', async () => {
    const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' }, spec: {} }
    const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }]
    const text = manifest(
      claim,
      secret('keys', { a: 'b' }),
      configMap('settings', { a: 'b' }),
      pod(
        'web',
        { ...envFrom('configMapRef', 'settings'), volumeMounts: [{ name: 'v', mountPath: '/v' }] },
        { volumes },
      ),
    )
    await apply(cell, text)
    await succeeds(cell, ['exec', 'web-main', 'sh', '-c', 'echo kept >/v/file'])
    const [app] = JSON.parse(await succeeds(cell, ['apps', '-o', 'json'])) as [
      { name: string; health: string; objects: object[] },
    ]
    expect(app).toMatchObject({ name: 'shop', health: 'Healthy' })
    expect(app.objects).toHaveLength(4)
    expect(await succeeds(cell, ['apps', 'shop'])).toMatch(/pod\/web +Running +1\/1 +0/)
    await succeeds(cell, ['down', 'shop'])
    expect(await pods(cell)).toEqual([])
    expect(await succeeds(cell, ['apps'])).not.toContain('shop')
    expect((await tspod(cell, ['down', 'shop'])).stderr).toContain('no app is called "shop"')
    await apply(cell, text)
    expect(await succeeds(cell, ['exec', 'web-main', 'cat', '/v/file'])).toBe('kept\n')
    expect(await succeeds(cell, ['down', 'shop', '--volumes'])).toMatch(/Volumes removed:\ndata\n/)
  }, 60_000)

  test('leaves nothing of what applies have made, changed and brought back', async () => {
    const text = (value: string, command: string[] = ['sh', '-c', WAIT_COMMAND]): string =>
      manifest(secret('keys', { a: value }), pod('web', { ...envFrom('secretRef', 'keys'), command }), pod('db'))
    await apply(cell, text('first'))
    await succeeds(cell, ['down', 'shop'])
    await withLeakCheck(cell, async () => {
      await apply(cell, text('one'))
      await apply(cell, text('two'))
      expect((await apply(cell, text('three', ['/no/such/program']))).exitCode).toBe(1)
      await succeeds(cell, ['down', 'shop'])
    })
  }, 60_000)

  test('a pod that was removed behind the back of its app comes back', async () => {
    await apply(cell, manifest(pod('web'), pod('db')))
    await succeeds(cell, ['pod', 'rm', '--force', 'web'])
    expect(await succeeds(cell, ['apps'])).toMatch(/shop +Degraded +1\/2/)
    expect((await apply(cell, manifest(pod('web'), pod('db')))).told).toEqual(['pod/web created', 'pod/db unchanged'])
  }, 60_000)

  test('pods of a Deployment that were removed behind its back are missing, and come back', async () => {
    await apply(cell, manifest(deployment(2)))
    await succeeds(cell, ['pod', 'rm', '--force', 'web-pod-2'])
    expect(await succeeds(cell, ['apps'])).toMatch(/shop +Degraded +1\/2/)
    await succeeds(cell, ['kube', 'down', '-'], { input: manifest(deployment(2)) })
    expect(await succeeds(cell, ['apps'])).toMatch(/shop +Degraded +0\/2/)
    expect((await apply(cell, manifest(deployment(2)))).told).toEqual(['deployment/web created'])
    expect(await succeeds(cell, ['apps'])).toMatch(/shop +Healthy +2\/2/)
  }, 60_000)
})
