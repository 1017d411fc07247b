/** What Podman's annotations put behind a claim: file systems that are mounted while pods use them, and archives. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, readyCell, specText, succeeds, takeDownAll, tspod, WAIT_COMMAND } from '../../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const claim = (name: string, annotations: Record<string, string>): string => {
  const keys = Object.entries(annotations).map(([key, value]) => [`volume.podman.io/${key}`, value])
  const metadata = { name, annotations: Object.fromEntries(keys) }
  return `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata })}\n`
}
const user = (name: string, claimName: string): string => {
  const volumeMounts = [{ name: 'v', mountPath: '/v' }]
  const containers = [{ name: 'main', image: DEMO_IMAGE, command: ['sh', '-c', WAIT_COMMAND], volumeMounts }]
  const spec = { containers, volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }] }
  return specText(name, spec)
}
const play = (input: string) => tspod(cell, ['kube', 'play', '-'], { input })
const inside = (name: string, line: string): Promise<string> =>
  succeeds(cell, ['exec', `${name}-main`, 'sh', '-c', line])
const mounts = async (): Promise<string> =>
  (await cell.sh("grep -o ' /var/lib/tspod/volumes/[^ ]*' /proc/self/mountinfo | sort")).stdout
const DATA = (name: string): string => `/var/lib/tspod/volumes/${name}/_data`

// The first one makes the lock of volumes, which stays.
test('a directory of the host can be one, and is left as it is', async () => {
  await cell.sh('mkdir -p /srv/data && echo kept >/srv/data/file')
  const input = `${claim('bound', { device: '/srv/data', type: 'none', 'mount-options': 'bind' })}${user('web', 'bound')}`
  expect(await play(input)).toMatchObject({ exitCode: 0 })
  expect(await inside('web', 'cat /v/file')).toBe('kept\n')
  await succeeds(cell, ['kube', 'down', '--force', '-'], { input })
  expect((await cell.sh('cat /srv/data/file; rm -r /srv/data; ls /var/lib/tspod/volumes')).stdout).toBe('kept\n')
})

test('a file system is mounted for the first pod and unmounted after the last', () =>
  withLeakCheck(cell, async () => {
    const memory = claim('memory', {
      device: 'tmpfs',
      type: 'tmpfs',
      'mount-options': 'size=1m,mode=0750,noexec',
      uid: '1234',
      gid: '4321',
    })
    expect(await play(`${memory}${user('one', 'memory')}${user('two', 'memory')}`)).toMatchObject({ exitCode: 0 })
    expect(await mounts()).toBe(` ${DATA('memory')}\n`)
    expect(await inside('one', 'grep " /v " /proc/mounts; stat -c "%u %g %a" /v; echo x >/v/file')).toMatch(
      /^tmpfs \/v tmpfs rw,.*noexec.*size=1024k.*\n1234 4321 750\n$/,
    )
    await succeeds(cell, ['pod', 'stop', 'one'])
    // The other one has it, and what is in it.
    expect(await inside('two', 'cat /v/file')).toBe('x\n')
    await succeeds(cell, ['pod', 'start', 'one'])
    expect(await inside('one', 'cat /v/file')).toBe('x\n')
    await succeeds(cell, ['pod', 'stop', 'one', 'two'])
    expect(await mounts()).toBe('')
    await cell.sh('echo lost >/tmp/lost')
    expect(await tspod(cell, ['cp', '/tmp/lost', 'two-main:/v/lost'])).toMatchObject({ exitCode: 125 })
    await succeeds(cell, ['pod', 'start', 'two'])
    expect(await inside('two', 'ls /v')).toBe('')
    await succeeds(cell, ['kube', 'down', '--force', '-'], {
      input: `${memory}${user('one', 'memory')}${user('two', 'memory')}`,
    })
    expect(await mounts()).toBe('')
  }))

test('what cannot be mounted keeps its pod from starting, and says so', async () => {
  const input = `${claim('absent', { device: '/dev/absent', type: 'ext4' })}${user('web', 'absent')}`
  const { exitCode, stderr } = await play(input)
  expect([exitCode, stderr]).toEqual([125, expect.stringContaining('volume absent: /dev/absent cannot be mounted')])
  await succeeds(cell, ['kube', 'down', '--force', '-'], { input })
  expect(await mounts()).toBe('')
})

describe('an archive', () => {
  const filled = (file: string, more: Record<string, string> = {}): string =>
    claim('filled', { 'import-source': file, ...more })

  test('becomes the volume when that is made, and never again', async () => {
    await cell.sh(`mkdir -p /srv/in/sub && echo one >/srv/in/sub/file && chown 7:8 /srv/in/sub/file && ln -s file /srv/in/sub/link
      tar -C /srv/in -czf /srv/in.tar.gz .`)
    const input = `${filled('/srv/in.tar.gz', { uid: '5' })}${user('web', 'filled')}`
    expect(await play(input)).toMatchObject({ exitCode: 0 })
    const look = 'cat /v/sub/link; stat -c "%u %g" /v/sub/file; stat -c "%u %a" /v; echo two >/v/sub/file'
    expect(await inside('web', look)).toBe('one\n7 8\n5 755\n')
    await succeeds(cell, ['kube', 'down', '-'], { input })
    expect(await play(input)).toMatchObject({ exitCode: 0 })
    expect(await inside('web', 'cat /v/sub/file')).toBe('two\n')
    await succeeds(cell, ['kube', 'down', '--force', '-'], { input })
  })

  const hostile: Record<string, string> = {
    'names that lead out': "echo bad >f; tar -cf /srv/bad.tar --transform 's,^f,../../../../../../../etc/canary,' -P f",
    'absolute names': "echo bad >f; tar -cf /srv/bad.tar --transform 's,^f,/etc/canary,' -P f",
    'a link that is written through':
      'ln -s /etc e; tar -cf /srv/bad.tar e; rm e; mkdir e; echo bad >e/canary; tar -rf /srv/bad.tar e/canary',
    'a hard link to what is outside': "echo x >f; ln f h; tar -cf /srv/bad.tar --transform 's,^f$,/etc/canary,' -P f h",
    'device nodes': 'mknod d b 7 0; tar -cf /srv/bad.tar d',
    'nothing that is an archive': 'echo no >/srv/bad.tar',
    'an end too early': 'head -c 100000 /dev/urandom >f; tar -cf - f | head -c 50000 >/srv/bad.tar',
  }
  for (const [name, make] of Object.entries(hostile)) {
    test(`with ${name} changes nothing outside, and leaves no half of a volume`, async () => {
      await cell.sh(`echo untouched >/etc/canary; rm -rf /srv/w; mkdir -p /srv/w; cd /srv/w; ${make}`)
      const { exitCode } = await play(filled('/srv/bad.tar'))
      expect(
        (await cell.sh('cat /etc/canary; stat -c %h /etc/canary; rm -r /etc/canary /srv/w /srv/bad.tar')).stdout,
      ).toBe('untouched\n1\n')
      const kept = (await cell.sh('ls -A /var/lib/tspod/volumes')).stdout
      expect(kept).toBe(exitCode === 0 ? 'filled\n' : '')
      const volumes = await cell.sh('ls -A /var/lib/tspod/volumes/filled 2>/dev/null')
      expect(volumes.stdout).toBe(exitCode === 0 ? '_data\n' : '')
      await tspod(cell, ['kube', 'down', '--force', '-'], { input: filled('/srv/x') })
    })
  }

  test.each(['/srv/absent.tar', '/srv', '/dev/zero'])('at %s is refused', async file => {
    const { exitCode, stderr } = await play(filled(file))
    expect([exitCode, stderr]).toEqual([
      125,
      expect.stringMatching(/volume filled: \S+ (does not exist|is not a file)/),
    ])
    expect((await cell.sh('ls -A /var/lib/tspod/volumes')).stdout).toBe('')
  })
})
