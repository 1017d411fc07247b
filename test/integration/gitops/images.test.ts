/** Images that a registry may have newer ones of: what a plan says of them, and when a registry is asked. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { appText, type Sources, sourcesOn } from '../../support/gitops.ts'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, readyCell, succeeds, tspod } from '../../support/tspod.ts'

const IMAGE = '127.0.0.1:9/demo:1'
let cell: Place
let sources: Sources
beforeAll(async () => {
  cell = await readyCell()
  sources = sourcesOn(cell)
  await sources.sh(`containers-storage add-names --name ${IMAGE} ${DEMO_IMAGE}`)
}, 60_000)
afterAll(() => cell?.remove())

const web = (pullPolicy: string, value = 'one'): string =>
  appText('web', value, { image: IMAGE, imagePullPolicy: pullPolicy })

test('no registry is asked while nothing else differs, and diff says so', async () => {
  await sources.repository('shop', { 'web.yaml': web('IfNotPresent') })
  await sources.add('shop')
  expect(await sources.reconcile('shop')).toMatchObject({ run: { outcome: 'applied' } })
  expect((await tspod(cell, ['gitops', 'diff', 'shop'])).stderr).toBe('')
  await sources.commit('shop', { 'web.yaml': web('Always') })
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
  const idle = await tspod(cell, ['gitops', 'diff', 'shop'])
  expect([idle.exitCode, idle.stderr]).toEqual([
    0,
    'note: no registry is asked while nothing else differs: pod/web stays with the image that is here\n',
  ])
  const { run, stderr } = await sources.reconcile('shop')
  expect([run.outcome, stderr]).toEqual(['unchanged', expect.not.stringContaining('127.0.0.1:9')])

  await sources.commit('shop', { 'more.yaml': appText('more') })
  const planned = await tspod(cell, ['gitops', 'diff', 'shop'])
  expect([planned.exitCode, planned.stderr]).toEqual([
    1,
    'note: the registry was not asked: pod/web may get a newer image\n',
  ])
  const data = JSON.parse((await tspod(cell, ['gitops', 'diff', 'shop', '--format', 'json'])).stdout)
  expect(data).toMatchObject({ notes: [expect.stringContaining('not asked')], plan: { unasked: ['pod/web'] } })
  // This one does not answer: who stands goes on with what is here.
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
  expect(await succeeds(cell, ['gitops', 'status', 'shop'])).toContain('Ready')
}, 60_000)
