import { describe, expect, test } from '@jest/globals'
import { divideUp, parseQuantity, toMilli, toUnits } from '../../../src/kube/yaml/quantity.ts'
import { fc, seed } from '../../support/property.ts'

const NANO = 1_000_000_000n

describe(`quantities (seed ${seed})`, () => {
  const good: [text: string, nano: bigint][] = [
    ['0', 0n],
    ['1', NANO],
    ['+1', NANO],
    ['-1', -NANO],
    ['1.', NANO],
    ['.5', NANO / 2n],
    ['100m', NANO / 10n],
    ['1u', 1000n],
    ['1n', 1n],
    ['0.1n', 1n],
    ['1k', 1000n * NANO],
    ['1Ki', 1024n * NANO],
    ['1.5Gi', 1610612736n * NANO],
    ['1E', 10n ** 18n * NANO],
    ['1E3', 1000n * NANO],
    ['12e6', 12_000_000n * NANO],
    ['1e-3', NANO / 1000n],
    ['9223372036854775807', 9223372036854775807n * NANO],
    ['0.0000000001', 1n],
  ]
  for (const [text, nano] of good) test(`${text} is ${nano} n`, () => expect(parseQuantity(text)).toBe(nano))

  const bad = [
    '',
    '.',
    'm',
    '1 Gi',
    '1gi',
    '1K',
    '1KB',
    '0x10',
    '1e',
    '1e999',
    '1_000',
    '--1',
    '1.2.3',
    'Inf',
    `${'9'.repeat(41)}`,
    '1\n',
  ]
  for (const text of bad) test(`${JSON.stringify(text)} is none`, () => expect(parseQuantity(text)).toBeUndefined())

  test('a number of milli units reads back exactly', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 10n ** 15n }),
        milli => toMilli(parseQuantity(`${milli}m`) ?? -1n) === milli,
      ),
    )
  })

  test('a decimal with up to nine digits is exact', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat({ max: 999_999_999 }), (whole, fraction) => {
        const text = `${whole}.${`${fraction}`.padStart(9, '0')}`
        return parseQuantity(text) === BigInt(whole) * NANO + BigInt(fraction)
      }),
    )
  })

  test('binary and decimal units agree with powers', () => {
    const units: Record<string, bigint> = {
      Ki: 1024n,
      Mi: 1024n ** 2n,
      Gi: 1024n ** 3n,
      k: 1000n,
      M: 10n ** 6n,
      G: 10n ** 9n,
    }
    for (const [unit, factor] of Object.entries(units)) {
      fc.assert(
        fc.property(fc.nat(), amount => toUnits(parseQuantity(`${amount}${unit}`) ?? -1n) === BigInt(amount) * factor),
      )
    }
  })

  test('dividing rounds up and never below', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 10n ** 24n }),
        fc.bigInt({ min: 1n, max: 10n ** 12n }),
        (amount, divisor) => {
          const result = divideUp(amount, divisor)
          return result * divisor >= amount && (result - 1n) * divisor < amount
        },
      ),
    )
  })

  test('any number with any suffix is what arithmetic makes of it, rounded away from zero', () => {
    const factors: Record<string, [bigint, bigint]> = {
      ...{ '': [1n, 1n], n: [1n, 10n ** 9n], u: [1n, 10n ** 6n], m: [1n, 1000n] },
      ...{
        k: [1000n, 1n],
        M: [10n ** 6n, 1n],
        G: [10n ** 9n, 1n],
        T: [10n ** 12n, 1n],
        P: [10n ** 15n, 1n],
        E: [10n ** 18n, 1n],
      },
      ...{
        Ki: [2n ** 10n, 1n],
        Mi: [2n ** 20n, 1n],
        Gi: [2n ** 30n, 1n],
        Ti: [2n ** 40n, 1n],
        Pi: [2n ** 50n, 1n],
        Ei: [2n ** 60n, 1n],
      },
      ...{ e3: [1000n, 1n], 'E-3': [1n, 1000n], 'e+6': [10n ** 6n, 1n] },
    }
    const digits = fc.stringMatching(/^[0-9]{0,15}$/)
    fc.assert(
      fc.property(
        fc.constantFrom('', '+', '-'),
        digits,
        digits,
        fc.constantFrom(...Object.keys(factors)),
        (sign, whole, fraction, suffix) => {
          const text = `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}${suffix}`
          if (whole === '' && fraction === '') return parseQuantity(text) === undefined
          const [up, down] = factors[suffix] ?? [1n, 1n]
          const [above, below] = [BigInt(`${whole}${fraction}`) * up * NANO, down * 10n ** BigInt(fraction.length)]
          const amount = above / below + (above % below === 0n ? 0n : 1n)
          return parseQuantity(text) === (sign === '-' ? -amount : amount)
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('nothing else is a quantity', () => {
    const grammar = /^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?0*[0-9]{1,2})?$/
    const unit = fc.constantFrom(...'0159.-+eEkKiMmnu ,_x\n'.split(''))
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 7 }), text => {
        const parsed = parseQuantity(text)
        if (!grammar.test(text)) expect([text, parsed]).toEqual([text, undefined])
      }),
      { numRuns: 5000 },
    )
  })
})
