/**
 * Disasters, each a row: what ran still runs, the same processes, unless the plan said otherwise; the failure is said
 * with its place; and the next good commit heals. Those of git itself are in disasters-git.test.ts.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { startCell } from '../../support/cell.ts'
import { databaseCheck, fillUp, tinyDisk } from '../../support/faults.ts'
import { appText, type Run, type Sources, sourcesOn } from '../../support/gitops.ts'
import type { Place } from '../../support/place.ts'
import { launcher, podText, readyCell, succeeds, tspod, warmUp } from '../../support/tspod.ts'

const NAMES = ['api', 'cache', 'db', 'mail', 'web']
const five = Object.fromEntries(NAMES.map(name => [`${name}.yaml`, appText(name)]))

let cell: Place
let sources: Sources
beforeAll(async () => {
  cell = await readyCell()
  sources = sourcesOn(cell)
}, 60_000)
beforeEach(async () => {
  await sources.repository('shop', five)
  await sources.add('shop', '--timeout', '5s')
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
})
afterEach(() => sources.clear())
afterAll(() => cell?.remove())

/** Any good commit, and what runs after it. */
async function goodCommitHeals(before: Record<string, number | undefined>): Promise<void> {
  await sources.sh(`cd ${sources.folder}/shop && git checkout -q -f main && git checkout -q HEAD~1 -- . || true`)
  await sources.commit('shop', { ...five, 'web.yaml': appText('web', 'healed') })
  await sources.git('shop', 'ls-files').then(async listed => {
    for (const file of listed.trim().split('\n'))
      if (!(file in five)) await sources.commit('shop', { [file]: undefined })
  })
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
  const after = await sources.running()
  expect(Object.keys(after).sort()).toEqual(NAMES)
  expect(after.web).not.toBe(before.web)
  expect({ ...after, web: 0 }).toEqual({ ...before, web: 0 })
  expect(await sources.status('shop')).toMatchObject({ status: 'Ready', failure: null })
}

type Disaster = {
  strike(): Promise<unknown>
  run: Partial<Run>
  exitCode: number
  /** What the failure says. */
  says?: RegExp
  clean?(): Promise<unknown>
}

const disasters: Record<string, Disaster> = {
  'a typo in one of five files': {
    strike: () => sources.commit('shop', { 'api.yaml': appText('api').replace('containers', 'contianers') }),
    run: {
      outcome: 'refused',
      failure: expect.objectContaining({ stage: 'validate', code: 'MANIFEST_INVALID' }) as never,
    },
    exitCode: 1,
    says: /api\.yaml:2:\d+ error UNKNOWN_FIELD/,
  },
  'a commit that changes nothing': {
    strike: () => sources.commit('shop', {}),
    run: { outcome: 'unchanged' },
    exitCode: 0,
  },
  'a commit that deletes everything': {
    strike: () => sources.git('shop', 'rm -q -r .').then(() => sources.commit('shop', {})),
    run: { outcome: 'refused', failure: expect.objectContaining({ stage: 'source' }) as never },
    exitCode: 1,
  },
  'a commit that deletes most of it': {
    strike: () => sources.git('shop', 'rm -q api.yaml cache.yaml db.yaml').then(() => sources.commit('shop', {})),
    run: { outcome: 'refused', failure: expect.objectContaining({ stage: 'guard' }) as never },
    exitCode: 6,
    says: /3 of 5 objects would be removed: pod\/api, pod\/cache, pod\/db/,
  },
  'a pod that another source has': {
    strike: async () => {
      await sources.repository('other', { 'apps/x.yaml': appText('x') })
      await sources.add('other', '--path', 'apps')
      expect(await sources.reconcile('other')).toMatchObject({ exitCode: 0 })
      await sources.commit('shop', { 'mine.yaml': appText('x', 'mine') })
    },
    run: { outcome: 'refused', failure: expect.objectContaining({ stage: 'preflight', code: 'NAME_IN_USE' }) as never },
    exitCode: 1,
    says: /mine\.yaml:\d+: pod\/x belongs to app other \(apps\/x\.yaml:\d+\)/,
    clean: () => succeeds(cell, ['gitops', 'remove', 'other', '--prune']),
  },
  'a port that another app has': {
    strike: async () => {
      await succeeds(cell, ['kube', 'play', '-'], { input: podText('taker', { port: 18_123 }) })
      const ports = { ports: [{ containerPort: 80, hostPort: 18_123 }] }
      await sources.commit('shop', { 'front.yaml': appText('front', 'one', ports) })
    },
    run: { outcome: 'refused', failure: expect.objectContaining({ stage: 'preflight', code: 'NAME_IN_USE' }) as never },
    exitCode: 1,
    says: /front\.yaml:\d+: port 18123\/tcp is published by pod taker/,
    clean: () => succeeds(cell, ['kube', 'down', '-'], { input: podText('taker') }),
  },
  'an image that is nowhere': {
    strike: () =>
      sources.commit('shop', {
        'web.yaml': appText('web', 'two', { image: 'localhost/nowhere:1', imagePullPolicy: 'Never' }),
      }),
    run: { outcome: 'failed', failure: expect.objectContaining({ stage: 'apply' }) as never },
    exitCode: 1,
    says: /localhost\/nowhere:1/,
  },
  'a path of the host that is not there': {
    strike: async () => {
      const volumes = [{ name: 'v', hostPath: { path: '/nowhere/at/all', type: 'Directory' } }]
      const text = JSON.parse(appText('files').slice(4)) as { spec: object }
      text.spec = { ...text.spec, volumes }
      await sources.commit('shop', { 'files.yaml': `---\n${JSON.stringify(text)}\n` })
    },
    run: { outcome: 'refused', failure: expect.objectContaining({ stage: 'preflight' }) as never },
    exitCode: 1,
    says: /files\.yaml:\d+: pod files: .*\/nowhere\/at\/all/,
  },
}

describe('a disaster, after which all goes on and the next good commit heals', () => {
  for (const [name, { strike, run, exitCode, says, clean }] of Object.entries(disasters)) {
    test(name, async () => {
      const before = await sources.running()
      expect(Object.keys(before).sort()).toEqual(NAMES)
      await strike()
      const now = await sources.reconcile('shop')
      expect(now).toMatchObject({ exitCode, run })
      const { message = '', details = '' } = now.run.failure ?? {}
      if (says !== undefined) expect(`${details}\n${message}`).toMatch(says)
      for (const [pod, pid] of Object.entries(before))
        expect({ pod, pid: (await sources.running())[pod] }).toEqual({ pod, pid })
      await clean?.()
      await goodCommitHeals(before)
    })
  }
})

const failing: Record<string, object> = {
  // With a probe it is not ready before it has ended, however busy this machine is.
  'gets up': { command: ['false'], readinessProbe: { exec: { command: ['true'] }, periodSeconds: 1 } },
  'gets ready': { readinessProbe: { exec: { command: ['false'] }, periodSeconds: 1 } },
}
for (const [what, more] of Object.entries(failing)) {
  test(`a pod that never ${what}: what it replaced runs again, it is not tried in a loop, and the next good commit heals`, async () => {
    const before = await sources.running()
    await sources.commit('shop', { 'web.yaml': appText('web', 'two', more) })
    expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 1, run: { outcome: 'failed' } })
    const after = await sources.running()
    expect(Object.keys(after).sort()).toEqual(NAMES)
    expect(await succeeds(cell, ['exec', 'web-app', 'sh', '-c', 'echo $VALUE'])).toBe('one\n')
    expect({ ...after, web: 0 }).toEqual({ ...before, web: 0 })
    const again = await sources.tick('shop')
    expect(again.exitCode).toBe(1)
    expect(again.stdout).toContain('has failed once')
    expect(await sources.running()).toEqual(after)
    await goodCommitHeals(after)
  })
}

describe('tspod is killed', () => {
  const MOMENTS = 8
  const LATEST_MS = 900
  for (let moment = 0; moment < MOMENTS; moment++) {
    const ms = Math.round(((moment + 0.5) / MOMENTS) * LATEST_MS)
    test(`${ms} ms into a reconcile: the next one ends what it began, and every record is whole`, async () => {
      await sources.commit('shop', {
        'web.yaml': appText('web', 'two'),
        'db.yaml': appText('db', 'two'),
        'new.yaml': appText('new'),
        'mail.yaml': undefined,
      })
      await cell.sh(
        `${launcher(cell)} gitops reconcile -q shop >/dev/null 2>&1 & victim=$!; sleep ${ms / 1000}; kill -9 $victim; wait`,
      )
      const untouched = (await sources.running()).api
      expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0 })
      const after = await sources.running()
      expect(Object.keys(after).sort()).toEqual(['api', 'cache', 'db', 'new', 'web'])
      expect(after.api).toBe(untouched)
      for (const pod of ['web', 'db'])
        expect(await succeeds(cell, ['exec', `${pod}-app`, 'sh', '-c', 'echo $VALUE'])).toBe('two\n')
      expect(await sources.status('shop')).toMatchObject({ status: 'Ready', failure: null })
      expect(await databaseCheck(cell)).toBe('ok')
    })
  }
})

test('two reconciles at once: one waits for the other, and each pod is made once', async () => {
  await sources.commit('shop', { 'web.yaml': appText('web', 'two'), 'new.yaml': appText('new') })
  const both = await Promise.all([sources.reconcile('shop'), sources.reconcile('shop')])
  expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0])
  expect(both.map(({ run }) => run.outcome).sort()).toEqual(['applied', 'unchanged'])
  const { stdout } = await tspod(cell, ['gitops', 'history', '--format', 'json', 'shop'])
  expect(JSON.parse(stdout)).toHaveLength(2)
})

test('the disk is full: what runs goes on, the reason is said, and with room again the same commit is applied', async () => {
  const small = await startCell()
  try {
    await tinyDisk(small, '/var/lib/tspod', 6144)
    await warmUp(small)
    const there = sourcesOn(small)
    await there.repository('shop', { 'web.yaml': appText('web') })
    await there.add('shop')
    expect(await there.reconcile('shop')).toMatchObject({ exitCode: 0 })
    const before = await there.running()
    await there.commit('shop', { 'new.yaml': appText('new') })
    const free = await fillUp(small, '/var/lib/tspod')
    const cramped = await there.reconcile('shop')
    expect(cramped.exitCode).not.toBe(0)
    expect(`${cramped.stderr}${cramped.run.failure?.message ?? ''}`).toMatch(/no space|disk is full|ENOSPC/i)
    expect(cramped.stderr).not.toMatch(/this is a bug/)
    expect(await there.running()).toEqual(before)
    await free()
    expect(await there.reconcile('shop')).toMatchObject({ exitCode: 0 })
    expect(Object.keys(await there.running()).sort()).toEqual(['new', 'web'])
    expect((await there.running()).web).toBe(before.web)
  } finally {
    await small.remove()
  }
})
