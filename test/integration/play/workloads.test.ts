import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { DEMO_IMAGE, pods, readyCell, succeeds, takeDownAll, WAIT_COMMAND } from '../../support/tspod.ts'

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
