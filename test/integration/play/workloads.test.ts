import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import {
  containers,
  DEMO_IMAGE,
  pods,
  podText,
  readyCell,
  succeeds,
  takeDownAll,
  tspod,
  WAIT_COMMAND,
} from '../../support/tspod.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const names = async (): Promise<string[]> => (await pods(cell)).map(({ name }) => name).sort()

/** A workload of one container that waits for TERM. */
function workload(kind: string, name: string, spec: object): string {
  const template = {
    metadata: { labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [{ name: 'main', image: DEMO_IMAGE, command: ['sh', '-c', WAIT_COMMAND] }],
    },
  }
  const selector = { matchLabels: { app: name } }
  return `---\n${JSON.stringify({ apiVersion: 'apps/v1', kind, metadata: { name }, spec: { selector, template, ...spec } })}\n`
}

describe('the number of pods', () => {
  test('may be changed by --replace, and down takes whatever there was', () =>
    withLeakCheck(cell, async () => {
      const play = (replicas: number): Promise<string> =>
        succeeds(cell, ['kube', 'play', '--replace', '-'], { input: workload('Deployment', 'fan', { replicas }) })
      await play(3)
      expect(await names()).toEqual(['fan-pod', 'fan-pod-2', 'fan-pod-3'])
      await play(1)
      expect(await names()).toEqual(['fan-pod'])
      await play(2)
      // The manifest in hand may be an older or a newer one than the one that was played.
      await succeeds(cell, ['kube', 'down', '-'], { input: workload('Deployment', 'fan', { replicas: 0 }) })
      expect(await names()).toEqual([])
    }))
})

describe('a StatefulSet', () => {
  const sleepy = (script: string, init: string): string =>
    workload('StatefulSet', 'db', {
      replicas: 2,
      serviceName: 'db',
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }],
      template: {
        metadata: { labels: { app: 'db' } },
        spec: {
          terminationGracePeriodSeconds: 5,
          initContainers: [{ name: 'first', image: DEMO_IMAGE, command: ['sh', '-c', init] }],
          // What is printed to the log would go with the pod: the claims keep it.
          containers: [
            {
              name: 'main',
              image: DEMO_IMAGE,
              command: ['sh', '-c', script],
              volumeMounts: [{ name: 'data', mountPath: '/data' }],
            },
          ],
        },
      },
    })
  const stamp = (word: string): string => `read at rest </proc/uptime; echo ${word} $(hostname) $at >>/data/log`
  const script = `trap '${stamp('stopping')}; sleep 1; ${stamp('down')}; exit 0' TERM; ${stamp('up')}; sleep 3600 & wait`
  const log = async (): Promise<Map<string, number>> => {
    const lines = (await cell.sh('cat /var/lib/tspod/volumes/data-db-*/_data/log')).stdout.trim().split('\n')
    return new Map(lines.map(line => line.split(' ')).map(([word, host, at]) => [`${word} ${host}`, Number(at)]))
  }

  test('starts in order, stops the other way round, and keeps its claims until they are asked for', () =>
    withLeakCheck(cell, async () => {
      const manifest = sleepy(script, 'true')
      const played = await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
      expect(played).toMatch(/^Volumes:\ndata-db-0\ndata-db-1\nPod:/)
      expect(await names()).toEqual(['db-0', 'db-1'])
      // A program that is not yet ready for TERM would miss it.
      await cell.sh(
        'timeout 10 sh -c "until grep -q up /var/lib/tspod/volumes/data-db-1/_data/log; do sleep 0.1; done"',
      )
      // So do those that are named together, in whatever order.
      await succeeds(cell, ['pod', 'stop', 'db-0', 'db-1'])
      const second = await log()
      expect(second.get('stopping db-0')).toBeGreaterThanOrEqual(second.get('down db-1') ?? Number.POSITIVE_INFINITY)
      await succeeds(cell, ['pod', 'start', 'db-1', 'db-0'])
      await cell.sh(
        'timeout 10 sh -c "until [ \\$(grep -c up /var/lib/tspod/volumes/data-db-1/_data/log) = 2 ]; do sleep 0.1; done"',
      )
      const third = await log()
      expect(third.get('up db-1')).toBeGreaterThan(third.get('up db-0') ?? Number.POSITIVE_INFINITY)
      await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
      const first = await log()
      expect(first.get('up db-1')).toBeGreaterThan(first.get('up db-0') ?? 0)
      expect(first.get('stopping db-0')).toBeGreaterThanOrEqual(first.get('down db-1') ?? Number.POSITIVE_INFINITY)
      // The data is there again for the pod of the same name.
      await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
      const read = await succeeds(cell, ['exec', 'db-1-main', 'cat', '/data/log'])
      expect(read.match(/^up db-1/gm)).toHaveLength(3)
      const gone = await succeeds(cell, ['kube', 'down', '--force', '-'], { input: manifest })
      expect(gone).toMatch(/Volumes removed:\ndata-db-0\ndata-db-1\n$/)
    }))

  test('leaves those unstarted whose turn does not come', async () => {
    const manifest = sleepy(WAIT_COMMAND, '[ $(hostname) = db-1 ]')
    const { exitCode, stderr } = await tspod(cell, ['kube', 'play', '-'], { input: manifest })
    expect([exitCode, stderr]).toEqual([
      125,
      expect.stringContaining('db-1: it was not started, because db-0 is not up'),
    ])
    expect((await containers(cell)).find(({ name }) => name === 'db-1-main')?.state).toBe('created')
    await succeeds(cell, ['kube', 'down', '--force', '-'], { input: manifest })
  })
})

describe('a Service', () => {
  const nodePort = 18_030
  const service = (spec: object): string =>
    `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'shop' }, spec })}\n`
  const httpd = 'hostname >/tmp/index.html; exec httpd -f -p 8080 -h /tmp'
  const pod = { containers: [{ name: 'web', image: DEMO_IMAGE, command: ['sh', '-c', httpd] }] }
  const template = { metadata: { labels: { app: 'web' } }, spec: { ...pod, terminationGracePeriodSeconds: 1 } }
  const manifest = [
    service({
      type: 'NodePort',
      selector: { app: 'web' },
      ports: [{ port: 80, targetPort: 8080, nodePort }],
    }),
    workload('Deployment', 'web', { replicas: 3, template }),
    podText('client'),
  ].join('')
  const client = (line: string): Promise<string> => succeeds(cell, ['exec', 'client-c1', 'sh', '-c', line])

  test('is a name that leads to all its pods, a port of the host and variables', () =>
    withLeakCheck(cell, async () => {
      await succeeds(cell, ['kube', 'play', '-'], { input: manifest })
      const addresses = (await pods(cell)).filter(({ name }) => name.startsWith('web')).flatMap(({ ips }) => ips)
      for (const name of ['shop', 'shop.default', 'shop.default.svc', 'shop.default.svc.cluster.local']) {
        const answer = await client(`nslookup ${name} | sed -n '/^Name/,$p'`)
        expect(answer.match(/\d+\.\d+\.\d+\.\d+/g)?.sort()).toEqual(addresses.toSorted())
      }
      expect(await client('wget -qO- "http://$SHOP_SERVICE_HOST:$SHOP_SERVICE_PORT/"')).toMatch(/^web-pod/)
      const fromHost = await cell.sh(
        `wget -qO- http://192.0.2.10:${nodePort}/ || curl -s http://192.0.2.10:${nodePort}/`,
      )
      expect(fromHost.stdout).toBe('web-pod\n')
      // Who no longer serves is no longer named.
      await succeeds(cell, ['pod', 'stop', 'web-pod-2'])
      // The file that is served, and not an answer: aardvark-dns 1.4 sometimes answers nothing after a reload.
      const served = (await cell.sh('cat /run/tspod/net/aardvark-dns/tspod')).stdout.split('\n')
      const answering = served.filter(line => line.includes(',shop,')).map(line => /\S+ \S+ +([^,]+)/.exec(line)?.[1])
      expect(answering.sort()).toEqual(['web-pod', 'web-pod-3'])
      await succeeds(cell, ['kube', 'down', '-'], { input: manifest })
    }))
})
