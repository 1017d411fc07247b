/** Words for people: lists of them, what a wrong one was meant to be, quoting, and what of a text can be shown. */

/** "a", "a or b", "a, b or c". */
export function either(words: readonly string[]): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** The candidate that `word` most likely stood for, if any is close: at most two edits, or a third of the word. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.min(2, Math.floor(word.length / 3)))
  let best: { candidate: string; edits: number } | undefined
  for (const candidate of candidates) {
    const edits = editDistance(word, candidate)
    if (edits <= limit && (best === undefined || edits < best.edits)) best = { candidate, edits }
  }
  return best?.candidate ?? candidates.find(candidate => word.length >= 3 && candidate.startsWith(word))
}

/** Edits (insert, delete, replace, swap neighbours) between two short words; long ones count as far apart. */
export function editDistance(from: string, to: string): number {
  if (from.length > 64 || to.length > 64) return Number.POSITIVE_INFINITY
  // Rows of the table for two letters less and for one: an edit looks no further back.
  let before: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const line = [row]
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1]
      const isSwapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      let edits = last[column - 1]! + (isSame ? 0 : 1)
      if (last[column]! < edits) edits = last[column]! + 1
      if (line[column - 1]! < edits) edits = line[column - 1]! + 1
      if (isSwapped && before[column - 2]! < edits) edits = before[column - 2]! + 1
      line.push(edits)
    }
    before = last
    last = line
  }
  return last[to.length]!
}

const GO_ESCAPES: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

/**
 * A string as Go writes it in source, in double quotes (strconv.Quote): what can be printed stays as it is, and so do
 * the marks of a Job's pods (src/job.ts).
 */
export function goQuote(text: string): string {
  const escaped = text.replace(/["\\]|(?![ \ue0f5-\ue0f8])[\p{C}\p{Z}]/gu, character => {
    const code = character.codePointAt(0) ?? 0
    const hex = code.toString(16)
    const wide = code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
    return GO_ESCAPES[character] ?? (code < 0x80 ? `\\x${hex.padStart(2, '0')}` : wide)
  })
  return `"${escaped}"`
}

/** Text from a manifest, registry or host on one line; what could steer a terminal or its direction becomes `?`. */
export const printable = (text: string): string =>
  text.replace(/[\t\n\r]+/g, ' ').replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?')

/** An object as kubectl writes it: `pod/web`. */
export const objectLabel = ({ kind, name }: { kind: string; name: string }): string => `${kind.toLowerCase()}/${name}`

const MOST_LISTED = 8

/** Names in one line, not more than people read. */
export const listed = (names: readonly string[]): string =>
  names.length <= MOST_LISTED
    ? names.join(', ')
    : `${names.slice(0, MOST_LISTED).join(', ')} and ${names.length - MOST_LISTED} more`

/** What a plan cannot know of objects, by their labels, whose images a registry would be asked for. */
export const unaskedText = (labels: readonly string[]): string =>
  `the registry was not asked: ${listed(labels)} may get a newer image`

/** Podman's limit for names of networks, without what could leave a directory. */
export const NETWORK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/

/** What the kernel takes for the name of an interface, without what would have to be quoted. */
export const INTERFACE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/
