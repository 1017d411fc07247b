/** Taking images out of the store: names first, and what nobody needs any more. */
import { TspodError } from '../errors.ts'
import type { LocalImage } from '../model.ts'
import { failureText, type Run } from '../process.ts'
import { localCandidates, parseImageName } from './image-name.ts'
import { imageLabel, type Store, storageFailed, storageFlags } from './storage.ts'

/** Layers may hold gigabytes. */
const TIMEOUT_MS = 10 * 60_000

/** Which name of an image somebody means by one that may be short; undefined for an id, or a digest. */
export async function nameMeant({ names }: LocalImage, asked: string): Promise<string | undefined> {
  if (names.includes(asked)) return asked
  const candidates = await localCandidates(parseImageName(asked))
  return candidates.map(({ repository, tag }) => `${repository}:${tag}`).find(name => names.includes(name))
}

/** Takes one of its names from an image. Throws COMMAND_FAILED. */
export async function removeImageName(run: Run, store: Store, { id, names }: LocalImage, name: string): Promise<void> {
  // What would take a single name is not in every version of the program.
  const rest = names.filter(each => each !== name).flatMap(each => ['--name', each])
  const argv = ['containers-storage', 'set-names', ...storageFlags(store), ...rest, id]
  const said = await run({ argv: argv as [string, ...string[]], timeoutMs: TIMEOUT_MS })
  if (said.exitCode !== 0) throw storageFailed(`cannot take the name ${name} from the image`, failureText(said))
}

/** Deletes an image; the store refuses one that a container of any program uses. Throws WRONG_STATE, COMMAND_FAILED. */
export async function deleteImage(run: Run, store: Store, image: LocalImage): Promise<void> {
  const argv = ['containers-storage', 'delete-image', ...storageFlags(store), image.id]
  const said = await run({ argv: argv as [string, ...string[]], timeoutMs: TIMEOUT_MS })
  if (said.exitCode === 0) return
  const why = failureText(said)
  if (/in use by a container/.test(why)) {
    throw new TspodError('WRONG_STATE', `image ${imageLabel(image)} is in use by a container of another program`, {
      remedy: 'remove that container first; Podman and Buildah keep theirs in the same store',
    })
  }
  throw storageFailed(`cannot remove image ${imageLabel(image)}`, why)
}
