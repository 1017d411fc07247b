/** Doing something with each operand: one that fails does not keep the others back. */
import { EXIT_OWN_ERROR, isTspodError } from '../errors.ts'
import { failureText } from './failure.ts'
import type { Outcome } from './verb.ts'

/** Prints what `act` says of each name, complains about those that fail, and ends with 125 when any did. */
export async function forEachName(names: readonly string[], act: (name: string) => Promise<string>): Promise<Outcome> {
  const said: string[] = []
  const complaints: string[] = []
  for (const name of names) {
    try {
      said.push(await act(name))
    } catch (error) {
      if (!isTspodError(error)) throw error
      complaints.push(failureText(error).text)
    }
  }
  return {
    stdout: said.join(''),
    stderr: complaints.join(''),
    exitCode: complaints.length > 0 ? EXIT_OWN_ERROR : 0,
  }
}
