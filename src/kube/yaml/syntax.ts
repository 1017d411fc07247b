/** What is wrong with a text that is no YAML, in words for people who do not know the grammar. */
import { type Document, visit } from 'yaml'

/** `at`: offset where it begins; `end` is exclusive. */
type SyntaxProblem = { at: number; end: number; message: string; remedy: string }

type Words = { when: RegExp; message?: string; remedy: string }

/** The first row whose pattern the library's message has; `$1` is what it captured. */
const WORDS: readonly Words[] = [
  { when: /^Tabs are not allowed/, message: 'a tab in the indentation', remedy: 'indent with blanks' },
  {
    when: /^Missing closing (["'])quote/,
    message: 'the closing $1 of this text is missing',
    remedy: 'add it, or double a quote that belongs to the text',
  },
  { when: /^Invalid escape sequence (.*)/, message: '$1 is no escape', remedy: 'write \\\\ for a backslash' },
  {
    when: /^Nested mappings/,
    message: 'a ": " in the middle of a value',
    remedy: 'put the value in quotes, or begin a new line for the key',
  },
  {
    when: /^(?:Unexpected block-seq-ind on same line|A block sequence may not)/,
    message: 'a list must begin on a line of its own',
    remedy: 'put each "- " on its own line, indented with blanks',
  },
  {
    when: /^Plain value cannot start with .*?(\S+)$/,
    message: 'a value must not begin with $1 unless it is quoted',
    remedy: 'put it in quotes',
  },
  {
    when: /^(?:Implicit keys need to be|Implicit map keys need to be followed)/,
    message: 'a key without ": " behind it',
    remedy: 'write KEY: VALUE, with a blank after the colon, and indent it as its neighbours',
  },
  {
    when: /^All (?:mapping|sequence) items must start at the same column|^Map keys must/,
    message: 'the indentation does not fit that of the lines before',
    remedy: 'begin the keys of a map, and the "- " of a list, in the same column',
  },
  {
    when: /^Missing (,(?: or :)?) between (flow \w+)/,
    message: 'a "$1" is missing between two items',
    remedy: 'separate items in { } and [ ] with commas',
  },
  {
    when: /must be indented|sufficiently indented|^(?:Flow map|Flow sequence).*(?:expected|end with)|end with a/,
    message: 'a closing } or ] is missing, or stands too far to the left',
    remedy: 'close every { and [',
  },
  {
    when: /^Unexpected flow-map-start (?:at node end|token)/,
    message: 'a second object after the end of the first',
    remedy: 'put a line of --- between documents',
  },
  {
    when: /^Unexpected .* at node end/,
    message: 'something stands after the end of the value',
    remedy: 'put the value in quotes, or check the indentation',
  },
  { when: /^Unexpected/, remedy: 'check the brackets, commas and quotes before this place' },
  { when: /1024/, message: 'a key is longer than 1024 characters', remedy: 'look for a missing quote' },
]

/** A key that is indented too far belongs to the value before it. */
const GOES_ON = {
  message: 'this value goes on in the next line, and there is a ": " in it',
  remedy: 'begin the key of the next line in the same column as the key of this one',
}

/**
 * The problem that a document's reader should know of, or undefined when its syntax is sound. It is the first one:
 * what a parser finds after that is a consequence. A tab is named even where its consequences come first.
 */
export function syntaxProblem(document: Document.Parsed, text: string): SyntaxProblem | undefined {
  const found = [...document.errors, ...document.warnings.filter(({ code }) => code !== 'TAG_RESOLVE_FAILED')]
  const first = found.find(({ code }) => code === 'TAB_AS_INDENT') ?? found.toSorted((a, b) => a.pos[0] - b.pos[0])[0]
  if (first === undefined) return undefined
  const said = first.message.split('\n')[0] ?? ''
  // The place of a missing quote is the end of the file; what helps is where the text begins.
  const [at, end] = /^Missing closing ["']/.test(said) ? (lastQuoted(document) ?? first.pos) : first.pos
  if (said.startsWith('Nested mappings') && /^[^:]*\n/.test(text.slice(at, at + 2000))) return { at, end, ...GOES_ON }
  const words = WORDS.find(({ when }) => when.test(said))
  const message = words?.message === undefined ? said : said.replace(matchAll(words.when), words.message)
  return { at, end: Math.max(end, at + 1), message, remedy: words?.remedy ?? 'see https://yaml.org/spec/1.2.2/' }
}

function lastQuoted(document: Document.Parsed): [start: number, end: number] | undefined {
  let last: [number, number] | undefined
  visit(document, {
    Scalar(_, { type, range }) {
      if (type?.startsWith('QUOTE') && range) last = [range[0], range[0] + 1]
    },
  })
  return last
}

/** The pattern and all around it: the message as a whole is replaced. */
const matchAll = (when: RegExp): RegExp => new RegExp(`^.*?(?:${when.source.replaceAll('^', '')}).*$`)

/** Characters that YAML does not allow in a text; the first one with what to do about it. */
export function badCharacter(text: string): SyntaxProblem | undefined {
  const at = text.search(/[\0-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffd\ufffe\uffff]|\n\ufeff/)
  if (at === -1) {
    // A lone half of a pair cannot come out of a file, but out of other callers.
    return text.isWellFormed()
      ? undefined
      : { at: 0, end: 1, message: 'text that is not valid Unicode', remedy: 'save the file as UTF-8 text' }
  }
  const character = text.charAt(at)
  if (character === '\n') {
    const remedy = 'remove the byte order mark, which stands where two files were joined'
    return { at: at + 1, end: at + 2, message: 'a byte order mark inside the file', remedy }
  }
  // U+FFFD is what a decoder puts in the place of bytes that are no UTF-8; NUL is half of the text in UTF-16.
  if (/[\0\ufffd-\uffff]/.test(character)) {
    const message = 'a character that is not valid UTF-8 text'
    return { at, end: at + 1, message, remedy: 'save the file as UTF-8 text' }
  }
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
  const remedy = 'remove it, or write it as an escape in double quotes'
  return { at, end: at + 1, message: `the control character U+${code}`, remedy }
}
