import { describe, expect, test } from '@jest/globals'
import { type FlagTable, parseFlags, refusedFlags } from '../../../src/cli/flags.ts'
import { closest, editDistance, either } from '../../../src/words.ts'

const TABLE = {
  all: { kind: 'switch', initial: false, short: 'a', help: '' },
  start: { kind: 'switch', initial: true, help: '' },
  'tls-verify': { kind: 'tristate', help: '' },
  user: { kind: 'text', value: 'USER', short: 'u', help: '' },
  interactive: { kind: 'switch', initial: false, short: 'i', help: '' },
  tty: { kind: 'switch', initial: false, short: 't', help: '' },
  tail: { kind: 'number', value: 'N', minimum: -1, short: 'n', help: '' },
  output: { kind: 'choice', choices: ['wide', 'json'], short: 'o', help: '' },
  configmap: { kind: 'list', value: 'FILE', help: '' },
  publish: { kind: 'list', value: 'PORT', comma: true, help: '' },
  secret: { kind: 'switch', initial: false, hidden: true, help: '' },
} as const satisfies FlagTable

const defaults = {
  all: false,
  start: true,
  'tls-verify': undefined,
  user: undefined,
  interactive: false,
  tty: false,
  tail: undefined,
  output: undefined,
  configmap: [],
  publish: [],
  secret: false,
}

describe('values', () => {
  const cases: Record<string, { args: string[]; values?: object; operands?: string[] }> = {
    'nothing given: the initial values': { args: [] },
    'a switch': { args: ['--all'], values: { all: true } },
    'a switch turned off by a value': { args: ['--start=false'], values: { start: false } },
    'a value after a switch is an operand, as in Podman': { args: ['--start', 'false'], operands: ['false'] },
    'a tristate given as false differs from one not given': {
      args: ['--tls-verify=false'],
      values: { 'tls-verify': false },
    },
    "Go's spellings of true": { args: ['--all=T', '--tls-verify=1'], values: { all: true, 'tls-verify': true } },
    'short letters together, the last one with a value': {
      args: ['-itu', 'root'],
      values: { interactive: true, tty: true, user: 'root' },
    },
    'a short letter with its value attached': { args: ['-uroot', '-n5'], values: { user: 'root', tail: 5 } },
    'a short letter with an equals sign': { args: ['-u=root'], values: { user: 'root' } },
    'a switch turned off by its letter': { args: ['-a=false', '-it=1'], values: { interactive: true, tty: true } },
    'a group whose last letter is turned off': { args: ['-ita=false'], values: { interactive: true, tty: true } },
    'what looks like one is a value': {
      args: ['-u', '-a=false', '-iu=root'],
      values: { user: 'root', interactive: true },
    },
    'the last one counts': { args: ['--user', 'a', '--user=b'], values: { user: 'b' } },
    'a value may begin with a dash': { args: ['--tail', '-1', '-u', '-x'], values: { tail: -1, user: '-x' } },
    'a comma is part of a value': {
      args: ['--configmap', 'a,b', '--configmap=c'],
      values: { configmap: ['a,b', 'c'] },
    },
    'a comma separates where the table says so': {
      args: ['--publish', '80,81', '--publish=82'],
      values: { publish: ['80', '81', '82'] },
    },
    'flags after operands': {
      args: ['f.yaml', '--all', 'g.yaml'],
      values: { all: true },
      operands: ['f.yaml', 'g.yaml'],
    },
    'everything after -- is an operand': { args: ['--', '--all', '-x'], operands: ['--all', '-x'] },
    'a lone dash is an operand': { args: ['-'], operands: ['-'] },
  }
  for (const [name, { args, values, operands }] of Object.entries(cases)) {
    test(name, () => {
      const parsed = parseFlags(TABLE, args)
      expect(parsed.problems).toEqual([])
      expect(parsed.values).toEqual({ ...defaults, ...values })
      expect(parsed.operands).toEqual(operands ?? [])
    })
  }
})

describe('the words of another command', () => {
  test('flags after the first operand are left alone', () => {
    const parsed = parseFlags(TABLE, ['-i', 'web', 'ls', '-a', '--nonsense'], { stopAtOperand: true })
    expect(parsed).toMatchObject({ problems: [], operands: ['web', 'ls', '-a', '--nonsense'] })
    expect(parsed.values).toMatchObject({ interactive: true, all: false })
  })
  test('a separator among them is kept', () => {
    expect(parseFlags(TABLE, ['--', 'web', '--', 'ls'], { stopAtOperand: true }).operands).toEqual(['web', '--', 'ls'])
  })
  test('an unknown flag before it is a mistake', () => {
    const { problems } = parseFlags(TABLE, ['--nonsense', 'web', 'ls'], { stopAtOperand: true })
    expect(problems.map(problem => problem.message)).toEqual(['unknown flag: --nonsense'])
  })
})

describe('complaints', () => {
  const cases: Record<string, { args: string[]; problems: { message: string; remedy?: string }[] }> = {
    'an unknown flag': { args: ['--bogus'], problems: [{ message: 'unknown flag: --bogus' }] },
    'a slip': { args: ['--al=1'], problems: [{ message: 'unknown flag: --al', remedy: 'did you mean --all?' }] },
    'hidden flags are not proposed': { args: ['--secre'], problems: [{ message: 'unknown flag: --secre' }] },
    'an unknown letter in a group': { args: ['-ixt'], problems: [{ message: "unknown shorthand flag: 'x'" }] },
    'names that every object has are unknown': {
      args: ['--constructor', '--__proto__'],
      problems: [{ message: 'unknown flag: --constructor' }, { message: 'unknown flag: --__proto__' }],
    },
    'an unknown letter with a value': { args: ['-x=1'], problems: [{ message: "unknown shorthand flag: 'x'" }] },
    'no boolean for a letter': {
      args: ['-a=maybe'],
      problems: [{ message: 'invalid argument "maybe" for "-a, --all" flag: want true or false' }],
    },
    'no argument': { args: ['--user'], problems: [{ message: 'flag needs an argument: --user' }] },
    'no argument for a letter': { args: ['-u'], problems: [{ message: "flag needs an argument: 'u' in -u" }] },
    'no boolean': {
      args: ['--start=maybe'],
      problems: [{ message: 'invalid argument "maybe" for "--start" flag: want true or false' }],
    },
    'no number': {
      args: ['-n', '1e3'],
      problems: [{ message: 'invalid argument "1e3" for "-n, --tail" flag: want a whole number, -1 or more' }],
    },
    'too small a number': {
      args: ['--tail=-2'],
      problems: [{ message: 'invalid argument "-2" for "-n, --tail" flag: want a whole number, -1 or more' }],
    },
    'no choice': {
      args: ['-o', 'xml'],
      problems: [{ message: 'invalid argument "xml" for "-o, --output" flag: want wide or json' }],
    },
    'all at once': {
      args: ['--bogus', '-o', 'xml'],
      problems: [
        { message: 'unknown flag: --bogus' },
        { message: 'invalid argument "xml" for "-o, --output" flag: want wide or json' },
      ],
    },
  }
  for (const [name, { args, problems }] of Object.entries(cases)) {
    test(name, () => {
      expect(parseFlags(TABLE, args).problems).toEqual(problems)
    })
  }
})

test('the nearest word', () => {
  expect(editDistance('replace', 'replcae')).toBe(1)
  expect(closest('replcae', ['replace', 'restart'])).toBe('replace')
  expect(closest('conf', ['configmap'])).toBe('configmap')
  expect(closest('zzz', ['replace'])).toBeUndefined()
  expect(closest('x'.repeat(10_000), ['replace'])).toBeUndefined()
  expect(either(['a', 'b', 'c'])).toBe('a, b or c')
})

test("what is refused says why, takes its value with it, and hides no flag of the verb's own", () => {
  const table = { ...refusedFlags({ 'the manifest says it': 'p|ports= infra' }), ...TABLE }
  const { problems, operands } = parseFlags(table, ['--infra=false', '-p', '80', '--ports', '81', 'web'])
  const problem = (flag: string) => ({ message: `${flag} is not supported`, remedy: 'the manifest says it' })
  expect(problems).toEqual([problem('--infra'), problem('--ports'), problem('--ports')])
  expect(operands).toEqual(['web'])
})
