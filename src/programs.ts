/** Where a program is, by a PATH that is given: this process's own does not count. */
import { statSync } from 'node:fs'
import { join } from 'node:path'

/** The first executable of that name in the folders of `path`, which stand between colons; undefined when none has it. */
export function findProgramIn(path: string, name: string): string | undefined {
  if (name === '' || name.includes('/')) return undefined
  return path
    .split(':')
    .map(directory => join(directory, name))
    .find(isExecutableFile)
}

/** True for a regular file that somebody may execute. */
export function isExecutableFile(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found?.isFile() === true && (found.mode & 0o111) !== 0
}
