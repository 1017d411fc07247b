import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { withLeakCheck } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { playThreeOfEverything, threeOfEverything } from '../../support/three.ts'
import { containers, example, pods, readyCell, succeeds, takeDownAll, warmUp } from '../../support/tspod.ts'

/** The address of a cell's own interface. */
const CELL_ADDRESS = '192.0.2.10'
const EXAMPLES = readdirSync(join(import.meta.dirname, '../../../examples/manifests')).filter(name =>
  name.endsWith('.yaml'),
)

/** What a host is like, and the runtime that works there. */
const HOSTS = [
  { view: 'host', runtime: 'runc' },
  { view: 'v1', runtime: 'crun' },
] as const

for (const { view, runtime } of HOSTS) {
  describe(`on the bare machine (cgroups as ${view}, ${runtime})`, () => {
    let cell: Place
    beforeAll(async () => {
      cell = await readyCell({ view })
      await warmUp(cell, runtime)
    }, 60_000)
    afterEach(() => takeDownAll(cell))
    afterAll(() => cell?.remove())

    test('two init containers, three containers, files, secrets, a claim and ports, asked by every verb', () =>
      playThreeOfEverything(cell, { runtime, address: CELL_ADDRESS, manifest: threeOfEverything({ limits: true }) }))

    for (const name of EXAMPLES) {
      test(`example ${name} runs, and down leaves nothing`, () =>
        withLeakCheck(cell, async () => {
          await succeeds(cell, ['--runtime', runtime, 'kube', 'play', example(cell, name)])
          const listed = await pods(cell)
          expect(listed.length).toBeGreaterThan(0)
          // The pods of a Job may have come to their end meanwhile.
          const well = listed.filter(({ phase }) => phase === 'Running' || phase === 'Succeeded')
          expect(well.map(({ name }) => name)).toEqual(listed.map(({ name }) => name))
          const bad = (await containers(cell)).filter(({ state, exitCode }) => state !== 'running' && exitCode !== 0)
          expect(bad).toEqual([])
          await succeeds(cell, ['kube', 'down', example(cell, name)])
          expect(await containers(cell)).toEqual([])
        }))
    }
  })
}
