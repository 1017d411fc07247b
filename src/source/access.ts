/** What git is given to get in: keys, tokens, certificates. None of it is ever part of an argv or a message. */
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMissing, TspodError } from '../errors.ts'
import { FIXED_PATH } from '../process.ts'
import { fetchFailure } from './failure.ts'
import { GIT_ENVIRONMENT, type GitCall } from './git.ts'
import type { Credentials, SourceDoors } from './types.ts'
import type { Remote } from './url.ts'

type Env = SourceDoors['env']

/** How long ssh waits for an answer. */
const CONNECT_SECONDS = 20
/** What proxies git may go through is the administrator's to say, in the usual variables. */
const PROXIES = ['http_proxy', 'https_proxy', 'HTTPS_PROXY', 'no_proxy', 'NO_PROXY', 'all_proxy', 'ALL_PROXY']
const MAX_TOKEN_BYTES = 16 * 1024

export type Access = Pick<GitCall, 'config' | 'env'> & {
  /** Arguments of git fetch and git ls-remote. */
  args: string[]
  /** The user that a repository of this host is read as. */
  as?: number
}

/** How git reaches `remote`. `directory` is the source's own: ssh finds its configuration there. */
export function accessTo(remote: Remote, credentials: Credentials, env: Env, directory: string): Access {
  const allowed = { GIT_ALLOW_PROTOCOL: remote.protocol }
  if (remote.local !== undefined) {
    const owner = ownerOf(remote.local)
    return { env: allowed, args: [`--upload-pack=${uploadPackAs(owner)}`], as: owner.uid }
  }
  if (remote.protocol === 'ssh') return { env: { ...allowed, ...ssh(credentials, env, directory) }, args: [] }
  if (remote.protocol === 'git') return { env: allowed, args: [] }
  const proxies = Object.fromEntries(PROXIES.flatMap(name => (env[name] ? [[name, env[name]]] : [])))
  return { env: { ...allowed, ...proxies }, config: http(remote, credentials, env), args: [] }
}

/** A file that was named, or else the credential of the unit that runs us. */
export function credentialFile(named: string | undefined, env: Env, credential: string): string | undefined {
  if (named !== undefined) return named
  const path = env.CREDENTIALS_DIRECTORY === undefined ? undefined : join(env.CREDENTIALS_DIRECTORY, credential)
  return path !== undefined && statSync(path, { throwIfNoEntry: false }) !== undefined ? path : undefined
}

function http(remote: Remote, credentials: Credentials, env: Env): Record<string, string> {
  const ca = credentialFile(credentials.caFile, env, 'git-ca')
  const token = tokenOf(credentials, env)
  if (token !== undefined && remote.protocol !== 'https') {
    throw new TspodError('USAGE', 'a token is not sent over a connection that is not encrypted', {
      remedy: 'use https://',
    })
  }
  const login = Buffer.from(`${credentials.username ?? 'git'}:${token}`).toString('base64')
  return {
    ...(ca !== undefined && { 'http.sslCAInfo': ca }),
    // Another server than the one that was named would be given the token.
    ...(token !== undefined && {
      'http.followRedirects': 'false',
      'http.extraHeader': `Authorization: Basic ${login}`,
    }),
  }
}

function tokenOf({ tokenFile }: Credentials, env: Env): string | undefined {
  const file = credentialFile(tokenFile, env, 'git-token')
  const token = file === undefined ? env.TSPOD_GIT_TOKEN?.trim() : readSecret(file)
  if (token === undefined || token === '') return undefined
  if (/[\r\n\0]/.test(token)) throw new TspodError('USAGE', 'the token has several lines', { remedy: 'keep one line' })
  return token
}

/** One line of a file that only its owner should read. Throws SOURCE_FETCH when it cannot be read. */
function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(0, MAX_TOKEN_BYTES).trim()
  } catch (cause) {
    const why = isMissing(cause) ? 'no such file or directory' : (cause as Error).message
    throw fetchFailure(`the token cannot be read: open ${file}: ${why}`, 'check the path and its permissions', {
      cause,
    })
  }
}

/** Throws SOURCE_FETCH when a file cannot be read. */
function requireReadable(file: string, what: string): void {
  try {
    if (statSync(file).isFile()) {
      closeSync(openSync(file, 'r'))
      return
    }
  } catch (cause) {
    const why = isMissing(cause) ? 'no such file or directory' : (cause as Error).message
    throw fetchFailure(`${what} cannot be read: open ${file}: ${why}`, 'check the path and its permissions', { cause })
  }
  throw fetchFailure(`${what} cannot be read: ${file} is no regular file`, 'name the file itself')
}

/** ssh reads nothing but this: no configuration of anybody, no agent, no forwarding, no commands. */
function ssh(credentials: Credentials, env: Env, directory: string): Record<string, string> {
  const key = credentialFile(credentials.sshKeyFile, env, 'git-ssh-key')
  const hosts = credentialFile(credentials.knownHostsFile, env, 'git-known-hosts')
  // ssh goes on without, and says in the end that nobody lets it in.
  if (key !== undefined) requireReadable(key, 'the key of ssh')
  if (hosts !== undefined) requireReadable(hosts, 'the file of known hosts')
  const lines = [
    'BatchMode yes',
    'StrictHostKeyChecking yes',
    `ConnectTimeout ${CONNECT_SECONDS}`,
    'ServerAliveInterval 10',
    'ClearAllForwardings yes',
    'ControlMaster no',
    ...(key === undefined ? [] : [`IdentityFile ${sshWord(key)}`, 'IdentitiesOnly yes']),
    ...(hosts === undefined ? [] : [`UserKnownHostsFile ${sshWord(hosts)}`, 'GlobalKnownHostsFile none']),
  ]
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const file = join(directory, 'ssh_config')
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 })
  return { GIT_SSH_COMMAND: `ssh -F ${shellWord(file)}`, GIT_SSH_VARIANT: 'ssh' }
}

function sshWord(path: string): string {
  if (/["\n\r]/.test(path))
    throw new TspodError('USAGE', `ssh takes no file of this name: ${path}`, { remedy: 'rename it' })
  return `"${path.replaceAll('%', '%%')}"`
}

/** git has a shell run these. */
const shellWord = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/**
 * The other side of a fetch from a repository on this host: it reads that repository's configuration and follows what
 * that names, so it runs as the user whom the repository belongs to and can do no more than they can.
 */
function uploadPackAs({ uid, gid }: { uid: number; gid: number }): string {
  const variables = { ...GIT_ENVIRONMENT, PATH: FIXED_PATH, GIT_PROTOCOL: 'version=2' }
  return [
    ...['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs', '--'],
    ...['env', '-i', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)],
    ...['git', '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', 'upload-pack'],
  ].join(' ')
}

function ownerOf(path: string): { uid: number; gid: number } {
  const inner = statSync(join(path, '.git'), { throwIfNoEntry: false })
  const stat = inner?.isDirectory() ? inner : statSync(path, { throwIfNoEntry: false })
  return stat ?? { uid: NOBODY, gid: NOBODY }
}

const NOBODY = 65534
