import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { apply, configMap, diff, envFrom, manifest, pod, secret } from '../../support/apply.ts'
import type { Place } from '../../support/place.ts'
import { containers, DEMO_IMAGE, pods, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(async () => {
  await tspod(cell, ['down', 'shop', '--volumes'])
  await takeDownAll(cell)
})
afterAll(() => cell?.remove())

/** Container ids and process ids by name: what restarts has another pair. */
const running = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await containers(cell)).map(({ name, id, pid }) => [name, `${id.slice(0, 12)} ${pid}`]))

const changedIn = (before: Record<string, string>, after: Record<string, string>): string[] =>
  Object.keys(after).filter(name => before[name] !== after[name])

describe('apply', () => {
  test('creates, then finds nothing to do, starts what was stopped, prunes what is gone', async () => {
    const both = manifest(
      configMap('settings', { mode: 'slow' }),
      pod('web', envFrom('configMapRef', 'settings')),
      pod('db'),
    )
    expect((await diff(cell, both)).exitCode).toBe(1)
    expect((await apply(cell, both)).told).toEqual(['configmap/settings created', 'pod/web created', 'pod/db created'])
    const before = await running()
    expect((await diff(cell, both)).exitCode).toBe(0)
    const again = await apply(cell, both)
    expect(again.told).toEqual(['configmap/settings unchanged', 'pod/web unchanged', 'pod/db unchanged'])
    expect(again.report.ready).toBe(true)
    expect(await running()).toEqual(before)

    await succeeds(cell, ['pod', 'stop', 'db'])
    expect((await diff(cell, both)).plan.objects.find(({ name }) => name === 'db')).toMatchObject({
      action: 'start',
      because: ['it was stopped'],
    })
    // Somebody has stopped it: that was no crash, after which it would be watched for ten seconds.
    const started = await apply(cell, both, '--wait', '--timeout', '8s')
    expect(started.exitCode).toBe(0)
    expect(started.told).toContain('pod/db started')
    expect((await pods(cell)).map(({ phase }) => phase)).toEqual(['Running', 'Running'])

    const less = manifest(configMap('settings', { mode: 'slow' }), pod('web', envFrom('configMapRef', 'settings')))
    expect((await apply(cell, less)).told).toContain('pod/db kept')
    expect((await apply(cell, less, '--prune')).told).toContain('pod/db pruned')
    expect((await pods(cell)).map(({ name }) => name)).toEqual(['web'])
    expect(changedIn(before, await running())).toEqual([])
  }, 60_000)

  test('a ConfigMap that two of four pods use: diff says so, and exactly these two restart', async () => {
    const four = (mode: string): string =>
      manifest(
        configMap('settings', { mode, other: 'same' }),
        configMap('unused', { mode: 'any' }),
        pod('a', envFrom('configMapRef', 'settings')),
        pod('b', {
          env: [{ name: 'M', valueFrom: { configMapKeyRef: { name: 'settings', key: 'mode' } } }],
        }),
        pod('c', envFrom('configMapRef', 'unused')),
        pod('d'),
      )
    await apply(cell, four('slow'))
    const before = await running()
    const { plan, exitCode } = await diff(cell, four('fast'))
    expect(exitCode).toBe(1)
    const restarts = plan.objects.filter(({ effect }) => effect === 'restart')
    expect(restarts.map(({ name }) => name)).toEqual(['a', 'b'])
    for (const one of restarts) {
      expect(one.because).toEqual(['configmap/settings data.mode changed'])
      expect(one.changes).toEqual([{ path: 'configmap/settings data.mode', before: 'slow', after: 'fast' }])
      expect(one.outageMs).toBeGreaterThan(5000)
    }
    expect(await running()).toEqual(before)
    const applied = await apply(cell, four('fast'))
    expect(applied.told).toEqual([
      ...['configmap/settings configured', 'configmap/unused unchanged'],
      ...['pod/a configured', 'pod/b configured', 'pod/c unchanged', 'pod/d unchanged'],
    ])
    expect(applied.report.plan).toEqual(plan)
    expect(changedIn(before, await running())).toEqual(['a-main', 'b-main'])
    expect(await succeeds(cell, ['exec', 'b-main', 'sh', '-c', 'echo $M'])).toBe('fast\n')
  }, 60_000)

  test('a Secret is named by its key, and its value is nowhere', async () => {
    const text = (password: string): string =>
      manifest(secret('keys', { password, user: 'me' }), pod('web', envFrom('secretRef', 'keys')))
    await apply(cell, text('first-value'))
    const input = text('second-value')
    const said = await tspod(cell, ['diff', '--app', 'shop', '-f', '-'], { input })
    expect(said.stdout).toContain('secret/keys data.password changed')
    const all = [said, await tspod(cell, ['diff', '--app', 'shop', '-o', 'json', '-f', '-'], { input })]
    const applied = await apply(cell, input)
    expect(applied.told).toEqual(['secret/keys configured', 'pod/web configured'])
    const events = await succeeds(cell, ['events', '--stream=false', '--format', 'json'])
    const apps = await succeeds(cell, ['apps', '-o', 'json'])
    const words = [
      ...all.map(({ stdout, stderr }) => stdout + stderr),
      applied.stdout,
      applied.stderr,
      events,
      apps,
    ].join('\n')
    expect(words).not.toMatch(/first-value|second-value|Zmlyc3Qt|c2Vjb25kL/)
    expect(await succeeds(cell, ['exec', 'web-main', 'sh', '-c', 'echo $password'])).toBe('second-value\n')
  }, 60_000)

  test('labels, graces, policies and limits change under a pod that goes on', async () => {
    await apply(cell, manifest(pod('web', { resources: { limits: { cpu: '500m', memory: '64Mi' } } })))
    const before = await running()
    const changed = pod(
      'web',
      { resources: { limits: { cpu: '250m', memory: '96Mi' } } },
      { terminationGracePeriodSeconds: 3, restartPolicy: 'OnFailure', annotations: { a: 'b' } },
    )
    const { plan } = await diff(cell, manifest(changed))
    expect(plan.objects[0]).toMatchObject({ action: 'configure', effect: 'live' })
    expect((await apply(cell, manifest(changed))).told).toEqual(['pod/web configured'])
    expect(await running()).toEqual(before)
    expect((await diff(cell, manifest(changed))).exitCode).toBe(0)
    const [seen] = JSON.parse(await succeeds(cell, ['container', 'inspect', 'web-main'])) as [{ HostConfig: object }]
    expect(seen.HostConfig).toMatchObject({ Memory: 96 * 1024 * 1024, CpuQuota: 25_000 })
    // By hand: the next apply takes it back.
    await succeeds(cell, ['update', '--memory', '80m', 'web-main'])
    expect((await apply(cell, manifest(changed))).told).toEqual(['pod/web configured'])
    expect(await running()).toEqual(before)
  }, 60_000)

  test('a registry that does not answer is in the way of new pods, and not of those that stand', async () => {
    const image = '127.0.0.1:9/demo:1'
    await cell.sh(`containers-storage add-names --name ${image} ${DEMO_IMAGE}`)
    const web = (imagePullPolicy: string): object => pod('web', { image, imagePullPolicy })
    expect((await apply(cell, manifest(web('IfNotPresent')))).told).toEqual(['pod/web created'])
    const before = await running()
    expect((await apply(cell, manifest(web('Always')))).told).toEqual(['pod/web configured'])
    expect((await apply(cell, manifest(web('Always')))).told).toEqual(['pod/web unchanged'])
    const told = 'the registry was not asked: pod/web may get a newer image'
    for (const verb of [['diff'], ['apply', '--dry-run']]) {
      const args = [...verb, '--app', 'shop', '-f', '-']
      const planned = await tspod(cell, args, { input: manifest(web('Always')) })
      expect(planned).toMatchObject({ exitCode: 0, stdout: '1 unchanged\n', stderr: `note: ${told}\n` })
      const data = JSON.parse(await succeeds(cell, [...args, '-o', 'json'], { input: manifest(web('Always')) }))
      expect(data).toMatchObject({ notes: [told], plan: { unasked: ['pod/web'] } })
    }
    expect((await diff(cell, manifest(web('IfNotPresent')))).plan).not.toHaveProperty('unasked')
    expect(await running()).toEqual(before)
    const more = manifest(web('Always'), pod('new', { image, imagePullPolicy: 'Always' }))
    const refused = await tspod(cell, ['apply', '--app', 'shop', '-f', '-'], { input: more })
    expect(refused.exitCode).toBe(125)
    expect(refused.stderr).toContain('127.0.0.1:9')
    expect(await running()).toEqual(before)
  }, 60_000)
})
