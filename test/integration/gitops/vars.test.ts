/** Values of a host in the manifests of a source: they decide what runs, as commits do. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { appText, type Sources, sourcesOn } from '../../support/gitops.ts'
import type { Place } from '../../support/place.ts'
import { containers, readyCell, succeeds, tspod } from '../../support/tspod.ts'

const FILE = '/tmp/shop.env'
let cell: Place
let sources: Sources
beforeAll(async () => {
  cell = await readyCell()
  sources = sourcesOn(cell)
}, 60_000)
afterAll(() => cell?.remove())
beforeEach(async () => {
  await sources.clear()
  await sources.sh(`rm -f ${FILE}`)
  await values('NAME=web', 'VALUE=s3cret one')
  await sources.repository('shop', {
    'web.yaml': appText('${NAME}', '${VALUE}'),
    'db.yaml': appText('db', '${NONE:-none} $(NOPE) $${VALUE}'),
  })
  await sources.add('shop', '--vars', FILE)
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'applied' } })
})

const values = (...lines: string[]): Promise<string> => sources.write(FILE, `${lines.join('\n')}\n`)
const valueIn = (pod: string): Promise<string> => succeeds(cell, ['exec', `${pod}-app`, 'sh', '-c', 'echo "$VALUE"'])
const ids = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await containers(cell)).map(({ pod, id }) => [pod, id]))
const folder = '/var/lib/tspod/gitops/shop'

test('what runs has them; a change of the file is applied like a commit, and only where it counts', async () => {
  expect(await valueIn('web')).toBe('s3cret one\n')
  expect(await valueIn('db')).toMatch(/^none \$\(NOPE\) \$\{VALUE\}\n$/)
  const before = await ids()
  expect(await sources.reconcile('shop')).toMatchObject({ exitCode: 0, run: { outcome: 'unchanged' } })
  await values('# of this host', 'NAME=web', 'VALUE=two')
  expect((await tspod(cell, ['gitops', 'diff', 'shop'])).stdout).toMatch(/^~ pod\/web configure/)
  const { run } = await sources.reconcile('shop')
  expect(run).toMatchObject({ outcome: 'applied', reason: 'change pod/web' })
  expect(await valueIn('web')).toBe('two\n')
  expect((await ids()).db).toBe(before.db)
  expect(await sources.reconcile('shop')).toMatchObject({ run: { outcome: 'unchanged' } })
  // Neither the snapshot nor what is remembered of YAML has them.
  expect(await sources.sh(`grep -rl -e s3cret -e 'two' ${folder} || true`)).toBe('')
})

test('one that is missing is told with every place, and nothing is changed or removed', async () => {
  const before = await sources.running()
  await values('NAMES=web')
  const { exitCode, run } = await sources.reconcile('shop')
  expect([exitCode, run.outcome, run.failure?.stage, run.failure?.code]).toEqual([
    1,
    'refused',
    'validate',
    'MANIFEST_INVALID',
  ])
  expect(run.failure?.details).toMatch(/^web\.yaml:2:\d+ error NOT_FOUND\n.*NAME in \/tmp\/shop\.env/)
  expect(run.failure?.details).toMatch(/^web\.yaml:2:\d+ error NOT_FOUND\n.*VALUE in \/tmp\/shop\.env/m)
  expect(await sources.running()).toEqual(before)
})

test.each([
  ['is missing', 'rm /tmp/shop.env', 'it is not there'],
  ['may be written by everybody', 'chmod o+w /tmp/shop.env', 'may be written by everybody'],
  ['is malformed', 'echo hunter2 >>/tmp/shop.env', '/tmp/shop.env:3: is not NAME=VALUE'],
])('a file that %s changes nothing', async (_, line, message) => {
  const before = await sources.running()
  await sources.sh(line)
  const { run } = await sources.reconcile('shop')
  expect(run).toMatchObject({ outcome: 'refused', failure: { code: 'SOURCE_VARS' } })
  expect(run.failure?.message).toContain(message)
  expect(JSON.stringify(run)).not.toContain('hunter2')
  expect(await sources.running()).toEqual(before)
})

test('a mistake that a value makes has its place in the source, and not the value', async () => {
  await values('NAME=Not A Name', 'VALUE=x')
  const { run } = await sources.reconcile('shop')
  expect(run.failure?.details).toMatch(/^web\.yaml:2:\d+ error INVALID_VALUE metadata\.name\n +2 \| .*\$\{NAME\}/)
  expect(JSON.stringify(run)).not.toContain('Not A Name')
})

test('a rollback takes the values of then; without --vars nothing is looked at', async () => {
  await values('NAME=web', 'VALUE=two')
  await sources.commit('shop', { 'more.yaml': appText('more', '${VALUE}') })
  await sources.reconcile('shop')
  expect([await valueIn('web'), await valueIn('more')]).toEqual(['two\n', 'two\n'])
  await succeeds(cell, ['gitops', 'rollback', 'shop'])
  expect(await valueIn('web')).toBe('s3cret one\n')

  await sources.clear()
  await sources.repository('plain', { 'plain.yaml': appText('plain', '${VALUE}') })
  await sources.add('plain')
  await sources.reconcile('plain')
  expect(await valueIn('plain')).toBe('${VALUE}\n')
})
