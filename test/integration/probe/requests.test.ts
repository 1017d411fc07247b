/** What servers see of probes and hooks that are sent to them, and what is made of their answers. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { type Place, program } from '../../support/place.ts'
import { probing, shell } from '../../support/probing.ts'
import { readyCell, specText, succeeds, takeDownAll, tspod, WAIT_COMMAND } from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

const AT = '/tmp/asked-server'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
  const key = `openssl req -x509 -newkey rsa:2048 -nodes -keyout ${AT}/key.pem -out ${AT}/cert.pem -days 2 -subj /CN=x`
  await cell.sh(`mkdir -p ${AT} && ${key}`)
  await cell.sh(`setsid ${program(cell, 'test/support/asked-server.ts', AT).join(' ')} >${AT}/log 2>&1 </dev/null &`)
  await eventually(
    async () =>
      (await cell.sh('wget -q -O - http://127.0.0.1:18080/ok || busybox wget -q -O - http://127.0.0.1:18080/ok'))
        .stdout,
    text => text === 'said',
  )
}, 90_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const { play, ready, told, container } = probing(() => cell)

type Asked = { secure?: boolean; url?: string; headers?: Record<string, string>; grpc?: string; service?: string }

const asked = async (): Promise<Asked[]> =>
  (await cell.sh(`cat ${AT}/asked`)).stdout
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Asked)

const FAST = { periodSeconds: 1, failureThreshold: 1 }
const there = { host: '127.0.0.1' }

// shows: HTTPGetAction.host HTTPGetAction.scheme HTTPGetAction.httpHeaders HTTPHeader.name HTTPHeader.value
// shows: Probe.grpc GRPCAction.port GRPCAction.service TCPSocketAction.host Probe.initialDelaySeconds
// shows: Probe.successThreshold
test('S30 requests of probes say who they are, go no further than their host, and read no endless answers', async () => {
  const http = (name: string, get: object, more: object = {}): object =>
    shell(name, WAIT_COMMAND, { readinessProbe: { httpGet: { ...there, port: 18_080, ...get }, ...FAST, ...more } })
  const httpHeaders = [
    { name: 'Host', value: 'shop.example' },
    { name: 'X-Probe', value: 'one' },
    { name: 'Accept', value: '' },
  ]
  await play('asks', [
    http('headers', { path: '/ok?named', httpHeaders }),
    http('secure', { path: '/ok?secure', port: 18_443, scheme: 'HTTPS' }),
    http('endless', { path: '/ok?endless' }),
    http('back', { path: '/back' }),
    http('away', { path: '/away' }),
    shell('tcp', WAIT_COMMAND, { readinessProbe: { tcpSocket: { ...there, port: 18_080 }, ...FAST } }),
    // Not ready:
    http('round', { path: '/round' }),
    http('later', { path: '/ok?later' }, { initialDelaySeconds: 600 }),
    http('often', { path: '/ok?often' }, { successThreshold: 1000 }),
    http('plain', { path: '/ok', scheme: 'HTTPS' }),
  ])
  await eventually(
    () => ready('asks'),
    now => now === 6,
    30_000,
  )
  const all = await asked()
  const named = all.find(({ url }) => url === '/ok?named')?.headers
  expect(named).toMatchObject({ host: 'shop.example', 'x-probe': 'one', connection: 'close' })
  expect(named).not.toHaveProperty('accept')
  expect(named?.['user-agent']).toMatch(/^kube-probe\//)
  const secure = all.find(({ url }) => url === '/ok?secure')
  expect(secure).toMatchObject({ secure: true, headers: { host: '127.0.0.1:18443', accept: '*/*' } })
  expect(all.find(({ url }) => url === '/ok?later')).toBe(undefined)
  const events = await eventually(told, text => text.includes('stopped after 10 redirects'))
  expect(events).toMatch('ProbeWarning: Readiness probe warning: Probe terminated redirects, Response body: said')
}, 90_000)

test('the health service of gRPC is asked by name, and only SERVING is good', async () => {
  const grpc = (name: string, service: string): object =>
    shell(name, WAIT_COMMAND, { readinessProbe: { grpc: { port: 19_000, service }, ...FAST } })
  await play('rpc', [grpc('good', 'shop'), grpc('down', 'down'), grpc('none', 'none')], { hostNetwork: true })
  await eventually(
    () => ready('rpc'),
    now => now === 1,
    30_000,
  )
  expect(await asked()).toContainEqual({ grpc: '/grpc.health.v1.Health/Check', service: 'shop' })
  const events = await eventually(told, text => text.includes('does not implement'))
  expect(events).toMatch('Readiness probe failed: service unhealthy (responded with "NOT_SERVING")')
}, 90_000)

test('a pod without a network has probes that cannot be made, and says why', async () => {
  const readinessProbe = { tcpSocket: { port: 80 }, ...FAST }
  const input = specText('alone', { containers: [shell('c', WAIT_COMMAND, { readinessProbe })] })
  await succeeds(cell, ['kube', 'play', '--network', 'none', '-'], { input })
  await eventually(told, text => text.includes('Unhealthy: Readiness probe errored: the pod has no network'))
  expect(await ready('alone')).toBe(0)
}, 60_000)

// shows: LifecycleHandler.httpGet
test('hooks send requests, whatever the answer is, without TLS where the server has none', async () => {
  const lifecycle = {
    postStart: { httpGet: { ...there, port: 18_080, path: '/bad?postStart', scheme: 'HTTPS' } },
    preStop: { httpGet: { ...there, port: 18_443, path: '/bad?preStop', scheme: 'HTTPS' } },
  }
  await play('called', [shell('c', WAIT_COMMAND, { lifecycle })])
  expect(await container('called-c')).toMatchObject({ ready: true, restarts: 0 })
  await succeeds(cell, ['pod', 'stop', 'called'])
  const all = await asked()
  expect(all.find(({ url }) => url === '/bad?postStart')).toMatchObject({ secure: false })
  const last = all.find(({ url }) => url === '/bad?preStop')
  expect(last).toMatchObject({ secure: true })
  expect(last?.headers?.['user-agent']).toMatch(/^kube-lifecycle\//)
  expect(await told()).toMatch('LifecycleHTTPFallback: ')
  const nobody = { postStart: { httpGet: { ...there, port: 9, path: '/' } } }
  const input = specText('calls', {
    restartPolicy: 'Never',
    containers: [shell('c', WAIT_COMMAND, { lifecycle: nobody })],
  })
  expect((await tspod(cell, ['kube', 'play', '-'], { input })).stderr).toMatch(
    'postStart hook of container calls-c failed',
  )
}, 90_000)
