/**
 * Pulls by skopeo, which knows registries.conf (mirrors, blocked and insecure registries), policy.json and signatures.
 * Credentials travel in a file of mode 0600, never in an argv or an environment.
 */
import { mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { TspodError } from '../errors.ts'
import { processStart, removeTree } from '../files.ts'
import type { LocalImage, RegistryAuths } from '../model.ts'
import type { Paths } from '../paths.ts'
import type { RunStreaming } from '../process.ts'
import { findImage } from './image.ts'
import { type Candidate, type ImageName, parseImageName, pullCandidates, readShortNames } from './image-name.ts'
import { judgePull, type PullFailure } from './pull-errors.ts'
import { type Store, storageReference } from './storage.ts'

export type PullOptions = {
  /** File with credentials, in the format of containers-auth.json(5). */
  authFile?: string
  /** `USER:PASSWORD` for the registry of the image. */
  creds?: string
  /** Credentials of a manifest: those for the image's registry go before the file's. */
  auths?: RegistryAuths
  /** Directory with `ca.crt`, `*.cert`, `*.key`. */
  certDir?: string
  /** Absent: what registries.conf says. */
  tlsVerify?: boolean
  quiet: boolean
  /** Not tried again after a failure: something else serves. */
  once?: true
  /** Another policy.json than the system's. */
  signaturePolicy?: string
  /** Where to find proxies: only these variables reach skopeo. */
  proxy?: { http_proxy?: string; https_proxy?: string; no_proxy?: string }
  /** Another registries.conf than the system's: a door for tests, no flag leads here. */
  registriesConf?: string
}

/** Pulls images into one store. */
export type PullDoor = {
  /**
   * Pulls `name` even when it is there already, and returns what is there then. Short names are tried in the order of
   * registries.conf. Two calls for one name share one pull. `onProgress` gets lines for people.
   * Throws IMAGE_PULL_FAILED naming the registry and the reason, IMAGE_BAD_NAME, AUTH_FILE, COMMAND_ABORTED.
   */
  pull(
    name: string,
    options: PullOptions,
    onProgress: (line: string) => void,
    signal?: AbortSignal,
  ): Promise<LocalImage>
}

/** Network errors are tried again by skopeo itself, after 1 and 2 seconds. */
const RETRIES = 2
/** A registry that only drips must not hold a play for ever. */
const DEADLINE_MS = 60 * 60 * 1000

/** The door to pulls: `paths` says where temporary files may be. */
export function pullDoor(stream: RunStreaming, store: Store, paths: Paths): PullDoor {
  const underWay = new Map<string, Promise<LocalImage>>()
  return {
    pull(name, options, onProgress, signal) {
      const shared = underWay.get(name)
      if (shared !== undefined) return shared
      const pulling = pullOne({ stream, store, paths, options, onProgress, signal }, name).finally(() =>
        underWay.delete(name),
      )
      underWay.set(name, pulling)
      return pulling
    },
  }
}

type Pull = {
  stream: RunStreaming
  store: Store
  paths: Paths
  options: PullOptions
  onProgress: (line: string) => void
  signal: AbortSignal | undefined
}

async function pullOne(pull: Pull, text: string): Promise<LocalImage> {
  const { options, store } = pull
  const name = parseImageName(text)
  if (options.authFile !== undefined) await checkAuthFile(options.authFile)
  const candidates = await pullCandidates(name, await readShortNames(options.registriesConf))
  await using staging = await stagingDirectory(join(pull.paths.root, 'tmp'))
  await using secrets = await stagingDirectory(join(pull.paths.runRoot, 'tmp'))
  const failures: PullFailure[] = []
  for (const candidate of candidates) {
    const failure = await pullFrom(pull, candidate, name, staging.path, secrets.path)
    if (failure === undefined) return pulled(store, reference(candidate, name), text)
    failures.push(failure)
  }
  throw pullFailed(text, failures)
}

async function pulled(store: Store, full: string, text: string): Promise<LocalImage> {
  const image = await findImage(store, full)
  if (image !== undefined) return image
  throw new TspodError('IMAGE_PULL_FAILED', `image ${text} was pulled, but is not in the image store`, {
    remedy: 'see whether another program removed it at the same moment, and pull again',
  })
}

/** Pulls one candidate; returns why it failed. */
async function pullFrom(
  pull: Pull,
  candidate: Candidate,
  name: ImageName,
  staging: string,
  secrets: string,
): Promise<PullFailure | undefined> {
  const { options, onProgress, signal } = pull
  const full = reference(candidate, name)
  const authFile = await credentialsFor(candidate, options, secrets)
  const argv: [string, ...string[]] = ['skopeo', '--tmpdir', staging]
  if (options.signaturePolicy !== undefined) argv.push('--policy', options.signaturePolicy)
  argv.push('copy', '--retry-times', String(options.once ? 0 : RETRIES))
  if (authFile !== undefined) argv.push('--src-authfile', authFile)
  if (options.certDir !== undefined) argv.push('--src-cert-dir', options.certDir)
  if (options.tlsVerify !== undefined) argv.push(`--src-tls-verify=${options.tlsVerify}`)
  argv.push('--', `docker://${full}`, storageReference(pull.store, full))
  const report = options.quiet ? () => undefined : onProgress
  report(`Trying to pull ${full}...`)
  const finished = await pull.stream(
    { argv, env: environment(options, staging), timeoutMs: DEADLINE_MS },
    line => isProgress(line) && report(line),
    signal,
  )
  return finished.exitCode === 0 ? undefined : judgePull(candidate, name, finished, await knows(authFile, candidate))
}

/** skopeo logs errors and retries with a time stamp; they come back as one sentence. */
const isProgress = (line: string): boolean => line !== '' && !line.startsWith('time=')

function reference(candidate: Candidate, name: ImageName): string {
  // skopeo takes a tag or a digest, and a digest says it all.
  return name.digest === undefined
    ? `${candidate.repository}:${candidate.tag}`
    : `${candidate.repository}@${name.digest}`
}

/** Nothing of the caller's environment but proxies (S40); the home directory is the user's own, for its logins. */
function environment(options: PullOptions, staging: string): Record<string, string> {
  const { http_proxy, https_proxy, no_proxy } = options.proxy ?? {}
  return {
    HOME: userInfo().homedir,
    TMPDIR: staging,
    ...(http_proxy !== undefined && { HTTP_PROXY: http_proxy }),
    ...(https_proxy !== undefined && { HTTPS_PROXY: https_proxy }),
    ...(no_proxy !== undefined && { NO_PROXY: no_proxy }),
    ...(options.registriesConf !== undefined && {
      CONTAINERS_REGISTRIES_CONF: options.registriesConf,
      CONTAINERS_REGISTRIES_CONF_DIR: `${options.registriesConf}.d`,
    }),
  }
}

/** The wording is Podman's: scripts look for it. */
async function checkAuthFile(path: string): Promise<void> {
  await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'no such file or directory' : cause.message
    throw new TspodError('AUTH_FILE', `credential file is not accessible: faccessat ${path}: ${why}`, {
      remedy: 'log in with `skopeo login --authfile PATH REGISTRY`, or leave out --authfile',
      cause,
    })
  })
}

/** The file with credentials for one candidate: the flag's, or else the manifest's, or else the one that was named. */
async function credentialsFor(
  candidate: Candidate,
  { creds, auths = {}, authFile }: PullOptions,
  directory: string,
): Promise<string | undefined> {
  if (creds !== undefined) return writeCredentials(directory, candidate, creds)
  const known = Object.entries(auths).filter(([key]) => `${candidate.repository}/`.startsWith(`${key}/`))
  if (known.length === 0) return authFile
  const file = join(directory, 'manifest.json')
  const entries = known.map(([key, auth]) => [key, { auth }])
  await writeFile(file, JSON.stringify({ auths: Object.fromEntries(entries) }), { mode: 0o600, flag: 'w' })
  return file
}

async function writeCredentials(directory: string, candidate: Candidate, creds: string): Promise<string> {
  const registry = candidate.repository.split('/')[0] as string
  const file = join(directory, `${registry.replaceAll(':', '_')}.json`)
  const auth = Buffer.from(creds).toString('base64')
  await writeFile(file, JSON.stringify({ auths: { [registry]: { auth } } }), { mode: 0o600, flag: 'w' })
  return file
}

/** True when the credential file has an entry for the candidate's registry, or for a part of it. */
async function knows(authFile: string | undefined, candidate: Candidate): Promise<boolean> {
  if (authFile === undefined) return false
  try {
    const { auths } = JSON.parse(await readFile(authFile, 'utf8')) as { auths?: object }
    return Object.keys(auths ?? {}).some(key => `${candidate.repository}/`.startsWith(`${key}/`))
  } catch {
    return false
  }
}

/**
 * A private directory below `parent` that is removed in the end. Its name tells whose it is, so that what a killed
 * process left behind goes with the next pull.
 */
async function stagingDirectory(parent: string): Promise<AsyncDisposable & { path: string }> {
  await mkdir(parent, { recursive: true, mode: 0o700 })
  const left = (await readdir(parent)).filter(entry => isAbandoned(entry))
  await Promise.all(left.map(entry => removeTree(join(parent, entry))))
  const path = await mkdtemp(join(parent, `pull-${process.pid}-${processStart(process.pid)}-`))
  return { path, [Symbol.asyncDispose]: () => removeTree(path) }
}

function isAbandoned(entry: string): boolean {
  const [, pid, start] = /^pull-(\d+)-(\d+)-/.exec(entry) ?? []
  return pid !== undefined && processStart(Number(pid)) !== start
}

function pullFailed(text: string, failures: readonly PullFailure[]): TspodError {
  const [first] = failures
  if (first === undefined) throw new Error(`no candidate for ${text}`)
  if (failures.length === 1)
    return new TspodError('IMAGE_PULL_FAILED', `cannot pull ${text}: ${first.why}`, { remedy: first.remedy })
  const reasons = failures.map(({ registry, why }) => `${registry}: ${why}`).join('; ')
  return new TspodError(
    'IMAGE_PULL_FAILED',
    `cannot pull ${text} from any of ${failures.length} registries: ${reasons}`,
    {
      remedy: first.remedy,
    },
  )
}
