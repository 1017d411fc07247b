/** Variables of this host in the manifests of a source, from the file of --vars. */
import { sha256 } from '../../digest.ts'
import { isTspodError, TspodError } from '../../errors.ts'
import { type Filled, fillIn, unfilled, type Variables } from '../../kube/index.ts'
import type { FilledWith, Hands, SourceSnapshot } from './hands.ts'
import { readKept, type SourceRecord } from './store.ts'

/** The snapshot with the values in its files; `where` is the file that they are from. Throws MANIFEST_INVALID. */
export function withVariables(snapshot: SourceSnapshot, variables: Variables, where: string): SourceSnapshot {
  const files = fillIn(snapshot.files, variables, where, snapshot.remade)
  return {
    ...snapshot,
    files: files.map(({ file, text }) => ({ file, text })),
    // Values may be secret: trees of them are not to lie about.
    decrypted: true,
    filled: filledWith(files, variables),
  }
}

function filledWith(files: readonly Filled[], variables: Variables): FilledWith {
  return {
    digest: sha256(JSON.stringify(files.map(({ file, text }) => [file, text]))),
    unfilled: error => {
      if (!isTspodError(error, 'MANIFEST_INVALID')) return error
      const { message, remedy, details = '' } = error
      return new TspodError(error.code, message, { remedy, details: unfilled(details, files, variables) })
    },
  }
}

/** A complaint about texts that have values in them already, and no others beside them: its places alone. */
export function placesOf(error: unknown): unknown {
  if (!isTspodError(error, 'MANIFEST_INVALID')) return error
  const { message, remedy, details = '' } = error
  const places = details.split('\n').flatMap(line => /^\S.*?:\d+:\d+ error [A-Z_]+/.exec(line)?.[0] ?? [])
  return new TspodError(error.code, message, { remedy, details: places.join('\n') })
}

/**
 * Whether a snapshot is what was applied last: the same revision, and the same values in it. A file of variables that
 * has changed is news, and no drift.
 */
export async function isApplied(
  { store }: Pick<Hands, 'store'>,
  { name, applied }: SourceRecord,
  { revision, files, filled }: SourceSnapshot,
): Promise<boolean> {
  if (applied?.revision !== revision) return false
  if (filled === undefined) return true
  const kept = await readKept(store, name, revision)
  return JSON.stringify(kept?.files) === JSON.stringify(files)
}
