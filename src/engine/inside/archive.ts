/** Archives, by the host's GNU tar: we neither read nor write the format ourselves. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import type { IdMaps, IdRange } from '../../model.ts'
import { failureText, mustSucceed } from '../../process.ts'
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
 * Unpacks an archive, `file` or that on standard input, into the fresh directory `stage`, which nobody else can reach.
 * tar itself refuses absolute names, `..` and links that lead out; owners, modes and times are kept.
 * @throws COMMAND_FAILED for what is no archive, UNSAFE_PATH for one that is too large.
 */
export async function unpackArchive(
  context: EngineContext,
  stage: { directory: string; file?: string },
  signal: AbortSignal,
): Promise<void> {
  const { file } = stage
  const tooLarge = new AbortController()
  let entries = 0
  const onLine = (line: string): void => {
    const records = /^tar: Read checkpoint (\d+)$/.exec(line)?.[1]
    if (records === undefined) entries += 1
    if (entries > MAX_INPUT_ENTRIES || Number(records ?? 0) * RECORD_BYTES > MAX_INPUT_BYTES) tooLarge.abort()
  }
  const argv = [
    ...['tar', '--extract', `--file=${file ?? '-'}`, '--force-local', `--directory=${stage.directory}`, '--verbose'],
    ...[
      '--numeric-owner',
      '--same-owner',
      '--same-permissions',
      '--no-acls',
      '--no-selinux',
      '--no-xattrs',
      '--delay-directory-restore',
    ],
    ...[`--record-size=${RECORD_BYTES}`, '--read-full-records', `--checkpoint=${CHECKPOINT_RECORDS}`],
  ] as const
  const stop = AbortSignal.any([signal, tooLarge.signal])
  const finished = await context
    .stream({ argv: [...argv], ...(file === undefined && { inheritInput: true }) }, onLine, stop)
    .catch(error => {
      throw tooLarge.signal.aborted ? archiveTooLarge(error) : error
    })
  if (finished.exitCode === 0) return
  throw new TspodError(
    'COMMAND_FAILED',
    `cannot read the archive ${file ?? 'on standard input'}: ${failureText(finished)}`,
    {
      remedy:
        file === undefined
          ? 'pipe in a plain tar archive (a compressed one through gunzip or the like first)'
          : 'see what is in it: tar --list --verbose --file FILE',
    },
  )
}

const archiveTooLarge = (cause: unknown): TspodError =>
  new TspodError(
    'UNSAFE_PATH',
    `refusing an archive of more than ${MAX_INPUT_BYTES / 1024 ** 3} GiB or ${MAX_INPUT_ENTRIES} entries`,
    { remedy: 'send it in several parts, or copy a directory of the host', cause },
  )

/**
 * Writes everything in `directory` as an archive to `file`, or to standard output without one. Links are archived as
 * links and nothing behind another mount is; owners are numbers, with `ids` those inside of a user namespace.
 * @throws COMMAND_FAILED when tar could not read or write something, TOOL_MISSING.
 */
export async function packTree(
  context: EngineContext,
  directory: string,
  file: string | undefined,
  signal: AbortSignal,
  ids?: IdMaps,
): Promise<void> {
  // By a list, so that names begin neither with ./ nor are mistaken for options.
  const stage = await makeStage(context)
  const list = join(stage.directory, 'names')
  const names = await readdir(directory, { encoding: 'buffer' })
  try {
    await writeFile(list, Buffer.concat(names.flatMap(name => [name, Buffer.from([0])])), { mode: 0o600 })
    const owners = ids === undefined ? [] : await ownerFlags(stage.directory, ids)
    const argv = [
      ...['tar', '--create', `--file=${file ?? '-'}`, '--force-local', `--directory=${directory}`],
      ...['--one-file-system', '--numeric-owner', '--format=pax', '--pax-option=delete=atime,delete=ctime'],
      ...['--xattrs', '--xattrs-include=security.capability', '--xattrs-include=user.*'],
      ...owners,
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

/** A layer may hold gigabytes. */
const LAYER_TIMEOUT_MS = 30 * 60_000
/** A tar file with a line for each id: more than any image uses. */
const MAX_MAPPED_IDS = 1024 * 1024

async function ownerFlags(directory: string, { uids, gids }: IdMaps): Promise<string[]> {
  const flag = async (name: 'owner' | 'group', ranges: readonly IdRange[]): Promise<string> => {
    const file = join(directory, `${name}s`)
    const lines = ranges.map(({ inside, outside, count }) =>
      Array.from({ length: Math.min(count, MAX_MAPPED_IDS) }, (_, index) => `+${outside + index} :${inside + index}\n`),
    )
    await writeFile(file, lines.flat().join(''), { mode: 0o600 })
    return `--${name}-map=${file}`
  }
  return [await flag('owner', uids), await flag('group', gids)]
}

/**
 * Rewrites an archive of a layer so that its owners are those inside of a user namespace. The image store is not told
 * apart here: one that does so itself leaves nothing to change.
 * @throws COMMAND_FAILED, TOOL_MISSING.
 */
export async function mapLayer(context: EngineContext, layer: string, ids: IdMaps, signal: AbortSignal): Promise<void> {
  const stage = await makeStage(context)
  try {
    const argv = [
      ...['tar', '--extract', `--file=${layer}`, '--force-local', `--directory=${stage.directory}`, '--numeric-owner'],
      ...['--same-owner', '--same-permissions', '--xattrs', '--xattrs-include=*', '--delay-directory-restore'],
    ] as const
    mustSucceed(await context.run({ argv: [...argv], timeoutMs: LAYER_TIMEOUT_MS }, signal), 'cannot read the layer')
    await packTree(context, stage.directory, layer, signal, ids)
  } finally {
    await stage.remove()
  }
}
