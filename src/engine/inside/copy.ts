/** `cp`: files between the host and containers, or between containers, by the rules of docker cp. */
import { closeSync, fstatSync } from 'node:fs'
import { posix } from 'node:path'
import { type CopyHow, copyInto, copyOver, copyTo, type Side } from '../../copy.ts'
import { isMissing, TspodError } from '../../errors.ts'
import { mountId } from '../../files.ts'
import { type Place, plainRoot, type Root, topOf, walkInside } from '../../inside.ts'
import type { EngineContext } from '../context.ts'
import { packTree, unpackArchive } from './archive.ts'
import { makeStage } from './stage.ts'
import { openRoot, subjectOf } from './subject.ts'
import type { CopyEnd, CopyRequest } from './types.ts'

/** One end, looked up. */
type End = {
  root: Root
  place: Place
  /** As the user wrote it, for messages. */
  text: string
  where: string
  /** The user a container's main process runs as. */
  user?: { uid: number; gid: number }
}

/**
 * Copies as `request` says. Nothing of a container is executed and none of its links is followed out of it; what is no
 * file, directory or link is left out and noted.
 * @throws NO_SUCH_OBJECT for a container or a path that is not there, WRONG_STATE when a directory meets a file or the
 *   container may not write there, UNSAFE_PATH.
 */
export async function copy(
  context: EngineContext,
  request: CopyRequest,
  note: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  await using closing = new AsyncDisposableStack()
  const how = (toUser: End['user'] | 'caller'): CopyHow => ({
    ...ownerFor(toUser, request.archive),
    keepSetId: toUser !== 'caller',
    overwrite: request.overwrite,
    note,
    signal,
  })
  if (request.from.path === '-' && request.from.container === undefined) {
    const to = await lookUp(context, request.to, closing)
    requireDirectory(to, 'destination must be a directory when copying from stdin')
    const stage = await stageFor(context, closing)
    await unpackArchive(context, stage, signal)
    await copyInto(sideOf(stage), sideOf(to.root, to.place), { ...how(to.user), maxBytes: MAX_INPUT_BYTES })
    return
  }
  const from = await lookUp(context, request.from, closing)
  const source = existing(from)
  if (request.to.path === '-' && request.to.container === undefined) {
    const stage = await stageFor(context, closing)
    const name = baseName(from)
    if (name === undefined) await copyInto(source, sideOf(stage), how('caller'))
    else await copyTo(source, sideOf(stage), name, how('caller'))
    await packTree(context, stage.directory, undefined, signal)
    return
  }
  const to = await lookUp(context, request.to, closing)
  await place(source, from, to, how(to.user ?? 'caller')).catch(error => {
    throw (error as NodeJS.ErrnoException).code === 'EOVERFLOW' ? closedToHost(request.to.path, to.where, error) : error
  })
}

/** A tmpfs that a container of a pod with a user namespace has mounted itself: the host's root means nobody there. */
const closedToHost = (path: string, where: string, cause: unknown): TspodError =>
  new TspodError('WRONG_STATE', `cannot write "${path}" on ${where}: the file system there takes its own users only`, {
    remedy: 'copy to another place and move it inside, or pipe it: tspod exec -i CONTAINER sh -c "cat > FILE" < FILE',
    cause,
  })

/** Of what came in as an archive, holes included: one of a terabyte is a kilobyte to send. */
const MAX_INPUT_BYTES = 16 * 1024 ** 3

/**
 * As Podman has it: what goes into a container belongs to its user, or with `--archive=false` to whom it belonged;
 * what comes out belongs to the caller.
 */
function ownerFor(user: End['user'] | 'caller', archive: boolean): Pick<CopyHow, 'owner'> {
  if (user === 'caller') return { owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 } }
  return archive && user !== undefined ? { owner: user } : {}
}

async function lookUp(context: EngineContext, end: CopyEnd, closing: AsyncDisposableStack): Promise<End> {
  const held: number[] = []
  closing.defer(() => {
    for (const fd of held) closeSync(fd)
  })
  if (end.container === undefined) {
    const root = plainRoot('/')
    held.push(root.fd)
    return { root, place: walk(root, end.path, held, end.path, 'the host'), text: end.path, where: 'the host' }
  }
  const subject = await subjectOf(context, end.container)
  const root = await openRoot(context, subject)
  closing.defer(() => root.close())
  const path = posix.isAbsolute(end.path) ? end.path : `${root.config.process.cwd}/${end.path}`
  const where = `container ${subject.container.name}`
  const { uid, gid } = root.config.process.user
  return { root, place: walk(root, path, held, end.path, where), text: end.path, where, user: { uid, gid } }
}

function walk(root: Root, path: string, held: number[], text: string, where: string): Place {
  try {
    return walkInside(root, path, held)
  } catch (error) {
    throw isMissing(error) ? notFound(text, where) : error
  }
}

const notFound = (text: string, where: string): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `"${text}" could not be found on ${where}: no such file or directory`, {
    remedy: 'check the path; a destination needs the directory above it to exist',
  })

/** The source as it is there. A path that ends with a slash means a directory. */
function existing(end: End): Side {
  const { found } = end.place
  if (found === undefined) throw notFound(end.text, end.where)
  if (/\/\.?$/.test(end.text) && !isDirectory(end)) throw notFound(end.text, end.where)
  return { root: end.root, at: found }
}

const isDirectory = ({ place: { found } }: End): boolean => found !== undefined && fstatSync(found.fd).isDirectory()

function requireDirectory(end: End, why: string): void {
  if (end.place.found === undefined) throw notFound(end.text, end.where)
  if (!isDirectory(end)) {
    throw new TspodError('WRONG_STATE', `${why}: "${end.text}" on ${end.where}`, { remedy: 'name a directory' })
  }
}

const sideOf = (root: Root, place?: Place): Side => ({
  root,
  at: place?.found ?? topOf(root),
})

/** What the copy is called in a directory; undefined when only the content is meant (`DIR/.` and the root). */
function baseName({ text, place }: End): string | undefined {
  if (/(^|\/)\.$/.test(text)) return undefined
  const name = posix.basename(text)
  if (name !== '' && name !== '..') return name
  return place.found?.path === '/' ? undefined : place.name
}

async function place(source: Side, from: End, to: End, how: CopyHow): Promise<void> {
  const { found, directory, name } = to.place
  const fromDirectory = isDirectory(from)
  if (found === undefined) {
    if (!fromDirectory && to.text.endsWith('/')) throw notFound(to.text, to.where)
    await copyTo(source, { root: to.root, at: directory }, name, how)
    return
  }
  if (isDirectory(to)) {
    const base = baseName(from)
    if (base === undefined) await copyInto(source, sideOf(to.root, to.place), how)
    else await copyTo(source, sideOf(to.root, to.place), base, how)
    return
  }
  if (to.text.endsWith('/')) requireDirectory(to, 'not a directory')
  if (fromDirectory && !how.overwrite) requireDirectory(to, 'destination must be a directory when copying a directory')
  const isMountPoint = mountId(found.fd) !== mountId(directory.fd)
  if (isMountPoint && !fromDirectory) await copyOver(source, found, how)
  else await copyTo(source, { root: to.root, at: directory }, name, how)
}

/** A directory of our own below the installation's root, for what comes and goes as an archive. */
async function stageFor(context: EngineContext, closing: AsyncDisposableStack): Promise<Root & { directory: string }> {
  const { directory, remove } = await makeStage(context)
  closing.defer(remove)
  const root = plainRoot(directory)
  closing.defer(() => closeSync(root.fd))
  return { ...root, directory }
}
