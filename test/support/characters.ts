/** Any character at all, for properties of texts. */
import fc from 'fast-check'

/** Halves of a pair are no characters. */
const HALVES = { first: 0xd800, count: 0x800 }

/**
 * The same characters, with the same chances, as `unit: 'binary'`: fast-check's own begins with a table of all of them,
 * which takes each file that asks for it a second.
 */
export const anyCharacter = fc.nat({ max: 0x10ffff - HALVES.count }).map(
  index => String.fromCodePoint(index < HALVES.first ? index : index + HALVES.count),
  text => {
    const code = typeof text === 'string' ? text.codePointAt(0) : undefined
    if (code === undefined || text !== String.fromCodePoint(code)) throw new Error('not one character')
    return code < HALVES.first ? code : code - HALVES.count
  },
)
