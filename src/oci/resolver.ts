/** aardvark-dns, which answers for the names of pods: netavark starts it with the first pod of a network. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isMissing } from '../errors.ts'
import { processStart } from '../files.ts'
import { networkRunDirectory, type Paths } from '../paths.ts'
import { findProgramIn } from '../programs.ts'

/** Where Debian, Fedora and a build from source put aardvark-dns. */
const AARDVARK = [
  '/usr/lib/podman/aardvark-dns',
  '/usr/libexec/podman/aardvark-dns',
  '/usr/local/libexec/podman/aardvark-dns',
  '/usr/bin/aardvark-dns',
]

/** The path of aardvark-dns, or undefined: then pods have no names, but all else works. */
export const findAardvark = (): string | undefined => AARDVARK.find(existsSync)

/** netavark and the tools of the firewall, and on most hosts nothing else. */
const NARROW_PATH = '/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/podman:/usr/libexec/podman'
const FIREWALLS = ['nft', 'iptables']

/**
 * The PATH that netavark gets; undefined for the usual one. Where it finds systemd-run it has that start aardvark-dns,
 * so that this lives in a cgroup of its own: 25 ms of a pod's start. Whoever leaves that out settles the resolver
 * himself, beside the start: see `strayResolver`.
 */
export function narrowPath(): string | undefined {
  if (findProgramIn(NARROW_PATH, 'systemd-run') !== undefined) return undefined
  const has = (name: string): boolean => findProgramIn(NARROW_PATH, name) !== undefined
  return has('netavark') && FIREWALLS.some(has) ? NARROW_PATH : undefined
}

/** The resolver, where it lives in the cgroup of this process, which it was started by. */
export function strayResolver(paths: Paths): number | undefined {
  try {
    const pid = resolverPid(networkRunDirectory(paths))
    const cgroupsOf = (who: number | 'self'): string => readFileSync(`/proc/${who}/cgroup`, 'utf8')
    return pid !== undefined && cgroupsOf(pid) === cgroupsOf('self') ? pid : undefined
  } catch (error) {
    // It ended just now: ESRCH is what /proc says then.
    if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'ESRCH') return undefined
    throw error
  }
}

/**
 * netavark believes the pid that it wrote down: when aardvark-dns died and its pid is a zombie's or somebody else's,
 * it would signal that process and start no other resolver.
 */
export function forgetDeadResolver(config: string): void {
  if (resolverPid(config) === undefined) rmSync(pidFile(config), { force: true })
}

const pidFile = (config: string): string => join(config, 'aardvark-dns', 'aardvark.pid')

/** The resolver that works for the networks of this directory; undefined when there is none. */
function resolverPid(config: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile(config), 'utf8'), 10)
    if (processStart(pid) === undefined) return undefined
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'aardvark-dns' ? pid : undefined
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
