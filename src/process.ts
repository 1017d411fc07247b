/**
 * The door to other programs: an argv in, what came of it out. There is no shell.
 *
 * Commands of the hot path go through spawn.ts: loading execa and its first call cost 40 ms together, and every fork
 * of Node's more than some of these programs take (docs/adr/0002-processes.md, 0013-spawn.md). What streams and may
 * be cancelled, such as a pull, goes through execa.
 */
import { closeSync, readdirSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { constants as osConstants } from 'node:os'
import type { Readable } from 'node:stream'
import { TspodError } from './errors.ts'
import { type Child, type SpawnOptions, spawn } from './spawn.ts'

export type Command = {
  /** Program (absolute path or a name looked up in the fixed PATH) and its arguments. */
  argv: readonly [program: string, ...args: string[]]
  /** The complete environment on top of the fixed PATH; nothing of the caller's is inherited. */
  env?: Record<string, string>
  /** Text for standard input; without it standard input is /dev/null. */
  input?: string
  /** Standard input is the caller's own; for `runStreaming` only. */
  inheritInput?: true
  cwd?: string
  /** Of each stream this much is kept and the rest dropped; without it a command that says too much is killed. */
  keepBytes?: number
  /** After this the whole process group gets KILL. Default two minutes. */
  timeoutMs?: number
  /** Standard output as one character for each byte, for what is no text; for `run` only. */
  encoding?: 'latin1'
  /** More than this is not read, of both streams together (default 16 MiB); for `run` only. */
  maxOutputBytes?: number
}

export type Finished = {
  argv: readonly string[]
  /** 128 + signal number when a signal ended it. */
  exitCode: number
  stdout: string
  stderr: string
}

/** Runs a command to its end, whatever its exit code; throws only when it could not run or was cut short. */
export type Run = (command: Command, signal?: AbortSignal) => Promise<Finished>

/** Where programs are looked up, whatever the caller's PATH says. */
export const FIXED_PATH =
  '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/podman:/usr/libexec/podman'

/** The same on every architecture Node runs on under Linux; node:fs does not export it. */
const O_CLOEXEC = 0o2000000
/**
 * Spawns with the usual umask instead of tspod's own 077: a layer that containers-storage makes, or a mount point that
 * a runtime makes, has to be readable for whoever runs in the container. The fork happens inside this call.
 */
function spawnOpen(argv: Command['argv'], options: SpawnOptions): Child {
  const own = process.umask(0o022)
  try {
    return spawn(argv, options)
  } catch (error) {
    throw cannotRun(argv, error as Error)
  } finally {
    process.umask(own)
  }
}

const DEFAULT_TIMEOUT_MS = 120_000
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024

/** A host that has no room for one more process may have it in a moment; one that has none three times is full. */
const MAX_STARTS = 3
const START_PAUSE_MS = 100

/** Starts a program, again when the kernel had no process for it (EAGAIN): nothing of it has run then. */
async function started<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start()
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException
      if (code !== 'EAGAIN' || attempt === MAX_STARTS) throw error
      await new Promise(resolve => setTimeout(resolve, attempt * START_PAUSE_MS))
    }
  }
}

/** Runs `command` with a bounded output and a deadline. */
export const run: Run = (command, signal) => started(() => runOnce(command, signal))

const runOnce: Run = (command, signal) =>
  new Promise((resolve, reject) => {
    const child = spawnOpen(command.argv, {
      cwd: command.cwd ?? '/',
      env: { PATH: FIXED_PATH, ...command.env },
      stdio: [command.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      session: true,
    })
    const [stdin, out, err] = child.streams
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    let bytes = 0
    const maxBytes = command.maxOutputBytes ?? MAX_OUTPUT_BYTES
    let cutShort: TspodError | undefined
    const cut = (error: TspodError): void => {
      if (cutShort !== undefined) return
      cutShort = error
      killGroup(child.pid)
      // A descendant outside the group may hold the other ends for ever; nobody waits for its output any more.
      out?.destroy()
      err?.destroy()
    }
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length
      if (command.keepBytes !== undefined) keep(into, chunk, command.keepBytes)
      else if (bytes > maxBytes) cut(commandFailed(command.argv, `printed more than ${maxBytes / 1024 / 1024} MiB`))
      else into.push(chunk)
    }
    const timeoutMs = command.timeoutMs ?? DEFAULT_TIMEOUT_MS
    const timer = setTimeout(() => cut(commandTimeout(command.argv, timeoutMs)), timeoutMs)
    const onAbort = (): void => cut(commandAborted(command.argv, signal?.reason))
    signal?.addEventListener('abort', onAbort, { once: true })
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      act()
    }
    out?.on('data', collect(stdout))
    err?.on('data', collect(stderr))
    child.on('close', exitCode =>
      settle(() => {
        if (cutShort !== undefined) return reject(cutShort)
        resolve({
          argv: command.argv,
          exitCode,
          stdout: Buffer.concat(stdout).toString(command.encoding ?? 'utf8'),
          stderr: Buffer.concat(stderr).toString('utf8'),
        })
      }),
    )
    if (command.input !== undefined) stdin?.end(command.input)
    if (signal?.aborted) onAbort()
  })

function keep(into: Buffer[], chunk: Buffer, most: number): void {
  const kept = into.reduce((sum, { length }) => sum + length, 0)
  if (kept < most) into.push(Buffer.from(chunk.subarray(0, most - kept)))
}

/** Descriptor numbers of the two extra pipes in a program started by `spawnMonitor`. */
export const MONITOR_SYNC_FD = 3
export const MONITOR_START_FD = 4
export const MONITOR_ATTACH_FD = 5
const MAX_ANSWER_BYTES = 64 * 1024

/** A program that outlives tspod: it waits on its start pipe, puts itself in the background and answers one line. */
export type Monitor = {
  /** The process as spawned; a monitor that forks into the background lives on under another pid. */
  pid: number
  /** Lets it go on to where one can attach to it; for one that was started to be attached to. */
  prepare(): void
  /** A line once one can attach to it, undefined when it closed that pipe without one. */
  attachable: Promise<string | undefined>
  /** Lets it go on past its start pipe. */
  release(): void
  /** Its first line on the sync pipe, undefined when it closed the pipe without one. */
  answer: Promise<string | undefined>
  /** Exit code of the process as spawned. */
  exited: Promise<number>
  /** What it wrote to standard error, once it has closed that. */
  stderr: Promise<string>
  /** Drops the pipes, so that nothing of it keeps this process alive. Call it always, and once it has answered. */
  close(): void
}

/**
 * Starts a background monitor in a session of its own. It gets /dev/null, a pipe for standard error and the two
 * extra pipes (three with `attach`), and of the environment only the fixed PATH and `env`: neither NOTIFY_SOCKET nor a descriptor of ours.
 * Rejects with TOOL_MISSING or COMMAND_FAILED when the program cannot be run.
 */
export function spawnMonitor(
  argv: Command['argv'],
  env: Record<string, string>,
  cwd: string,
  attach = false,
): Promise<Monitor> {
  return started(async () => spawnMonitorOnce(argv, env, cwd, attach))
}

function spawnMonitorOnce(argv: Command['argv'], env: Record<string, string>, cwd: string, attach: boolean): Monitor {
  const child = spawnOpen(argv, {
    cwd,
    env: { PATH: FIXED_PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', ...(attach ? (['pipe'] as const) : [])],
    session: true,
  })
  child.unref()
  const [, , errors, sync, start, ready] = child.streams as [undefined, undefined, Socket, Socket, Socket, Socket?]
  let written = ''
  errors.setEncoding('utf8').on('data', (text: string) => {
    written = (written + text).slice(-MAX_ANSWER_BYTES)
  })
  return {
    pid: child.pid,
    prepare: () => start.write('\n'),
    attachable: ready === undefined ? Promise.resolve(undefined) : firstLine(ready),
    release: () => start.end('\n'),
    answer: firstLine(sync),
    exited: new Promise(settle => child.once('exit', settle)),
    stderr: new Promise(settle => errors.once('close', () => settle(written))),
    close: () => {
      for (const stream of [errors, sync, start, ready]) stream?.destroy()
    },
  }
}

/** The first line of `stream`, undefined when it ends before a line is complete or the line is too long. */
function firstLine(stream: Readable): Promise<string | undefined> {
  return new Promise(resolve => {
    let text = ''
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const end = text.indexOf('\n')
      if (end >= 0) resolve(text.slice(0, end))
      else if (text.length > MAX_ANSWER_BYTES) resolve(undefined)
    })
    for (const event of ['end', 'close', 'error']) stream.once(event, () => resolve(undefined))
  })
}

/**
 * Closes what a careless parent left open in this process: every descriptor above 2 that is not close-on-exec.
 * Node's own are all close-on-exec, so call this first thing, before any library opens one. Without it a descriptor
 * of the caller's would live on in every conmon and, worse, reach a container.
 */
export function closeInheritedDescriptors(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name)
    if (fd <= 2) continue
    try {
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1] ?? '0'
      if ((Number.parseInt(flags, 8) & O_CLOEXEC) === 0) closeSync(fd)
    } catch {
      // The descriptor of the directory listing itself: already closed.
    }
  }
}

/** Like Run, but every line is handed over as soon as it is printed, and an abort asks politely before it kills. */
export type RunStreaming = (command: Command, onLine: (line: string) => void, signal?: AbortSignal) => Promise<Finished>

/** Between the request to end and the end by force. */
const KILL_DELAY_MS = 5000
/** Of a command that streams, this much of each stream is kept for the error message. */
const MAX_KEPT_BYTES = 1024 * 1024

/**
 * Runs a long command, a pull for example. Without `timeoutMs` it may take as long as it likes: `signal` ends it.
 * Throws like `run`.
 */
export const runStreaming: RunStreaming = (command, onLine, signal) =>
  started(() => runStreamingOnce(command, onLine, signal))

const runStreamingOnce: RunStreaming = async (command, onLine, signal) => {
  const { execa } = await import('execa')
  const [program, ...args] = command.argv
  const child = execa(program, args, {
    cwd: command.cwd ?? '/',
    env: { PATH: FIXED_PATH, ...command.env },
    extendEnv: false,
    ...(command.input === undefined
      ? { stdin: command.inheritInput ? ('inherit' as const) : ('ignore' as const) }
      : { input: command.input }),
    reject: false,
    buffer: false,
    forceKillAfterDelay: KILL_DELAY_MS,
    ...(command.timeoutMs !== undefined && { timeout: command.timeoutMs }),
    ...(signal !== undefined && { cancelSignal: signal }),
  })
  const read = async (from: 'stdout' | 'stderr'): Promise<string> => {
    let kept = ''
    for await (const line of child.iterable({ from })) {
      if (kept.length < MAX_KEPT_BYTES) kept += `${line}\n`
      onLine(line)
    }
    return kept
  }
  // A stream that breaks off when the command is killed says nothing that the command's own end does not.
  const [result, stdout, stderr] = await Promise.all([
    child,
    read('stdout').catch(() => ''),
    read('stderr').catch(() => ''),
  ])
  if (result.isCanceled) throw commandAborted(command.argv, signal?.reason)
  if (result.timedOut) throw commandTimeout(command.argv, command.timeoutMs ?? 0)
  if (result.exitCode === undefined && result.signal === undefined) throw cannotRun(command.argv, result.cause as Error)
  return { argv: command.argv, exitCode: result.exitCode ?? 128 + signalNumber(result.signal ?? null), stdout, stderr }
}

/** Runs a program with the caller's own terminal or pipes and returns its exit code. */
export type Interact = (argv: Command['argv'], how: { stdin: boolean }, signal: AbortSignal) => Promise<number>

export const interact: Interact = (argv, how, signal) =>
  new Promise(resolve => {
    const child = spawnOpen(argv, {
      cwd: '/',
      env: { PATH: FIXED_PATH },
      stdio: [how.stdin ? 'inherit' : 'ignore', 'inherit', 'inherit'],
      session: false,
    })
    const onAbort = (): void => void process.kill(child.pid, 'SIGTERM')
    signal.addEventListener('abort', onAbort, { once: true })
    child.once('exit', exitCode => {
      signal.removeEventListener('abort', onAbort)
      resolve(exitCode)
    })
  })

/** Starts a program in a session of its own that lives on after this process; answers its pid. */
export type Detach = (argv: Command['argv']) => Promise<number>

export const detach: Detach = argv =>
  started(async () => {
    const stdio = ['ignore', 'ignore', 'ignore'] as const
    const child = spawnOpen(argv, { cwd: '/', env: { PATH: FIXED_PATH }, stdio, session: true })
    child.unref()
    return child.pid
  })

/** Returns `finished` when it succeeded, throws COMMAND_FAILED with the last line of its error output otherwise. */
export function mustSucceed(finished: Finished, doing: string): Finished {
  if (finished.exitCode === 0) return finished
  throw new TspodError('COMMAND_FAILED', `${doing}: ${failureText(finished)}`, {
    remedy: `run it by hand to see more: ${finished.argv.join(' ')}`,
  })
}

/** What a failed command said, in one line. */
export function failureText(finished: Finished): string {
  const lines = (finished.stderr.trim() || finished.stdout.trim()).split('\n')
  return lines.at(-1) || `${finished.argv[0]} exited with code ${finished.exitCode}`
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Already gone.
  }
}

function cannotRun(argv: readonly string[], cause: Error): TspodError {
  if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
    return new TspodError('TOOL_MISSING', `${argv[0]} is not installed`, {
      remedy: `install it, then see \`tspod doctor\``,
      cause,
    })
  }
  return new TspodError('COMMAND_FAILED', `cannot run ${argv[0]}: ${cause.message}`, {
    remedy: 'see `tspod doctor`',
    cause,
  })
}

const commandFailed = (argv: readonly string[], how: string): TspodError =>
  new TspodError('COMMAND_FAILED', `${argv[0]} ${how}`, { remedy: `run it by hand: ${argv.join(' ')}` })

const commandTimeout = (argv: readonly string[], ms: number): TspodError =>
  new TspodError('COMMAND_TIMEOUT', `${argv[0]} did not finish within ${Math.round(ms / 1000)} s and was killed`, {
    remedy: `run it by hand to see why it hangs: ${argv.join(' ')}`,
  })

const commandAborted = (argv: readonly string[], cause: unknown): TspodError =>
  new TspodError('COMMAND_ABORTED', `${argv[0]} was cancelled`, { remedy: 'run the same command again', cause })

function signalNumber(name: NodeJS.Signals | null): number {
  return name === null ? 0 : (osConstants.signals[name] ?? 0)
}
