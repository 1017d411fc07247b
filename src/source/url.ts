/** Where git fetches from. Pure: what a URL is, and which of git's ways to it are open. */
import { TspodError } from '../errors.ts'

export type Remote = {
  /** As git is given it. */
  url: string
  protocol: 'https' | 'http' | 'ssh' | 'git' | 'file'
  /** Path of a repository on this host. */
  local?: string
}

const SCHEME = /^([a-z0-9+.-]+):\/\//i
/** USER@HOST:PATH, as scp writes it. */
const SCP = /^[\w.-]+@[\w.-]+:[^:].*$/

/** Throws USAGE for what is no URL of git's that is safe to use: commands (ext::), options, passwords. */
export function parseRemote(url: string): Remote {
  if (url.startsWith('/')) return localRemote(url)
  if (/[\p{C}\s]/u.test(url)) throw bad(url, 'has characters that no URL has', 'write it without them')
  const scheme = SCHEME.exec(url)?.[1]?.toLowerCase()
  if (scheme === undefined) {
    if (SCP.test(url) && !url.includes('::')) return { url, protocol: 'ssh' }
    throw bad(url, 'is no URL of a repository', 'use https://…, ssh://…, USER@HOST:PATH, or an absolute path')
  }
  if (!isProtocol(scheme)) {
    throw bad(url, `has a scheme that is not used: ${scheme}`, 'use https, ssh, git, http or file')
  }
  if (!URL.canParse(url)) throw bad(url, 'is no URL', 'check it with git ls-remote')
  const { hostname, password, username, pathname } = new URL(url)
  if (password !== '' || (username !== '' && scheme !== 'ssh')) {
    throw bad(withoutLogin(url), 'must not have a password in it', 'put it in a file, and name that: --token-file FILE')
  }
  if (hostname.startsWith('-') || decodeURIComponent(username).startsWith('-')) {
    throw bad(url, 'has a host that looks like an option', 'check it')
  }
  if (scheme !== 'file') return { url, protocol: scheme }
  if (hostname !== '') throw bad(url, 'is a file on another host', 'use file:///PATH')
  return localRemote(decodeURIComponent(pathname))
}

/** A repository on this host, by its path. */
export const localRemote = (path: string): Remote => ({ url: path, protocol: 'file', local: path })

const PROTOCOLS = ['https', 'http', 'ssh', 'git', 'file'] as const
const isProtocol = (scheme: string): scheme is Remote['protocol'] => (PROTOCOLS as readonly string[]).includes(scheme)

const withoutLogin = (url: string): string => url.replace(/\/\/[^/]*@/, '//')

const bad = (url: string, why: string, remedy: string): TspodError =>
  new TspodError('USAGE', `the URL ${JSON.stringify(url)} ${why}`, { remedy })
