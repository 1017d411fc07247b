import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals'
import { parseAllDocuments } from 'yaml'
import { sharedWith } from '../../support/cell.ts'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, readyCell, succeeds, takeDownAll, tspod, WAIT_COMMAND } from '../../support/tspod.ts'

jest.setTimeout(120_000)

let cell: Place
let directory: string
beforeAll(async () => {
  cell = await readyCell()
  directory = sharedWith(cell)
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

const MANIFEST = `
apiVersion: v1
kind: ConfigMap
metadata: { name: words }
data: { greeting: "yes" }
---
apiVersion: v1
kind: Secret
metadata: { name: key }
stringData: { value: do-not-print-me }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: records, annotations: { why: kept } }
---
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { tier: front }, annotations: { note: hello } }
spec:
  terminationGracePeriodSeconds: 3
  nodeSelector: { disk: ssd }
  volumes:
    - { name: words, configMap: { name: words } }
    - { name: records, persistentVolumeClaim: { claimName: records } }
  containers:
    - name: main
      image: ${DEMO_IMAGE}
      command: [sh, -c, "${WAIT_COMMAND}"]
      ports: [{ containerPort: 80 }]
      env:
        - { name: KEY, valueFrom: { secretKeyRef: { name: key, key: value } } }
        - { name: GREETING, valueFrom: { configMapKeyRef: { name: words, key: greeting } } }
      resources: { limits: { memory: 64Mi } }
      volumeMounts: [{ name: words, mountPath: /words }, { name: records, mountPath: /records }]
`

/** What the pod is, without where its YAML came from. */
async function specOf(pod: string): Promise<object> {
  const [{ spec }] = JSON.parse(await succeeds(cell, ['pod', 'inspect', pod])) as [{ spec: Record<string, unknown> }]
  const { origin: _, ...rest } = spec
  return rest
}

const play = (text: string, ...args: string[]) => succeeds(cell, ['kube', 'play', ...args, '-'], { input: text })
const objects = (text: string) => parseAllDocuments(text).map(document => document.toJSON() as Record<string, unknown>)

test('what is printed makes an equal pod: with flags of the play and limits changed later, without values of secrets', async () => {
  await play(MANIFEST, '--publish', '18081:80')
  await succeeds(cell, ['update', '--memory', '32m', '--cpus', '0.5', 'web-main'])
  const text = await succeeds(cell, ['kube', 'generate', 'web'])
  expect(text).not.toContain('do-not-print-me')
  expect(text).not.toContain(Buffer.from('do-not-print-me').toString('base64'))
  expect(objects(text)).toMatchObject([
    { kind: 'ConfigMap', data: { greeting: 'yes' } },
    {
      kind: 'Pod',
      metadata: { name: 'web', labels: { tier: 'front' }, annotations: { note: 'hello' } },
      spec: {
        nodeSelector: { disk: 'ssd' },
        containers: [
          {
            ports: [{ containerPort: 80, hostPort: 18_081 }],
            resources: { limits: { memory: `${32 * 1024 * 1024}`, cpu: '500m' } },
          },
        ],
      },
    },
  ])
  await play(text, '--replace')
  expect(await succeeds(cell, ['exec', 'web-main', 'sh', '-c', 'echo $KEY $GREETING; cat /words/greeting'])).toBe(
    'do-not-print-me yes\nyes',
  )
  const played = await specOf('web')
  expect(await succeeds(cell, ['kube', 'generate', 'web'])).toBe(text)
  await play(await succeeds(cell, ['kube', 'generate', 'web']), '--replace')
  expect(await specOf('web')).toEqual(played)
})

test('workloads, services, volumes and files, with the names and refusals of Podman', async () => {
  await play(MANIFEST)
  const all = await succeeds(cell, ['generate', 'kube', '-t', 'deployment', '-r', '2', '-s', 'web', 'records'])
  expect(objects(all)).toMatchObject([
    { kind: 'PersistentVolumeClaim', metadata: { name: 'records', annotations: { why: 'kept' } } },
    { kind: 'ConfigMap' },
    { kind: 'Service', spec: { type: 'NodePort', selector: { app: 'web', tier: 'front' }, ports: [{ port: 80 }] } },
    { kind: 'Deployment', metadata: { name: 'web-deployment' }, spec: { replicas: 2 } },
  ])
  const file = join(directory, 'web.yaml')
  await succeeds(cell, ['kube', 'generate', '-f', file, 'web'])
  expect(readFileSync(file, 'utf8')).toContain('kind: Pod')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const refused: [string[], RegExp][] = [
    [['-f', file, 'web'], /cannot write to ".*web.yaml"; file exists/],
    [['web-main'], /container web-main is associated with pod web: use generate on the pod itself/],
    [['nothing'], /name or ID "nothing" not found/],
    [['-t', 'job', 'web'], /restartPolicy Always/],
    [['-r', '2', 'web'], /--replicas can only be set when --type is set to deployment/],
  ]
  for (const [args, message] of refused) {
    const { exitCode, stderr } = await tspod(cell, ['kube', 'generate', ...args])
    expect(stderr).toMatch(message)
    expect(exitCode).toBe(125)
  }
})
