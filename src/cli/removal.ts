/** What `rm` of images, volumes and networks has in common: Podman's exit codes, and pods that are in the way. */
import type { Engine } from '../engine/index.ts'
import { EXIT_OWN_ERROR, isTspodError, type TspodError } from '../errors.ts'
import { forEachName } from './each.ts'
import type { Outcome } from './verb.ts'

const EXIT_MISSING = 1
const EXIT_IN_USE = 2

/**
 * Removes each of the names and prints what `remove` says of it. Ends with 1 when all that is wrong is what does not
 * exist, which is nothing wrong with `missingIsFine`, with 2 when something is in use, with 125 for the rest.
 */
export async function removeEach(
  names: readonly string[],
  missingIsFine: boolean,
  remove: (name: string) => Promise<string>,
): Promise<Outcome> {
  const failures: TspodError[] = []
  const outcome = await forEachName(names, async name => {
    try {
      return await remove(name)
    } catch (error) {
      if (missingIsFine && isTspodError(error, 'NO_SUCH_OBJECT')) return ''
      if (isTspodError(error)) failures.push(error)
      throw error
    }
  })
  return failures.length === 0 ? outcome : { ...outcome, exitCode: exitCodeOf(failures) }
}

function exitCodeOf(failures: readonly TspodError[]): number {
  if (failures.every(({ code }) => code === 'NO_SUCH_OBJECT')) return EXIT_MISSING
  return failures.some(({ code }) => code === 'WRONG_STATE') ? EXIT_IN_USE : EXIT_OWN_ERROR
}

/** Stops and removes the pods of these names. Throws the first error. */
export async function removePods(engine: Engine, names: readonly string[], signal: AbortSignal): Promise<void> {
  const ids = (await engine.pods()).filter(pod => names.includes(pod.name)).map(({ id }) => id)
  const outcomes = await engine.operatePods(ids, { do: 'remove', force: true }, signal)
  const failed = outcomes.find(({ error }) => error !== undefined)?.error
  if (failed !== undefined) throw failed
}
