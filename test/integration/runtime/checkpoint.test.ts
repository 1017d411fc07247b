import { spawnSync } from 'node:child_process'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { testUnless } from '../../support/requires.ts'
import { containers, podText, readyCell, succeeds, takeDownAll, tspod, warmUp } from '../../support/tspod.ts'

/** Counts in its memory, and writes down how far it is. */
const COUNTER = 'i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.1; done'
const ARCHIVE = '/run/web.tar'

const criu = spawnSync('criu', ['check'], { encoding: 'utf8' })
const lack =
  criu.error !== undefined ? 'criu is not installed' : criu.status !== 0 ? 'criu does not work here' : undefined
const whereCriuWorks = testUnless(lack)

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
  await warmUp(cell, 'runc')
}, 60_000)
afterEach(async () => {
  await takeDownAll(cell)
  await cell.sh(`rm -f ${ARCHIVE}`)
})
afterAll(() => cell?.remove())

const text = podText('web', { scripts: [COUNTER, 'sleep 100000'] })
const play = (): Promise<string> => succeeds(cell, ['--runtime', 'runc', 'kube', 'play', '-'], { input: text })
const down = (): Promise<string> => succeeds(cell, ['kube', 'down', '-'], { input: text })
const states = async (): Promise<string[]> =>
  (await containers(cell)).map(({ state, status }) => (state === 'running' ? state : `${state} ${status ?? ''}`.trim()))

/** The number that the counter wrote last, once it has written one beyond `least`. */
async function count(least = 0): Promise<number> {
  const line = `for i in $(seq 100); do n=$(cat /count); [ "\${n:-0}" -gt ${least} ] && break; sleep 0.1; done; echo $n`
  return Number(await succeeds(cell, ['exec', 'web-c1', 'sh', '-c', line]))
}

describe('checkpoint and restore', () => {
  whereCriuWorks('a container goes on from where it was, and its pod notices nothing', () =>
    withLeakCheck(cell, async () => {
      await play()
      const before = await count(20)
      expect(await succeeds(cell, ['checkpoint', 'web-c1'])).toBe('web-c1\n')
      expect((await states())[1]).toBe('running')
      expect((await containers(cell))[0]).toMatchObject({ state: 'stopped' })
      expect(await succeeds(cell, ['restore', 'web-c1'])).toBe('web-c1\n')
      expect(await states()).toEqual(['running', 'running'])
      const after = await count(before)
      expect(after).toBeGreaterThan(before)
      // It was not started anew: that would have begun with one.
      expect(after).toBeLessThan(before + 100)
      const again = await tspod(cell, ['restore', 'web-c1'])
      expect(again).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('is running or paused') })
      await down()
    }),
  )

  whereCriuWorks('a whole pod at rest goes on: its namespaces, network and address come back', () =>
    withLeakCheck(cell, async () => {
      await play()
      const before = await count(10)
      await succeeds(cell, ['checkpoint', '--all'])
      expect((await containers(cell)).map(({ state }) => state)).toEqual(['stopped', 'stopped'])
      await succeeds(cell, ['restore', '--all'])
      expect(await states()).toEqual(['running', 'running'])
      expect(await count(before)).toBeGreaterThan(before)
      await down()
    }),
  )

  whereCriuWorks('left running it goes on, and an archive brings it back to what it was', () =>
    withLeakCheck(cell, async () => {
      await play()
      await count(5)
      await succeeds(cell, ['checkpoint', '--leave-running', '--export', ARCHIVE, 'web-c1'])
      expect(await states()).toEqual(['running', 'running'])
      await succeeds(cell, ['stop', '-t', '0', 'web-c1'])
      // What an import left that was killed goes with the next one.
      await cell.sh('mkdir -p /var/lib/tspod/import-4000000-0123456789abcdef/images')
      await succeeds(cell, ['restore', '--import', ARCHIVE])
      expect(await states()).toEqual(['running', 'running'])
      await cell.sh(`printf x | dd of=${ARCHIVE} bs=1 seek=600 conv=notrunc`)
      await succeeds(cell, ['stop', '-t', '0', 'web-c1'])
      const forged = await tspod(cell, ['restore', '--import', ARCHIVE])
      expect(forged).toMatchObject({
        exitCode: 125,
        stderr: expect.stringContaining('refusing the checkpoint archive'),
      })
      expect((await cell.sh('ls /var/lib/tspod')).stdout).not.toContain('import-')
      await cell.sh('rm -f /var/lib/tspod/checkpoint.key')
      await down()
    }),
  )

  test('without criu: one sentence with the way out, and the container runs on', async () => {
    await play()
    const hidden = await cell.sh(
      'mount --bind /dev/null /usr/sbin/criu 2>/dev/null; mount --bind /dev/null /usr/local/sbin/criu 2>/dev/null; true',
    )
    expect(hidden.exitCode).toBe(0)
    const failed = await tspod(cell, ['checkpoint', 'web-c1'])
    await cell.sh('umount /usr/sbin/criu /usr/local/sbin/criu 2>/dev/null; true')
    expect(failed).toMatchObject({
      exitCode: 125,
      stderr: expect.stringMatching(/^Error: criu is not installed, .*\n {2}install it: apt install criu\n$/),
    })
    expect(await states()).toEqual(['running', 'running'])
  })

  test('what has no checkpoint cannot be restored, what does not run not checkpointed', async () => {
    await play()
    await succeeds(cell, ['stop', '-t', '0', 'web-c1'])
    const restored = await tspod(cell, ['restore', 'web-c1'])
    expect(restored).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining('a checkpoint for container web-c1'),
    })
    const written = await tspod(cell, ['checkpoint', 'web-c1'])
    expect(written).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining('is not running, cannot checkpoint'),
    })
  })
})
