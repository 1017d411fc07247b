/**
 * Images that want more than they should, played as anybody would: users that are root in another spelling, groups,
 * links where something is mounted, volumes outside, variables of the caller, labels that other programs act upon.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { ImageInput } from '../../support/image.ts'
import { type Place, program } from '../../support/place.ts'
import { DEMO_IMAGE, readyCell, succeeds, takeDownAll, tspod, WAIT_COMMAND } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

const TRAP = '/var/tmp/tspod-canary'
const OUT = `../../../../../../..${TRAP}`
const LISTS = {
  '/etc/passwd': { content: 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\ntoor:x:0:0::/:/bin/sh\n' },
  '/etc/group': { content: 'root:x:0:\napp:x:1000:\naudio:x:63:app\nkept-out:x:77:app\n' },
}
const link = (target: string): { link: string } => ({ link: target })

/** Names are `localhost/hostile-NAME`. */
const IMAGES: Record<string, ImageInput> = {
  users: { files: { ...LISTS, '/kept-out': { content: 'secret', mode: 0o604, gid: 77 } } },
  work: { config: { WorkingDir: '/a/b/c' }, files: { '/a': link(OUT) } },
  volumes: {
    config: { Volumes: { '/../../../../../etc/made-by-image': {}, '/data': {}, '/linked': {} } },
    files: { '/data': link(OUT), '/linked/file': { content: 'of the image' } },
  },
  links: {
    files: {
      '/etc/hosts': link(`${OUT}/hosts`),
      '/etc/resolv.conf': link(`${OUT}/resolv.conf`),
      '/etc/hostname': link(`${TRAP}/hostname`),
      '/etc/mtab': link(`${OUT}/mtab`),
      '/etc/system-fips': link(`${OUT}/fips`),
      '/run/secrets': link(OUT),
      '/run/.containerenv': link(`${OUT}/containerenv`),
    },
  },
  environment: { config: { Env: ['CANARY_1', 'CANARY_*', '=x', '*', 'OWN=kept', 'PATH=/bin'] } },
  labels: {
    config: {
      StopSignal: 'SIGUSR2',
      Labels: {
        'containerd.io/restart.loguri': 'binary:///bin/sh',
        'io.podman.annotations.privileged': 'TRUE',
        'io.tspod.runtime': 'evil',
        'org.opencontainers.image.hooks': '/bin/sh',
        'org.systemd.property.ExecStartPre': "['/bin/sh']",
        'run.oci.hooks.stdout': TRAP,
        'module.wasm.image/variant': 'compat',
        'cdi.k8s.io/devices': 'vendor.com/device=all',
      },
    },
  },
}

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
  const named = Object.fromEntries(Object.entries(IMAGES).map(([name, input]) => [`localhost/hostile-${name}`, input]))
  for (const user of ['', '0', '00', 'root', '0:1000', 'toor', '+0', '4294967296', '-1', '1000:0', 'app'])
    named[`localhost/hostile-user-${nameOf(user)}`] = { config: { User: user }, files: LISTS }
  const made = await cell.exec(program(cell, 'test/support/make-images.ts'), { input: JSON.stringify(named) })
  if (made.exitCode !== 0) throw new Error(made.stderr)
  await cell.sh(`mkdir -p ${TRAP}; echo untouched >${TRAP}/canary; chmod 600 ${TRAP}/canary`)
}, 60_000)
afterEach(async () => {
  await takeDownAll(cell)
  const seen = await cell.sh(
    `cd ${TRAP}; find . | sort; cat canary; stat -c '%a %U' . canary; ls /etc/made-by-image 2>/dev/null`,
  )
  expect(seen.stdout).toBe('.\n./canary\nuntouched\n755 root\n600 root\n')
})
afterAll(async () => {
  await cell?.sh(`rm -r ${TRAP}`)
  await cell?.remove()
})

const nameOf = (user: string): string => `u${Buffer.from(user).toString('hex')}`
const container = (name: string, image: string, more: object = {}): object => ({
  ...{ name, image, imagePullPolicy: 'Never', command: ['sh', '-c', WAIT_COMMAND], ...more },
})
const pod = (name: string, containers: object[], spec: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 1, restartPolicy: 'Never', containers, ...spec },
  })
const play = (input: string, env: Record<string, string> = {}) => tspod(cell, ['kube', 'play', '-'], { input, env })
const inside = (name: string, line: string): Promise<string> => succeeds(cell, ['exec', name, 'sh', '-c', line])

describe('S13 runAsNonRoot', () => {
  const security = { securityContext: { runAsNonRoot: true } }
  const users: Record<string, RegExp | string> = {
    ...{ '': /image's user is "root"/, '0': /user is "0"/, '00': /user is "00"/, root: /user is "root"/ },
    ...{ '0:1000': /user is "0:1000"/, toor: /user is "toor"/, '+0': /no user "\+0"/, '4294967296': /is above/ },
    ...{ '-1': /no user "-1"/, '1000:0': '1000 0', app: '1000 1000' },
  }

  // shows: SecurityContext.runAsNonRoot PodSecurityContext.runAsNonRoot
  test('starts only what is proven to be somebody else than root, also when it is started again', async () => {
    const names = Object.keys(users)
    const script = 'echo $(id -u) $(id -g); exit 1'
    const containers = names.map(user =>
      container(nameOf(user), `localhost/hostile-user-${nameOf(user)}`, { command: ['sh', '-c', script] }),
    )
    const { exitCode, stderr } = await play(pod('users', containers, { ...security, restartPolicy: 'OnFailure' }))
    expect(exitCode).toBe(125)
    for (const [user, outcome] of Object.entries(users)) {
      const name = `users-${nameOf(user)}`
      if (typeof outcome !== 'string') {
        expect(stderr.split('\n').find(line => line.startsWith(`${name}:`))).toMatch(outcome)
        expect(await succeeds(cell, ['logs', name])).toBe('')
      } else {
        // Its second run, after the first one failed, is that of the same user.
        const log = await eventually(
          () => succeeds(cell, ['logs', name]),
          text => text.split('\n').length > 2,
        )
        expect([...new Set(log.trim().split('\n'))]).toEqual([outcome])
      }
    }
    const own = await play(pod('own', [container('main', 'localhost/hostile-users', security)]))
    expect([own.exitCode, own.stderr]).toEqual([125, expect.stringContaining('runAsNonRoot is set')])
  })
})

describe('S12 groups', () => {
  type Wish = { runAsUser?: number; runAsGroup?: number }
  const wishes: Wish[] = [
    {},
    { runAsUser: 1000 },
    { runAsUser: 1000, runAsGroup: 7 },
    { runAsUser: 5 },
    { runAsGroup: 7 },
  ]
  const nameFor = ({ runAsUser, runAsGroup }: Wish): string => `u${runAsUser ?? ''}g${runAsGroup ?? ''}`
  const wanted: Record<string, string[]> = {
    'Merge ': ['0', '1000 63 77', '7 63 77', '0', '7'],
    'Merge 500,63': ['0 500 63', '1000 63 77 500', '7 63 77 500', '0 500 63', '7 500 63'],
    'Strict ': ['0', '1000', '7', '0', '7'],
    'Strict 500,63': ['0 500 63', '1000 500 63', '7 500 63', '0 500 63', '7 500 63'],
  }

  test('are exactly those of the manifest and, merged, of the image, and cannot be left', async () => {
    const pods = Object.keys(wanted).map((key, index) => {
      const [policy, list = ''] = key.split(' ')
      const supplementalGroups = list.split(',').filter(Boolean).map(Number)
      const containers = wishes.map(wish =>
        container(nameFor(wish), 'localhost/hostile-users', { securityContext: wish }),
      )
      return pod(`p${index}`, containers, { securityContext: { supplementalGroupsPolicy: policy, supplementalGroups } })
    })
    expect(await play(pods.join('\n---\n'))).toMatchObject({ exitCode: 0 })
    const sorted = (text: string): string => text.replace('Groups:', '').trim().split(' ').sort().join(' ')
    for (const [index, [key, groups]] of Object.entries(wanted).entries()) {
      for (const [at, wish] of wishes.entries()) {
        const seen = await inside(`p${index}-${nameFor(wish)}`, 'id -G; grep ^Groups /proc/1/status')
        const want = sorted(groups[at] ?? '')
        expect([key, wish, ...seen.trim().split('\n').map(sorted)]).toEqual([key, wish, want, want])
      }
    }
    // Who is in a group that must not read a file cannot get out of it.
    expect(await inside('p0-u1000g', 'cat /kept-out 2>&1 || true')).toMatch(/Permission denied/)
    expect(await inside('p2-u1000g', 'cat /kept-out')).toBe('secret')
  })
})

test('S05 a working directory over a link makes nothing outside, and neither does one that is swapped before a restart', async () => {
  const swap = `rm -rf /w; ln -s ${OUT} /w; [ -e /seen ] && exec sleep 100000; touch /seen; exit 1`
  const containers = [
    container('image', 'localhost/hostile-work'),
    container('swaps', DEMO_IMAGE, { workingDir: '/w/deep/er', command: ['sh', '-c', swap] }),
  ]
  await play(pod('work', containers, { restartPolicy: 'OnFailure' }))
  await eventually(
    () => succeeds(cell, ['ps', '-a', '--filter', 'name=work-swaps', '--format', '{{.Restarts}} {{.State}}']),
    text => !text.startsWith('0 '),
  )
  for (const where of ['/w/deep', `/w`]) await tspod(cell, ['exec', '-w', where, 'work-swaps', 'touch', 'made'])
})

test('S33 volumes of an image stay inside it, and a volume with something in it is left as it is', async () => {
  const claim = JSON.stringify({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'kept' } })
  await play(claim)
  await cell.sh('mkdir -p -m 700 /var/lib/tspod/volumes/kept/_data; echo mine >/var/lib/tspod/volumes/kept/_data/file')
  const mounts = { volumeMounts: [{ name: 'kept', mountPath: '/linked' }] }
  const volumes = [{ name: 'kept', persistentVolumeClaim: { claimName: 'kept' } }]
  const played = await play(pod('volumes', [container('main', 'localhost/hostile-volumes', mounts)], { volumes }))
  expect([0, 125]).toContain(played.exitCode)
  if (played.exitCode === 0) expect(await inside('volumes-main', 'cat /linked/file')).toBe('mine\n')
  expect((await cell.sh('cat /var/lib/tspod/volumes/kept/_data/file')).stdout).toBe('mine\n')
  await takeDownAll(cell)
  await succeeds(cell, ['kube', 'down', '--force', '-'], { input: claim })
})

test('S34 links of an image where files are managed lead nowhere outside', async () => {
  const played = await play(pod('links', [container('main', 'localhost/hostile-links')]))
  expect(played).toMatchObject({ exitCode: 0 })
  const look =
    'cat /etc/hosts; cat /etc/hostname; ls /run/secrets 2>&1; cat /etc/mtab 2>&1; cat /run/secrets/canary 2>&1; true'
  const seen = await inside('links-main', look)
  expect(seen).toContain('localhost')
  expect(seen).toMatch(/^links$/m)
  expect(seen).not.toContain('untouched')
  expect((await cell.sh(`grep -c ${TRAP} /proc/self/mountinfo`)).stdout).toBe('0\n')
})

test('S16 nothing of the caller’s environment gets inside, whatever the image asks for', async () => {
  const canaries = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`CANARY_${index}`, `planted-${index}`]))
  const played = await play(pod('env', [container('main', 'localhost/hostile-environment')]), canaries)
  expect([played.exitCode, played.stderr].join(' ')).not.toContain('planted')
  if (played.exitCode !== 0) {
    expect(played.stderr).toMatch(/CANARY_1/)
    return
  }
  const names = (text: string): string[] =>
    text
      .split('\0')
      .filter(Boolean)
      .map(entry => entry.replace(/=.*/s, ''))
      .sort()
  const own = names(await inside('env-main', 'cat /proc/1/environ'))
  expect(own.filter(name => !['HOME', 'HOSTNAME', 'OWN', 'PATH', 'TERM', 'container'].includes(name))).toEqual([])
  expect(await inside('env-main', 'env | grep -c planted || true')).toBe('0\n')
  // Helpers that stay have no more than they need.
  const helpers = await cell.sh(
    "for p in $(pgrep -x 'conmon|aardvark-dns|timekeeper'); do tr '\\0' '\\n' </proc/$p/environ | cut -d= -f1; done | sort -u",
  )
  const allowed = [
    'CONMON_LOG',
    'HOME',
    'LANG',
    'PATH',
    'RUST_LOG',
    'XDG_RUNTIME_DIR',
    '_OCI_STARTPIPE',
    '_OCI_SYNCPIPE',
    '_OCI_ATTACHPIPE',
  ]
  expect(helpers.stdout.split('\n').filter(name => name !== '' && !allowed.includes(name))).toEqual([])
})

test('S17 what an image says to other programs is not said to the runtime', async () => {
  expect(await play(pod('labels', [container('main', 'localhost/hostile-labels')]))).toMatchObject({ exitCode: 0 })
  const path = (await succeeds(cell, ['inspect', '--format', '{{.OCIConfigPath}}', 'labels-main'])).trim()
  const config = JSON.parse((await cell.sh(`cat ${path}`)).stdout) as { annotations?: object; hooks?: unknown }
  expect(config.hooks).toBeUndefined()
  expect(Object.keys(config.annotations ?? {}).filter(key => !key.startsWith('io.tspod.'))).toEqual([])
  expect(JSON.stringify(config)).not.toMatch(/evil|loguri|vendor\.com|wasm/)
  const [runtime, signal] = ['{{.OCIRuntime}}', '{{.Config.StopSignal}}']
  expect((await succeeds(cell, ['inspect', '--format', `${runtime} ${signal}`, 'labels-main'])).trim()).toMatch(
    /^(crun|runc) (SIGUSR2|12)$/,
  )
})
