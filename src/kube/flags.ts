/** Values of flags whose grammar belongs to manifests. */
import { TspodError } from '../errors.ts'
import { emptyRecord, qualifiedProblem, quote } from './yaml/index.ts'

/**
 * The annotations of `--annotation KEY=VALUE` flags. Throws USAGE for one without `=` (in Podman's words) or with a
 * key that is not the key of an annotation.
 */
export function parseAnnotations(values: readonly string[]): Record<string, string> {
  const annotations = emptyRecord<string>()
  for (const value of values) {
    const equals = value.indexOf('=')
    const key = value.slice(0, equals)
    if (equals === -1) throw usage(`annotation ${quote(value)} must include an '=' sign`)
    const problem = qualifiedProblem(key.toLowerCase())
    if (problem !== undefined) throw usage(`annotation key ${quote(key)} ${problem}`)
    annotations[key] = value.slice(equals + 1)
  }
  return annotations
}

const usage = (message: string): TspodError =>
  new TspodError('USAGE', message, { remedy: 'write it as --annotation KEY=VALUE' })
