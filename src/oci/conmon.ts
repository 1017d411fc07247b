/**
 * conmon, the monitor that stays with each container: it holds the container's output and records how it ended.
 *
 *   tspod ──spawn──► conmon ──waits on the start pipe──► forks ──► conmon (daemon) ──► runtime create
 *                       ▲ beforeStart moves it                          │
 *                       └ to its cgroup here                            └─► {"pid":N} on the sync pipe
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import { isMissing, TspodError } from '../errors.ts'
import { processStart } from '../files.ts'
import type { Id } from '../model.ts'
import { MONITOR_ATTACH_FD, MONITOR_START_FD, MONITOR_SYNC_FD, type Monitor, spawnMonitor } from '../process.ts'
import { lastMessage, startFailed } from './failures.ts'
import { type CriuOptions, criuFailed, criuFlags, type Runtime, runtimeHangs } from './runtime/index.ts'

export type LogDriver = 'k8s-file' | 'json-file' | 'journald' | 'none' | 'passthrough'
/** `tag` is the journal's CONTAINER_TAG, and what `journalctl` prints in front of each line. */
export type LogTarget = { driver: LogDriver; path: string; maxBytes: number; tag?: string }

export type CreateInput = {
  runtime: Runtime
  id: Id
  /** Shown in messages and in conmon's own command line. */
  name: string
  /** Directory with config.json; conmon keeps its attach socket and FIFOs here. */
  bundle: string
  conmonPath: string
  /** Directory for pid files and the runtime's log. */
  runDir: string
  exitDir: string
  log: readonly LogTarget[]
  tty: boolean
  /** `once`: it ends when the first one who was attached goes. */
  stdin: boolean | 'once'
  /** Absolute path of a program and its arguments, run by conmon when the container has ended. */
  exitHook: readonly string[]
  /** Runs while conmon waits before its first fork: the place to move it to its cgroup. */
  beforeStart?: (conmonPid: number) => Promise<void>
  /** For `--exec-attach`: runs when one can attach and nothing has been started yet. */
  onAttachable?: () => Promise<void>
  /** Where a checkpoint is that the container goes on from, instead of being created. It runs at once then. */
  restore?: { imagePath: string } & CriuOptions
  /** How long the runtime may take: by default what tspod.toml says, or two minutes. */
  timeoutMs?: number
}

export type Created = {
  pid: number
  /** Start time of the container's first process, field 22 of /proc/PID/stat. */
  start: string
  conmonPid: number
  conmonStart: string
}

const CREATE_TIMEOUT_MS = 120_000

/**
 * Starts conmon, which has the runtime create the container. Returns once the container exists and waits for `start`.
 * On any failure conmon and the runtime are ended; what the runtime left behind is the caller's to delete.
 * Throws START_FAILED with the runtime's complaint in one sentence, COMMAND_TIMEOUT, TOOL_MISSING.
 */
export async function createContainer(
  input: CreateInput,
  clock: Clock = systemClock,
  begun: Promise<BegunMonitor> = beginMonitor(input),
): Promise<Created> {
  const { pid, start, conmonPid, conmonStart } = await monitored(input, clock, begun)
  if (start !== undefined && conmonStart !== undefined) return { pid, start, conmonPid, conmonStart }
  endMonitor(conmonPid, undefined)
  throw startFailed(input.name, input.runtime, `${input.runtime.name} reported process ${pid}, which is not there`)
}

/** A conmon at its start pipe; `entered` tells that `beforeStart` is through, or what it has failed with. */
export type BegunMonitor = { monitor: Monitor; entered: Promise<void> }

/**
 * Starts the conmon of a container whose bundle is still being made: it waits for `createContainer`. Who does not come
 * to call that has to call `dismissMonitor`. Throws TOOL_MISSING, COMMAND_FAILED, UNSAFE_PATH for a log that is none.
 */
export async function beginMonitor(input: CreateInput): Promise<BegunMonitor> {
  prepareFiles(input)
  return begin({ ...input, args: conmonArgs(input) })
}

/** Ends a conmon that was begun for nothing. */
export function dismissMonitor({ monitor }: BegunMonitor): void {
  endMonitor(monitor.pid, undefined)
  monitor.close()
}

/** Starts conmon with `args`, for `monitored`. Throws TOOL_MISSING, COMMAND_FAILED. */
export async function begin(input: Monitored & { args: readonly string[] }): Promise<BegunMonitor> {
  const monitor = await spawnMonitor(
    [input.conmonPath, ...input.args],
    {
      _OCI_SYNCPIPE: String(MONITOR_SYNC_FD),
      _OCI_STARTPIPE: String(MONITOR_START_FD),
      ...(input.onAttachable !== undefined && { _OCI_ATTACHPIPE: String(MONITOR_ATTACH_FD) }),
    },
    input.bundle,
    input.onAttachable !== undefined,
  )
  const entered = input.beforeStart?.(monitor.pid) ?? Promise.resolve()
  // Looked at when the bundle is there.
  entered.catch(() => undefined)
  return { monitor, entered }
}

/** What conmon said; a process whose start time is missing has ended already. */
export type Reported = { pid: number; start: string | undefined; conmonPid: number; conmonStart: string | undefined }

type Monitored = Pick<
  CreateInput,
  'runtime' | 'name' | 'bundle' | 'conmonPath' | 'runDir' | 'beforeStart' | 'onAttachable' | 'timeoutMs' | 'restore'
>

/** Lets a conmon go and waits for what it says of the process it has the runtime make. Throws as `createContainer`. */
export async function monitored(input: Monitored, clock: Clock, begun: Promise<BegunMonitor>): Promise<Reported> {
  const files = filesOf(input)
  const { monitor, entered } = await begun
  try {
    const answer = await converse(monitor, entered, input, clock)
    const { pid, message } = parseAnswer(answer)
    if (pid === undefined || pid <= 0) throw await refusal(message, input, monitor, files, clock)
    const conmonPid = readPid(files.conmonPid)
    if (conmonPid === undefined) throw startFailed(input.name, input.runtime, 'conmon left no pid file')
    return { pid, start: processStart(pid), conmonPid, conmonStart: processStart(conmonPid) }
  } catch (error) {
    endMonitor(monitor.pid, readPid(files.conmonPid))
    throw error
  } finally {
    monitor.close()
  }
}

/** conmon's arguments. Pure. */
export function conmonArgs(input: CreateInput): string[] {
  const files = filesOf(input)
  const args = ['--cid', input.id, '--cuuid', input.id, '--name', input.name]
  args.push('--runtime', input.runtime.path, '--bundle', input.bundle)
  args.push('--container-pidfile', files.pid, '--conmon-pidfile', files.conmonPid)
  args.push('--exit-dir', input.exitDir, '--full-attach')
  args.push(...runtimeArgsOf(input.runtime, files.runtimeLog))
  for (const { driver, path } of input.log) {
    args.push('--log-path', driver === 'k8s-file' || driver === 'json-file' ? `k8s-file:${path}` : driver)
  }
  const tag = input.log.find(target => target.driver === 'journald')?.tag
  if (tag !== undefined) args.push('--log-tag', tag)
  if (input.log.length === 0) args.push('--log-path', 'none')
  const maxBytes = Math.max(0, ...input.log.map(target => target.maxBytes))
  if (maxBytes > 0) args.push('--log-size-max', String(maxBytes))
  if (input.tty) args.push('--terminal')
  if (input.stdin !== false) args.push('--stdin')
  if (input.stdin === true) args.push('--leave-stdin-open')
  if (input.restore !== undefined) {
    args.push('--restore', input.restore.imagePath)
    for (const flag of criuFlags(input.restore)) args.push('--runtime-opt', flag)
  }
  return [...args, ...exitCommand(input.exitHook)]
}

/** What conmon runs when all is over. */
export const exitCommand = ([hook, ...args]: readonly string[]): string[] =>
  hook === undefined ? [] : ['--exit-command', hook, ...args.flatMap(arg => ['--exit-command-arg', arg])]

/** What conmon puts between the runtime and its verb. */
export const runtimeArgsOf = (runtime: Runtime, log: string): string[] =>
  ['--root', runtime.root, `--log=${log}`, '--log-format=json'].flatMap(arg => ['--runtime-arg', arg])

type Files = { pid: string; conmonPid: string; runtimeLog: string }

const filesOf = ({ runDir }: Pick<CreateInput, 'runDir'>): Files => ({
  pid: join(runDir, 'container.pid'),
  conmonPid: join(runDir, 'conmon.pid'),
  runtimeLog: join(runDir, 'runtime.log'),
})

/** Makes the directories, drops what an earlier run left, and opens the logs first so that no link is followed. */
function prepareFiles(input: CreateInput): void {
  const files = filesOf(input)
  for (const directory of [input.runDir, input.exitDir, input.runtime.root]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  }
  // A stale exit file would be taken for the end of the container that is about to start.
  const ofBundle = ['oom', RESTORE_LOG].map(name => join(input.bundle, name))
  for (const stale of [...Object.values(files), join(input.exitDir, input.id), ...ofBundle]) {
    rmSync(stale, { force: true })
  }
  // A runtime makes it for all to read, and what it says may be made of a secret.
  closeSync(openSync(files.runtimeLog, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600))
  for (const { driver, path } of input.log) {
    if (driver === 'k8s-file' || driver === 'json-file') makeLogFile(path)
  }
}

/** conmon opens its log by path: make sure that path is a plain file of ours, whatever was there before. */
function makeLogFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let fd: number
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600)
  } catch (cause) {
    throw unsafeLog(path, cause)
  }
  try {
    const found = fstatSync(fd)
    if (!found.isFile() || found.nlink !== 1) throw unsafeLog(path)
    fchmodSync(fd, 0o600)
  } finally {
    closeSync(fd)
  }
}

const unsafeLog = (path: string, cause?: unknown): TspodError =>
  new TspodError('UNSAFE_PATH', `the log ${path} is not a plain file of its own, so nothing is written to it`, {
    remedy: `look at what is there and remove it: ls -l ${path}`,
    cause,
  })

/**
 * Lets conmon go and waits for its answer, undefined when it ended without one. It also waits for the process it was
 * spawned as, which writes the pid file before it ends.
 */
async function converse(
  monitor: Monitor,
  entered: Promise<void>,
  input: Monitored,
  clock: Clock,
): Promise<string | undefined> {
  try {
    await entered
  } catch (error) {
    // A conmon that did not like its arguments is gone by now: then that is the reason, not what came of it.
    if (processStart(monitor.pid) === undefined) return undefined
    throw error
  }
  const timeoutMs = input.timeoutMs ?? input.runtime.timeoutMs ?? CREATE_TIMEOUT_MS
  if (input.onAttachable !== undefined) {
    monitor.prepare()
    const ready = await within(monitor.attachable, timeoutMs, clock)
    // Without a word it has ended: its answer, or the want of one, tells why.
    if (ready !== undefined) await input.onAttachable()
  }
  monitor.release()
  const answer = Promise.all([monitor.answer, monitor.exited]).then(([line]) => ({ line }))
  const first = await within(answer, timeoutMs, clock)
  if (first !== undefined) return first.line
  throw runtimeHangs(input.runtime, `create container ${input.name}`, timeoutMs)
}

/** What `work` resolves to, undefined when that takes longer than `timeoutMs`. */
async function within<T>(work: Promise<T>, timeoutMs: number, clock: Clock): Promise<T | undefined> {
  const pause = new AbortController()
  const late = clock.sleep(timeoutMs, pause.signal).catch(() => undefined)
  try {
    return await Promise.race([work, late.then(() => undefined)])
  } finally {
    pause.abort()
  }
}

/** conmon has CRIU work in the bundle. */
const RESTORE_LOG = 'restore.log'

/** Nothing holds the pipe for long once conmon refused; this only keeps a surprise from hanging a play. */
const STDERR_TIMEOUT_MS = 500

/** Why there is no container: the runtime's log knows best, then conmon's answer, then its error output. */
async function refusal(
  message: string,
  input: Monitored,
  monitor: Monitor,
  files: Files,
  clock: Clock,
): Promise<TspodError> {
  if (isFull(input.runDir)) return startFailed(input.name, input.runtime, `no space left on device (${input.runDir})`)
  const log = readText(files.runtimeLog)
  if (input.restore !== undefined) {
    const words = log || message || (await within(monitor.stderr, STDERR_TIMEOUT_MS, clock)) || ''
    return criuFailed(`restore container ${input.name}`, words, readText(join(input.bundle, RESTORE_LOG)))
  }
  if (lastMessage(log) !== '') return startFailed(input.name, input.runtime, log)
  const words = message || (await within(monitor.stderr, STDERR_TIMEOUT_MS, clock))
  return startFailed(input.name, input.runtime, words || `${input.runtime.name} did not create it and did not say why`)
}

/** What a runtime says when it has no room to write to is seldom to the point: crun complains of its seccomp filter. */
function isFull(directory: string): boolean {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize < FULL_BYTES
}

/** Less than a state file and a seccomp filter need. */
const FULL_BYTES = 64 * 1024

/** conmon writes `{"pid":N}`, from its API version 1 on `{"data":N}`, and `-1` with a message on failure. */
export function parseAnswer(line: string | undefined): { pid?: number; message: string } {
  if (line === undefined) return { message: '' }
  try {
    const { pid, data, message } = JSON.parse(line) as { pid?: unknown; data?: unknown; message?: unknown }
    const number = pid ?? data
    return {
      ...(typeof number === 'number' && { pid: number }),
      message: typeof message === 'string' ? message.trim() : '',
    }
  } catch {
    return { message: `conmon answered "${line.slice(0, 200)}"` }
  }
}

/** Ends a conmon that must not stay. It leads a session of its own, so its group holds the runtime as well. */
function endMonitor(spawned: number, daemon: number | undefined): void {
  for (const pid of [spawned, daemon]) {
    if (pid === undefined) continue
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // Ended by itself, as it does after a failed create.
    }
  }
}

function readPid(path: string): number | undefined {
  const pid = Number.parseInt(readText(path), 10)
  return pid > 1 ? pid : undefined
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return ''
    throw error
  }
}
