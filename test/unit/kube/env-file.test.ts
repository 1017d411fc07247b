/** Env files: the syntax of Kubernetes since 1.35, which POSIX shells read the same way. */
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import { findInEnvFile } from '../../../src/kube/index.ts'

const good: Record<string, [file: string, value: string]> = {
  'one line': ["KEY='one'\n", 'one'],
  'no newline at the end': ["KEY='one'", 'one'],
  'nothing between the quotes': ["KEY=''", ''],
  'the first one of two, as Kubernetes has it': ["KEY='one'\nOTHER='x'\nKEY='two'\n", 'one'],
  'blanks before names, empty lines and comments': ["\n  # a comment='x'\n\t KEY='one'\n", 'one'],
  'a comment after the value': ["KEY='one' # not 'two'\n", 'one'],
  'everything between quotes as it is': ['KEY=\'$HOME ${X} \\n "#=" \'', '$HOME ${X} \\n "#=" '],
  'several lines': ["OTHER='a\nKEY=b'\nKEY='one\n\n # two\n'\n", 'one\n\n # two\n'],
  'lines that end as on Windows': ["KEY='one'\r\nOTHER='two'\r\n", 'one'],
  'whatever comes after it': ["KEY='one'\nnonsense", 'one'],
}
const bad: Record<string, [file: string, problem: string]> = {
  'no quotes': ['OTHER=x', "line 1 is not NAME='VALUE'"],
  'double quotes': ['\n# c\nKEY="x"', "line 3 is not NAME='VALUE'"],
  'blanks before the =': ["KEY ='x'", "line 1 is not NAME='VALUE'"],
  'blanks after the =': ["KEY= 'x'", "line 1 is not NAME='VALUE'"],
  'no name': ["='x'", "line 1 is not NAME='VALUE'"],
  'no value': ["A='\n'\nKEY", "line 3 is not NAME='VALUE'"],
  'a quote that is not closed': ["A='x'\nKEY='one\nOTHER=", 'the quote of line 2 is not closed'],
  'something after the quote': ["KEY='one'two'", 'something follows the closing quote of line 1'],
  'a second string at once': ["KEY='one''two'", 'something follows the closing quote of line 1'],
  'a comment without a blank before it': ["KEY='one'#two", 'something follows the closing quote of line 1'],
}

describe('an env file', () => {
  for (const [name, [file, value]] of Object.entries(good)) {
    test(`may have ${name}`, () => {
      expect(findInEnvFile(file, 'KEY')).toEqual({ value })
      if (!/\r|KEY='two'|nonsense/.test(file))
        expect(execFileSync('sh', ['-c', `${file}\nprintf %s "$KEY"`], { encoding: 'utf8' })).toBe(value)
    })
  }
  for (const [name, [file, problem]] of Object.entries(bad)) {
    test(`must not have ${name}`, () => expect(findInEnvFile(file, 'KEY')).toEqual({ problem }))
  }

  test('says nothing about names that are not in it', () => {
    expect(findInEnvFile('', 'KEY')).toBeUndefined()
    expect(findInEnvFile("KEYS='x'\nXKEY='y'\n", 'KEY')).toBeUndefined()
  })

  test('of a megabyte is read in no time, whatever is in it', () => {
    for (const part of ["A='x'\n", "A='", ' ', '#', '\n', 'A', "'"]) {
      const file = part.repeat(1_000_000 / part.length)
      expect(findInEnvFile(file, 'KEY') ?? {}).not.toHaveProperty('value')
    }
  })
})
