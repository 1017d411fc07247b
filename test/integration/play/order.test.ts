import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import {
  containers,
  DEMO_IMAGE,
  example,
  pods,
  readyCell,
  succeeds,
  takeDownAll,
  WAIT_COMMAND,
} from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

const PORT = 18_080
let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterAll(() => cell?.remove())

const container = (name: string, script: string): Record<string, unknown> => ({
  name,
  image: DEMO_IMAGE,
  command: ['sh', '-c', script],
})

test('a sidecar serves on its published port and under its name, while a container beside it runs', () =>
  withLeakCheck(cell, async () => {
    const serve = `mkdir /tmp/www; echo from-the-sidecar > /tmp/www/page; exec httpd -f -p ${PORT} -h /tmp/www`
    const spec = {
      terminationGracePeriodSeconds: 1,
      initContainers: [
        {
          ...container('proxy', serve),
          restartPolicy: 'Always',
          ports: [{ containerPort: PORT, hostPort: PORT }],
        },
      ],
      containers: [container('main', WAIT_COMMAND)],
    }
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'beside' }, spec })
    await succeeds(cell, ['kube', 'play', '-'], { input })
    expect((await containers(cell)).map(({ state }) => state)).toEqual(['running', 'running'])
    const ask = async (): Promise<string> => (await cell.exec(['curl', '-s', `http://127.0.0.1:${PORT}/page`])).stdout
    expect(await eventually(ask, page => page !== '')).toBe('from-the-sidecar\n')
    const byName = ['exec', 'beside-main', 'wget', '-q', '-O-', `http://proxy:${PORT}/page`]
    expect(await succeeds(cell, byName)).toBe('from-the-sidecar\n')
    expect(await pods(cell)).toMatchObject([{ ports: [{ hostPort: PORT }] }])
    await takeDownAll(cell)
  }))

test('containers start behind what they depend on, and the sidecar before them all', () =>
  withLeakCheck(cell, async () => {
    await succeeds(cell, ['kube', 'play', example(cell, '09-sidecar-and-order.yaml')])
    const listed = JSON.parse(await succeeds(cell, ['ps', '-a', '--format', 'json'])) as {
      name: string
      started: string
    }[]
    const order = listed.toSorted((a, b) => a.started.localeCompare(b.started)).map(({ name }) => name)
    expect(order).toEqual(['ordered-log', 'ordered-db', 'ordered-cache', 'ordered-web'])
    await takeDownAll(cell)
  }))
