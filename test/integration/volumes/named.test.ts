/** `tspod volume …` and `tspod secret …`, beside pods that use what they are about. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, readyCell, specText, succeeds, takeDownAll, tspod, WAIT_COMMAND } from '../../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(async () => {
  await takeDownAll(cell)
  await tspod(cell, ['down', 'shop', '--volumes'])
  await tspod(cell, ['volume', 'rm', '--all'])
  await tspod(cell, ['secret', 'rm', '--all'])
})
afterAll(() => cell?.remove())

const user = (name: string, claimName: string): string => {
  const volumeMounts = [{ name: 'v', mountPath: '/v' }]
  const containers = [{ name: 'main', image: DEMO_IMAGE, command: ['sh', '-c', WAIT_COMMAND], volumeMounts }]
  return specText(name, { containers, volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }] })
}
const play = (input: string) => succeeds(cell, ['kube', 'play', '-'], { input })
const inside = (name: string, line: string): Promise<string> =>
  succeeds(cell, ['exec', `${name}-main`, 'sh', '-c', line])
const names = async (...args: string[]): Promise<string> => succeeds(cell, ['volume', 'ls', '-q', ...args])

test('volumes are listed with their pods, and one that a pod uses is not removed', async () => {
  await play(`${user('web', 'data')}${user('db', 'data')}`)
  await succeeds(cell, ['volume', 'create', '--label', 'app=shop', 'spare'])
  expect(await succeeds(cell, ['volume', 'ls'])).toMatch(/^NAME +PODS +APP +AGE\ndata +web,db +\d+s\nspare +\d+s\n$/)
  expect(await names('--filter', 'dangling=true')).toBe('spare\n')
  expect(await names('--filter', 'label=app=shop')).toBe('spare\n')
  expect(await names('--filter', 'name=^da')).toBe('data\n')
  expect(await succeeds(cell, ['volume', 'ls', '--format', 'table {{.Name}} {{.Driver}}'])).toBe(
    'VOLUME NAME  DRIVER\ndata         local\nspare        local\n',
  )
  const refused = await tspod(cell, ['volume', 'rm', 'data', 'none', 'spare'])
  expect(refused).toMatchObject({ exitCode: 2, stdout: 'spare\n' })
  expect(refused.stderr).toMatch(/volume data is being used by pod web.*no volume with name "none" found/s)
  await succeeds(cell, ['pod', 'stop', 'web', 'db'])
  expect(await tspod(cell, ['volume', 'rm', 'data'])).toMatchObject({ exitCode: 2 })
  expect(await tspod(cell, ['volume', 'rm', 'none'])).toMatchObject({ exitCode: 1 })
  expect(await succeeds(cell, ['volume', 'rm', '-f', 'data', 'none'])).toBe('data\n')
  expect([await names(), await succeeds(cell, ['pod', 'ps', '-q'])]).toEqual(['', ''])
  expect((await cell.sh('ls /var/lib/tspod/volumes')).stdout).toBe('')
}, 60_000)

test('what a pod has written is where inspect says it is, and a volume that was made by hand is what a pod gets', async () => {
  await succeeds(cell, ['volume', 'create', 'data'])
  const path = (await succeeds(cell, ['volume', 'inspect', '-f', '{{.Mountpoint}}', 'data'])).trim()
  await cell.sh(`echo from outside >${path}/file`)
  await play(user('web', 'data'))
  expect(await inside('web', 'cat /v/file; echo from inside >/v/other')).toBe('from outside\n')
  expect((await cell.sh(`cat ${path}/other`)).stdout).toBe('from inside\n')
  const [record] = JSON.parse(await succeeds(cell, ['volume', 'inspect', 'data'])) as object[]
  expect(record).toMatchObject({
    name: 'data',
    directory: path,
    pods: ['web'],
    Name: 'data',
    Driver: 'local',
    MountCount: 1,
  })
  expect(await tspod(cell, ['volume', 'create', 'data'])).toMatchObject({ exitCode: 125 })
  expect(await succeeds(cell, ['volume', 'create', '--ignore', 'data'])).toBe('data\n')
  expect((await tspod(cell, ['volume', 'exists', 'data'])).exitCode).toBe(0)
  expect((await tspod(cell, ['volume', 'exists', 'none'])).exitCode).toBe(1)
}, 60_000)

test('a backup, and the way back; nothing is poured into what somebody has', async () => {
  await play(user('web', 'data'))
  await inside('web', 'echo kept >/v/file; mkdir /v/sub; ln -s /etc/passwd /v/sub/link; chown 1000:1000 /v/sub')
  await succeeds(cell, ['volume', 'export', '-o', '/tmp/data.tar', 'data'])
  expect((await cell.sh('stat -c %a /tmp/data.tar')).stdout).toBe('600\n')
  const running = await tspod(cell, ['volume', 'import', 'data', '/tmp/data.tar'])
  expect([running.exitCode, running.stderr]).toEqual([125, expect.stringContaining('used by pod web, which runs')])
  await succeeds(cell, ['pod', 'stop', 'web'])
  const full = await tspod(cell, ['volume', 'import', 'data', '/tmp/data.tar'])
  expect([full.exitCode, full.stderr]).toEqual([125, expect.stringContaining('volume data is not empty')])
  await takeDownAll(cell)

  await succeeds(cell, ['volume', 'create', 'copy'])
  expect((await tspod(cell, ['volume', 'import', 'copy'], { input: 'no archive' })).exitCode).toBe(125)
  const archive = `${cell.checkout}/bin/tspod volume export data | ${cell.checkout}/bin/tspod volume import copy -`
  expect(await cell.sh(archive)).toMatchObject({ exitCode: 0 })
  await play(user('web', 'copy'))
  expect(await inside('web', 'cat /v/file; readlink /v/sub/link; stat -c "%u %g" /v/sub; touch /v/more')).toBe(
    'kept\n/etc/passwd\n1000 1000\n',
  )
  expect((await cell.sh('ls -A /var/lib/tspod/volumes/copy; rm /tmp/data.tar')).stdout).toBe('_data\n')
}, 60_000)

test('prune leaves what pods and apps have', async () => {
  await play(user('web', 'used'))
  const metadata = { name: 'owned' }
  const claim = JSON.stringify({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata })
  await succeeds(cell, ['apply', '--app', 'shop', '-f', '-'], { input: claim })
  await succeeds(cell, ['volume', 'create', 'idle'])
  expect(await succeeds(cell, ['volume', 'prune', '--filter', 'until=1h'])).toBe('')
  expect(await succeeds(cell, ['volume', 'prune'])).toBe('idle\n')
  expect(await names()).toBe('owned\nused\n')
}, 60_000)

test('Secrets are listed without their values, and a pod outlives its Secret', async () => {
  const value = 'correct horse'
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'login' },
    stringData: { password: value, user: 'me' },
  }
  const volumes = [{ name: 'v', secret: { secretName: 'login' } }]
  const containers = [
    {
      name: 'main',
      image: DEMO_IMAGE,
      command: ['sh', '-c', WAIT_COMMAND],
      volumeMounts: [{ name: 'v', mountPath: '/v' }],
    },
  ]
  await play(`---\n${JSON.stringify(secret)}\n${specText('web', { containers, volumes })}`)
  expect(await succeeds(cell, ['secret', 'ls'])).toMatch(/^NAME +TYPE +DATA +APP +AGE\nlogin +Opaque +2 +\d+s\n$/)
  const shown = await succeeds(cell, ['secret', 'inspect', 'login'])
  expect(shown).not.toContain(Buffer.from(value).toString('base64'))
  expect(JSON.parse(shown)).toMatchObject([{ name: 'login', keys: ['password', 'user'], Spec: { Name: 'login' } }])
  const [all] = JSON.parse(await succeeds(cell, ['secret', 'inspect', '--showsecret', 'login'])) as { data: object }[]
  expect(all?.data).toEqual({
    password: Buffer.from(value).toString('base64'),
    user: Buffer.from('me').toString('base64'),
  })
  const id = await succeeds(cell, ['secret', 'ls', '-q'])
  expect(await succeeds(cell, ['secret', 'rm', id.slice(0, 8)])).toBe(id)
  expect((await tspod(cell, ['secret', 'exists', 'login'])).exitCode).toBe(1)
  expect((await tspod(cell, ['secret', 'rm', 'login'])).exitCode).toBe(125)
  expect(await succeeds(cell, ['secret', 'rm', '-i', 'login'])).toBe('')
  await succeeds(cell, ['pod', 'restart', 'web'])
  expect(await inside('web', 'cat /v/password')).toBe(value)
}, 60_000)
