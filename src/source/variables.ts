/** The variables of a host: a file that is here and not in the source, so that one repository serves several hosts. */
import { readFileSync, statSync } from 'node:fs'
import { envLines } from '../env-lines.ts'
import { variablesFailure } from './failure.ts'

const MAX_BYTES = 1024 * 1024
const WORLD_WRITABLE = 0o002
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Reads a file of `NAME=VALUE` lines. Throws SOURCE_VARS when it cannot be read, when everybody may write to it, and for
 * every line that is wrong. What stands in the file is never in a message, but for names.
 */
export function readVariables(file: string): ReadonlyMap<string, string> {
  const { variables, mistakes } = parseVariables(textOf(file))
  const [first] = mistakes
  if (first === undefined) return variables
  const lines = mistakes.map(({ line, why }) => `${file}:${line}: ${why}`)
  throw variablesFailure(
    mistakes.length === 1 ? `${lines[0]}` : `${mistakes.length} lines of ${file} are wrong`,
    'write one NAME=VALUE a line, without quotes; comments begin with #',
    mistakes.length === 1 ? {} : { details: lines.join('\n') },
  )
}

type Parsed = { variables: ReadonlyMap<string, string>; mistakes: { line: number; why: string }[] }

/** The variables of a text, and what is wrong with it. Pure. */
export function parseVariables(text: string): Parsed {
  const variables = new Map<string, string>()
  const lines = new Map<string, number>()
  const mistakes: Parsed['mistakes'] = []
  for (const { line, name, value } of envLines(text)) {
    const before = lines.get(name)
    // A second line of a value looks like a name at times: nothing of such a line is shown.
    if (name === '') mistakes.push({ line, why: 'is not NAME=VALUE' })
    else if (!NAME.test(name)) mistakes.push({ line, why: 'a name has letters, digits and _, and no digit in front' })
    else if (/[\r\0]/.test(value)) mistakes.push({ line, why: `the value of ${name} has a line break or a NUL in it` })
    else if (before !== undefined) mistakes.push({ line, why: `${name} has a value already, in line ${before}` })
    else {
      variables.set(name, value)
      lines.set(name, line)
    }
  }
  return { variables, mistakes }
}

function textOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false })
  if (stat === undefined) throw unreadable(file, 'it is not there')
  if (!stat.isFile()) throw unreadable(file, 'it is no regular file')
  if (stat.size > MAX_BYTES) throw unreadable(file, `it is larger than ${MAX_BYTES / 1024} KiB`)
  if ((stat.mode & WORLD_WRITABLE) !== 0)
    throw variablesFailure(`${file} may be written by everybody, so it says nothing`, `run: chmod o-w ${file}`)
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (cause) {
    throw unreadable(file, (cause as Error).message, cause)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw unreadable(file, 'it is not UTF-8 text', cause)
  }
}

const unreadable = (file: string, why: string, cause?: unknown): Error =>
  variablesFailure(
    `the variables of --vars cannot be read: ${file}: ${why}`,
    'put the file there; nothing was changed',
    cause === undefined ? {} : { cause },
  )
