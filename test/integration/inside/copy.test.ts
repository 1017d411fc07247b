/** cp into and out of real containers: where things land, and that no container leads us out of it. */
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { sharedWith } from '../../support/cell.ts'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, launcher, readyCell, succeeds, takeDownAll, tspod, WAIT_COMMAND } from '../../support/tspod.ts'

let cell: Place
/** A directory that the cell sees under the same path. */
let shared: string
beforeAll(async () => {
  cell = await readyCell()
  shared = sharedWith(cell)
  await succeeds(cell, ['kube', 'play', '-'], { input: MANIFEST })
}, 60_000)
afterAll(() => cell?.remove())

/** A container with volumes, one as another user, one that has ended, one that was never started. */
const pod = (name: string, containers: object[], volumes: object[] = []): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers, volumes },
  })
const container = (name: string, script = WAIT_COMMAND, more: object = {}): object => ({
  name,
  image: DEMO_IMAGE,
  command: ['sh', '-c', script],
  ...more,
})
const volumeMounts = [
  { name: 'v', mountPath: '/vol' },
  { name: 'v', mountPath: '/ro', readOnly: true },
]
const volumes = [{ name: 'v', emptyDir: {} }]
const MANIFEST = [
  pod('up', [container('c', WAIT_COMMAND, { volumeMounts })], volumes),
  pod('user', [container('c', WAIT_COMMAND, { securityContext: { runAsUser: 1000, runAsGroup: 1000 } })]),
  pod('over', [container('c', 'echo kept >/kept; ln -s /vol /link; exit 0', { volumeMounts })], volumes),
].join('\n---\n')

const path = (name: string): string => join(shared, name)
const cp = (from: string, to: string, ...flags: string[]) => succeeds(cell, ['cp', ...flags, from, to])
const inside = async (name: string, line: string): Promise<string> =>
  (await succeeds(cell, ['exec', name, 'sh', '-c', line])).trimEnd()

describe('what goes where, as docker cp has it', () => {
  beforeAll(() => {
    mkdirSync(path('tree/sub'), { recursive: true })
    writeFileSync(path('tree/sub/f'), 'f')
    writeFileSync(path('file'), 'file', { mode: 0o640 })
    symlinkSync('sub/f', path('tree/l'))
  })

  test('a file: under its name in a directory, under another name, over a file', async () => {
    await cp(path('file'), 'up-c:/tmp')
    await cp(path('file'), 'up-c:/tmp/other')
    await cp(path('file'), 'up-c:tmp/other')
    expect(await inside('up-c', 'cat /tmp/file /tmp/other; stat -c %a /tmp/file')).toBe('filefile640')
  })

  test('the whole root, without what the kernel makes up', async () => {
    const { exitCode, stderr } = await tspod(cell, ['cp', 'up-c:/', path('root')])
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
    for (const name of ['proc', 'sys', 'dev/pts', 'dev/mqueue']) {
      expect(stderr).toContain(`/${name} is a file system of the kernel and was left out`)
      expect(existsSync(path(`root/${name}`))).toBe(false)
    }
    expect(readFileSync(path('root/etc/passwd'), 'utf8')).toContain('app:')
  })

  test('a directory: into one that exists, as one that does not, and its content', async () => {
    await cp(path('tree'), 'up-c:/tmp')
    await cp(path('tree'), 'up-c:/tmp/new')
    await cp(`${path('tree')}/.`, 'up-c:/tmp/tree/sub')
    const found = await inside('up-c', 'cd /tmp; find tree new | sort; readlink new/l')
    expect(found.split('\n')).toEqual([
      ...['new', 'new/l', 'new/sub', 'new/sub/f', 'tree', 'tree/l', 'tree/sub', 'tree/sub/f', 'tree/sub/l'],
      ...['tree/sub/sub', 'tree/sub/sub/f', 'sub/f'],
    ])
  })

  test.each<[why: string, from: string, to: string, said: RegExp]>([
    ['a directory over a file', 'tree', 'up-c:/etc/passwd', /destination must be a directory/],
    [
      'into a directory that does not exist',
      'file',
      'up-c:/nope/',
      /could not be found on container up-c: no such file/,
    ],
    ['below one that does not exist', 'file', 'up-c:/nope/x', /could not be found on container up-c/],
    ['a file named as a directory', 'file/.', 'up-c:/tmp', /could not be found on the host/],
    ['to a read-only mount', 'file', 'up-c:/ro/x', /read-only|EROFS/],
    ['to a container that is not there', 'file', 'nobody:/tmp', /no such container/],
  ])('refuses %s', async (_why, from, to, said) => {
    const refused = await tspod(cell, ['cp', `${shared}/${from}`, to])
    expect(refused.exitCode).toBe(125)
    expect(refused.stderr).toMatch(said)
  })

  test('out of a container, owned by the caller, without set-user-id', async () => {
    await inside('user-c', 'cd /tmp; mkdir -p out/d; echo x >out/d/f; chmod 4755 out/d/f; ln -s /etc/passwd out/l')
    await cp('user-c:/tmp/out', path('fetched'))
    await cp('user-c:/tmp/out/.', path('fetched'))
    await cp('user/c:/tmp/out', path('fetched'))
    const { uid, mode } = statSync(path('fetched/d/f'))
    expect({ uid, mode: mode & 0o7777 }).toEqual({ uid: 0, mode: 0o755 })
    expect(readFileSync(path('fetched/out/d/f'), 'utf8')).toBe('x\n')
    expect((await cell.sh(`readlink ${path('fetched/l')}`)).stdout).toBe('/etc/passwd\n')
  })

  test('into a container for the user it runs as, or with the ids of the source', async () => {
    await cp(path('file'), 'user-c:/tmp/mine')
    await cp(path('file'), 'user-c:/tmp/roots', '--archive=false')
    expect(await inside('user-c', 'stat -c %u:%g /tmp/mine /tmp/roots')).toBe('1000:1000\n0:0')
  })

  test('between containers, and to a file that is a mount point', async () => {
    await inside('up-c', 'echo 192.0.2.1 moved >/tmp/hosts')
    await cp('up-c:/tmp/hosts', 'user-c:/tmp/')
    await cp('up-c:/tmp/hosts', 'user-c:/etc/hosts')
    expect(await inside('user-c', 'cat /tmp/hosts /etc/hosts')).toBe('192.0.2.1 moved\n192.0.2.1 moved')
  })

  test('volumes and file systems in memory are seen', async () => {
    await cp(path('file'), 'up-c:/vol/')
    await cp(path('file'), 'up-c:/dev/shm/')
    await cp('up-c:/ro/file', path('from-volume'))
    expect(await inside('up-c', 'cat /vol/file /dev/shm/file')).toBe('filefile')
    expect(readFileSync(path('from-volume'), 'utf8')).toBe('file')
  })

  test('a container that has ended: its files, its volumes, through its own links', async () => {
    await cp('over-c:/kept', path('kept'))
    await cp(path('file'), 'over-c:/link/x')
    await cp('over-c:/vol/x', path('back'))
    await cp('over-c:/vol', path('volume'))
    expect([path('kept'), path('back'), path('volume/x')].map(one => readFileSync(one, 'utf8'))).toEqual([
      'kept\n',
      'file',
      'file',
    ])
    const refused = await tspod(cell, ['cp', path('file'), 'over-c:/ro/x'])
    expect(refused.stderr).toMatch(/read-only/)
    expect((await cell.sh('cat /run/containers/storage/overlay-layers/mountpoints.json')).stdout).not.toMatch(
      /"count":2/,
    )
  })

  test('a container that was created and not started', async () => {
    const text = pod('idle', [container('c')])
    await succeeds(cell, ['kube', 'play', '--start=false', '-'], { input: text })
    await cp(path('file'), 'idle-c:/tmp/')
    await cp('idle-c:/tmp/file', path('idle'))
    expect(readFileSync(path('idle'), 'utf8')).toBe('file')
    await succeeds(cell, ['kube', 'down', '-'], { input: text })
  })
})

describe('archives', () => {
  test('in and out by pipes', async () => {
    const command = `cd ${shared} && tar -c tree | ${launcher(cell)} cp - up-c:/home && ${launcher(cell)} cp up-c:/home/tree - | tar -t`
    const listed = await cell.sh(command)
    expect(listed.stdout.split('\n').filter(Boolean).sort()).toEqual(['tree/', 'tree/l', 'tree/sub/', 'tree/sub/f'])
    expect((await cell.sh('ls -A /var/lib/tspod/tmp')).stdout).toBe('')
  })

  test('what is no archive, and a destination that is no directory, are refused', async () => {
    const junk = await tspod(cell, ['cp', '-', 'up-c:/tmp'], { input: 'this is no archive' })
    expect(junk).toMatchObject({ exitCode: 125, stderr: expect.stringMatching(/cannot read the archive/) })
    const file = await tspod(cell, ['cp', '-', 'up-c:/etc/passwd'], { input: '' })
    expect(file.stderr).toMatch(/destination must be a directory when copying from stdin/)
  })

  test('a hostile one reaches nothing but its destination', async () => {
    const script = `set -e; cd ${shared}; mkdir evil; cd evil; echo canary >../canary
      mkdir esc; ln -s ${shared} abs; ln -s ../.. rel; echo x >f; mkfifo p; mknod n c 1 3
      tar -cf ../1.tar --absolute-names ${shared}/canary
      tar -cf ../2.tar abs rel; rm abs rel; mkdir abs rel; echo overwritten >abs/canary; echo overwritten >rel/canary
      tar -rf ../2.tar abs/canary rel/canary
      tar -cf ../3.tar --transform 's,^f,../../../../../../..${shared}/canary,' -P f
      ln f hard; tar -cf ../4.tar --transform 's,^f$,${shared}/canary,' -P f hard; tar -cf ../5.tar p n f`
    await cell.sh(script)
    for (const number of [1, 2, 3, 4, 5]) {
      await cell.sh(`mkdir -p /tmp/x; ${launcher(cell)} cp - up-c:/root <${path(`${number}.tar`)}; true`)
    }
    expect(readFileSync(path('canary'), 'utf8')).toBe('canary\n')
    expect(await inside('up-c', 'cat /root/f')).toBe('x')
    expect((await cell.sh('ls -A /var/lib/tspod/tmp')).stdout).toBe('')
  }, 30_000)
})

describe('a container that works against us', () => {
  test('swaps directories and files for links to the host all the time: nothing outside is read or written', async () => {
    const canary = path('host-canary')
    mkdirSync(canary)
    writeFileSync(join(canary, 'f'), 'canary')
    // In the container the same path exists as well, so that links lead somewhere.
    await inside('up-c', `mkdir -p /race/real ${canary}; echo own >/race/real/f; echo own >${canary}/f; mkdir /race/in`)
    const loop = `cd /race; while [ ! -e /stop ]; do
      mv real d; mv d real; ln -s ${canary} d; rm d; ln -s ${canary}/f in/f; mv real/f real/g; ln -s ${canary}/f real/f; rm real/f
      mv real/g real/f; rm -f in/f; ln -s /../../../../../..${canary} in/d; rm -rf in/d; done`
    const racing = cell.sh(`${launcher(cell)} exec up-c sh -c '${loop}' >/dev/null 2>&1`, { timeoutMs: 120_000 })
    const script = `cd ${shared}; echo new >f; mkdir -p d raced; echo new >d/f; i=0; end=$(( $(date +%s) + 80 ))
      while [ $i -lt 40 ] && [ $(date +%s) -lt $end ]; do i=$((i+1))
        ${launcher(cell)} cp f up-c:/race/d/f; ${launcher(cell)} cp d up-c:/race/in; ${launcher(cell)} cp f up-c:/race/in/f
        ${launcher(cell)} cp up-c:/race/d/f raced/out-$i; ${launcher(cell)} cp up-c:/race/real raced/all-$i; ${launcher(cell)} cp up-c:/race/real/f raced/one-$i
      done; true`
    await cell.sh(`( ${script} ) >/dev/null 2>&1`, { timeoutMs: 110_000 })
    expect(readFileSync(join(canary, 'f'), 'utf8')).toBe('canary')
    const found = (await cell.sh(`find ${shared}/raced -type f -exec cat {} + | sort -u`)).stdout
    expect(found.split('\n').filter(line => line !== 'own' && line !== 'new' && line !== '')).toEqual([])
    expect(found).toMatch(/own|new/)
    expect(existsSync(join(canary, 'd'))).toBe(false)
    await inside('up-c', 'touch /stop')
    await racing
  }, 240_000)

  test('programs and libraries of a container are never run on the host', async () => {
    const trap = `for p in tar sh cat gtar gzip; do printf '#!/bin/sh\\necho ran >/trapped\\n' >/bin/$p.new; chmod +x /bin/$p.new; mv /bin/$p.new /bin/$p; done`
    const text = pod('traps', [container('c', `${trap}; ${WAIT_COMMAND}`)])
    await succeeds(cell, ['kube', 'play', '-'], { input: text })
    await cp('traps-c:/etc', path('traps'))
    await cp(path('file'), 'traps-c:/')
    await cell.sh(`${launcher(cell)} cp traps-c:/etc - | tar -t; ${launcher(cell)} export traps-c | tar -t`)
    expect((await cell.sh('ls /trapped')).exitCode).not.toBe(0)
    expect((await tspod(cell, ['cp', 'traps-c:/trapped', path('trapped')])).exitCode).toBe(125)
    await succeeds(cell, ['kube', 'down', '-'], { input: text })
  })
})

test('nothing is left of mounts and copies', () =>
  withLeakCheck(cell, async () => {
    const text = pod('leaks', [container('c'), container('over', 'exit 0')])
    await succeeds(cell, ['kube', 'play', '-'], { input: text })
    await cp('leaks-c:/etc', path('leak'))
    await cp('leaks-over:/etc', path('leak-over'))
    await cp(path('leak'), 'leaks-over:/tmp')
    await succeeds(cell, ['mount', 'leaks-c'])
    await succeeds(cell, ['mount', 'leaks-over'])
    await succeeds(cell, ['kube', 'down', '-'], { input: text })
  }))

test('and the pods go', () => takeDownAll(cell))
