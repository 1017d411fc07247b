/** Which OCI runtime to use: the one asked for, the configured default, or the first that works here. */
import { readFileSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { writeAtomic } from '../../files.ts'
import { type Paths, runtimeRoot } from '../../paths.ts'
import { FIXED_PATH, type Run } from '../../process.ts'
import { isExecutableFile } from '../../programs.ts'
import type { HostFacts } from '../spec/index.ts'
import { BUILT_IN, type RuntimeConfig, readRuntimeConfig } from './config.ts'
import { findProgram, trustedFile } from './program.ts'

export type Runtime = {
  /** crun, runc, or the file name of another runtime. */
  name: string
  path: string
  version: string
  /** Its state directory. */
  root: string
  /** How long one call may take, when the administrator set it. */
  timeoutMs?: number
}

/**
 * The runtime to use: the one asked for by name or absolute path, otherwise the configured default, otherwise the
 * first of crun and runc that works on this host. A configured name stands for its path. Versions are remembered per
 * boot in the run root, so that usually no process is started.
 * Throws RUNTIME_MISSING when none can be used, saying why of each, TOOL_TOO_OLD, UNSAFE_PATH for a path others can
 * write, and CONFIG_INVALID.
 */
export async function selectRuntime(run: Run, paths: Paths, host: HostFacts, wanted?: string): Promise<Runtime> {
  const config = await readRuntimeConfig(paths)
  const use = async (path: string): Promise<Runtime> => {
    const runtime = await usable(run, paths, host, path)
    return config.timeoutMs === undefined ? runtime : { ...runtime, timeoutMs: config.timeoutMs }
  }
  const named = wanted ?? config.default
  if (named !== undefined) return use(locate(named, config))
  const reasons: string[] = []
  for (const name of BUILT_IN) {
    if (!config.paths.has(name) && findProgram(name) === undefined) {
      reasons.push(`${name} is not in ${FIXED_PATH}`)
      continue
    }
    try {
      return await use(locate(name, config))
    } catch (error) {
      if (!(error instanceof TspodError)) throw error
      reasons.push(error.message)
    }
  }
  throw runtimeMissing(`no OCI runtime works here: ${reasons.join('; ')}`)
}

/** The program that a name or path stands for. */
function locate(wanted: string, config: RuntimeConfig): string {
  const configured = isAbsolute(wanted) ? wanted : config.paths.get(wanted)
  if (configured !== undefined) return checkedPath(configured)
  const path = findProgram(wanted)
  if (path === undefined) throw runtimeMissing(`no OCI runtime "${wanted}" in ${FIXED_PATH} or ${config.file}`)
  return path
}

/** A configured runtime as it was found, for `doctor`: its name and version, or the error that speaks against it. */
export async function configuredRuntimes(
  run: Run,
  paths: Paths,
  host: HostFacts,
): Promise<{ name: string; path: string; runtime: Runtime | TspodError }[]> {
  const { paths: configured } = await readRuntimeConfig(paths)
  return Promise.all(
    [...configured].map(async ([name, path]) => {
      const asError = (error: unknown): TspodError => {
        if (error instanceof TspodError) return error
        throw error
      }
      const runtime = await selectRuntime(run, paths, host, name).catch(asError)
      return { name, path, runtime }
    }),
  )
}

/** What Debian 12 has; older versions were not tried. A runtime of another name is the caller's to judge. */
export const RUNTIME_FLOORS: Readonly<Record<string, string>> = { crun: '1.8', runc: '1.1' }

/** The runtime at `path`, if it works on this host; otherwise throws RUNTIME_MISSING or TOOL_TOO_OLD saying why not. */
async function usable(run: Run, paths: Paths, host: HostFacts, path: string): Promise<Runtime> {
  const runtime = await describe(run, paths, path)
  const floor = RUNTIME_FLOORS[runtime.name]
  if (floor !== undefined && isOlder(runtime.version, floor)) {
    throw new TspodError('TOOL_TOO_OLD', `${path} is ${runtime.version}, and tspod needs ${floor} or newer`, {
      remedy: `install a newer ${runtime.name} (Debian 12 has one), or point --runtime at another`,
    })
  }
  const obstacle = obstacleOf(runtime, host)
  if (obstacle === undefined) return runtime
  throw runtimeMissing(`${path} ${runtime.version} cannot work here: ${obstacle}`)
}

/** Why this runtime cannot run containers on this host, undefined when nothing speaks against it. */
export function obstacleOf(runtime: Pick<Runtime, 'name' | 'version'>, host: HostFacts): string | undefined {
  if (runtime.name !== 'crun') return undefined
  if (host.cgroup === 'hybrid') return 'it refuses hybrid cgroups (controllers in both a v1 and a v2 tree)'
  // Until 1.14 crun raised RLIMIT_MEMLOCK before it loaded the device program of cgroup v2.
  const mayRaise = host.canLowerOom || host.memlockHard === Number.POSITIVE_INFINITY
  if (host.cgroup === 'v2' && !mayRaise && isOlder(runtime.version, '1.14')) {
    return 'before 1.14 it needs CAP_SYS_RESOURCE or an unlimited memlock limit on cgroup v2'
  }
  return undefined
}

/**
 * The first crun that was seen to keep `nosuid`, `nodev` and `noexec` of bind mounts, and to show what is mounted below
 * them, when it joins a user namespace; 1.8.1 does neither. runc does both from its floor on.
 */
const CRUN_WITH_MAPPED_OWNERS = '1.21'

/** True for a runtime that is known to set up mounts in a user namespace as it does without one. */
export function mapsOwnersRight({ name, version }: Pick<Runtime, 'name' | 'version'>): boolean {
  return name === 'runc' || (name === 'crun' && !isOlder(version, CRUN_WITH_MAPPED_OWNERS))
}

/** True when dotted version `version` is before `floor`; words after the numbers are ignored. */
export function isOlder(version: string, floor: string): boolean {
  const numbers = (text: string): number[] => (/^\d+(\.\d+)*/.exec(text)?.[0] ?? '0').split('.').map(Number)
  const [have, need] = [numbers(version), numbers(floor)]
  for (const [place, wanted] of need.entries()) {
    const found = have[place] ?? 0
    if (found !== wanted) return found < wanted
  }
  return false
}

/** An absolute path given by a user is run as root, so nobody else may be able to change what is there. */
function checkedPath(path: string): string {
  const real = trustedFile(path, 'is not run as root')
  if (real === undefined) throw runtimeMissing(`no OCI runtime at ${path}`)
  if (!isExecutableFile(real)) throw runtimeMissing(`${path} is not an executable file`)
  return real
}

/** Versions of runtimes by path, valid for one boot and as long as the file is the same. */
type Cache = {
  boot: string
  runtimes: Record<string, { size: number; mtimeMs: number; name: string; version: string }>
}

async function describe(run: Run, paths: Paths, path: string): Promise<Runtime> {
  const cachePath = join(paths.runRoot, 'runtime.json')
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const cache = readCache(cachePath, boot)
  const { size, mtimeMs } = statSync(path)
  let known = cache.runtimes[path]
  if (known?.size !== size || known.mtimeMs !== mtimeMs) {
    known = { size, mtimeMs, ...(await askVersion(run, path)) }
    cache.runtimes[path] = known
    // Only a cache: without it (no run root yet, no space left) the program is asked again next time.
    await writeAtomic(cachePath, `${JSON.stringify(cache)}\n`, 0o600, { durable: false }).catch(() => undefined)
  }
  return { name: known.name, path, version: known.version, root: runtimeRoot(paths, known.name) }
}

function readCache(path: string, boot: string): Cache {
  try {
    const cache = JSON.parse(readFileSync(path, 'utf8')) as Cache
    if (cache.boot === boot && typeof cache.runtimes === 'object') return cache
  } catch {
    // Absent or damaged: it is only a cache.
  }
  return { boot, runtimes: {} }
}

async function askVersion(run: Run, path: string): Promise<{ name: string; version: string }> {
  const finished = await run({ argv: [path, '--version'], timeoutMs: 10_000 })
  // `crun version 1.8.1`, `runc version 1.1.5+ds1`: the first line of every runtime we know.
  const [, name, version] = /^(\S+) version (\S+)/.exec(finished.stdout) ?? []
  if (finished.exitCode === 0 && name !== undefined && version !== undefined && /^[a-z0-9_-]+$/i.test(name)) {
    return { name, version }
  }
  throw runtimeMissing(`${path} is not an OCI runtime: \`${path} --version\` did not print a name and a version`)
}

const runtimeMissing = (message: string, cause?: unknown): TspodError =>
  new TspodError('RUNTIME_MISSING', message, {
    remedy:
      'install one (apt install crun runc, or dnf install crun runc), or give --runtime the path of an executable',
    cause,
  })
