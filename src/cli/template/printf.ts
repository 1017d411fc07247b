/** Go's fmt.Sprintf for the verbs that templates use. */
import { goQuote } from '../../words.ts'
import { isList, isMap, kindOf, print, printNumber, sortedKeys, type Value } from './value.ts'

type Wish = {
  verb: string
  minus: boolean
  sign: '' | '+' | ' '
  zero: boolean
  width: number
  precision: number | undefined
}

const DIRECTIVE = /%([-+ 0#]*)(\d{1,4})?(?:\.(\d{0,4}))?([a-zA-Z%!]|$)/g

export const VERBS = ['v', 's', 'q', 'd', 't', 'x', 'X', 'f', 'e', 'g', 'c', 'b', 'o', '%'] as const

/** The verbs in `format` that are not in VERBS, or have the flag `#`. */
export function unknownVerbs(format: string): string[] {
  const known: readonly string[] = VERBS
  return [...format.matchAll(DIRECTIVE)].flatMap(([, flags = '', , , verb = '']) => {
    if (flags.includes('#')) return [`#${verb}`]
    return known.includes(verb) ? [] : [verb]
  })
}

/** `format` with its directives filled in from `args`; what does not fit is marked in the text, as Go does. */
export function sprintf(format: string, args: readonly Value[]): string {
  let next = 0
  const text = format.replace(DIRECTIVE, (_, flags: string, width = '', precision: string | undefined, verb) => {
    if (verb === '%') return '%'
    if (verb === '') return '%!(NOVERB)'
    if (next >= args.length) return `%!${verb}(MISSING)`
    const wish: Wish = {
      verb,
      minus: flags.includes('-'),
      sign: flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '',
      zero: flags.includes('0') && !flags.includes('-'),
      width: width === '' ? 0 : Number(width),
      precision: precision === undefined ? undefined : Number(precision || '0'),
    }
    return formatted(args[next++], wish)
  })
  const extra = args.slice(next).map(value => `${kindOf(value)}=${print(value)}`)
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(', ')})`
}

/** Lists and maps are gone through: width and verb count for each of their elements. */
function formatted(value: Value, wish: Wish): string {
  if (isList(value)) return `[${value.map(one => formatted(one, wish)).join(' ')}]`
  if (isMap(value)) {
    const entries = sortedKeys(value).map(key => `${formatted(key, wish)}:${formatted(value.get(key), wish)}`)
    return `map[${entries.join(' ')}]`
  }
  const text = converted(value, wish)
  if (text !== undefined) return padded(text, wish)
  const nothing = value === null || value === undefined
  return `%!${wish.verb}(${nothing ? '<nil>' : `${kindOf(value)}=${print(value)}`})`
}

function padded(text: string, { width, minus, zero }: Wish): string {
  const missing = width - [...text].length
  if (missing <= 0) return text
  if (minus) return text + ' '.repeat(missing)
  if (!zero) return ' '.repeat(missing) + text
  const sign = /^[+ -]?/.exec(text)?.[0] ?? ''
  return sign + '0'.repeat(missing) + text.slice(sign.length)
}

/** Undefined where the verb does not fit the value. */
function converted(value: Value, wish: Wish): string | undefined {
  const { verb, precision } = wish
  if (verb === 'v') return typeof value === 'number' ? signed(value, wish, printNumber) : print(value ?? null)
  if (typeof value === 'number') return number(value, wish)
  if (typeof value === 'boolean') return verb === 't' ? String(value) : undefined
  if (typeof value !== 'string') return verb === 's' && value instanceof Date ? print(value) : undefined
  const cut = precision === undefined ? value : [...value].slice(0, precision).join('')
  if (verb === 's') return cut
  if (verb === 'q') return goQuote(cut)
  if (verb === 'x' || verb === 'X') {
    const hex = Buffer.from(cut, 'utf8').toString('hex')
    return verb === 'x' ? hex : hex.toUpperCase()
  }
  return undefined
}

function number(value: number, wish: Wish): string | undefined {
  const { verb, precision = 6 } = wish
  if (verb === 'f') return signed(value, wish, size => size.toFixed(Math.min(precision, 100)))
  if (verb === 'e') return signed(value, wish, size => exponent(size, precision))
  if (verb === 'g') return signed(value, wish, printNumber)
  if (!Number.isInteger(value)) return undefined
  if (verb === 'd') return signed(value, wish, String)
  if (verb === 'c') return String.fromCodePoint(Math.min(Math.max(value, 0), 0x10ffff))
  if (verb === 'q') return `'${String.fromCodePoint(Math.min(Math.max(value, 0), 0x10ffff))}'`
  const base = { x: 16, X: 16, o: 8, b: 2 }[verb]
  if (base === undefined) return undefined
  return signed(value, wish, size => (verb === 'X' ? size.toString(base).toUpperCase() : size.toString(base)))
}

const exponent = (value: number, precision: number): string =>
  value.toExponential(Math.min(precision, 100)).replace(/e([+-])(\d)$/, (_, sign, digit) => `e${sign}0${digit}`)

function signed(value: number, wish: Wish, write: (size: number) => string): string {
  const sign = value < 0 ? '-' : wish.sign
  return sign + write(Math.abs(value))
}
