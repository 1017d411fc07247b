/** What people do who have not read everything: each time they are told what is wrong and what to do. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { appText, type Sources, sourcesOn } from '../../support/gitops.ts'
import type { Place } from '../../support/place.ts'
import { readyCell, succeeds, tspod } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
let sources: Sources
beforeAll(async () => {
  cell = await readyCell()
  sources = sourcesOn(cell)
}, 60_000)
afterAll(() => cell?.remove())
beforeEach(() => sources.clear())

const directory = async (name: string): Promise<string> => {
  await sources.write(`${sources.folder}/${name}/web.yaml`, appText('web'))
  return `${sources.folder}/${name}`
}

test('a plain directory is never taken for something signed', async () => {
  const dir = await directory('plain')
  await sources.sh('echo "ada@example.org ssh-ed25519 AAAA" >/tmp/signers')
  const add = await tspod(cell, ['gitops', 'add', 'shop', '--dir', dir, '--verify', '/tmp/signers', '--watch=false'])
  expect([add.exitCode, add.stderr]).toEqual([125, expect.stringContaining('it is a plain directory')])
  // One of an older tspod, which took it.
  await sources.add('plain')
  const sql = `UPDATE gitops_source SET wish = json_set(wish, '$.verify', '/tmp/signers')`
  const script = `import sqlite3; db = sqlite3.connect('/var/lib/tspod/state.db'); db.execute("""${sql}"""); db.commit()`
  await sources.sh('/usr/bin/python3 -', script)
  const { run } = await sources.reconcile('plain')
  expect(run).toMatchObject({ outcome: 'refused', failure: { stage: 'trust', code: 'SOURCE_UNTRUSTED' } })
  expect(await sources.running()).toEqual({})
})

test('a second source of the same directory is warned of, and a directory that becomes a file stops nothing', async () => {
  const dir = await directory('shop')
  await sources.add('shop')
  const second = await tspod(cell, ['gitops', 'add', 'twin', '--dir', dir, '--watch=false'])
  expect([second.exitCode, second.stderr]).toEqual([
    0,
    expect.stringContaining('shop is a source of the same manifests'),
  ])
  await sources.reconcile('shop')
  const before = await sources.running()
  await sources.sh(`mv ${dir} ${dir}.old; echo >${dir}`)
  const { run } = await sources.reconcile('shop')
  expect(run).toMatchObject({ outcome: 'refused', failure: { code: 'SOURCE_VANISHED' } })
  expect(run.reason).toContain('is no directory')
  expect(await sources.running()).toEqual(before)
})

test('a branch that is deleted stops nothing, and says so', async () => {
  await sources.repository('up', { 'web.yaml': appText('web') })
  await sources.git('up', 'branch rel')
  await succeeds(cell, ['gitops', 'add', 'shop', '--git', `${sources.folder}/up`, '--branch', 'rel', '--watch=false'])
  await sources.reconcile('shop')
  const before = await sources.running()
  await sources.git('up', 'branch -D rel')
  const { run } = await sources.reconcile('shop')
  expect(run).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('has no refs/heads/rel') })
  expect(await sources.running()).toEqual(before)
})

test('a checkout without a manifest is refused, and not said to change all the time', async () => {
  await sources.repository('shop', { README: 'nothing yet' })
  await sources.add('shop')
  const { run, stderr } = await sources.reconcile('shop')
  expect(run).toMatchObject({ outcome: 'refused', failure: { code: 'SOURCE_EMPTY' } })
  expect(stderr.split('\n').slice(0, 2)).toEqual(['reading the source', `refused: ${run.reason}`])
})

test('what ssh lacks is told by its name, and by ssh', async () => {
  const url = 'ssh://git@127.0.0.1:2/x.git'
  const add = await tspod(cell, ['gitops', 'add', 'shop', '--git', url, '--ssh-key', '/tmp/none', '--watch=false'])
  expect(add.stderr).toContain('warning: there is no file /tmp/none')
  expect((await sources.reconcile('shop')).run.reason).toBe(
    'the key of ssh cannot be read: open /tmp/none: no such file or directory',
  )
  await sources.sh('mkdir /tmp/none')
  expect((await sources.reconcile('shop')).run.reason).toContain('/tmp/none is no regular file')
  await sources.sh('rmdir /tmp/none; touch /tmp/none; chmod 600 /tmp/none')
  expect((await sources.reconcile('shop')).run.reason).toMatch(/^cannot fetch \S+: ssh: .*Connection refused/)
})

test('remove waits for the reconcile that is at work, says so, and leaves nothing', async () => {
  const never = appText('web', 'x', { readinessProbe: { exec: { command: ['false'] } } })
  await sources.repository('shop', { 'web.yaml': never })
  await sources.add('shop', '--timeout=6s')
  const reconciling = sources.reconcile('shop')
  // By then it has the lock, and waits for its pod.
  await eventually(
    () => sources.running(),
    running => 'web' in running,
  )
  const removed = await tspod(cell, ['gitops', 'remove', 'shop', '--prune'])
  expect(removed).toMatchObject({ exitCode: 0, stdout: 'shop\n' })
  expect(removed.stderr).toContain('waiting: another reconcile of shop is at work')
  expect((await reconciling).run.outcome).toBe('failed')
  expect(await sources.running()).toEqual({})
  expect(await sources.sh('find /var/lib/tspod /run/tspod -name "*shop*" 2>/dev/null || true')).toBe('')
})
