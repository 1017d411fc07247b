/** Objects whose drift is ignored: what somebody has done to them stays, and what the source says of them counts. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { appText, type Sources, sourcesOn } from '../../support/gitops.ts'
import type { Place } from '../../support/place.ts'
import { containers, readyCell, succeeds, tspod } from '../../support/tspod.ts'

const IGNORE = { annotations: { 'io.tspod.drift': 'ignore' } }
const limits = { resources: { limits: { memory: '64Mi' } } }
const web = (value: string): string => appText('web', value, limits, IGNORE)
const keysText = (password: string): string =>
  `${JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', ...IGNORE }, stringData: { password } })}\n`

let cell: Place
let sources: Sources
beforeAll(async () => {
  cell = await readyCell()
  sources = sourcesOn(cell)
  await sources.repository('shop', { 'web.yaml': web('one'), 'db.yaml': appText('db'), 'keys.yaml': keysText('one') })
  await sources.add('shop')
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
}, 60_000)
afterAll(() => cell?.remove())

const states = async (): Promise<string[]> => (await containers(cell)).map(({ pod, state }) => `${pod} ${state}`).sort()
const isSecret = async (): Promise<boolean> => {
  const text = appText('asks', 'x', {
    env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'keys', key: 'password' } } }],
  })
  return (await tspod(cell, ['apply', '--app', 'asks', '--dry-run', '-f', '-'], { input: text })).exitCode === 0
}
const limitOf = (pod: string): Promise<string> =>
  succeeds(cell, [
    'exec',
    `${pod}-app`,
    'sh',
    '-c',
    'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true',
  ])

test('stopped, changed and removed it stays so; everybody can see why, and the rest is repaired', async () => {
  await succeeds(cell, ['pod', 'stop', 'web'])
  await succeeds(cell, ['kube', 'down', '-'], { input: keysText('one') })
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'unchanged' } })
  expect(await states()).toEqual(['db running', 'web stopped'])
  const diff = await tspod(cell, ['gitops', 'diff', 'shop'])
  expect(diff.exitCode).toBe(0)
  expect(diff.stdout).toMatch(/pod\/web keep\n +drift ignored/)
  expect(diff.stdout).toMatch(/secret\/keys keep\n +drift ignored/)
  const { stdout } = await tspod(cell, ['gitops', 'status', 'shop'])
  expect(stdout).toContain(' Left alone: secret/keys, pod/web: drift ignored\n')

  await succeeds(cell, ['pod', 'rm', 'web'])
  await succeeds(cell, ['pod', 'stop', 'db'])
  const { run } = await sources.reconcile('shop')
  expect(run).toMatchObject({ outcome: 'applied', reason: 'drift repaired: start pod/db' })
  expect([await states(), await isSecret()]).toEqual([['db running'], false])
})

test('another manifest of others leaves it alone, another one of itself is applied', async () => {
  await sources.commit('shop', { 'db.yaml': appText('db', 'two') })
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
  expect([await states(), await isSecret()]).toEqual([['db running'], false])
  await sources.commit('shop', { 'web.yaml': web('two'), 'keys.yaml': keysText('two') })
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
  expect([await states(), await isSecret()]).toEqual([['db running', 'web running'], true])
})

test('limits that somebody has changed stay, also while the source is broken', async () => {
  await succeeds(cell, ['update', '--memory', '96m', 'web-app'])
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'unchanged' } })
  expect(await limitOf('web')).toBe(`${96 * 1024 * 1024}\n`)
  await sources.commit('shop', { 'db.yaml': appText('db', 'two').replace('containers', 'contianers') })
  await succeeds(cell, ['pod', 'stop', 'db', 'web'])
  const { run } = await sources.reconcile('shop')
  expect(run).toMatchObject({ outcome: 'refused', healed: [{ name: 'db', outcome: 'started' }] })
  expect(await states()).toEqual(['db running', 'web stopped'])
})

test('an apply by hand is somebody’s wish: it repairs', async () => {
  const text = await sources.sh(`cat ${sources.folder}/shop/web.yaml`)
  await succeeds(cell, ['apply', '--app', 'shop', '-f', '-'], { input: text })
  expect(await states()).toEqual(['db running', 'web running'])
  expect(await limitOf('web')).toBe(`${64 * 1024 * 1024}\n`)
})

test('it goes with its manifest', async () => {
  await sources.commit('shop', { 'db.yaml': appText('db', 'two'), 'web.yaml': undefined })
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
  expect(await states()).toEqual(['db running'])
})
