import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { detailsOf } from './world.ts'

const CORPUS = process.env.TSPOD_CORPUS ?? join(import.meta.dirname, '../../../../shared/corpus')
const HEAD = /^app\.yaml:\d+:\d+ error [A-Z_]+( \S.*)?$/

describe('manifests that other people wrote', () => {
  if (!existsSync(CORPUS)) {
    test.skip(`no corpus at ${CORPUS}: set TSPOD_CORPUS to a folder of manifests`, () => undefined)
    return
  }
  const files = globSync('**/*.{yaml,yml,json}', { cwd: CORPUS }).sort()

  test('are there', () => expect(files.length).toBeGreaterThan(0))

  for (const file of files) {
    test(`${relative('.', file)} translates, or is refused with places and reasons`, () => {
      const details = detailsOf(readFileSync(join(CORPUS, file), 'utf8'))
      for (const issue of details === '' ? [] : details.split('\n\n')) {
        const lines = issue.split('\n')
        expect(lines[0]).toMatch(HEAD)
        expect(lines.at(-1)?.trim()).not.toBe('')
      }
    })
  }
})
