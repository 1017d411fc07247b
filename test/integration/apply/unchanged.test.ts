import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { configMap, envFrom, manifest, pod } from '../../support/apply.ts'
import type { Place } from '../../support/place.ts'
import { launcher, readyCell, succeeds, tspod } from '../../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterAll(async () => {
  await tspod(cell, ['down', 'shop'])
  await cell?.remove()
})

const PODS = 30

test('thirty pods that are as they should be: no program is started, and nothing waits', async () => {
  const names = Array.from({ length: PODS }, (_, index) => `pod-${index}`)
  const text = manifest(
    configMap('settings', { a: 'b' }),
    ...names.map(name => pod(name, envFrom('configMapRef', 'settings'))),
  )
  await cell.sh('cat >/tmp/shop.yaml', { input: text })
  await succeeds(cell, ['apply', '-f', '/tmp/shop.yaml'])
  await succeeds(cell, ['apply', '-f', '/tmp/shop.yaml'])
  const traced = await cell.sh(
    `strace -f -qq -e trace=execve -o /tmp/trace ${launcher(cell)} apply -f /tmp/shop.yaml; cat /tmp/trace`,
  )
  const programs = [...traced.stdout.matchAll(/execve\("([^"]*)".*= 0$/gm)].map(([, path]) => path)
  // The launcher and Node.
  expect(programs.filter(path => !/(bin\/tspod|\/(?:env|sh|dash|node))$/.test(path ?? ''))).toEqual([])
  // Told from what was left behind, and not by what is left of it: each of these is seen.
  const changes = [
    'pod stop pod-3',
    'pod rm --force pod-4',
    'update --memory 64m pod-5-main',
    'stop pod-6-main',
    'kube play --replace /tmp/one.yaml',
  ]
  await cell.sh('cat >/tmp/one.yaml', {
    input: manifest(pod('pod-7', envFrom('configMapRef', 'settings')), configMap('settings', { a: 'c' })),
  })
  for (const change of changes) {
    await succeeds(cell, change.split(' '))
    const said = await succeeds(cell, ['apply', '-q', '-f', '/tmp/shop.yaml'])
    expect(`${change}: ${said.split('\n').filter(line => !/unchanged$|^$/.test(line)).length}`).toBe(`${change}: 1`)
    expect(await succeeds(cell, ['apply', '-q', '-f', '/tmp/shop.yaml'])).not.toMatch(/configured|started|created/)
  }
}, 180_000)
