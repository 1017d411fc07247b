/** The walk in the README's GitOps chapter, as a reader would type it: every line has to succeed, and nothing is left. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { describeLeaks, difference, snapshotIn } from '../../support/leaks.ts'
import type { Place } from '../../support/place.ts'
import { block } from '../../support/readme.ts'
import { pods, podText, readyCell, succeeds } from '../../support/tspod.ts'

const lines = block('GitOps', 'sh', 'last').trim().split('\n')

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
  // What is made once per installation that applies anything is there.
  await succeeds(cell, ['apply', '--app', 'first', '-f', '-'], { input: podText('first') })
  await succeeds(cell, ['down', 'first'])
  await cell.sh('mkdir -p /tmp/walk && cat >/tmp/walk/app.yaml', { input: block('GitOps', 'yaml') })
}, 60_000)
afterAll(() => cell?.remove())

/** What runs after a line, by its beginning. */
const RUNS: [line: string, pods: string[]][] = [
  ['git -C shop commit -qam ', ['api', 'cache', 'db', 'mail', 'web']],
  ['git -C shop rm ', ['api', 'cache', 'db', 'mail', 'web']],
  ['tspod gitops rollback', ['api', 'cache', 'db', 'mail', 'web']],
  ['tspod gitops suspend', ['api', 'db', 'mail', 'web']],
  ['tspod gitops remove', []],
]

test('every line works, what it says is so, and at the end nothing is left', async () => {
  const before = await snapshotIn(cell)
  for (const line of lines) {
    const finished = await cell.sh(`cd /tmp/walk; PATH=${cell.checkout}/bin:$PATH; ${line}`)
    expect({ line, code: finished.exitCode, said: finished.exitCode === 0 ? '' : finished.stderr }).toEqual({
      line,
      code: 0,
      said: '',
    })
    // The comment behind a reconcile says what becomes of which pod.
    const told = /# .*?(pod\/\w+ \w+)/.exec(line)?.[1]
    if (told !== undefined) expect(finished.stdout).toContain(told)
    const expected = RUNS.find(([beginning]) => line.startsWith(beginning))?.[1]
    if (expected !== undefined)
      expect({ line, runs: (await pods(cell)).map(({ name }) => name).sort() }).toEqual({ line, runs: expected })
  }
  expect(describeLeaks(difference(before, await snapshotIn(cell)))).toBe('')
})

test('it leads through every command of its kind', async () => {
  const { GITOPS_COMMANDS } = await import('../../../src/cli/gitops-commands.ts')
  expect(GITOPS_COMMANDS.filter(({ name }) => !lines.some(line => line.includes(`tspod ${name}`)))).toEqual([])
})
