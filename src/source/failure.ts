/** What may be wrong with a source, one code for each kind, so that a caller knows what not to do. */
import { type ErrorCode, type ErrorFacts, TspodError } from '../errors.ts'

/** The codes of this folder. With any of them nothing was read, so nothing may be removed for being missing. */
export type SourceCode = Extract<ErrorCode, `SOURCE_${string}`>

const failure =
  (code: SourceCode) =>
  (message: string, remedy: string, facts: Omit<ErrorFacts, 'remedy'> = {}): TspodError =>
    new TspodError(code, message, { ...facts, remedy })

/** git could not fetch, or the object it needs is not there. */
export const fetchFailure = failure('SOURCE_FETCH')
/** The directory, the repository, the branch or the path inside is not there any more. */
export const vanished = failure('SOURCE_VANISHED')
/** It is there and holds no manifest. */
export const empty = failure('SOURCE_EMPTY')
/** Somebody is at work in it: the next look may find it settled. */
export const unstable = failure('SOURCE_UNSTABLE')
/** No signature that is trusted. */
export const untrusted = failure('SOURCE_UNTRUSTED')
/** Its history was rewritten. */
export const rewound = failure('SOURCE_REWOUND')
/** A kustomization that cannot be built. */
export const renderFailure = failure('SOURCE_RENDER')
/** A file of SOPS that cannot be decrypted. */
export const decryptFailure = failure('SOURCE_DECRYPT')

/** The variables of this host cannot be read. */
export const variablesFailure = failure('SOURCE_VARS')

const hostileFailure = failure('SOURCE_HOSTILE')

/** A file that is not taken, and why: a phrase that goes on after its name. */
export type Refusal = { file: string; why: string }

/** All that is refused in `where`, at once. Throws SOURCE_HOSTILE unless there is nothing. */
export function refuse(where: string, refusals: readonly Refusal[]): void {
  const [first] = refusals
  if (first === undefined) return
  const lines = refusals.map(({ file, why }) => `${printable(file)} ${why}`)
  const message = refusals.length === 1 ? `${where}: ${lines[0]}` : `${where}: ${refusals.length} files are refused`
  throw hostileFailure(message, 'remove it or repair it, and look at who put it there: nothing was applied', {
    ...(refusals.length > 1 && { details: lines.slice(0, MAX_LINES).join('\n') }),
  })
}

const MAX_LINES = 50

/** A name as it may be shown: what is no visible character is written as a code. */
export const printable = (name: string): string =>
  name.replace(/[^\P{C}]|[\u2028\u2029]/gu, character => `\\u{${character.codePointAt(0)?.toString(16)}}`)

/** True for a name that would draw something else than itself: control, format and separator characters. */
export const isTreacherous = (name: string): boolean => /[\p{Cc}\p{Cf}\u2028\u2029\ufffd]/u.test(name)
