/**
 * The OCI runtimes, crun and runc: which one works here, and their verbs. What differs between them is in this file.
 */
import { lstatSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { TspodError } from '../errors.ts'
import { removeTree, writeAtomic } from '../files.ts'
import type { Id } from '../model.ts'
import { type Paths, runtimeRoot } from '../paths.ts'
import { FIXED_PATH, type Run } from '../process.ts'
import { lastMessage, startFailed } from './failures.ts'
import type { HostFacts } from './spec/index.ts'

export type Runtime = {
  /** crun, runc, or the file name of another runtime. */
  name: string
  path: string
  version: string
  /** Its state directory. */
  root: string
}

/** In the order of preference: crun needs half the time and memory of runc. */
const PREFERRED = ['crun', 'runc'] as const

/**
 * The runtime to use: the one asked for by name or absolute path, otherwise the first of crun and runc that works on
 * this host. Versions are remembered per boot in the run root, so that usually no process is started.
 * Throws RUNTIME_MISSING when none can be used, saying why of each, TOOL_TOO_OLD, and UNSAFE_PATH for a path others can write.
 */
export async function selectRuntime(run: Run, paths: Paths, host: HostFacts, wanted?: string): Promise<Runtime> {
  if (wanted !== undefined) {
    const path = isAbsolute(wanted) ? checkedPath(wanted) : findProgram(wanted)
    if (path === undefined) throw runtimeMissing(`no OCI runtime "${wanted}" in ${FIXED_PATH}`)
    return usable(run, paths, host, path)
  }
  const reasons: string[] = []
  for (const name of PREFERRED) {
    const path = findProgram(name)
    if (path === undefined) {
      reasons.push(`${name} is not in ${FIXED_PATH}`)
      continue
    }
    try {
      return await usable(run, paths, host, path)
    } catch (error) {
      if (!(error instanceof TspodError)) throw error
      reasons.push(error.message)
    }
  }
  throw runtimeMissing(`no OCI runtime works here: ${reasons.join('; ')}`)
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

/** The first executable of that name on the fixed PATH, whatever the caller's PATH says. */
export function findProgram(name: string): string | undefined {
  if (name === '' || name.includes('/')) return undefined
  return FIXED_PATH.split(':')
    .map(directory => join(directory, name))
    .find(isExecutableFile)
}

function isExecutableFile(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return found?.isFile() === true && (found.mode & 0o111) !== 0
}

/** An absolute path given by a user is run as root, so nobody else may be able to change what is there. */
function checkedPath(path: string): string {
  let real: string
  try {
    real = realpathSync(path)
  } catch (cause) {
    throw runtimeMissing(`no OCI runtime at ${path}`, cause)
  }
  if (!isExecutableFile(real)) throw runtimeMissing(`${path} is not an executable file`)
  for (let part = real; ; part = join(part, '..')) {
    const found = lstatSync(part)
    const sticky = found.isDirectory() && (found.mode & 0o1000) !== 0
    if (found.uid !== 0 || ((found.mode & 0o022) !== 0 && !sticky)) {
      throw new TspodError('UNSAFE_PATH', `${part} can be changed by others than root, so ${path} is not run as root`, {
        remedy: `chown root ${part} and chmod go-w ${part}, or use an installed runtime`,
      })
    }
    if (part === '/') return real
  }
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

/** Deadline of one runtime call; a runtime that hangs is killed with its process group. */
const RUNTIME_TIMEOUT_MS = 60_000

/** Arguments every call of a runtime starts with. */
export function runtimeArgs(runtime: Runtime): [string, ...string[]] {
  return [runtime.path, '--root', runtime.root]
}

/**
 * Starts a created container. Throws START_FAILED with what the runtime said, and also when the runtime claims
 * success but the container still waits in its start FIFO: exit codes are not believed, the kernel is.
 */
export async function startContainer(run: Run, runtime: Runtime, id: Id, name: string = id): Promise<void> {
  const finished = await run({ argv: [...runtimeArgs(runtime), 'start', id], timeoutMs: RUNTIME_TIMEOUT_MS })
  if (finished.exitCode !== 0) throw startFailed(name, runtime, finished.stderr)
  if (statSync(join(runtime.root, id, 'exec.fifo'), { throwIfNoEntry: false }) !== undefined) {
    throw startFailed(name, runtime, `${runtime.name} reported success but did not start it`)
  }
}

/**
 * Removes a container from the runtime; with `force` it is killed first. A container the runtime does not know
 * (any more) is success. With `force`, state that the runtime cannot read is removed as well: what may still run is
 * then only known by its cgroup. Throws COMMAND_FAILED otherwise.
 */
export async function deleteContainer(run: Run, runtime: Runtime, id: Id, options: { force: boolean }): Promise<void> {
  if (!isKnown(runtime, id)) return
  const force = options.force ? ['--force'] : []
  const finished = await run({ argv: [...runtimeArgs(runtime), 'delete', ...force, id], timeoutMs: RUNTIME_TIMEOUT_MS })
  if (!isKnown(runtime, id)) return
  if (options.force && STATE_UNREADABLE.test(finished.stderr)) return removeTree(join(runtime.root, id))
  const why = lastMessage(finished.stderr) || `exit code ${finished.exitCode}`
  throw new TspodError('COMMAND_FAILED', `${runtime.name} cannot delete container ${id}: ${why}`, {
    remedy: 'stop its processes, then run the same command again',
  })
}

/** What runc says about state that was torn by a full disk or a crash; crun removes such state by itself. */
const STATE_UNREADABLE = /unexpected EOF|msg="?EOF|invalid character|cannot unmarshal/

/** True when the runtime has state of this container, whatever that state is. */
export function isKnown(runtime: Runtime, id: Id): boolean {
  return statSync(join(runtime.root, id), { throwIfNoEntry: false }) !== undefined
}

/** The argv of `runtime exec`: `processFile` holds the OCI process, which says whether there is a terminal. */
export function execArgs(
  runtime: Runtime,
  id: Id,
  options: { processFile: string; pidFile?: string; detach?: boolean },
): [string, ...string[]] {
  const pidFile = options.pidFile === undefined ? [] : ['--pid-file', options.pidFile]
  const detach = options.detach === true ? ['--detach'] : []
  return [...runtimeArgs(runtime), 'exec', '--process', options.processFile, ...pidFile, ...detach, id]
}

const runtimeMissing = (message: string, cause?: unknown): TspodError =>
  new TspodError('RUNTIME_MISSING', message, {
    remedy:
      'install one (apt install crun runc, or dnf install crun runc), or give --runtime the path of an executable',
    cause,
  })
