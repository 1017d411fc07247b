/** Finding programs, and which of them may be run as root. */
import { lstatSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { isMissing, TspodError } from '../../errors.ts'
import { FIXED_PATH } from '../../process.ts'
import { findProgramIn } from '../../programs.ts'

/** The first executable of that name on the fixed PATH, whatever the caller's PATH says. */
export const findProgram = (name: string): string | undefined => findProgramIn(FIXED_PATH, name)

/**
 * The real path of a file that root is about to run or to obey; undefined when there is none.
 * Throws UNSAFE_PATH when anybody else could change it or a directory it is in; `use` says what is not done then.
 */
export function trustedFile(path: string, use: string): string | undefined {
  let real: string
  try {
    real = realpathSync(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  for (let part = real; ; part = join(part, '..')) {
    const found = lstatSync(part)
    const sticky = found.isDirectory() && (found.mode & 0o1000) !== 0
    if (found.uid !== 0 || ((found.mode & 0o022) !== 0 && !sticky)) {
      throw new TspodError('UNSAFE_PATH', `${part} can be changed by others than root, so ${path} ${use}`, {
        remedy: `chown root ${part} and chmod go-w ${part}`,
      })
    }
    if (part === '/') return real
  }
}
