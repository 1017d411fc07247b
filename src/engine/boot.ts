/**
 * Which boot this is. The kernel's boot id alone does not tell: a container that boots its own systemd keeps the
 * host's, and a run directory may survive a reboot on a disk. So the id is tied to a token in the run directory.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../errors.ts'
import { removeTree, writeAtomic } from '../files.ts'
import type { Paths } from '../paths.ts'
import { randomHex } from '../random.ts'
import { takeLock } from './state/index.ts'
import type { Doors } from './types/index.ts'

/** The first command of a boot cleans up after the one before: many files, and a row for each container. */
const LOCK_TIMEOUT_MS = 120_000
/** What we keep in a run directory. Somebody may have named a directory that holds other things as well. */
const RUN_FILES = [
  'containers',
  'exits',
  'net',
  'pods',
  'prober',
  'roots',
  'runtime',
  'runtime.json',
  'timekeeper',
  'tmp',
]

/** The key of this boot of this installation; undefined until a first command has made it. */
export function readBootKey(paths: Paths): string | undefined {
  const kernel = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const known = read(bootFile(paths))
  return known?.startsWith(`${kernel} `) ? known : undefined
}

/**
 * Begins a boot: files of an earlier one go, `refresh` heals the records, and only then the key is written, so that a
 * command that was killed on the way has done nothing by halves. Others that come meanwhile wait.
 */
export async function beginBoot(doors: Doors, refresh: (key: string) => Promise<void>): Promise<string> {
  const { paths, clock } = doors
  mkdirSync(paths.runRoot, { recursive: true, mode: 0o700 })
  const request = { paths, clock, name: '@boot', command: 'first command of a boot', timeoutMs: LOCK_TIMEOUT_MS }
  const lock = await takeLock(request)
  try {
    const known = readBootKey(paths)
    if (known !== undefined) return known
    await purge(doors)
    const kernel = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const key = `${kernel} ${randomHex(8)}`
    await refresh(key)
    await mkdir(paths.runRoot, { recursive: true, mode: 0o700 })
    await writeAtomic(bootFile(paths), key, 0o600, { durable: false })
    await lock.removeFile()
    return key
  } finally {
    await lock[Symbol.asyncDispose]()
  }
}

const bootFile = (paths: Paths): string => join(paths.runRoot, 'boot')

/** Whatever the run directory holds is of processes, mounts and networks that a reboot has ended. */
async function purge({ paths, note }: Doors): Promise<void> {
  for (const name of RUN_FILES) {
    // Something mounted there is no reason to refuse everything: fsck tells of it.
    await removeTree(join(paths.runRoot, name)).catch(error => note(`of an earlier boot: ${(error as Error).message}`))
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
