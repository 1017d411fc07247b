/** What manifests say about volumes, names and variables, as the containers of played pods see it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, readyCell, succeeds, takeDownAll, tspod, WAIT_COMMAND } from '../../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const MAIN = { name: 'main', image: DEMO_IMAGE, command: ['sh', '-c', WAIT_COMMAND] }

/** A pod named `web` with labels and annotations; what is given goes into its container and its spec. */
function webPod(container: object, spec: object, metadata: object = {}): string {
  const about = { name: 'web', labels: { app: 'web', tier: 'front' }, annotations: { note: 'two\nlines' }, ...metadata }
  const containers = [{ ...MAIN, ...container }]
  const pod = { terminationGracePeriodSeconds: 1, containers, ...spec }
  return `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: about, spec: pod })}\n`
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

describe('an expression in a subPath', () => {
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
