/** Archives, by the host's GNU tar: we neither read nor write the format ourselves. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { failureText } from '../../process.ts'
import type { EngineContext } from '../context.ts'
import { makeStage } from './stage.ts'

/** What fits into an archive on standard input; each entry takes at least one record of 512 bytes. */
const MAX_INPUT_BYTES = 16 * 1024 ** 3
const MAX_INPUT_ENTRIES = 1_000_000

/** tar tells how far it has read once in so many records of 10 KiB. */
const CHECKPOINT_RECORDS = 512
const RECORD_BYTES = 10_240

/** tar's code for "a file changed while it was read": what a running container does all the time. */
const CHANGED = 1

/**
 * Unpacks the archive on standard input into the fresh directory `stage`, which nobody else can reach. tar itself
 * refuses absolute names, `..` and links that lead out; owners, modes and times are kept.
 * @throws COMMAND_FAILED for what is no archive, UNSAFE_PATH for one that is too large.
 */
export async function unpackInput(
  context: EngineContext,
  stage: { directory: string },
  signal: AbortSignal,
): Promise<void> {
  const tooLarge = new AbortController()
  let entries = 0
  const onLine = (line: string): void => {
    const records = /^tar: Read checkpoint (\d+)$/.exec(line)?.[1]
    if (records === undefined) entries += 1
    if (entries > MAX_INPUT_ENTRIES || Number(records ?? 0) * RECORD_BYTES > MAX_INPUT_BYTES) tooLarge.abort()
  }
  const argv = [
    ...['tar', '--extract', '--file=-', `--directory=${stage.directory}`, '--verbose', '--numeric-owner'],
    ...['--same-owner', '--same-permissions', '--no-acls', '--no-selinux', '--no-xattrs', '--delay-directory-restore'],
    ...[`--record-size=${RECORD_BYTES}`, '--read-full-records', `--checkpoint=${CHECKPOINT_RECORDS}`],
  ] as const
  const stop = AbortSignal.any([signal, tooLarge.signal])
  const finished = await context.stream({ argv: [...argv], inheritInput: true }, onLine, stop).catch(error => {
    throw tooLarge.signal.aborted ? archiveTooLarge(error) : error
  })
  if (finished.exitCode === 0) return
  throw new TspodError('COMMAND_FAILED', `cannot read the archive on standard input: ${failureText(finished)}`, {
    remedy: 'pipe in a plain tar archive (a compressed one through gunzip or the like first)',
  })
}

const archiveTooLarge = (cause: unknown): TspodError =>
  new TspodError(
    'UNSAFE_PATH',
    `refusing an archive of more than ${MAX_INPUT_BYTES / 1024 ** 3} GiB or ${MAX_INPUT_ENTRIES} entries`,
    { remedy: 'send it in several parts, or copy a directory of the host', cause },
  )

/**
 * Writes everything in `directory` as an archive to `file`, or to standard output without one. Links are archived as
 * links and nothing behind another mount is; owners are numbers.
 * @throws COMMAND_FAILED when tar could not read or write something, TOOL_MISSING.
 */
export async function packTree(
  context: EngineContext,
  directory: string,
  file: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  // By a list, so that names begin neither with ./ nor are mistaken for options.
  const stage = await makeStage(context)
  const list = join(stage.directory, 'names')
  const names = await readdir(directory, { encoding: 'buffer' })
  try {
    await writeFile(list, Buffer.concat(names.flatMap(name => [name, Buffer.from([0])])), { mode: 0o600 })
    const argv = [
      ...['tar', '--create', `--file=${file ?? '-'}`, '--force-local', `--directory=${directory}`],
      ...['--one-file-system', '--numeric-owner', '--format=pax', '--pax-option=delete=atime,delete=ctime'],
      ...['--xattrs', '--xattrs-include=security.capability', '--xattrs-include=user.*'],
      ...['--warning=no-file-changed', '--warning=no-file-removed', '--warning=no-file-ignored'],
      ...['--null', '--verbatim-files-from', `--files-from=${list}`],
    ] as const
    const code = await context.interact([...argv], { stdin: false }, signal)
    signal.throwIfAborted()
    if (code === 0 || code === CHANGED) return
    throw new TspodError('COMMAND_FAILED', `tar ended with code ${code} and left the archive incomplete`, {
      remedy: 'see what it said above',
    })
  } finally {
    await stage.remove()
  }
}
