/** test/SECURITY.md is true: each row has a test in each file it names, and no test names a row that is not there. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'

const TESTS = join(import.meta.dirname, '..')
const rows = readFileSync(join(TESTS, 'SECURITY.md'), 'utf8')
  .split('\n')
  .flatMap(line => {
    const [, row = '', , , files = ''] = line.split('|').map(cell => cell.trim())
    return /^S\d\d$/.test(row) ? [{ row, files: [...files.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file) }] : []
  })

const textOf = (file: string): string => {
  const path = [`${file}.test.ts`, `${file}.ts`].map(name => join(TESTS, name)).find(existsSync)
  return path === undefined ? '' : readFileSync(path, 'utf8')
}

describe('the security matrix', () => {
  test.each(rows)('$row is shown by what it names', ({ row, files }) => {
    expect(files).not.toEqual([])
    expect(files.filter(file => !new RegExp(`\\b${row}\\b`).test(textOf(file)))).toEqual([])
  })

  test('is complete', () => {
    const known = new Set(rows.flatMap(({ row, files }) => files.map(file => `${row} ${file}`)))
    const named = globSync('{unit,integration}/{kube,volumes,fields,source}/**/*.test.ts', { cwd: TESTS }).flatMap(
      path => {
        const file = path.replace(/\.test\.ts$/, '')
        const text = readFileSync(join(TESTS, path), 'utf8')
        return [...new Set(text.match(/(?<=['"`(])S\d\d(?= )/g) ?? [])].map(row => `${row} ${file}`)
      },
    )
    expect(named.filter(name => !known.has(name))).toEqual([])
  })
})
