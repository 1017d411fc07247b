import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import {
  containers,
  DEMO_IMAGE,
  type ListedContainer,
  pods,
  podText,
  readyCell,
  succeeds,
  takeDownAll,
} from '../../support/tspod.ts'
import { eventually } from '../../support/wait.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterEach(() => takeDownAll(cell))
afterAll(() => cell?.remove())

/** Fails with `code` on its first run and waits for TERM on every later one; a file of the container remembers. */
const failsOnce = (code: number): string =>
  `if [ -e /tmp/ran ]; then trap 'exit 0' TERM; sleep 1000 & wait; fi; touch /tmp/ran; echo run; exit ${code}`

const only = async (): Promise<ListedContainer> => (await containers(cell))[0]!

describe('when a container ends, the exit hook judges by restartPolicy', () => {
  const restarted: [policy: 'Always' | 'OnFailure', code: number][] = [
    ['Always', 0],
    ['Always', 3],
    ['OnFailure', 3],
  ]
  for (const [restartPolicy, code] of restarted) {
    test(`${restartPolicy} and code ${code}: it runs again, with nobody watching`, () =>
      withLeakCheck(cell, async () => {
        const text = podText('again', { restartPolicy, script: `sleep 1; ${failsOnce(code)}` })
        await succeeds(cell, ['kube', 'play', '-'], { input: text })
        const first = await only()
        const second = await eventually(only, now => now.restarts === 1 && now.state === 'running', 40_000)
        expect(second.id).toBe(first.id)
        expect(second.pid).not.toBe(first.pid)
        await succeeds(cell, ['kube', 'down', '-'], { input: text })
      }))
  }

  const ended: [policy: 'OnFailure' | 'Never', code: number, phase: string][] = [
    ['OnFailure', 0, 'Succeeded'],
    ['Never', 0, 'Succeeded'],
    ['Never', 3, 'Failed'],
  ]
  for (const [restartPolicy, code, phase] of ended) {
    test(`${restartPolicy} and code ${code}: the pod has ${phase.toLowerCase()} and holds no process`, () =>
      withLeakCheck(cell, async () => {
        const text = podText('ended', { restartPolicy, script: `sleep 1; exit ${code}` })
        await succeeds(cell, ['kube', 'play', '-'], { input: text })
        await eventually(
          async () => (await pods(cell))[0]!.phase,
          now => now === phase,
        )
        expect(await only()).toMatchObject({ state: 'exited', exitCode: code, restarts: 0 })
        await eventually(
          async () => (await cell.sh('ps -e -o stat=,comm= | grep -v ^Z')).stdout,
          list => !list.includes('conmon'),
        )
        await succeeds(cell, ['kube', 'down', '-'], { input: text })
      }))
  }

  // shows: Container.restartPolicyRules ContainerRestartRule.action ContainerRestartRule.exitCodes
  // shows: ContainerRestartRuleOnExitCodes.operator ContainerRestartRuleOnExitCodes.values
  test('what a container says itself comes before its pod: policy and rules', () =>
    withLeakCheck(cell, async () => {
      const once = (name: string, code: number): string =>
        `[ -e /told/${name} ] && exit 0; touch /told/${name}; exit ${code}`
      const one = (name: string, script: string, more: object = {}): object => ({
        ...{ name, image: DEMO_IMAGE, command: ['sh', '-c', script], ...more },
        volumeMounts: [{ name: 'told', mountPath: '/told' }],
      })
      const rule = { action: 'Restart', exitCodes: { operator: 'In', values: [42] } }
      const spec = {
        restartPolicy: 'Never',
        volumes: [{ name: 'told', emptyDir: {} }],
        initContainers: [one('first', once('first', 1), { restartPolicy: 'OnFailure' })],
        containers: [
          one('rule', once('rule', 42), { restartPolicy: 'Never', restartPolicyRules: [rule] }),
          one('policy', once('policy', 1), { restartPolicy: 'OnFailure' }),
          one('pod', 'exit 3'),
        ],
      }
      const text = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'own' }, spec })
      await succeeds(cell, ['kube', 'play', '-'], { input: text })
      await eventually(
        async () => (await pods(cell))[0]!.phase,
        now => now === 'Failed',
      )
      expect(await containers(cell)).toMatchObject([
        { name: 'own-first', exitCode: 0, restarts: 1 },
        { name: 'own-rule', exitCode: 0, restarts: 1 },
        { name: 'own-policy', exitCode: 0, restarts: 1 },
        { name: 'own-pod', exitCode: 3, restarts: 0 },
      ])
      const how = ['--filter', 'restart-policy=on-failure', '--format', '{{.Names}}']
      expect(await succeeds(cell, ['ps', '-a', ...how])).toBe('own-first\nown-policy\n')
      await succeeds(cell, ['kube', 'down', '-'], { input: text })
    }))

  test('one that keeps failing waits longer each time, and says so', () =>
    withLeakCheck(cell, async () => {
      const text = podText('crash', { script: 'exit 1' })
      await succeeds(cell, ['kube', 'play', '-'], { input: text })
      const listed = await eventually(
        async () => await succeeds(cell, ['pod', 'ps']),
        table => table.includes('CrashLoopBackOff'),
        30_000,
      )
      expect(listed).toMatch(/crash/)
      await succeeds(cell, ['kube', 'down', '-'], { input: text })
    }))
})
