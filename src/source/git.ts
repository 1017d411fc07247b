/**
 * git, with everything off that a repository or a server could have it do. It works in a repository of ours, whose
 * configuration is ours as well: that of a checkout is never read by a process that has more rights than its owner
 * (mirror.ts).
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TspodError } from '../errors.ts'
import { FIXED_PATH, type Finished, type Run } from '../process.ts'
import { findProgramIn } from '../programs.ts'
import { fetchFailure } from './failure.ts'
import { LIMITS } from './tree.ts'

/** What git runs with, besides its repository. */
export type GitDoors = { run: Run; signal?: AbortSignal | undefined; fetching?: (() => void) | undefined }

export type GitCall = {
  /** On top of the environment that every call has. */
  env?: Record<string, string>
  /** Settings with something in them that an argv must not have: they go through the environment. */
  config?: Record<string, string>
  input?: string
  /** Standard output comes as latin1: one character for each byte. */
  bytes?: true
  timeoutMs?: number
}

/** No pack is larger, and no file that git makes otherwise. */
const MAX_FILE_BYTES = 2 * LIMITS.totalBytes
const MAX_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
/** The content of one answer, with the names of what is in it. */
const MAX_OUTPUT_BYTES = 2 * LIMITS.fileBytes
const LOCAL_TIMEOUT_MS = 60_000

const SETTINGS: Record<string, string> = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.attributesFile': '/dev/null',
  'core.bigFileThreshold': '16m',
  'credential.helper': '',
  'fetch.fsckObjects': 'true',
  'transfer.fsckObjects': 'true',
  'fetch.recurseSubmodules': 'false',
  'submodule.recurse': 'false',
  // Not in the middle of a fetch, which something waits for: see `tidyMirror`.
  'maintenance.auto': 'false',
  'gc.autoDetach': 'false',
  'protocol.version': '2',
  'http.lowSpeedLimit': '1000',
  'http.lowSpeedTime': '30',
}

/**
 * Nothing of the system's, the user's or the caller's configuration, no prompt, no lazy fetch, no replaced objects, and
 * paths are meant as they are written. Which protocols may be used is said where something is fetched.
 */
export const GIT_ENVIRONMENT: Readonly<Record<string, string>> = {
  LC_ALL: 'C',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '/bin/false',
  SSH_ASKPASS_REQUIRE: 'never',
  GIT_NO_LAZY_FETCH: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_LITERAL_PATHSPECS: '1',
  GIT_PROTOCOL_FROM_USER: '0',
  GIT_ALLOW_PROTOCOL: 'none',
}

/** Runs git in `mirror`, whatever its exit code. Throws TOOL_MISSING without git, and like `run`. */
export async function git(
  doors: GitDoors,
  mirror: string,
  args: readonly string[],
  call: GitCall = {},
): Promise<Finished> {
  requireGit()
  const limits = [`--fsize=${MAX_FILE_BYTES}`, `--data=${MAX_MEMORY_BYTES}`]
  return doors.run(
    {
      argv: ['prlimit', ...limits, '--', 'git', ...args],
      env: { ...GIT_ENVIRONMENT, GIT_DIR: mirror, ...settings({ ...SETTINGS, ...call.config }), ...call.env },
      timeoutMs: call.timeoutMs ?? LOCAL_TIMEOUT_MS,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      ...(call.bytes && { encoding: 'latin1' as const }),
      ...(call.input !== undefined && { input: call.input }),
    },
    doors.signal,
  )
}

/** The same for what has to work: throws SOURCE_FETCH with git's own words. */
export async function gitOutput(
  doors: GitDoors,
  mirror: string,
  args: readonly string[],
  call: GitCall = {},
): Promise<string> {
  const finished = await git(doors, mirror, args, call)
  if (finished.exitCode === 0) return finished.stdout
  throw fetchFailure(`git ${args[0]}: ${lastWords(finished)}`, 'see whether the repository is whole: git fsck', {
    details: finished.stderr.trim(),
  })
}

/** git's own reason, which is not always its last line; where it could not read, that of who should have let it. */
export function lastWords({ stderr, exitCode }: Finished): string {
  const lines = stderr.trim().split('\n')
  const before = lines.indexOf('fatal: Could not read from remote repository.') - 1
  const deeper = lines.slice(0, Math.max(0, before + 1)).findLast(line => line.trim() !== '')
  if (deeper !== undefined) return deeper.trim().replace(/^fatal: /, '')
  const told = lines.findLast(line => /^(?:fatal|error|remote): /.test(line)) ?? lines.at(-1)
  return told?.replace(/^(?:fatal|error): /, '') || `it ended with code ${exitCode}`
}

function requireGit(): void {
  if (findProgramIn(FIXED_PATH, 'git') !== undefined) return
  throw new TspodError('TOOL_MISSING', 'git is not installed', {
    remedy: 'install it (apt install git), or use a plain directory without .git',
  })
}

function settings(config: Record<string, string>): Record<string, string> {
  const pairs = Object.entries(config).flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ])
  return { ...Object.fromEntries(pairs), GIT_CONFIG_COUNT: String(pairs.length / 2) }
}

/** Makes an empty bare repository, without a template. Its configuration is what is written here, and nothing else. */
export function makeMirror(mirror: string, sha256: boolean): void {
  mkdirSync(mirror, { recursive: true, mode: 0o700 })
  chmodSync(mirror, 0o700)
  for (const directory of ['objects', 'refs']) mkdirSync(join(mirror, directory), { recursive: true, mode: 0o700 })
  const format = sha256 ? '\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = sha256\n' : ''
  writeFileSync(join(mirror, 'config'), `[core]\n${format || '\trepositoryformatversion = 0\n\tbare = true\n'}`)
  // Last: this makes it a repository.
  writeFileSync(join(mirror, 'HEAD'), 'ref: refs/heads/none\n')
}
