/** apply, diff -f, apps and down NAME: what they ask of the engine and make of its answer. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { interpret } from '../../../src/cli/interpret.ts'
import type { World } from '../../../src/cli/verb.ts'
import type { ApplyPlan, ApplyReport, ApplyRequest, AppView, Engine, PlannedObject } from '../../../src/engine/index.ts'
import { NOW_MS, recordedWorld } from '../../support/world.ts'

const POD = (name: string, more = ''): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}${more}}\nspec: {containers: [{name: main, image: "a:1"}]}\n---\n`

let folder: string
beforeAll(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'apply-')), 'Shop')
  mkdirSync(join(folder, 'more'), { recursive: true })
  writeFileSync(join(folder, 'web.yaml'), POD('web'))
  writeFileSync(join(folder, 'notes.txt'), 'no manifest')
  writeFileSync(join(folder, 'more', 'db.yml'), POD('db'))
  writeFileSync(join(folder, 'bad.yml'), 'kind: Pod\nspec: [\n')
})
afterAll(() => rmSync(dirname(folder), { recursive: true }))

const planned = (kind: string, name: string, more: Partial<PlannedObject> = {}): PlannedObject => ({
  ...{ kind, name, action: 'unchanged', effect: 'none', because: [], changes: [], wave: 0 },
  ...more,
})

const PLAN: ApplyPlan = {
  app: 'shop',
  objects: [
    planned('ConfigMap', 'settings', {
      action: 'configure',
      effect: 'live',
      because: ['data.mode changed'],
      changes: [{ path: 'data.mode', before: 'slow', after: 'fast' }],
    }),
    planned('Secret', 'keys', {
      action: 'configure',
      effect: 'live',
      because: ['data.password changed'],
      changes: [{ path: 'data.password' }],
    }),
    planned('Pod', 'web', {
      action: 'configure',
      effect: 'restart',
      because: ['configmap/settings data.mode changed', 'secret/keys data.password changed'],
      changes: [{ path: 'configmap/settings data.mode', before: 'slow', after: 'fast' }],
      outageMs: 31_000,
    }),
    planned('Deployment', 'api', { action: 'configure', effect: 'restart', because: ['3 of 3 pods: x'], atOnce: 2 }),
    planned('StatefulSet', 'log', { because: ['2 of 2 pods: it is held back'], pods: [] }),
    planned('Pod', 'cache', { action: 'start', because: ['it was stopped'] }),
    planned('Pod', 'db'),
    planned('Pod', 'new\u001b[2J', { action: 'create', because: ['it is not there'] }),
    planned('Job', 'old', { action: 'prune', effect: 'delete', because: ['the sources no longer have it'] }),
  ],
}

const SAME: ApplyPlan = { app: 'shop', objects: [planned('Pod', 'db')] }

function asking(answers: Partial<Engine>): { engine: Partial<Engine>; asked: ApplyRequest[] } {
  const asked: ApplyRequest[] = []
  const engine: Partial<Engine> = {
    storedSecrets: async () => () => undefined,
    settled: async () => undefined,
    planApply: async request => {
      asked.push(request)
      return SAME
    },
    apply: async request => {
      asked.push(request)
      return { plan: SAME, results: [{ kind: 'Pod', name: 'db', outcome: 'unchanged' }], ready: true }
    },
    ...answers,
  }
  return { engine, asked }
}

async function run(line: string, engine: Partial<Engine>, overrides: Partial<World> = {}) {
  const recorded = recordedWorld(engine, { cwd: folder, ...overrides })
  const invocation = await interpret(line.split(' '), 80)
  if (invocation.kind === 'text') throw new Error('this is help')
  const outcome = await invocation.verb.run(invocation.input, recorded.world)
  return { ...outcome, told: recorded.err() }
}
const piped = (text: string): Partial<World> => ({ stdin: () => Readable.from([text]) })

describe('a plan', () => {
  test('is a table, the fields below it, and how much stays as it is', async () => {
    const { engine } = asking({ planApply: async () => PLAN })
    const { stdout, exitCode } = await run('diff -f web.yaml', engine)
    expect(stdout).toBe(
      `OBJECT               ACTION      EFFECT                 OUTAGE   BECAUSE
configmap/settings   configure   live                            data.mode changed
secret/keys          configure   live                            data.password changed
pod/web              configure   restart                <31s     configmap/settings data.mode changed; secret/keys data.password changed
deployment/api       configure   restart, 2 at a time            3 of 3 pods: x
statefulset/log      unchanged   none                            2 of 2 pods: it is held back
pod/cache            start       none                            it was stopped
pod/new?[2J          create      none                            it is not there
job/old              prune       delete                          the sources no longer have it

configmap/settings
  data.mode: slow -> fast

secret/keys
  data.password: (changed)

pod/web
  configmap/settings data.mode: slow -> fast

4 to configure, 2 unchanged, 1 to start, 1 to create, 1 to prune
`,
    )
    expect(exitCode).toBe(1)
    const dry = await run('apply -f web.yaml --dry-run', engine)
    expect([dry.stdout, dry.exitCode]).toEqual([stdout, undefined])
  })

  test('says for whom a registry would be asked, once and for people who want to know', async () => {
    const labels = Array.from({ length: 10 }, (_, index) => `pod/p${index}`)
    const { engine } = asking({ planApply: async () => ({ ...SAME, unasked: labels }) })
    const { stderr, stdout } = await run('diff -f web.yaml', engine)
    const said = `${labels.slice(0, 8).join(', ')} and 2 more may get a newer image`
    expect([stdout, stderr]).toEqual(['1 unchanged\n', `note: the registry was not asked: ${said}\n`])
    expect((await run('diff -f web.yaml --quiet', engine)).stderr).toBe('')
    expect(JSON.parse((await run('diff -f web.yaml -o json', engine)).stdout ?? '')).toMatchObject({
      notes: [`the registry was not asked: ${said}`],
      plan: { unasked: labels },
    })
  })

  test('in which nothing differs ends with 0', async () => {
    const { engine } = asking({})
    expect(await run('diff -f web.yaml', engine)).toMatchObject({ stdout: '1 unchanged\n', exitCode: 0 })
    const said = JSON.parse((await run('diff -f web.yaml -o json', engine)).stdout ?? '') as object
    expect(said).toEqual({ plan: SAME, differs: false, notes: [] })
  })
})

describe('apply', () => {
  test('prints kubectl’s lines, and ends with 1 when something is not as it should be', async () => {
    const report: ApplyReport = {
      plan: PLAN,
      results: [
        { kind: 'ConfigMap', name: 'settings', outcome: 'configured' },
        { kind: 'Pod', name: 'web', outcome: 'configured' },
        { kind: 'Deployment', name: 'api', outcome: 'configured' },
        { kind: 'StatefulSet', name: 'log', outcome: 'unchanged' },
        { kind: 'Pod', name: 'db', outcome: 'unchanged' },
        { kind: 'Job', name: 'old', outcome: 'failed', message: 'no\nspace' },
      ],
      ready: false,
    }
    const { engine } = asking({ apply: async () => report })
    const said = await run('apply -f web.yaml', engine)
    expect(said.stdout).toBe(`configmap/settings configured
pod/web configured (restarted: configmap/settings data.mode changed; secret/keys data.password changed)
deployment/api configured (restarted, 2 at a time: 3 of 3 pods: x)
statefulset/log unchanged (2 of 2 pods: it is held back)
pod/db unchanged
job/old failed: no space
`)
    expect(said.stderr).toBe(
      'app shop: 3 configured, 2 unchanged, 1 failed in 0.0 s\nError: some objects are not as their manifests say\n',
    )
    expect(said.exitCode).toBe(1)
  })

  test('asks for what its flags say', async () => {
    const { engine, asked } = asking({})
    await run(
      'apply -f web.yaml --prune --volumes --force-conflicts --wait --timeout 90s --on-failure rollback',
      engine,
    )
    await run('apply -f web.yaml --wait', engine)
    await run('apply -f web.yaml', engine)
    expect(asked[0]).toMatchObject({
      app: 'web',
      prune: true,
      pruneVolumes: true,
      forceConflicts: true,
      waitMs: 90_000,
      onFailure: 'rollback',
    })
    expect(asked[0]?.source).toEqual({ path: join(folder, 'web.yaml') })
    expect(asked[1]?.waitMs).toBe(300_000)
    expect(asked[2]).toMatchObject({ prune: false, onFailure: 'keep-old' })
    expect(asked[2]).not.toHaveProperty('waitMs')
  })

  test('of what has been applied and stands is answered without a look at the manifests', async () => {
    const inputs: string[] = []
    const { engine, asked } = asking({
      settled: async input => {
        inputs.push(input)
        return { plan: SAME, results: [{ kind: 'Pod', name: 'db', outcome: 'unchanged' }], ready: inputs.length < 3 }
      },
    })
    const wrong = piped('kind: [')
    expect(await run('apply -f - --app shop', engine, wrong)).toMatchObject({
      stdout: 'pod/db unchanged\n',
      exitCode: 0,
    })
    await run('apply -f - --app shop --prune', engine, wrong)
    expect(asked).toEqual([])
    // Other words, and other flags, are another request; one that is not ready is looked at.
    expect(new Set(inputs).size).toBe(2)
    await run('apply -f web.yaml', engine)
    expect(asked[0]?.inputs).toBe(inputs[2])
  })

  test('takes the manifests in a directory, and with -R those below it', async () => {
    const { engine, asked } = asking({})
    rmSync(join(folder, 'bad.yml'))
    await run('apply -f .', engine)
    await run('apply -R -f .', engine)
    expect(asked.map(({ bundle }) => bundle.pods.map(({ name }) => name))).toEqual([['web'], ['db', 'web']])
    expect(asked[0]?.app).toBe('shop')
    mkdirSync(join(folder, 'empty'))
    await expect(run('apply -f empty', engine)).rejects.toMatchObject({ code: 'MANIFEST_UNREADABLE' })
  })

  test('says everything that is wrong in all files at once, and asks for nothing', async () => {
    const { engine, asked } = asking({})
    writeFileSync(join(folder, 'a.yaml'), POD('a').replace('image', 'imag'))
    writeFileSync(join(folder, 'b.yaml'), POD('b').replace('main', 'Main'))
    const wrong = await run('apply -f a.yaml -f b.yaml --app shop', engine).catch(
      error => error as { code: string; details: string },
    )
    expect(wrong).toMatchObject({ code: 'MANIFEST_INVALID' })
    expect((wrong as { details: string }).details).toMatch(/a\.yaml:4.*b\.yaml:4/s)
    expect(asked).toEqual([])
  })
})

describe('the app', () => {
  const named = (app: string): string => `, annotations: {io.tspod.app: ${app}}`
  test.each<[line: string, input: string, app: string]>([
    ['apply -f web.yaml', '', 'web'],
    ['apply -f web.yaml --app shop', '', 'shop'],
    ['apply -f -', POD('a', named('shop')), 'shop'],
    ['apply -f -', POD('a', ', labels: {io.tspod.app: shop}') + POD('b', named('shop')), 'shop'],
    ['apply -f - --app mine', POD('a', named('shop')), 'mine'],
  ])('%s', async (line, input, app) => {
    const { engine, asked } = asking({})
    await run(line, engine, piped(input))
    expect(asked[0]?.app).toBe(app)
  })

  test.each<[why: string, line: string, input: string]>([
    ['nothing says which', 'apply -f -', POD('a')],
    ['two are named', 'apply -f -', POD('a', named('one')) + POD('b', named('two'))],
    ['it is no name', 'apply -f - --app Shop_1', POD('a')],
  ])('is refused when %s', async (_, line, input) => {
    await expect(run(line, asking({}).engine, piped(input))).rejects.toMatchObject({ code: 'USAGE' })
  })
})

test.each([
  ...[
    'apply',
    'apply web.yaml',
    'apply -f - -f a.yaml',
    'apply -f a.yaml --timeout 5s',
    'apply -f a.yaml --wait --timeout soon',
  ],
  ...['apply -f a.yaml --volumes', 'diff', 'diff -f a.yaml web', 'diff -R', 'down', 'apps a b'],
])('"%s" is refused', async line => {
  await expect(interpret(line.split(' '), 80)).rejects.toMatchObject({ code: 'USAGE' })
})

describe('apps', () => {
  const APPS: AppView[] = [
    {
      name: 'shop',
      source: { path: '/srv/shop', revision: '0123abc' },
      appliedMs: NOW_MS - 300_000,
      health: 'Degraded',
      objects: [
        { kind: 'ConfigMap', name: 'settings', hash: 'h', wave: 0 },
        {
          kind: 'Deployment',
          name: 'web',
          hash: 'h',
          wave: 1,
          phase: 'Running',
          ready: 1,
          total: 2,
          protection: 'confirm',
        },
      ],
    },
  ]
  const engine: Partial<Engine> = { apps: async () => APPS }
  test('are listed with their health', async () => {
    expect((await run('apps', engine)).stdout).toBe(
      `NAME   HEALTH     READY   OBJECTS   APPLIED   REVISION   SOURCE
shop   Degraded   1/2     2         5m        0123abc    /srv/shop
`,
    )
    expect((await run('apps shop', engine)).stdout).toBe(
      `OBJECT               PHASE     READY   WAVE   PRUNE
configmap/settings                     0
deployment/web       Running   1/2     1      confirm
`,
    )
    expect(JSON.parse((await run('apps -o json', engine)).stdout ?? '')).toMatchObject([
      { name: 'shop', applied: '2026-01-02T11:55:00.000Z', health: 'Degraded' },
    ])
    await expect(run('apps other', engine)).rejects.toMatchObject({ code: 'NO_SUCH_OBJECT', remedy: 'there are shop' })
  })
})

test('down asks for each name, and for volumes only when told', async () => {
  const asked: unknown[] = []
  const engine: Partial<Engine> = {
    removeApp: async (name, options) => {
      asked.push([name, options])
      return {
        stopped: [],
        removed: [name],
        secrets: [],
        volumes: [],
        failures: [{ object: 'pod web', message: 'busy' }],
      }
    },
  }
  const said = await run('down shop other --volumes', engine)
  expect(asked).toEqual([
    ['shop', { volumes: true }],
    ['other', { volumes: true }],
  ])
  expect(said.stdout).toContain('Pods removed:\nshop\nother\n')
  expect(said).toMatchObject({ exitCode: 125 })
  expect(said.stderr).toContain('pod web: busy')
})
