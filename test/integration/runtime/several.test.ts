import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import { installLiar, type Liar } from '../../support/liar.ts'
import type { Place } from '../../support/place.ts'
import { containers, pods, podText, readyCell, succeeds, takeDownAll, tspod, warmUp } from '../../support/tspod.ts'

let cell: Place
let liar: Liar
beforeAll(async () => {
  // Where crun works as well as runc.
  cell = await readyCell({ view: 'v1' })
  liar = await installLiar(cell, 'runc', 2)
  await warmUp(cell, 'liar')
}, 60_000)
afterEach(async () => {
  await liar.lies({})
  await takeDownAll(cell)
})
afterAll(() => cell?.remove())

const annotated = (name: string, runtime: string): string => {
  const pod = JSON.parse(podText(name).slice('---\n'.length)) as { metadata: object }
  return `---\n${JSON.stringify({ ...pod, metadata: { name, annotations: { 'io.tspod.runtime': runtime } } })}\n`
}
const runtimes = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    ((await pods(cell)) as { name: string; runtime?: string }[]).map(({ name, runtime = '' }) => [name, runtime]),
  )

describe('several runtimes', () => {
  test('each pod has the one its annotation names, from one manifest, and both run', () =>
    withLeakCheck(cell, async () => {
      const text = annotated('one', 'crun') + annotated('two', 'liar')
      await succeeds(cell, ['kube', 'play', '-'], { input: text })
      expect((await containers(cell)).map(({ state }) => state)).toEqual(['running', 'running'])
      expect(await runtimes()).toEqual({ one: 'crun', two: 'runc' })
      const state = await cell.sh('ls /run/tspod/runtime/crun /run/tspod/runtime/runc | grep -cE "^[0-9a-f]{64}$"')
      expect(state.stdout.trim()).toBe('2')
      await succeeds(cell, ['kube', 'down', '-'], { input: text })
    }))

  test('the flag wins over the annotation', async () => {
    await succeeds(cell, ['--runtime', 'runc', 'kube', 'play', '-'], { input: annotated('one', 'crun') })
    expect(await runtimes()).toEqual({ one: 'runc' })
  })

  test('a pod may not name a path', async () => {
    const failed = await tspod(cell, ['kube', 'play', '-'], { input: annotated('one', '/run/liar/runtime') })
    expect(failed).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('pod one: the annotation') })
    expect(await pods(cell)).toEqual([])
  })

  test('doctor shows what is configured', async () => {
    const { stdout } = await tspod(cell, ['doctor', '--format', 'json'])
    const found = (JSON.parse(stdout) as { name: string }[]).find(({ name }) => name === 'runtime liar')
    expect(found).toMatchObject({ status: 'ok', found: expect.stringMatching(/^runc .* \(\/run\/liar\/runtime\)$/) })
  })

  test('a broken tspod.toml is an error with file and line, for a play and in doctor', async () => {
    await cell.sh('cp /etc/tspod/tspod.toml /run/good.toml; echo "[runtimes.x]" >>/etc/tspod/tspod.toml')
    try {
      const words = '/etc/tspod/tspod.toml:6: runtimes.x needs an absolute path'
      const failed = await tspod(cell, ['kube', 'play', '-'], { input: podText('one') })
      expect(failed).toMatchObject({ exitCode: 125, stderr: expect.stringContaining(words) })
      expect((await tspod(cell, ['doctor'])).stdout).toContain(words)
    } finally {
      await cell.sh('cp /run/good.toml /etc/tspod/tspod.toml')
    }
  })
})

// All of it: test/fault/runtime-lies.test.ts
describe('a runtime that lies', () => {
  const text = podText('lied-to', { restartPolicy: 'Never' })
  const play = () => tspod(cell, ['--runtime', 'liar', 'kube', 'play', '-'], { input: text })

  test('hangs in create: killed at its deadline, nothing is left', () =>
    withLeakCheck(cell, async () => {
      await liar.lies({ create: 'hang' })
      const failed = await play()
      expect(failed.stderr).toContain('runc did not create container lied-to-c1 within 2 s and was killed')
      await succeeds(cell, ['kube', 'down', '-'], { input: text })
    }))

  test('says that it started what it did not start', async () => {
    await liar.lies({ start: 'nothing' })
    expect((await play()).stderr).toContain('container lied-to-c1: runc reported success but did not start it')
  })

  test('cannot delete: down works without it', () =>
    withLeakCheck(cell, async () => {
      expect(await play()).toMatchObject({ exitCode: 0 })
      await liar.lies({ delete: 'fail' })
      await succeeds(cell, ['kube', 'down', '-'], { input: text })
    }))
})
