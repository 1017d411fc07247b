/** Hostile manifests, played: what they leave of the files others read, of the host's parameters, of filters, of secrets. */
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, readyCell, succeeds, takeDownAll, tspod, WAIT_COMMAND } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const object = (kind: string, name: string, rest: object, metadata: object = {}): string =>
  `---\n${JSON.stringify({ apiVersion: 'v1', kind, metadata: { name, ...metadata }, ...rest })}\n`
const pod = (name: string, container: object, spec: object = {}, metadata: object = {}): string => {
  const main = { name: 'main', image: DEMO_IMAGE, command: ['sh', '-c', WAIT_COMMAND], ...container }
  const whole = { terminationGracePeriodSeconds: 1, restartPolicy: 'Never', containers: [main], ...spec }
  return object('Pod', name, { spec: whole }, metadata)
}
const play = (input: string, ...flags: string[]) => tspod(cell, ['kube', 'play', ...flags, '-'], { input })
const inside = (name: string, line: string): Promise<string> => succeeds(cell, ['exec', name, 'sh', '-c', line])

test('S14 what variables, labels and annotations say stays out of the files that others read', async () => {
  const lines = 'x\nroot2::0:0:::/bin/sh\r\nnameserver 192.0.2.66\n192.0.2.66 evil'
  const files = '/etc/passwd /etc/group /etc/hosts /etc/hostname /etc/resolv.conf'
  expect(await play(pod('plain', {}))).toMatchObject({ exitCode: 0 })
  const env = ['HOME', 'HOSTNAME', 'USER', 'RES_OPTIONS'].map(name => ({ name, value: lines }))
  expect(await play(pod('lines', { env }, {}, { annotations: { note: lines } }))).toMatchObject({ exitCode: 0 })
  const [plain, written] = [await inside('plain-main', `cat ${files}`), await inside('lines-main', `cat ${files}`)]
  const names = (text: string): string =>
    text.replaceAll(/\b(plain|lines)\b/g, 'NAME').replaceAll(/^10\.[\d.]+/gm, 'IP')
  expect(names(written)).toBe(names(plain))
  expect(await inside('lines-main', 'printf %s "$HOME"')).toBe(lines)
})

describe('S18 kernel parameters', () => {
  const securityContext = {
    sysctls: [
      { name: 'net.ipv4.tcp_fin_timeout', value: '31' },
      { name: 'net.ipv4.ip_unprivileged_port_start', value: '7' },
      { name: 'kernel.shm_rmid_forced', value: '1' },
      { name: 'kernel.msgmax', value: '8000' },
      { name: 'fs.mqueue.msg_max', value: '11' },
    ],
  }
  const allowed = ['--allowed-unsafe-sysctls', 'kernel.msg*,fs.mqueue.*']
  /** Everything that can be set, but for what counts or measures. */
  const ofHost = async (): Promise<string> =>
    (
      await cell.sh(
        "sysctl -a 2>/dev/null | grep -vE 'random|quota|_stat|-nr|nr_|dentry-state|netns|conntrack_count|inode-state|\\.(eth0|lo|uplink|veth[a-z0-9]*|tspod[a-z0-9]*)\\.|cpu|sched|ip_forward|forwarding|ns_last_pid|max_newidle|route_localnet|perf' | sort",
      )
    ).stdout

  test('are those of the pod, and the host keeps its own', async () => {
    const before = await ofHost()
    expect(before.split('\n').length).toBeGreaterThan(300)
    expect(await play(pod('set', {}, { securityContext }), ...allowed)).toMatchObject({ exitCode: 0 })
    const paths = securityContext.sysctls.map(({ name }) => `/proc/sys/${name.replaceAll('.', '/')}`)
    expect(await inside('set-main', `cat ${paths.join(' ')}`)).toBe('31\n7\n1\n8000\n11\n')
    expect(await ofHost()).toBe(before)
  })

  test('are refused in the network of the host, which a flag may say as well', async () => {
    const before = await ofHost()
    const { exitCode } = await play(pod('flag', {}, { securityContext }), ...allowed, '--network', 'host')
    expect(exitCode).toBe(125)
    expect(await ofHost()).toBe(before)
  })
})

describe('S24 seccomp', () => {
  const filtered = 'grep ^Seccomp: /proc/self/status'
  test('is on for every container and for what is executed in it', async () => {
    const init = { name: 'first', image: DEMO_IMAGE, command: ['sh', '-c', filtered] }
    const input = pod('on', { command: ['sh', '-c', `${filtered}; ${WAIT_COMMAND}`] }, { initContainers: [init] })
    expect(await play(input)).toMatchObject({ exitCode: 0 })
    expect(await inside('on-main', filtered)).toBe('Seccomp:\t2\n')
    for (const name of ['on-main', 'on-first']) {
      const logs = await eventually(
        async () => (await tspod(cell, ['logs', name])).stdout,
        text => text !== '' || name === 'on-first',
      )
      if (logs !== '') expect(logs).toBe('Seccomp:\t2\n')
    }
  })

  const profiles: Record<string, string> = {
    'is not there': 'true',
    'is empty': ': >/tmp/profiles/own.json',
    'is no JSON': 'echo unconfined >/tmp/profiles/own.json',
    'is an empty object': 'echo {} >/tmp/profiles/own.json',
    'is a directory': 'mkdir /tmp/profiles/own.json',
    'would let everything through by a wrong word': 'echo \'{"defaultAction": "ALLOW"}\' >/tmp/profiles/own.json',
  }
  test.each(Object.entries(profiles))('with a profile that %s nothing is started', async (_, make) => {
    await cell.sh(`mkdir -p /tmp/profiles; rm -rf /tmp/profiles/*; ${make}`)
    const securityContext = { seccompProfile: { type: 'Localhost', localhostProfile: 'own.json' } }
    const { exitCode, stderr } = await play(pod('own', { securityContext }), '--seccomp-profile-root', '/tmp/profiles')
    expect(exitCode).toBe(125)
    expect(stderr).toMatch(/seccomp/)
    expect(await succeeds(cell, ['ps', '-q'])).toBe('')
  })
})

describe('S20 twenty secrets', () => {
  const secrets = Array.from({ length: 20 }, () => randomBytes(12).toString('hex'))
  const keys = secrets.map((_, index) => `k${index}`)
  const data = Object.fromEntries(keys.map((key, index) => [key, secrets[index] ?? '']))
  const base64 = Object.fromEntries(keys.map(key => [key, Buffer.from(data[key] ?? '').toString('base64')]))
  const documents = object('Secret', 'clear', { stringData: data }) + object('Secret', 'coded', { data: base64 })
  const env = keys.map(key => ({ name: key, valueFrom: { secretKeyRef: { name: 'clear', key } } }))
  const volumes = [
    { name: 'files', secret: { secretName: 'coded' } },
    { name: 'mixed', projected: { sources: [{ secret: { name: 'clear' } }] } },
  ]
  const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }))
  const words = [...secrets, ...Object.values(base64)]
  const pattern = words.join('|')

  test('are only where they have to be, also when something fails because of them', async () => {
    const shown: string[] = []
    const look = async (...argv: string[]): Promise<void> => {
      const { stdout, stderr } = await tspod(cell, ['--log-level', 'debug', ...argv])
      shown.push(stdout, stderr)
    }
    const using = { env, args: ['x', ...keys.map(key => `$(${key})`)], volumeMounts }
    const good = documents + pod('good', using, { volumes })
    const wrong: Record<string, object> = {
      program: { ...using, command: ['$(k0)'] },
      directory: { ...using, command: ['sh'], workingDir: '/etc/passwd/x' },
      part: { ...using, volumeMounts: [{ name: 'files', mountPath: '/f', subPathExpr: '../$(k1)' }] },
      mount: { ...using, volumeMounts: [{ name: 'files', mountPath: '/f', subPathExpr: 'no/$(k2)' }] },
      ends: { ...using, command: ['sh', '-c', 'exit 3', '$(k3)'] },
    }
    for (const [name, container] of Object.entries({ good: using, ...wrong })) {
      const input = name === 'good' ? good : pod(name, container, { volumes })
      const { stdout, stderr } = await tspod(cell, ['--log-level', 'debug', 'kube', 'play', '-'], { input })
      shown.push(stdout, stderr)
    }
    expect(await inside('good-main', 'cat /files/k0 /mixed/k19; echo $k7')).toBe(
      `${secrets[0]}${secrets[19]}${secrets[7]}\n`,
    )
    for (const name of Object.keys(wrong)) await look('inspect', `${name}-main`)
    for (const argv of [
      ['events', '--stream=false'],
      ['ps', '-a', '--no-trunc'],
      ['ps', '-a', '--format', 'json'],
      ['pod', 'ps', '--format', 'json'],
    ])
      await look(...argv)
    for (const argv of [
      ['inspect', 'good-main'],
      ['pod', 'inspect', 'good'],
      ['logs', 'good-main'],
      ['kube', 'generate', 'good'],
      ['system', 'fsck'],
      ['info'],
      ['container', 'restart', 'good-main'],
    ])
      await look(...argv)
    expect(words.filter(word => shown.some(text => text.includes(word)))).toEqual([])
    const found = await cell.sh(
      `grep -rlaEs '${pattern}' /var/lib/tspod /run /var/log /etc /tmp --exclude-dir=checkout | xargs -r stat -c '%a %n'`,
    )
    const allowed =
      /^(600 \/var\/lib\/tspod\/(state\.db(-wal)?|records\/\w+\.json)|600 \/run\/tspod\/.*\/(config\.json|runtime\.log)|644 \/run\/tspod\/pods\/\w+\/volumes\/(files|mixed)\/\.\.\w+\/k\d+)$/
    expect(
      found.stdout
        .trim()
        .split('\n')
        .filter(hit => !allowed.test(hit)),
    ).toEqual([])
    const core =
      "for p in $(pgrep -f '^sh -c trap'); do grep 'core file' /proc/$p/limits; done | awk '{print $5, $6}' | sort -u"
    expect((await cell.sh(core)).stdout).toMatch(/^0 0\n/)
    await succeeds(cell, ['kube', 'down', '--force', '-'], { input: good })
    await takeDownAll(cell)
    const left = await cell.sh(`grep -rlaEs '${pattern}' /run/tspod /var/log; true`)
    expect(left.stdout).toBe('')
  })
})
