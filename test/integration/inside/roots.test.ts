/** mount, unmount, export, diff and artifacts of real containers. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { sharedWith } from '../../support/cell.ts'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, launcher, podText, readyCell, succeeds, tspod, WAIT_COMMAND } from '../../support/tspod.ts'

const WORK = 'echo new >/etc/new; rm /etc/group; ln -s /etc/shadow /tmp/l; ln /etc/new /tmp/hard; echo in >/vol/secret'
const text = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 1,
    volumes: [{ name: 'v', emptyDir: {} }],
    containers: [
      { name: 'up', script: `${WORK}; ${WAIT_COMMAND}` },
      { name: 'over', script: `${WORK}; exit 0` },
    ].map(({ name, script }) => ({
      name,
      image: DEMO_IMAGE,
      command: ['sh', '-c', script],
      volumeMounts: [{ name: 'v', mountPath: '/vol' }],
    })),
  },
})
let cell: Place
let shared: string
beforeAll(async () => {
  cell = await readyCell()
  shared = sharedWith(cell)
  await succeeds(cell, ['kube', 'play', '-'], { input: text })
  await cell.sh(`until ${launcher(cell)} ps -a --format json | grep -q '"exited"'; do sleep 0.1; done`)
}, 60_000)
afterAll(() => cell?.remove())

test('mount shows where the files are; unmount never takes what a container runs on', async () => {
  const root = (await succeeds(cell, ['mount', 'web-up'])).trimEnd()
  expect((await cell.sh(`cat ${root}/etc/new`)).stdout).toBe('new\n')
  expect(await succeeds(cell, ['mount'])).toContain(root)
  expect(await succeeds(cell, ['umount', 'web-up'])).toBe('web-up\n')
  const refused = await tspod(cell, ['umount', '--force', 'web-up'])
  expect(refused.exitCode).toBe(125)
  expect(refused.stderr).toMatch(
    /cannot unmount storage for container [0-9a-f]{64} as it is running or paused: container state improper/,
  )
  await succeeds(cell, ['mount', 'web-up'])
  await succeeds(cell, ['mount', 'web-up'])
  const [id] = (await succeeds(cell, ['umount', '--all', '--force'])).split('\n')
  expect(id).toMatch(/^[0-9a-f]{64}$/)
  expect((await cell.sh(`ls ${root}/etc/new`)).exitCode).toBe(0)
  expect(await succeeds(cell, ['exec', 'web-up', 'cat', '/etc/new'])).toBe('new\n')
})

test('a container that has ended is unmounted and mounted again', async () => {
  await succeeds(cell, ['umount', '--force', 'web-over'])
  expect(await succeeds(cell, ['mount'])).not.toMatch(await idOf('web-over'))
  const root = (await succeeds(cell, ['mount', 'web-over'])).trimEnd()
  expect((await cell.sh(`cat ${root}/etc/new`)).stdout).toBe('new\n')
})

const idOf = async (name: string): Promise<string> => {
  const all = JSON.parse(await succeeds(cell, ['ps', '-a', '--format', 'json'])) as { id: string; name: string }[]
  return all.find(one => one.name === name)!.id.slice(0, 12)
}

test.each(['web-up', 'web-over'])('diff of %s: its own changes and no mount points', async name => {
  expect((await succeeds(cell, ['diff', name])).split('\n').filter(Boolean)).toEqual([
    ...['C /etc', 'D /etc/group', 'A /etc/new', 'C /tmp', 'A /tmp/hard', 'A /tmp/l'],
  ])
  expect(JSON.parse(await succeeds(cell, ['container', 'diff', '--format', 'json', name]))).toEqual({
    changed: ['/etc', '/tmp'],
    added: ['/etc/new', '/tmp/hard', '/tmp/l'],
    deleted: ['/etc/group'],
  })
})

test.each(['web-up', 'web-over'])('export of %s: links as links, owners as numbers, no volumes', async name => {
  const file = join(shared, `${name}.tar`)
  expect(await succeeds(cell, ['export', '-o', file, name])).toBe('')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const listed = (await cell.sh(`tar --numeric-owner -tvf ${file}`)).stdout
  expect(listed).toMatch(/^l\S+ 0\/0 .* tmp\/l -> \/etc\/shadow$/m)
  expect(listed).toMatch(/^h\S+ .* link to etc\/new$|^h\S+ .* link to tmp\/hard$/m)
  expect(listed).toMatch(/^d\S+ 1000\/1000 .* home\/app\/$/m)
  expect(listed).toMatch(/ vol\/$/m)
  expect(listed).not.toMatch(/vol\/secret|etc\/group| \.\//)
  const piped = await cell.sh(`${launcher(cell)} export ${name} | tar -xO etc/new`)
  expect(piped.stdout).toBe('new\n')
})

test('a volume that is full of surprises does not reach the archive: links that race with files stay links', async () => {
  const canary = join(shared, 'canary')
  await cell.sh(`echo sesame >${canary}`)
  const loop = `mkdir /race; cd /race; while [ ! -e /stop ]; do echo own >f; rm f; ln -s ${canary} f; rm f; done`
  const racing = cell.sh(`${launcher(cell)} exec web-up sh -c '${loop}' >/dev/null 2>&1`)
  await cell.sh(
    `i=0; while [ $i -lt 20 ]; do i=$((i+1)); ${launcher(cell)} export -o ${shared}/race-$i.tar web-up; done 2>&1`,
  )
  expect((await cell.sh(`grep -l sesame ${shared}/race-*.tar; cat ${canary}`)).stdout).toBe('sesame\n')
  await succeeds(cell, ['exec', 'web-up', 'touch', '/stop'])
  await racing
}, 60_000)

test('artifacts are kept for root only and go with their container', async () => {
  await succeeds(cell, ['container', 'artifact', 'add', 'web-over', 'note'], { input: 'text' })
  expect(await succeeds(cell, ['container', 'artifact', 'get', 'web-over', 'note'])).toBe('text')
  const again = await tspod(cell, ['container', 'artifact', 'add', 'web-over', 'note'], { input: 'other' })
  expect(again).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('artifact note already exists') })
  const large = await tspod(cell, ['container', 'artifact', 'add', 'web-over', 'large'], {
    input: 'x'.repeat(2 ** 20 + 1),
  })
  expect(large).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('larger than 1 MiB') })
  for (const name of ['../x', '.hidden', 'a/b', '']) {
    expect((await tspod(cell, ['container', 'artifact', 'add', 'web-over', name], { input: 'x' })).exitCode).toBe(125)
  }
  const files = (await cell.sh("find /var/lib/tspod/pods -name note -printf '%m %u\\n'")).stdout
  expect(files).toBe('600 root\n')
  expect(await succeeds(cell, ['container', 'artifact', 'ls', '-q', 'web-over'])).toBe('note\n')
  expect(await succeeds(cell, ['container', 'artifact', 'ls', '-q', 'web-up'])).toBe('')
  await succeeds(cell, ['container', 'artifact', 'rm', 'web-over', 'note'])
  expect((await tspod(cell, ['container', 'artifact', 'get', 'web-over', 'note'])).exitCode).toBe(125)
})

test('artifacts go with a container that is removed alone', async () => {
  const two = podText('apart', { scripts: [WAIT_COMMAND, WAIT_COMMAND] })
  await succeeds(cell, ['kube', 'play', '-'], { input: two })
  for (const name of ['apart-c1', 'apart-c2']) {
    await succeeds(cell, ['container', 'artifact', 'add', name, 'apart'], { input: 'text' })
  }
  await succeeds(cell, ['rm', '--force', 'apart-c1'])
  const left = (await cell.sh('find /var/lib/tspod/pods -name apart')).stdout.split('\n').filter(Boolean)
  expect(left).toHaveLength(1)
  await succeeds(cell, ['kube', 'down', '-'], { input: two })
})

describe('commit', () => {
  const secret = 'hush-1234'
  const play = (image: string, name: string, more: object = {}): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { restartPolicy: 'Never', containers: [{ name: 'c', image, imagePullPolicy: 'Never', ...more }] },
    })

  test.each(['web-up', 'web-over'])('makes an image of %s that can be played', async name => {
    const image = `localhost/from-${name}:1`
    const id = await succeeds(cell, ['commit', '-c', 'CMD=["cat","/etc/new","/etc/group"]', '-m', 'note', name, image])
    expect(id).toMatch(/^[0-9a-f]{64}\n$/)
    await succeeds(cell, ['kube', 'play', '-'], { input: play(image, 'committed') })
    await cell.sh(`until ${launcher(cell)} ps -a | grep 'committed-c .*Error'; do sleep 0.1; done`)
    const said = await tspod(cell, ['logs', 'committed-c'])
    expect(said.stdout).toBe('new\n')
    expect(said.stderr).toMatch(/group/)
    await succeeds(cell, ['kube', 'down', '-'], { input: play(image, 'committed') })
    const known = JSON.parse((await cell.sh(`skopeo inspect --config containers-storage:${image}`)).stdout)
    expect(known.config).toEqual({ Cmd: ['cat', '/etc/new', '/etc/group'], Env: ['PATH=/bin'], WorkingDir: '/' })
    expect(known.history.at(-1)).toMatchObject({ created_by: `tspod commit ${name}`, comment: 'note' })
    expect((await cell.sh('ls -A /var/lib/tspod/tmp')).stdout).toBe('')
  })

  test('has one layer more than its base, by a short name or none, and never the secrets of a manifest', async () => {
    const env = [{ name: 'PASSWORD', value: secret }]
    const text = play(DEMO_IMAGE, 'hush', { env, command: ['sh', '-c', WAIT_COMMAND] })
    await succeeds(cell, ['kube', 'play', '-'], { input: text })
    const nameless = (await succeeds(cell, ['container', 'commit', 'hush-c'])).trimEnd()
    await succeeds(cell, ['commit', '--iidfile', join(shared, 'id'), 'hush-c', 'short'])
    const images = JSON.parse(await succeeds(cell, ['image', 'ls', '--format', 'json'])) as {
      id: string
      names: string[]
    }[]
    expect(images.find(({ id }) => id === nameless)?.names).toEqual([])
    const short = images.find(({ names }) => names.includes('localhost/short:latest'))!
    expect(readFileSync(join(shared, 'id'), 'utf8')).toBe(`sha256:${short.id}`)
    const known = await cell.sh('skopeo inspect --config containers-storage:localhost/short:latest')
    expect(JSON.parse(known.stdout).rootfs.diff_ids).toHaveLength(2)
    expect(known.stdout).not.toContain(secret)
    await succeeds(cell, ['kube', 'down', '-'], { input: text })
  })

  test('refuses what makes no image', async () => {
    for (const args of [
      ['-c', 'RUN x', 'web-up'],
      ['web-up', 'Bad Name'],
      ['nobody'],
      ['web-up', `x@sha256:${'0'.repeat(64)}`],
    ]) {
      const refused = await tspod(cell, ['commit', ...args])
      expect(refused).toMatchObject({ exitCode: 125, stderr: expect.stringMatching(/^Error: /) })
    }
    expect((await cell.sh('ls -A /var/lib/tspod/tmp')).stdout).toBe('')
  })
})

test('everything goes with the pod, mounted or not', () =>
  withLeakCheck(cell, async () => {
    const other = text.replace('"web"', '"other"')
    await succeeds(cell, ['kube', 'play', '-'], { input: other })
    await succeeds(cell, ['mount', 'other-up', 'other-over'])
    await succeeds(cell, ['container', 'artifact', 'add', 'other-up', 'note'], { input: 'text' })
    await succeeds(cell, ['kube', 'down', '-'], { input: other })
  }))

test('what is not there is told in the words of Podman', async () => {
  for (const verb of ['mount', 'unmount', 'export', 'diff']) {
    const refused = await tspod(cell, [verb, 'nobody'])
    expect(refused.exitCode).toBe(125)
    expect(refused.stderr).toMatch(/no container with name or ID "nobody" found: no such container/)
  }
  expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(shared)
})
