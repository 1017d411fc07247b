import { describe, expect, test } from '@jest/globals'
import { expandWords } from '../../../src/kube/index.ts'
import { expandEnv, expandText } from '../../../src/kube/pod/expand.ts'
import { fc, seed } from '../../support/property.ts'

describe(`$(VAR) (seed ${seed})`, () => {
  const env: Record<string, string> = { A: '1', B: '$(A)', 'x y': 'blank' }
  const cases: [text: string, result: string][] = [
    ['$(A)', '1'],
    ['-$(A)-$(A)-', '-1-1-'],
    ['$(NOPE)', '$(NOPE)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$$$$(A)', '$$(A)'],
    ['$(B)', '$(A)'],
    ['$(A', '$(A'],
    ['$($(A)', '$($(A)'],
    ['$(', '$('],
    ['$', '$'],
    ['a$', 'a$'],
    ['$A ${A} `A`', '$A ${A} `A`'],
    ['$(x y)', 'blank'],
    ['$()', '$()'],
    ['', ''],
  ]
  for (const [text, result] of cases) {
    test(`${JSON.stringify(text)} becomes ${JSON.stringify(result)}`, () =>
      expect(expandWords([text], env)).toEqual([result]))
  }

  test('any text comes to what one look from left to right makes of it', () => {
    const pieces = fc.constantFrom('$', '$$', '$(', '(', ')', 'A', 'B', '$(A)', '$(NOPE)', '$$(A)', ' ', '{', '\n', 'ä')
    const byPattern = (text: string): string =>
      text.replaceAll(/\$(?:\$|\(([^)]*)\))/g, (all, name?: string) => (name === undefined ? '$' : (env[name] ?? all)))
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), parts => {
        const text = parts.join('')
        expect(expandText(text, name => env[name])).toBe(byPattern(text))
      }),
    )
  })

  test('a value is put in as it is, and not looked at again', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (before, value, after) => {
        const [a, b] = [before, after].map(text => text.replaceAll('$', '$$$$'))
        return expandText(`${a}$(X)${b}`, name => (name === 'X' ? value : undefined)) === `${before}${value}${after}`
      }),
    )
  })

  test('a text without $ is left alone', () => {
    fc.assert(
      fc.property(
        fc.string().filter(text => !text.includes('$')),
        text => expandText(text, () => 'never') === text,
      ),
    )
  })

  test('doubling every $ protects any text', () => {
    fc.assert(fc.property(fc.string(), text => expandText(text.replaceAll('$', '$$$$'), () => 'never') === text))
  })

  test('names of Object.prototype are not variables', () => {
    expect(expandWords(['$(toString) $(__proto__) $(constructor)'], {})).toEqual([
      '$(toString) $(__proto__) $(constructor)',
    ])
  })
})

describe('environment', () => {
  const none = (): string => 'never'
  const noFile = (): undefined => undefined

  test('a value sees the base and what stands before it, not what comes after', () => {
    const entries = [
      { name: 'A', secret: false, text: '$(HOME)', expand: true },
      { name: 'B', secret: false, text: '$(A)$(C)', expand: true },
      { name: 'C', secret: false, text: 'late', expand: true },
    ]
    expect(expandEnv(entries, { HOME: '/root' }, none, noFile)).toEqual({
      HOME: '/root',
      A: '/root',
      B: '/root$(C)',
      C: 'late',
    })
  })

  test('what comes from elsewhere is not expanded', () => {
    expect(
      expandEnv([{ name: 'A', secret: true, text: '$(HOME)', expand: false }], { HOME: '/root' }, none, noFile).A,
    ).toBe('$(HOME)')
  })

  test('a later entry of the same name wins', () => {
    const entries = ['one', '$(A) two'].map(text => ({ name: 'A', secret: false, text, expand: true }))
    expect(expandEnv(entries, {}, none, noFile).A).toBe('one two')
  })

  test('runtime facts come in, limits divided by their divisor and rounded up', () => {
    const entries = [
      { name: 'IP', secret: false, runtime: 'status.podIP' as const },
      { name: 'CPU', secret: false, runtime: 'limits.cpu' as const, divisor: '1m' },
      { name: 'MEMORY', secret: false, runtime: 'limits.memory' as const, divisor: '1Mi' },
    ]
    const facts: Record<string, string> = { 'status.podIP': '10.0.0.1', 'limits.cpu': '2', 'limits.memory': '1048577' }
    expect(expandEnv(entries, {}, field => facts[field] ?? '', noFile)).toEqual({
      IP: '10.0.0.1',
      CPU: '2000',
      MEMORY: '2',
    })
  })

  test('what an env file has comes in as it is, and what it has not is no variable', () => {
    const at = (key: string) => ({ name: key, secret: true, file: { volume: 'v', path: 'p', key, optional: true } })
    const entries = [at('A'), at('B'), { name: 'C', secret: false, text: '<$(A)$(B)>', expand: true }]
    expect(expandEnv(entries, {}, none, ({ key }) => (key === 'A' ? '$(C)' : undefined))).toEqual({
      A: '$(C)',
      C: '<$(C)$(B)>',
    })
  })

  test('a variable called __proto__ is one like any other', () => {
    const env = expandEnv([{ name: '__proto__', secret: false, text: 'x', expand: true }], {}, none, noFile)
    expect(Object.entries(env)).toEqual([['__proto__', 'x']])
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })
})
