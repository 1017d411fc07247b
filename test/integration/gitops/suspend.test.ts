/** One object of a source is left alone while the rest of it goes on. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { appText, type Sources, sourcesOn } from '../../support/gitops.ts'
import type { Place } from '../../support/place.ts'
import { containers, pods, readyCell, succeeds, tspod } from '../../support/tspod.ts'

let cell: Place
let sources: Sources
beforeAll(async () => {
  cell = await readyCell()
  sources = sourcesOn(cell)
  await sources.repository('shop', { 'web.yaml': appText('web'), 'db.yaml': appText('db') })
  await sources.add('shop')
  await sources.reconcile('shop')
}, 60_000)
afterAll(() => cell?.remove())

const ids = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await containers(cell)).map(({ pod, id }) => [pod, id]))
const status = async (): Promise<string> => (await tspod(cell, ['gitops', 'status', 'shop'])).stdout

test('it is neither changed nor started nor removed, and everybody can see why', async () => {
  const before = await ids()
  await succeeds(cell, ['gitops', 'suspend', 'shop', 'pod/web', '--reason', 'somebody looks into it', '--until', '+2h'])
  await sources.commit('shop', { 'web.yaml': appText('web', 'two'), 'db.yaml': appText('db', 'two') })
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
  const after = await ids()
  expect(after.web).toBe(before.web)
  expect(after.db).not.toBe(before.db)
  expect(await status()).toMatch(/LEFT ALONE: pod\/web, by \S+ .* ago, until 20.*: somebody looks into it\n/)

  await succeeds(cell, ['pod', 'stop', 'web'])
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'unchanged' } })
  await sources.commit('shop', { 'web.yaml': undefined })
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0 })
  expect((await containers(cell)).map(({ pod, state }) => `${pod} ${state}`).sort()).toEqual([
    'db running',
    'web stopped',
  ])
  const diff = await tspod(cell, ['gitops', 'diff', 'shop'])
  expect(diff).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/pod\/web keep\n +suspended by/) })
})

test('resumed it is what the source says: it is gone there, and goes', async () => {
  await succeeds(cell, ['gitops', 'resume', 'shop', 'Pod/web'])
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
  expect((await pods(cell)).map(({ name }) => name)).toEqual(['db'])
  expect(await status()).not.toContain('LEFT ALONE')
})

test.each([
  ['one that the source does not have', ['suspend', 'shop', 'pod/wbe'], 125, 'shop has no pod/wbe\n  it has pod/db'],
  ['one that is not suspended', ['resume', 'shop', 'pod/db'], 125, 'pod/db of shop is not suspended'],
  ['what is no object', ['suspend', 'shop', 'web'], 125, '"web" is no object\n  write KIND/NAME, for example pod/web'],
])('%s is an error', async (_, argv, exitCode, message) => {
  const { stderr, ...finished } = await tspod(cell, ['gitops', ...argv])
  expect(finished.exitCode).toBe(exitCode)
  expect(stderr).toContain(message)
})

describe('where systemd is the init, and its bus has died', () => {
  // In mounts of its own, so that nothing else of the cell takes systemd for running.
  const booted = (argv: string) =>
    cell.sh(`mkdir -p /run/systemd && exec unshare --mount sh -ec '
      mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/system
      mount -t tmpfs tmpfs /etc/systemd/system && mkdir /etc/systemd/system/tspod-gitops@shop.timer.d
      touch /etc/systemd/system/tspod-gitops@shop.timer.d/10-tspod.conf
      mkdir /etc/systemd/system/tspod-gitops@shop.path.d
      touch /etc/systemd/system/tspod-gitops@shop.path.d/10-tspod.conf
      exec ${cell.checkout}/bin/tspod gitops ${argv}'`)

  test('a suspension holds, with a warning that its end has no timer', async () => {
    const suspended = await booted('suspend shop --until +2h')
    expect(suspended).toMatchObject({ exitCode: 0, stdout: 'shop\n' })
    expect(suspended.stderr).toMatch(
      /^warning: systemd was not told when the suspension ends: .*D-Bus.*\n {2}its end will only be noticed at the next interval, or by hand: tspod gitops reconcile shop\n$/,
    )
    expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'skipped' } })
  })
  test('how sources stand can be seen', async () => {
    expect(await booted('status shop')).toMatchObject({ exitCode: 3, stderr: '' })
    expect(await booted('list')).toMatchObject({ exitCode: 0, stderr: '' })
  })
  test('without an end there is nothing to tell systemd', async () => {
    expect(await booted('resume shop')).toMatchObject({ exitCode: 0, stdout: 'shop\n', stderr: '' })
    expect(await booted('suspend shop')).toMatchObject({ exitCode: 0, stdout: 'shop\n', stderr: '' })
  })
  test('a reconcile does what it is for, and says that other paths are not watched', async () => {
    await succeeds(cell, ['gitops', 'resume', 'shop'])
    const reconciled = await booted('reconcile shop')
    expect(reconciled.exitCode).toBe(0)
    expect(reconciled.stderr).toMatch(/changes are seen at the interval only, because systemd was not told: .*D-Bus/)
  })
})
