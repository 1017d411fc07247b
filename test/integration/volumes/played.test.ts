/** What manifests say about volumes, names and variables, as the containers of played pods see it. */
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

const MAIN = { name: 'main', image: DEMO_IMAGE, command: ['sh', '-c', WAIT_COMMAND] }

/** A pod named `web` with labels and annotations; what is given goes into its container and its spec. */
function webPod(container: object, spec: object, metadata: object = {}): string {
  const about = { labels: { app: 'web', tier: 'front' }, annotations: { note: 'two\nlines' }, ...metadata }
  const containers = [{ ...MAIN, ...container }]
  const pod = { terminationGracePeriodSeconds: 1, containers, ...spec }
  return specText('web', pod, about)
}
const data = (kind: 'ConfigMap' | 'Secret', name: string, values: Record<string, string>): string =>
  `---\n${JSON.stringify({ apiVersion: 'v1', kind, metadata: { name }, [kind === 'Secret' ? 'stringData' : 'data']: values })}\n`
const play = (input: string): Promise<string> => succeeds(cell, ['kube', 'play', '-'], { input })
const inside = (line: string): Promise<string> => succeeds(cell, ['exec', 'web-main', 'sh', '-c', line])

const CONFIG = data('ConfigMap', 'settings', { 'app.conf': 'one', shared: 'map' })
const SECRET = data('Secret', 'keys', { token: 'hunter2', shared: 'secret' })

describe('a pod with one of each', () => {
  const ofMain = { containerName: 'main' }
  const volumes = [
    {
      name: 'self',
      downwardAPI: {
        defaultMode: 0o440,
        items: [
          { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
          { path: 'deep/notes', fieldRef: { fieldPath: 'metadata.annotations' }, mode: 0o400 },
          { path: 'uid', fieldRef: { fieldPath: 'metadata.uid' } },
          { path: 'cpu', resourceFieldRef: { ...ofMain, resource: 'limits.cpu', divisor: '1m' } },
          { path: 'memory', resourceFieldRef: { ...ofMain, resource: 'limits.memory', divisor: '1Mi' } },
        ],
      },
    },
    {
      name: 'all',
      projected: {
        sources: [
          { configMap: { name: 'settings' } },
          { secret: { name: 'keys', items: [{ key: 'token', path: 'keys/token', mode: 0o400 }] } },
          { secret: { name: 'keys', items: [{ key: 'shared', path: 'shared' }] } },
          { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
        ],
      },
    },
    { name: 'tools', image: { reference: DEMO_IMAGE, pullPolicy: 'Never' } },
    { name: 'own', ephemeral: { volumeClaimTemplate: { metadata: { labels: { a: 'b' } }, spec: {} } } },
  ]
  const env = [
    { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'UID_', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
    { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
    { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    { name: 'DISK', valueFrom: { resourceFieldRef: { resource: 'limits.ephemeral-storage', divisor: '1Mi' } } },
    { name: 'CORES', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
    { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'keys', key: 'token' } } },
    { name: 'MADE', value: '<$(TOKEN)>' },
    { name: 'LITERAL', value: '$$(POD) $(NOBODY) $(POD)' },
  ]
  const volumeMounts = [
    { name: 'self', mountPath: '/self' },
    { name: 'all', mountPath: '/all' },
    { name: 'tools', mountPath: '/tools' },
    { name: 'tools', mountPath: '/tools-bin', subPath: 'bin' },
    { name: 'own', mountPath: '/own' },
    { name: 'own', mountPath: '/mine', subPathExpr: 'of/$(POD)' },
    { name: 'own', mountPath: '/look', readOnly: true, recursiveReadOnly: 'IfPossible' },
  ]
  const args = ['main', '--token=$(MADE)']
  const container = { env, volumeMounts, args, resources: { limits: { cpu: '500m' } } }
  const names = { hostname: 'front', subdomain: 'pages', setHostnameAsFQDN: true }
  const hostAliases = [{ ip: '192.0.2.7', hostnames: ['db', 'db.example.com'] }]
  const dnsConfig = { searches: ['example.com'], options: [{ name: 'ndots', value: '3' }] }
  const manifest = `${CONFIG}${SECRET}${webPod(container, { volumes, ...names, hostAliases, dnsConfig })}`

  test('sees files, variables and names as the kubelet makes them', () =>
    withLeakCheck(cell, async () => {
      await play(manifest)
      const pod = JSON.parse(await succeeds(cell, ['pod', 'inspect', 'web'])) as { Id: string }[] | { Id: string }
      const { Id: id } = Array.isArray(pod) ? (pod[0] as { Id: string }) : pod
      expect(
        await inside('cd /self; cat labels; echo; cat deep/notes; echo; cat uid cpu; stat -Lc " %a" labels deep/notes'),
      ).toBe(`app="web"\ntier="front"\nnote="two\\nlines"\n${id}500 440\n 400\n`)
      const total = Number((await cell.sh("awk '/MemTotal/{print $2}' /proc/meminfo")).stdout)
      expect(Math.abs(Number(await inside('cat /self/memory')) - total / 1024)).toBeLessThan(2)
      expect(await inside('cd /all; cat app.conf keys/token shared name; stat -Lc " %a" app.conf keys/token')).toBe(
        'onehunter2secretweb 644\n 400\n',
      )
      expect(
        await inside(
          '(touch /all/x; touch /tools/x; touch /self/x) 2>&1 | grep -c Read-only; /tools/bin/true 2>&1 | grep -o denied',
        ),
      ).toBe('3\ndenied\n')
      expect(
        await inside(
          'ls /tools-bin | grep -x sh; grep " /tools " /proc/self/mountinfo | grep -c "ro,nosuid,nodev,noexec"',
        ),
      ).toBe('sh\n1\n')
      expect(
        await inside('echo x >/mine/file; cat /own/of/web/file; (echo y >/look/file) 2>&1 | grep -o Read-only'),
      ).toBe('x\nRead-only\n')
      const address = (await inside('echo $IP')).trim()
      expect(await inside('echo "$POD $UID_ $NODE $CORES $MADE $LITERAL"')).toBe(
        `web ${id} ${(await cell.sh('hostname')).stdout.trim()} 1 <hunter2> $(POD) $(NOBODY) web\n`,
      )
      expect(Number(await inside('echo $DISK'))).toBeGreaterThan(100)
      expect(await inside('hostname; cat /etc/hostname; tail -n 4 /etc/hosts')).toBe(
        `front.pages.default.svc.cluster.local\nfront.pages.default.svc.cluster.local\n${address}\tfront.pages.default.svc.cluster.local\tfront\n\n# From hostAliases of the pod.\n192.0.2.7\tdb\tdb.example.com\n`,
      )
      expect(await inside('cat /etc/resolv.conf')).toMatch(
        /^search .*example\.com\n(nameserver .*\n)+options .*ndots:3\n$/,
      )
      expect((await cell.sh('ls /var/lib/tspod/volumes')).stdout).toBe('web-own\n')
      // The program has the secret in its arguments; what is kept of them for people has not.
      expect(await inside("tr '\\0' ' ' </proc/1/cmdline")).toContain('--token=<hunter2>')
      for (const look of [
        ['inspect', 'web-main'],
        ['pod', 'inspect', 'web'],
        ['ps', '-a', '--no-trunc'],
      ])
        expect(await succeeds(cell, look)).not.toContain('hunter2')
      // The same again after a restart, with what the claim held.
      await succeeds(cell, ['pod', 'restart', 'web'])
      expect(await inside('cat /mine/file /all/name; ls /tools-bin | grep -x sh')).toBe('x\nwebsh\n')
      expect(await succeeds(cell, ['system', 'fsck'])).not.toMatch(/root file system/)
      await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
      expect((await cell.sh('ls /var/lib/tspod/volumes')).stdout).toBe('')
    }))
})

test('a claim that is there already is not made the own of a pod', async () => {
  const claim = `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'web-own' } })}\n`
  await play(claim)
  const own = { name: 'own', ephemeral: { volumeClaimTemplate: { spec: {} } } }
  const { exitCode, stderr } = await tspod(cell, ['kube', 'play', '-'], { input: webPod({}, { volumes: [own] }) })
  expect([exitCode, stderr]).toEqual([125, expect.stringContaining('a volume with the name web-own exists already')])
  await succeeds(cell, ['kube', 'down', '--force', '-'], { input: claim })
})

describe('S22 an expression in a subPath', () => {
  const wrong: Record<string, [value: string, expression: string, says: string]> = {
    'leads out of the volume': ['../../etc', '$(AT)', 'leads out of the volume'],
    'comes to an absolute path': ['/etc', '$(AT)/x', 'comes to an absolute path'],
    'names nothing': ['x', 'of/$(NOBODY)', 'needs the variable NOBODY'],
  }
  for (const [name, [value, expression, says]] of Object.entries(wrong)) {
    test(`that ${name} is refused`, async () => {
      const volumeMounts = [{ name: 'own', mountPath: '/own', subPathExpr: expression }]
      const input = webPod(
        { env: [{ name: 'AT', value }], volumeMounts },
        { volumes: [{ name: 'own', emptyDir: {} }], restartPolicy: 'Never' },
      )
      const { exitCode, stderr } = await tspod(cell, ['kube', 'play', '-'], { input })
      expect([exitCode, stderr]).toEqual([125, expect.stringContaining(says)])
    })
  }
})

describe('S20 a secret', () => {
  const secret = `plant${Date.now()}`
  const encoded = Buffer.from(secret).toString('base64').replace(/=+$/, '')
  const valueFrom = { secretKeyRef: { name: 'planted', key: 'k' } }
  const volumes = [
    { name: 'plain', secret: { secretName: 'planted' } },
    { name: 'mixed', projected: { sources: [{ secret: { name: 'planted', items: [{ key: 'k', path: 'k2' }] } }] } },
  ]
  const volumeMounts = [
    { name: 'plain', mountPath: '/plain' },
    { name: 'mixed', mountPath: '/mixed' },
  ]
  const manifest = `${data('Secret', 'planted', { k: secret })}${webPod(
    { env: [{ name: 'K', valueFrom }], args: ['x', '$(K)'], volumeMounts },
    { volumes },
  )}`

  test('is where it has to be, for root alone, and nowhere else', async () => {
    const { stdout, stderr } = await tspod(cell, ['--log-level', 'debug', 'kube', 'play', '-'], { input: manifest })
    expect(await inside('cat /plain/k /mixed/k2')).toBe(secret + secret)
    const shown = [stdout, stderr]
    for (const look of [
      ['events', '--stream=false'],
      ['inspect', 'web-main'],
      ['pod', 'inspect', 'web'],
      ['logs', 'web-main'],
    ])
      shown.push((await tspod(cell, look)).stdout)
    expect(shown.filter(text => text.includes(secret) || text.includes(encoded))).toEqual([])
    const found = await cell.sh(
      `grep -rlEs '${secret}|${encoded}' /var/lib/tspod /run/tspod /var/log/tspod /etc | xargs -r stat -c '%a %n'`,
    )
    const hits = found.stdout.trim().split('\n')
    const allowed =
      /^(600 \/var\/lib\/tspod\/.*|600 \/run\/tspod\/.*\/config\.json|644 \/run\/tspod\/pods\/\w+\/volumes\/(plain|mixed)\/\.\.\w+\/k2?)$/
    expect(hits.filter(hit => !allowed.test(hit))).toEqual([])
    expect(hits.length).toBeGreaterThan(2)
    // What is above the files of volumes is closed to everybody else.
    expect((await cell.sh('stat -c %a /run/tspod/pods')).stdout).toBe('700\n')
    const own = await cell.sh(
      `for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '${secret}' && cat $p/comm; done; true`,
    )
    expect([...new Set(own.stdout.trim().split('\n'))].filter(name => !['sh', 'sleep'].includes(name))).toEqual([])
    await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
    const left = await cell.sh(`grep -rlEs '${secret}|${encoded}' /run/tspod; true`)
    expect(left.stdout).toBe('')
  })
})

describe('S01 a container that attacks its ConfigMap and its other files', () => {
  const volumes = [
    { name: 'config', configMap: { name: 'settings' } },
    { name: 'self', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
    { name: 'secret', secret: { secretName: 'planted-keys', items: [{ key: 'k', path: 'deep/app.conf' }] } },
    { name: 'mixed', projected: { sources: [{ configMap: { name: 'settings' } }] } },
    { name: 'scratch', emptyDir: {} },
  ]
  const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }))
  const attack = `while :; do for d in /config /self /secret /mixed; do for k in app.conf shared deep deep/app.conf ..data name new; do
    rm -rf $d/$k; ln -sfn /etc/canary $d/$k; ln -sfn /etc $d/$k; ln -sfn /nowhere $d/$k; mkfifo $d/$k; ln -f /scratch/x $d/$k; mv /scratch $d/$k; mknod $d/$k c 1 3
    mount -o remount,rw $d; done; done; sleep 0.05; done 2>/dev/null`
  const text = (value: string): string =>
    `${data('Secret', 'planted-keys', { k: `${value}!` })}${data('ConfigMap', 'settings', { 'app.conf': value, shared: 'map', [`new${value}`]: 'x' })}${webPod(
      { command: ['sh', '-c', `(${attack}) & ${WAIT_COMMAND}`], volumeMounts },
      { volumes },
    )}`

  test('changes nothing, whatever is played over it', async () => {
    await cell.sh('echo untouched >/etc/canary')
    await play(text('one'))
    const look = 'cat /config/app.conf /mixed/app.conf /secret/deep/app.conf; ls /config | tr "\\n" " "; cat /self/name'
    for (const value of ['two', 'three', 'four']) {
      if (value === 'four') await succeeds(cell, ['kube', 'down', '-'], { input: text('three') })
      await succeeds(cell, ['kube', 'play', '--replace', '-'], { input: text(value) })
      expect(await inside(look)).toBe(`${value}${value}${value}!app.conf new${value} shared web`)
    }
    await succeeds(cell, ['pod', 'restart', 'web'])
    expect(await inside('cat /config/app.conf')).toBe('four')
    expect((await cell.sh('cat /etc/canary; stat -c %a /etc/canary; rm /etc/canary')).stdout).toBe('untouched\n644\n')
    await succeeds(cell, ['kube', 'down', '--force', '-'], { input: text('four') })
  })
})

describe('variables of a file that an init container wrote', () => {
  const fileKeyRef = (key: string, rest: object = {}) => ({
    name: key,
    valueFrom: { fileKeyRef: { volumeName: 'own', path: 'sub/a.env', key, ...rest } },
  })
  const volumes = [{ name: 'own', emptyDir: {} }]
  const writer = (line: string) => ({
    ...MAIN,
    name: 'writer',
    command: ['sh', '-c', line],
    volumeMounts: [{ name: 'own', mountPath: '/own' }],
  })

  // shows: EnvVarSource.fileKeyRef FileKeySelector.volumeName FileKeySelector.path FileKeySelector.key FileKeySelector.optional
  test('are read before the container is made, and it need not have the volume', async () => {
    const env = [fileKeyRef('A'), fileKeyRef('B', { optional: true }), { name: 'C', value: '<$(A)>' }]
    const line = `sleep 0.5; mkdir /own/sub; printf "%s\\n" "A='one" "deux'" >/own/sub/a.env`
    const input = webPod({ env }, { volumes, initContainers: [writer(line)] })
    await play(input)
    expect(await inside('echo "$A|$C|${B-none}"; ls /own 2>&1 | grep -c own')).toBe('one\ndeux|<one\ndeux>|none\n1\n')
    expect(await succeeds(cell, ['inspect', 'web-main'])).not.toContain('deux')
    await succeeds(cell, ['kube', 'down', '-'], { input })
  })

  test('never are what a planted link leads to', async () => {
    await cell.sh(`printf "A='canary'\\n" >/etc/canary.env`)
    const line = 'mkdir /own/sub; ln -s /etc/canary.env /own/sub/a.env'
    const spec = { volumes, restartPolicy: 'Never', initContainers: [writer(line)] }
    const input = webPod({ env: [fileKeyRef('A', { optional: true })] }, spec)
    const played = await tspod(cell, ['kube', 'play', '-'], { input })
    expect(played).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('a.env is a symbolic link') })
    expect(await succeeds(cell, ['inspect', 'web-main'])).not.toContain('canary')
    await succeeds(cell, ['kube', 'down', '-'], { input })
  })
})

test("Podman's annotations give a claim to a user, once", async () => {
  const annotations = { 'volume.podman.io/uid': '1234', 'volume.podman.io/gid': '4321' }
  const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'given', annotations } }
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'given' } }]
  const input = `---\n${JSON.stringify(claim)}\n${webPod({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }, { volumes })}`
  await play(input)
  expect(await inside('stat -c "%u %g %a" /v; chown 0:0 /v')).toBe('1234 4321 755\n')
  await succeeds(cell, ['pod', 'restart', 'web'])
  expect(await inside('stat -c "%u %g" /v')).toBe('0 0\n')
  await succeeds(cell, ['kube', 'down', '--force', '-'], { input })
})

test('an image is a volume for a pod with a user namespace too', async () => {
  const volumes = [{ name: 'tools', image: { reference: DEMO_IMAGE } }]
  const volumeMounts = [{ name: 'tools', mountPath: '/tools' }]
  const input = webPod({ volumeMounts }, { volumes, hostUsers: false })
  await play(input)
  expect(await inside('ls /tools/bin | grep -x sh; touch /tools/x 2>&1 | grep -o Read-only')).toBe('sh\nRead-only\n')
  await succeeds(cell, ['kube', 'down', '-'], { input })
})
