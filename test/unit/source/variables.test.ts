/** The file of --vars: its grammar, and what is refused of it without a word of what stands in it. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { parseVariables, readVariables } from '../../../src/source/variables.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tspod-vars-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

test('lines of NAME=VALUE: all behind the first = counts, quotes and blanks too', () => {
  const text = '# a comment\n\n  HOST=alpha\nURL=http://x/?a=b#c \nQUOTED="x y"\nEMPTY=\r\n_1=\t\n'
  expect(parseVariables(text)).toEqual({
    mistakes: [],
    variables: new Map(
      Object.entries({ HOST: 'alpha', URL: 'http://x/?a=b#c ', QUOTED: '"x y"', EMPTY: '', _1: '\t' }),
    ),
  })
})

test('every line that is wrong has its number, and nothing of it is told but a name', () => {
  const lines = [
    'A=1',
    'secret',
    'export B=secret',
    '1=secret',
    'MIIB+/=secret',
    'A=secret',
    'C=a\rsecret',
    'D=\0secret',
  ]
  const { mistakes } = parseVariables(lines.join('\n'))
  expect(mistakes.map(({ line, why }) => `${line} ${why}`)).toEqual([
    '2 is not NAME=VALUE',
    '3 is not NAME=VALUE',
    '4 a name has letters, digits and _, and no digit in front',
    '5 a name has letters, digits and _, and no digit in front',
    '6 A has a value already, in line 1',
    '7 the value of C has a line break or a NUL in it',
    '8 the value of D has a line break or a NUL in it',
  ])
})

test.each<[what: string, make: (file: string) => void, message: RegExp]>([
  ['is missing', () => undefined, /it is not there/],
  ['is a directory', file => mkdirSync(file), /it is no regular file/],
  [
    'may be written by everybody',
    file => {
      writeFileSync(file, 'A=1\n')
      chmodSync(file, 0o666)
    },
    /written by everybody/,
  ],
  ['is no text', file => writeFileSync(file, Buffer.from([0x41, 0x3d, 0xff])), /not UTF-8/],
  ['is too large', file => writeFileSync(file, `A=${'x'.repeat(1024 * 1024)}`), /larger than 1024 KiB/],
  ['has a mistake', file => writeFileSync(file, 'A=1\nhunter2\n'), /\.env:2: is not NAME=VALUE$/],
])('a file that %s is refused, with its name', (what, make, message) => {
  const file = join(directory, `${what.replaceAll(' ', '-')}.env`)
  make(file)
  const expected = { code: 'SOURCE_VARS', message: expect.stringMatching(message) }
  expect(() => readVariables(file)).toThrow(expect.objectContaining(expected))
  expect(() => readVariables(file)).toThrow(file)
  expect(() => readVariables(file)).not.toThrow('hunter2')
})
