/** Kubernetes quantities such as `500m`, `1.5Gi` or `12e6`, exact to the nano unit as in the API. */

const NANO = 1_000_000_000n
const PATTERN = /^([-+]?)([0-9]{0,40})(?:\.([0-9]{0,40}))?(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][-+]?[0-9]{1,3})?$/
const BINARY_POWER: Record<string, number> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 }
const DECIMAL_POWER: Record<string, number> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
/** More than this is no amount of anything a host has. */
const MAX_EXPONENT = 30

/** The amount in nano units, rounded away from zero; undefined when the text is no quantity or absurdly large. */
export function parseQuantity(text: string): bigint | undefined {
  const match = PATTERN.exec(text)
  if (match === null) return undefined
  const [, sign, whole = '', fraction = '', suffix = ''] = match
  if (whole === '' && fraction === '') return undefined
  let numerator = BigInt(`${whole}${fraction}`) * NANO
  let denominator = 10n ** BigInt(fraction.length)
  const binary = BINARY_POWER[suffix]
  if (binary !== undefined) numerator <<= BigInt(binary)
  else {
    const power = suffix === '' ? 0 : (DECIMAL_POWER[suffix] ?? Number(suffix.slice(1)))
    if (Math.abs(power) > MAX_EXPONENT) return undefined
    if (power >= 0) numerator *= 10n ** BigInt(power)
    else denominator *= 10n ** BigInt(-power)
  }
  const amount = ceilDivide(numerator, denominator)
  return sign === '-' ? -amount : amount
}

/** The amount in units of `divisor` (both in nano units), rounded up: how resourceFieldRef divides. */
export const divideUp = (amount: bigint, divisor: bigint): bigint => ceilDivide(amount, divisor)

/** Thousandths, rounded up: the unit of CPU. */
export const toMilli = (nano: bigint): bigint => ceilDivide(nano, 1_000_000n)

/** Whole units, rounded up: bytes. */
export const toUnits = (nano: bigint): bigint => ceilDivide(nano, NANO)

function ceilDivide(amount: bigint, by: bigint): bigint {
  const quotient = amount / by
  return amount % by > 0n ? quotient + 1n : quotient
}
