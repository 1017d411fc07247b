/** The env files of `fileKeyRef`: written by containers, so nothing in them is taken on trust. */

/** What a line of such a file is, from its start: blanks, a comment, or the name of a variable before its `='`. */
const NOTHING = /[ \t\r]*(?:#[^\n]*)?(?:\n|$)/y
const NAME = /[ \t]*([\x21-\x3c\x3e-\x7e]+)='/y

/**
 * The value that a file gives to a variable, undefined where it has none of that name. The syntax is that of Kubernetes
 * since 1.35, which every POSIX shell reads the same way: `NAME='VALUE'` without blanks around `=`, the value as it
 * is between the quotes and maybe over several lines, comments from `#`. The first line of a name counts, and nothing
 * after it is looked at. A file that is not so gives the number of the line, and never what is there.
 */
export function findInEnvFile(text: string, key: string): { value: string } | { problem: string } | undefined {
  for (let at = 0; at < text.length; ) {
    const rest = match(NOTHING, text, at)
    if (rest !== undefined) {
      at += rest[0].length
      continue
    }
    const found = match(NAME, text, at)
    if (found === undefined) return { problem: `${lineOf(text, at)} is not NAME='VALUE'` }
    const begin = at + found[0].length
    const end = text.indexOf("'", begin)
    if (end === -1) return { problem: `the quote of ${lineOf(text, at)} is not closed` }
    const after = match(NOTHING, text, end + 1)
    const glued = text[end + 1] === '#'
    if (after === undefined || glued) return { problem: `something follows the closing quote of ${lineOf(text, at)}` }
    if (found[1] === key) return { value: text.slice(begin, end) }
    at = end + 1 + after[0].length
  }
  return undefined
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at
  return pattern.exec(text) ?? undefined
}

const lineOf = (text: string, at: number): string => `line ${text.slice(0, at).split('\n').length}`
