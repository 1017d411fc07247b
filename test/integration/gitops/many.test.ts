/** Several sources by one command: they wait for nobody but themselves, and what only one can have is had by one. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { appText, type Run, type Sources, sourcesOn } from '../../support/gitops.ts'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, podText, readyCell, specText, tspod, WAIT_COMMAND } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
let sources: Sources
beforeAll(async () => {
  cell = await readyCell()
  sources = sourcesOn(cell)
}, 60_000)
afterAll(() => cell?.remove())
beforeEach(async () => {
  // Not what an earlier test's source of the same name has applied.
  for (const name of ['one', 'two']) await tspod(cell, ['gitops', 'remove', name, '--prune'])
  await sources.clear()
})

const all = async (): Promise<{ exitCode: number; stderr: string; runs: (Run & { source: string })[] }> => {
  const { exitCode, stdout, stderr } = await tspod(cell, ['gitops', 'reconcile', '--all', '--format', 'json'])
  return { exitCode, stderr, runs: JSON.parse(stdout) }
}

const source = async (name: string, files: Record<string, string>, ...flags: string[]): Promise<void> => {
  await sources.repository(name, files)
  await sources.add(name, ...flags)
}

const never = (name: string): string => appText(name, 'x', { readinessProbe: { exec: { command: ['false'] } } })

test('one that never becomes ready keeps no other one back', async () => {
  await source('a-never', { 'a.yaml': never('a') }, '--timeout=25s')
  await source('good', { 'b.yaml': appText('b') })
  await source('well', { 'c.yaml': appText('c') })
  const running = all()
  await eventually(
    () => Promise.all(['good', 'well'].map(name => sources.status(name))),
    both => both.every(({ status }) => status === 'Ready'),
  )
  expect(await sources.status('a-never')).toMatchObject({ applied: null, failure: null })
  const { exitCode, runs, stderr } = await running
  expect(runs.map(({ source: name, outcome }) => `${name} ${outcome}`)).toEqual([
    'a-never failed',
    'good applied',
    'well applied',
  ])
  expect(exitCode).toBe(1)
  // It stands as its source says, and is no better for that.
  expect(await sources.reconcile('a-never')).toMatchObject({ exitCode: 1, run: { failure: { code: 'GITOPS_WAITS' } } })
  expect(await sources.status('a-never')).toMatchObject({ status: 'Failing', applied: null })
  expect(stderr.split('\n').filter(line => line !== '' && !/^(a-never|good|well): /.test(line))).toEqual([])
}, 90_000)

test.each<[string, (from: string) => string]>([
  ['a pod', from => appText('web', from)],
  ['a ConfigMap', from => `kind: ConfigMap\napiVersion: v1\nmetadata: {name: web}\ndata: {from: ${from}}\n`],
])('%s that two new ones claim at the same moment is had by one; the other says whose it is', async (_, text) => {
  await source('one', { 'web.yaml': text('one'), 'mine.yaml': appText('of-one') })
  await source('two', { 'web.yaml': text('two'), 'mine.yaml': appText('of-two') })
  const { exitCode, runs } = await all()
  const [winner, loser] = runs[0]?.outcome === 'applied' ? runs : [...runs].reverse()
  expect([winner?.outcome, loser?.outcome, loser?.failure?.code]).toEqual(['applied', 'refused', 'NAME_IN_USE'])
  expect(loser?.failure?.message).toMatch(new RegExp(`/web belongs to app ${winner?.source}`))
  expect(exitCode).toBe(1)
  // Nothing of the other was begun.
  expect(Object.keys(await sources.running())).not.toContain(`of-${loser?.source}`)
  // The next time it is the same, and what runs goes on.
  const before = await sources.running()
  const again = await all()
  expect(again.runs.map(({ outcome }) => outcome).sort()).toEqual(['refused', 'unchanged'])
  expect(await sources.running()).toEqual(before)
})

/** A workload whose first pod is called as another source's Pod. */
const deployment = (name: string): string =>
  `---\n${JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'app', image: DEMO_IMAGE, command: ['sh', '-c', WAIT_COMMAND] }],
        },
      },
    },
  })}\n`

test.each(['keep-old', 'rollback', 'stop'])(
  'nor do objects of two kinds take the name of a pod from each other (%s)',
  async onFailure => {
    await sources.write('/tmp/deployment.yaml', deployment('web'))
    const name = (await tspod(cell, ['kube', 'play', '/tmp/deployment.yaml'])).exitCode
    expect(name).toBe(0)
    const [pod = ''] = Object.keys(await sources.running())
    await tspod(cell, ['kube', 'down', '/tmp/deployment.yaml'])

    await source('one', { 'web.yaml': deployment('web') }, '--on-failure', onFailure)
    await source('two', { 'web.yaml': appText(pod) }, '--on-failure', onFailure)
    const { runs } = await all()
    const winners = runs.filter(({ outcome }) => outcome === 'applied')
    const [loser] = runs.filter(({ outcome }) => outcome !== 'applied')
    expect(winners).toHaveLength(1)
    expect(`${loser?.reason}`).toContain(winners[0]?.source)
    const before = await sources.running()
    expect(Object.keys(before)).toEqual([pod])
    expect((await all()).runs.map(({ outcome }) => outcome).sort()).toEqual(['refused', 'unchanged'])
    expect(await sources.running()).toEqual(before)
  },
)

test.each(['keep-old', 'rollback'])('a port of the host is had by one (%s)', async onFailure => {
  const ported = (name: string): string => podText(name, { port: 18_080 })
  await source('one', { 'one.yaml': ported('one') }, '--on-failure', onFailure)
  await source('two', { 'two.yaml': ported('two') }, '--on-failure', onFailure)
  const { runs } = await all()
  const [winner] = runs.filter(({ outcome }) => outcome === 'applied')
  const [loser] = runs.filter(({ outcome }) => outcome !== 'applied')
  expect([winner?.outcome, runs.length]).toEqual(['applied', 2])
  expect(loser?.reason).toMatch(new RegExp(`18080/tcp is published by pod ${winner?.source}`))
  expect(Object.keys(await sources.running())).toEqual([winner?.source])
})

test('many at once come and go like one, and leave nothing', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const name of names)
    await source(name, {
      'web.yaml': appText(`${name}-web`),
      'port.yaml': podText(`${name}-port`, { port: 18_100 + names.indexOf(name) }),
      'cm.yaml': `kind: ConfigMap\napiVersion: v1\nmetadata: {name: ${name}-cm}\ndata: {a: b}\n`,
      'plain.yaml': specText(`${name}-done`, {
        restartPolicy: 'Never',
        containers: [{ name: 'c', image: DEMO_IMAGE, command: ['true'] }],
      }),
    })
  const first = await all()
  expect([first.exitCode, first.runs.map(({ outcome }) => outcome)]).toEqual([0, names.map(() => 'applied')])
  expect(Object.keys(await sources.running())).toHaveLength(2 * names.length)
  expect(first.stderr).not.toMatch(/no backup|internal error/)
  expect((await all()).runs.map(({ outcome }) => outcome)).toEqual(names.map(() => 'unchanged'))
  for (const name of names)
    await sources.commit(name, { 'web.yaml': appText(`${name}-web`, 'two'), 'port.yaml': undefined })
  expect((await all()).runs.map(({ outcome }) => outcome)).toEqual(names.map(() => 'applied'))
  expect(Object.keys(await sources.running())).toHaveLength(names.length)
}, 120_000)
