/**
 * What fields mean, in our own words, and what Podman does with them: templates/fields.txt, which only `explain` and
 * the documentation read.
 *
 *   [Type] what it is
 *   field LEVEL what it does // what Podman's `kube play` does differently
 */

/** Of Podman 6: does it, does part of it, drops it in silence, refuses it, or has no say in it. */
export type PodmanLevel = 'yes' | 'partly' | 'ignored' | 'refused' | ''
export type Meaning = { text: string; podman: PodmanLevel; detail: string }
/** `Type` or `Type.field` → its meaning. */
export type Meanings = ReadonlyMap<string, Meaning>

const LEVELS: Record<string, PodmanLevel> = { S: 'yes', P: 'partly', I: 'ignored', R: 'refused', '-': '' }

/** Reads the text. Throws a plain error with the line for what is not in the form above: the text is ours. */
export function parseMeanings(text: string): Meanings {
  const meanings = new Map<string, Meaning>()
  let type = ''
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '' || line.startsWith('#')) continue
    const head = /^\[(\w+)\] ?(.*)$/.exec(line)
    if (head !== null) {
      type = head[1] ?? ''
      meanings.set(type, { text: head[2] ?? '', podman: '', detail: '' })
      continue
    }
    const [, field, letter = '', words = ''] = /^(\w+) ([SPIR-])(?: (.*))?$/.exec(line) ?? []
    const podman = LEVELS[letter]
    const path = `${type}.${field}`
    if (field === undefined || podman === undefined || type === '' || meanings.has(path))
      throw new Error(`fields.txt:${index + 1}: ${line}`)
    const [meaning = '', detail = ''] = words.split(' // ')
    meanings.set(path, { text: meaning, podman, detail })
  }
  return meanings
}
