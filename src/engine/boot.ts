/**
 * Which boot this is. The kernel's boot id alone does not tell: a container that boots its own systemd keeps the
 * host's, and a run directory may survive a reboot on a disk. So the id is tied to a token in the run directory.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMissing } from '../errors.ts'
import type { Paths } from '../paths.ts'
import { randomHex } from '../random.ts'

/** The key of this boot of this installation; made when the run directory has none. */
export function bootKey(paths: Paths): string {
  const kernel = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const file = join(paths.runRoot, 'boot')
  mkdirSync(paths.runRoot, { recursive: true, mode: 0o700 })
  const known = read(file)
  if (known?.startsWith(`${kernel} `)) return known
  const fresh = `${kernel} ${randomHex(8)}`
  // wx: of two first commands one wins and both use its token; a token of an earlier boot is simply replaced.
  try {
    writeFileSync(file, fresh, { mode: 0o600, flag: known === undefined ? 'wx' : 'w' })
    return fresh
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return read(file) ?? fresh
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
