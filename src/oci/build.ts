/** Builds images by buildah, into the store that pulls go to. buildah is no part of tspod: it is used where it is there. */
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { basename, join } from 'node:path'
import { isTspodError, TspodError } from '../errors.ts'
import type { LocalImage } from '../model.ts'
import { failureText, type RunStreaming } from '../process.ts'
import { findImage } from './image.ts'
import { parseImageName } from './image-name.ts'
import type { PullOptions } from './pull.ts'
import type { Store } from './storage.ts'

/** In this order, as Podman and Buildah look for them. */
const NAMES = ['Containerfile', 'Dockerfile']

/** A step of a build may wait for a network; ctrl-c ends it at any time. */
const DEADLINE_MS = 6 * 60 * 60 * 1000

/** What an image is built from: all of `directory`, as `file` in it says. */
export type BuildSource = { directory: string; file: string }

/**
 * What `root` has for building the image `name`: a directory of the name's last part, without tag or digest, with a
 * Containerfile or a Dockerfile in it; the rule is Podman's. Throws IMAGE_BAD_NAME.
 */
export function buildSource(root: string, name: string): BuildSource | undefined {
  const directory = join(root, basename(parseImageName(name).path))
  const file = NAMES.map(one => join(directory, one)).find(path => existsSync(path))
  return file === undefined ? undefined : { directory, file }
}

/**
 * Builds an image and returns it; `onProgress` gets the lines that buildah prints.
 * Throws TOOL_MISSING without buildah, IMAGE_BUILD_FAILED with its own reason, USAGE with credentials that are not in a file, COMMAND_ABORTED.
 */
export async function buildImage(
  stream: RunStreaming,
  store: Store,
  name: string,
  source: BuildSource,
  options: PullOptions,
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<LocalImage> {
  if (options.creds !== undefined) {
    // Whose they are is told by the FROM lines alone, and an argv is for everybody to read.
    throw new TspodError('USAGE', `--creds cannot be used for building ${name}`, {
      remedy: 'log in with `skopeo login --authfile FILE REGISTRY` and give --authfile FILE',
    })
  }
  const where = store.system
    ? []
    : ['--root', store.graphRoot, '--runroot', store.runRoot, '--storage-driver', store.driver]
  const argv: [string, ...string[]] = ['buildah', ...where, 'build', '--tag', name, '--file', source.file]
  if (options.authFile !== undefined) argv.push('--authfile', options.authFile)
  if (options.certDir !== undefined) argv.push('--cert-dir', options.certDir)
  if (options.tlsVerify !== undefined) argv.push(`--tls-verify=${options.tlsVerify}`)
  if (options.signaturePolicy !== undefined) argv.push('--signature-policy', options.signaturePolicy)
  argv.push('--', source.directory)
  const env = { HOME: userInfo().homedir, ...options.proxy }
  const report = options.quiet ? () => undefined : onProgress
  const command = { argv, env, cwd: source.directory, timeoutMs: DEADLINE_MS }
  const finished = await stream(command, report, signal).catch((error: unknown) => {
    if (!isTspodError(error, 'TOOL_MISSING')) throw error
    throw new TspodError('TOOL_MISSING', `${name} has to be built from ${source.directory}, and buildah is not here`, {
      remedy: 'install buildah, or pull the image and use --build=false',
    })
  })
  if (finished.exitCode !== 0) {
    throw new TspodError('IMAGE_BUILD_FAILED', `cannot build ${name} from ${source.file}: ${failureText(finished)}`, {
      remedy: `see all of it: buildah build ${source.directory}`,
    })
  }
  const image = await findImage(store, name)
  if (image !== undefined) return image
  throw new TspodError('IMAGE_BUILD_FAILED', `image ${name} was built, but is not in the image store`, {
    remedy: 'see whether another program removed it at the same moment, and play again',
  })
}
