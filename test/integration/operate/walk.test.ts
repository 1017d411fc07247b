/** The walk in the README's engine chapter, as a reader would type it: every line has to succeed, and nothing is left. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { describeLeaks, difference, snapshotIn } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { block } from '../../support/readme.ts'
import { readyCell } from '../../support/tspod.ts'

const lines = block('The engine', 'sh').trim().split('\n')

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
  await cell.sh('mkdir -p /tmp/walk && cat >/tmp/walk/web.yaml', { input: block('Use it', 'yaml') })
}, 60_000)
afterAll(() => cell?.remove())

test('every line works, and at the end nothing is left', async () => {
  const before = await snapshotIn(cell)
  for (const line of lines) {
    const finished = await cell.sh(`cd /tmp/walk; PATH=${cell.checkout}/bin:$PATH; ${line}`)
    expect({ line, code: finished.exitCode, said: finished.exitCode === 0 ? '' : finished.stderr }).toEqual({
      line,
      code: 0,
      said: '',
    })
  }
  // The image that was made of a container is meant to stay.
  const leaks = difference(before, await snapshotIn(cell)).filter(({ kind }) => kind !== 'storage layers')
  expect(describeLeaks(leaks)).toBe('')
})

test('it leads through every command but those that have a test of their own elsewhere', async () => {
  const walked = lines.map(line =>
    /^tspod ((?:container artifact|container|pod|kube|system) )?\S+/.exec(line)?.[0].slice(6),
  )
  const { COMMANDS } = await import('../../../src/cli/commands.ts')
  const ELSEWHERE =
    /^(attach|checkpoint|restore|image .*|info|version|doctor|system (refresh|tick)|container (cleanup|inspect|prune)|pod exists|pod rm|pod ps|kube (validate|render|generate)|explain|systemd .*|apply|apps|down|gitops .*|(volume|network|secret) .*|completion|__complete)$/
  const missing = COMMANDS.map(({ name }) => name).filter(name => !walked.includes(name) && !ELSEWHERE.test(name))
  expect(missing).toEqual([])
})
