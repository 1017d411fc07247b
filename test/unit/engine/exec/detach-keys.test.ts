import { describe, expect, test } from '@jest/globals'
import { DEFAULT_DETACH_KEYS, detachScanner, parseDetachKeys } from '../../../../src/engine/exec/detach-keys.ts'

describe('keys by name', () => {
  const cases: Record<string, number[]> = {
    [DEFAULT_DETACH_KEYS]: [16, 17],
    '': [],
    'ctrl-a,d': [1, 100],
    'CTRL-A': [1],
    'ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_': [0, 27, 28, 29, 30, 31],
    'a,b,c': [97, 98, 99],
  }
  for (const [text, keys] of Object.entries(cases)) test(`"${text}"`, () => expect(parseDetachKeys(text)).toEqual(keys))

  test.each(['shift-a', 'ctrl-', 'ctrl-pq', 'ctrl-1', 'ab', 'a,,b', ',', 'ctrl-p,', 'ä'])('"%s" is none', text => {
    expect(() => parseDetachKeys(text)).toThrow(/^invalid detach keys: Unknown character: '/)
  })
})

describe('keys in what is typed', () => {
  /** Pieces of input with `|` between them; what passes, and `DETACH` when the keys were found. */
  const cases: [keys: string, input: string, passed: string][] = [
    ['pq', 'abc', 'abc'],
    ['pq', 'apqb', 'aDETACH'],
    ['pq', 'ap|qb', 'aDETACH'],
    ['pq', 'p|p|p|q', 'ppDETACH'],
    ['pq', 'px|pq', 'pxDETACH'],
    ['pq', 'p|x', 'px'],
    ['ppq', 'pppq', 'pDETACH'],
    ['papb', 'papapb', 'paDETACH'],
    ['d', 'xd', 'xDETACH'],
    ['', 'pq', 'pq'],
  ]
  test.each(cases)('%p in %p: %p', (keys, input, expected) => {
    const scan = detachScanner([...Buffer.from(keys)])
    let passed = ''
    for (const piece of input.split('|')) {
      const { pass, detach } = scan(Buffer.from(piece))
      passed += pass.toString()
      if (detach) {
        passed += 'DETACH'
        break
      }
    }
    expect(passed).toBe(expected)
  })
})
