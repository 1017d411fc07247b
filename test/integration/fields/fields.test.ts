/** Each manifest beside this file is played once, and what its fields mean is read inside its containers. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Place } from '../../support/place.ts'
import { launcher, readyCell, succeeds, takeDownAll, tspod } from '../../support/tspod.ts'
import { BEFORE, DOWN, LOOKS } from './looks.ts'

let cell: Place
beforeAll(async () => {
  cell = await readyCell()
}, 60_000)
afterAll(() => cell?.remove())

for (const [file, looks] of Object.entries(LOOKS)) {
  describe(`the pods of ${file}`, () => {
    const input = readFileSync(join(import.meta.dirname, file), 'utf8')
    beforeAll(async () => {
      expect(await cell.sh(BEFORE[file] ?? 'true')).toMatchObject({ exitCode: 0 })
      await succeeds(cell, ['kube', 'play', '-'], { input })
    })
    afterAll(() => takeDownAll(cell))

    for (const { shows, where, run, prints } of looks) {
      const fields = shows.split(' ')
      const more = fields.length > 1 ? ` and ${fields.length - 1} more` : ''
      test(`${fields[0]}${more}: ${where} is asked ${run.split('\n')[0]}`, async () => {
        const line = where === 'host' ? run : `tspod exec ${where} sh -c ${shellWord(run)}`
        const { stdout } = await cell.sh(`tspod() { ${launcher(cell)} "$@"; }; ${line}`)
        if (typeof prints === 'string') expect(stdout).toBe(prints)
        else expect(stdout).toMatch(prints)
      })
    }

    test('are gone after down, and so is what was theirs alone', async () => {
      const { stdout, exitCode } = await tspod(cell, ['kube', 'down', '-'], { input })
      expect(exitCode).toBe(0)
      expect(stdout).toMatch(DOWN[file]?.prints ?? '')
      expect(await succeeds(cell, ['pod', 'ps', '-q'])).toBe('')
    })
  })
}

const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
