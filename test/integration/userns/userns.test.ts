/** Pods with user namespaces of their own, as the kernel shows them from inside and from outside. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import {
  DEMO_IMAGE,
  launcher,
  readyCell,
  specText,
  succeeds,
  takeDownAll,
  tspod,
  WAIT_COMMAND,
} from '../../support/tspod.ts'

/** Where ids begin on a host whose /etc/subuid has no line of `containers`. */
const FIRST = 2 ** 31

let cell: Place
beforeAll(async () => {
  // With crun and runc, of which crun is the usual one and the wrong one for such a pod.
  cell = await readyCell({ view: 'v1' })
  const text = pod('first')
  await succeeds(cell, ['kube', 'play', '-'], { input: text })
  await succeeds(cell, ['kube', 'down', '-'], { input: text })
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

type Part = Record<string, unknown>
const container = (name: string, more: Part = {}): Part => ({
  name,
  image: DEMO_IMAGE,
  command: ['sh', '-c', WAIT_COMMAND],
  ...more,
})

function pod(name: string, spec: Part = {}, annotations: Part = {}): string {
  const whole = { hostUsers: false, terminationGracePeriodSeconds: 2, containers: [container('main')], ...spec }
  return specText(name, whole, { annotations })
}

const play = (text: string, ...flags: string[]): Promise<string> =>
  succeeds(cell, ['kube', 'play', ...flags, '-'], { input: text })
const down = (text: string): Promise<string> => succeeds(cell, ['kube', 'down', '--force', '-'], { input: text })
const inside = (name: string, line: string): Promise<string> => succeeds(cell, ['exec', name, 'sh', '-c', line])
const outside = async (line: string): Promise<string> => {
  const { stdout, stderr, exitCode } = await cell.sh(line)
  if (exitCode !== 0) throw new Error(`${line}: ${stderr}`)
  return stdout
}
const pidOf = async (name: string): Promise<string> =>
  (await succeeds(cell, ['inspect', '--format', '{{.State.Pid}}', name])).trim()
const map = (first: number, count = 65_536): RegExp => new RegExp(`^ +0 +${first} +${count}$`, 'm')

const CONFIG = '---\n{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"words"},"data":{"word":"hello"}}\n'
const at = (name: string, more: Part = {}): Part => ({ name, mountPath: `/${name}`, ...more })
const VOLUMES = [
  { name: 'config', configMap: { name: 'words', defaultMode: 0o400 } },
  { name: 'image', image: { reference: DEMO_IMAGE } },
  { name: 'disk', emptyDir: {} },
  { name: 'memory', emptyDir: { medium: 'Memory' } },
  { name: 'claim', persistentVolumeClaim: { claimName: 'kept' } },
  { name: 'host', hostPath: { path: '/run/of-host', type: 'Directory' } },
]
const EVERYTHING = pod('all', {
  shareProcessNamespace: true,
  securityContext: {
    fsGroup: 3000,
    sysctls: [
      { name: 'kernel.shm_rmid_forced', value: '1' },
      { name: 'net.ipv4.ip_unprivileged_port_start', value: '0' },
    ],
  },
  volumes: VOLUMES,
  initContainers: [
    container('early', { command: ['sh', '-c', 'mkdir /claim/sub; id -u'], volumeMounts: [at('claim')] }),
    container('side', { restartPolicy: 'Always' }),
  ],
  containers: [
    container('main', {
      volumeMounts: [
        ...['config', 'image', 'disk', 'memory', 'claim', 'host'].map(name => at(name)),
        at('claim', { mountPath: '/part', subPath: 'sub' }),
        at('config', { mountPath: '/one-word', subPath: 'word' }),
        at('disk', { mountPath: '/made', subPath: 'new/one' }),
      ],
    }),
    container('user', {
      securityContext: { runAsUser: 1000, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
      volumeMounts: [at('disk')],
    }),
  ],
})

describe('a pod with a user namespace', () => {
  test(
    'has everything that another pod has, and down leaves nothing',
    () =>
      withLeakCheck(cell, async () => {
        await outside(
          'mkdir -p /run/of-host/below; mount -t tmpfs -o mode=755 below /run/of-host/below; echo x >/run/of-host/below/seen',
        )
        await outside('echo secret >/run/of-host/secret; chmod 600 /run/of-host/secret')
        await play(CONFIG + EVERYTHING)

        const pid = await pidOf('all-main')
        expect(await outside(`cat /proc/${pid}/uid_map /proc/${pid}/gid_map`)).toMatch(map(FIRST))
        expect(await outside(`grep ^Uid /proc/${pid}/status`)).toMatch(`\t${FIRST}\t`)
        expect(await outside(`grep ^Uid /proc/${await pidOf('all-user')}/status`)).toMatch(`\t${FIRST + 1000}\t`)
        const own = 'for n in user net ipc uts pid mnt cgroup; do readlink /proc/self/ns/$n; done'
        const [here, there] = [await outside(own), await inside('all-main', own)]
        for (const name of here.trim().split('\n')) expect(there).not.toContain(name)
        expect(
          await succeeds(cell, ['inspect', '--format', '{{.OCIRuntime}} {{.HostConfig.UsernsMode}}', 'all-main']),
        ).toBe('runc private\n')

        // Owners are those of the volumes themselves.
        const owners =
          'stat -c "%n %u:%g %a" / /etc /dev /config/..data/word /config /one-word /image /image/home/app /disk /memory /claim /part /made /host/secret /etc/hosts /dev/shm'
        expect((await inside('all-main', owners)).trim().split('\n')).toEqual([
          '/ 0:0 555',
          '/etc 0:0 755',
          '/dev 0:0 755',
          '/config/..data/word 0:3000 440',
          '/config 0:3000 755',
          '/one-word 0:3000 440',
          '/image 0:0 555',
          '/image/home/app 1000:1000 755',
          '/disk 0:3000 2777',
          '/memory 0:3000 2777',
          '/claim 0:3000 2777',
          '/part 0:3000 2755',
          '/made 0:3000 2777',
          '/host/secret 0:0 600',
          '/etc/hosts 0:0 644',
          '/dev/shm 0:0 1777',
        ])
        expect(await inside('all-main', 'cat /config/word /host/secret /host/below/seen')).toBe('hellosecret\nx\n')
        expect(
          await inside(
            'all-main',
            'touch /claim/f /disk/f /memory/f /host/f /part/f /etc/f /dev/shm/f && chown 5:6 /claim/f',
          ),
        ).toBe('')
        expect(await inside('all-user', 'id; stat -c %u:%g /disk/f; touch /disk/g /tmp/g')).toMatch(
          /^uid=1000\(app\) gid=1000\(app\) groups=1000\(app\),3000\n0:3000\n$/,
        )
        expect(await outside('stat -c %u:%g /var/lib/tspod/volumes/kept/_data/f /run/of-host/f')).toBe('5:6\n0:0\n')
        // The options of mounts are as without it.
        const mounts = await inside('all-main', 'cat /proc/self/mountinfo')
        for (const path of ['disk', 'memory', 'claim', 'host', 'part']) {
          expect(mounts).toMatch(new RegExp(` /${path} r[wo],nosuid,nodev,.*idmapped`))
        }
        expect(await inside('all-main', 'touch /config/x 2>&1; mount -t tmpfs x /disk 2>&1; true')).toMatch(
          /Read-only file system\n.*(denied|permitted)/,
        )

        // What is the kernel's, and what is the network's.
        expect(
          await inside(
            'all-main',
            'cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_unprivileged_port_start; hostname',
          ),
        ).toBe('1\n0\nall\n')
        expect(await inside('all-main', 'cat /etc/hosts; echo 10.0.0.1 more >>/etc/hosts')).toMatch(/^10\.\S+\tall$/m)
        expect(await inside('all-main', 'ip -o address show eth0')).toContain('10.')
        expect(await inside('all-main', 'ps -o pid,user,args')).toMatch(/ 1 root +\/catatonit/)
        expect(await succeeds(cell, ['logs', 'all-early'])).toBe('0\n')
        expect(await succeeds(cell, ['top', 'all-user', 'user', 'huser', 'args'])).toMatch(
          `app    ${FIRST + 1000}   sh`,
        )
        expect(await succeeds(cell, ['system', 'fsck'])).toBe('all is well\n')
        expect(
          await outside('stat -c %a /run/tspod /run/tspod/roots /run/tspod/roots/* /run/tspod/pods /run/tspod/pods/*'),
        ).toBe('711\n711\n700\n700\n700\n')

        await succeeds(cell, ['pod', 'restart', 'all'])
        expect(await outside(`cat /proc/${await pidOf('all-main')}/uid_map`)).toMatch(map(FIRST))
        expect(await inside('all-main', 'stat -c %u:%g /claim/f /etc/f; ls /memory')).toBe('5:6\n0:0\nf\n')
        await down(EVERYTHING)
        await outside('umount /run/of-host/below; rm -r /run/of-host')
      }),
    120_000,
  )

  test(
    'cp, export and commit show and take owners as the pod has them',
    () =>
      withLeakCheck(cell, async () => {
        const text = pod('files', {
          volumes: VOLUMES.filter(({ name }) => name === 'claim'),
          containers: [container('main', { securityContext: { runAsUser: 1000 }, volumeMounts: [at('claim')] })],
        })
        await play(text)
        await outside('mkdir -p /run/f; echo hi >/run/f/hi; chown 7:8 /run/f/hi')
        for (const target of ['/home/app/hi', '/claim/hi']) {
          await succeeds(cell, ['cp', '/run/f/hi', `files-main:${target}`])
          await succeeds(cell, ['cp', '--archive=false', '/run/f/hi', `files-main:${target}7`])
        }
        const owners = 'stat -c "%n %u:%g" /home/app/hi /home/app/hi7 /claim/hi /claim/hi7'
        const wanted = '/home/app/hi 1000:1000\n/home/app/hi7 7:8\n/claim/hi 1000:1000\n/claim/hi7 7:8\n'
        expect(await inside('files-main', owners)).toBe(wanted)
        await succeeds(cell, ['cp', 'files-main:/claim/hi7', '/run/f/out'])
        expect(await outside('stat -c %u:%g /run/f/out; cat /run/f/out')).toBe('0:0\nhi\n')
        const listed = await outside(`${launcher(cell)} export files-main | tar -tv --numeric-owner`)
        expect(listed).toMatch(/ 1000\/1000 .* home\/app\/hi$/m)
        expect(listed).toMatch(/ 7\/8 .* home\/app\/hi7$/m)
        expect(listed).not.toContain(String(FIRST).slice(0, 7))

        // Stopped: volumes are put in place by us.
        await succeeds(cell, ['stop', '-t', '0', 'files-main'])
        await succeeds(cell, ['cp', '/run/f/hi', 'files-main:/claim/late'])
        await succeeds(cell, ['cp', '/run/f/hi', 'files-main:/home/app/late'])
        await succeeds(cell, ['start', 'files-main'])
        expect(await inside('files-main', 'stat -c %u:%g /claim/late /home/app/late')).toBe('1000:1000\n1000:1000\n')

        const image = (await succeeds(cell, ['commit', 'files-main', 'localhost/committed:1'])).trim()
        const host = pod('plain', {
          hostUsers: true,
          containers: [container('main', { image: 'localhost/committed:1' })],
        })
        await play(host)
        expect(await inside('plain-main', 'stat -c "%n %u:%g" / /home/app /home/app/hi /home/app/hi7')).toBe(
          '/ 0:0\n/home/app 1000:1000\n/home/app/hi 1000:1000\n/home/app/hi7 7:8\n',
        )
        await down(host)
        await down(text)
        await outside(`rm -r /run/f; skopeo delete containers-storage:localhost/committed:1; true ${image}`)
      }),
    120_000,
  )

  test(
    'leaves its claims to the next one, which has other ids',
    () =>
      withLeakCheck(cell, async () => {
        const user = (name: string, script = WAIT_COMMAND): string =>
          pod(name, {
            volumes: VOLUMES.filter(({ name }) => name === 'claim'),
            containers: [container('main', { command: ['sh', '-c', script], volumeMounts: [at('claim')] })],
          })
        const [one, two] = [user('one', `umask 077; echo one >/claim/one; ${WAIT_COMMAND}`), user('two')]
        await play(one)
        await play(two)
        expect(await outside(`cat /proc/${await pidOf('two-main')}/uid_map`)).toMatch(map(FIRST + 65_536))
        expect(await inside('two-main', 'stat -c %u:%a /claim/one; cat /claim/one')).toBe('0:600\none\n')
        expect(await outside('stat -c %u /var/lib/tspod/volumes/kept/_data/one')).toBe('0\n')
        await succeeds(cell, ['kube', 'down', '-'], { input: one })
        // Its ids are free again.
        const three = user('three')
        await play(three)
        expect(await outside(`cat /proc/${await pidOf('three-main')}/uid_map`)).toMatch(map(FIRST))
        await succeeds(cell, ['kube', 'down', '-'], { input: two })
        await down(three)
      }),
    60_000,
  )
})

describe('--userns', () => {
  test(
    'takes sizes, and the namespace of somebody else',
    () =>
      withLeakCheck(cell, async () => {
        const plain = pod('sized', { hostUsers: true })
        await play(plain, '--userns', 'auto:size=2000')
        expect(await inside('sized-main', 'cat /proc/self/uid_map')).toMatch(map(FIRST, 2000))
        expect(await inside('sized-main', 'stat -c %u /home/app')).toBe('1000\n')
        const id = (await succeeds(cell, ['pod', 'inspect', '--format', '{{.Id}}', 'sized'])).trim()
        const other = pod('joined', { hostUsers: true })
        await play(other, '--userns', `ns:/run/tspod/pods/${id}/ns/user`)
        const user = 'readlink /proc/self/ns/user; stat -c %u / /home/app'
        expect(await inside('joined-main', user)).toBe(await inside('sized-main', user))
        const host = pod('not')
        await play(host, '--userns', 'host')
        expect(await inside('not-main', 'cat /proc/self/uid_map')).toMatch(map(0, 4_294_967_295))
        for (const text of [plain, other, host]) await down(text)
      }),
    60_000,
  )

  test.each<[why: string, text: string, flags: string[], said: string]>([
    ['crun 1.8', pod('no'), ['--runtime', 'crun'], 'cannot run a pod with a user namespace of its own'],
    ['the network of the host', pod('no'), ['--network', 'host'], 'does not go with the network of the host'],
    [
      'no such namespace',
      pod('no'),
      ['--userns', 'ns:/run/none'],
      'cannot find specified user namespace path: /run/none',
    ],
    ['rootless only', pod('no'), ['--userns', 'keep-id'], 'Error: keep-id is only supported in rootless mode'],
    [
      'a user beyond its ids',
      pod('no', { containers: [container('main', { securityContext: { runAsUser: 65_536 } })] }),
      [],
      "the pod's user namespace has no user 65536",
    ],
    [
      'a volume of the kernel',
      pod('no', {
        volumes: [{ name: 'proc', hostPath: { path: '/proc' } }],
        containers: [container('main', { volumeMounts: [at('proc', { mountPath: '/host-proc' })] })],
      }),
      [],
      'volume proc: the owners of /proc cannot be mapped into a user namespace (file systems there: proc',
    ],
  ])('is refused with %s', async (_, text, flags, said) => {
    const { exitCode, stderr } = await tspod(cell, ['kube', 'play', ...flags, '-'], { input: text })
    expect(stderr).toContain(said)
    expect(exitCode).toBe(125)
  })
})

describe('what goes wrong', () => {
  test.each([60, 200, 500, 1000])(
    'killed %s ms into a play: down leaves nothing',
    ms =>
      withLeakCheck(cell, async () => {
        await outside('mkdir -p /run/of-host')
        await outside(`cat >/run/all.yaml <<'END'\n${CONFIG}${EVERYTHING}END\n`)
        await cell.sh(
          `${launcher(cell)} kube play /run/all.yaml >/dev/null 2>&1 & victim=$!; sleep ${ms / 1000}; kill -9 $victim; wait`,
        )
        await succeeds(cell, ['kube', 'down', '--force', '/run/all.yaml'])
        await outside('rm -r /run/of-host /run/all.yaml')
      }),
    60_000,
  )

  test(
    'a namespace that somebody unpinned is pinned again, and strange roots go',
    () =>
      withLeakCheck(cell, async () => {
        const text = pod('hurt')
        await play(text)
        await outside('umount /run/tspod/pods/*/ns/user')
        const stray = `/run/tspod/roots/${'a'.repeat(64)}`
        await outside(`mkdir ${stray} ${stray}/${'b'.repeat(64)}; mount --bind /srv ${stray}/${'b'.repeat(64)}`)
        const { stdout } = await tspod(cell, ['system', 'fsck', '--repair'])
        expect(stdout).toMatch(/its user namespace is not pinned any more/)
        expect(stdout).toMatch(/bound root/)
        expect(await succeeds(cell, ['system', 'fsck'])).toBe('all is well\n')
        await succeeds(cell, ['restart', 'hurt-main'])
        expect(await inside('hurt-main', 'cat /proc/self/uid_map')).toMatch(map(FIRST))
        await down(text)
      }),
    60_000,
  )

  test(
    'a service container stands beside it',
    () =>
      withLeakCheck(cell, async () => {
        const text = pod('served')
        await play(text, '--service-container')
        expect(await outside('grep -h ^Uid /proc/$(pgrep -o catatonit)/status')).toMatch('\t0\t0')
        await down(text)
      }),
    60_000,
  )
})
