/**
 * The composition root: argv and environment in, doors built, one verb called, exit code out.
 *
 * Nothing heavy is imported here: the engine, the translator and their packages are loaded when a verb needs them, so
 * that `--version` and `--help` cost little more than starting Node. The process ends by itself once nothing is left
 * to do.
 */
import { join, resolve } from 'node:path'
import type { Invocation, Outcome, StopSignal, World } from './cli/index.ts'
import { ifStillBusy, systemClock } from './clock.ts'
import type { Doors, Engine } from './engine/index.ts'
import { EXIT_OWN_ERROR, TspodError } from './errors.ts'
import type { Log, LogLevel } from './log.ts'
import { type Paths, pathsFor } from './paths.ts'
import type { Run } from './process.ts'
import { openTerminal, PROXIED_SIGNALS, type Terminal } from './terminal.ts'

/** How long whatever is left over may keep a finished process alive. */
const LINGER_MS = 500
/** The bundle is in dist/, this file in src/: both one below the folder that holds the launcher and the templates. */
const HOME = resolve(import.meta.dirname, '..')
const LAUNCHER = join(HOME, 'bin/tspod')
/** For a process that stays: its heap has a bound, and no threads beside it (docs/adr/0014-probes.md). */
const SMALL_HEAP = ['--max-old-space-size=64', '--max-semi-space-size=1', '--v8-pool-size=0', '--optimize-for-size']

/** For whoever keeps what a complete run has compiled. */
export const progress = { verbDone: false }

async function main(argv: readonly string[]): Promise<number> {
  process.umask(0o077)
  const { failureText, interpret, lostOutput, makeOutput, signalExitCode } = await import('./cli/index.ts')
  const out = makeOutput(process.stdout, process.env)
  const err = makeOutput(process.stderr, process.env)
  const crash = (error: unknown): void => {
    // Even an expected failure is a bug of ours when nobody waited for it: show where it comes from.
    err.write(failureText(error instanceof TspodError ? error.stack : error).text)
    process.exit(EXIT_OWN_ERROR)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  // Known only once everything has been written.
  process.once('exit', () => {
    const lost = lostOutput(out)
    if (lost === undefined) return
    err.write(failureText(lost).text)
    process.exitCode ||= EXIT_OWN_ERROR
  })
  const stop = listenForSignals(signalExitCode)
  try {
    const invocation = await interpret(argv, out.columns)
    if (invocation.kind === 'text') {
      out.write(invocation.text)
      return 0
    }
    const { exitCode = 0, interrupted } = await runVerb(invocation, { out, err, signal: stop.signal }, stop.take)
    return interrupted && stop.received !== undefined ? signalExitCode(stop.received) : exitCode
  } catch (error) {
    const { text, exitCode } = failureText(error)
    err.write(text)
    return stop.received === undefined ? exitCode : signalExitCode(stop.received)
  }
}

type Surroundings = Pick<World, 'out' | 'err' | 'signal'>

async function runVerb(
  { command, verb, input }: Extract<Invocation, { kind: 'verb' }>,
  surroundings: Surroundings,
  takeSignals: Terminal['takeSignals'],
): Promise<Outcome> {
  requireHost(command.name, verb.anyUser === true)
  const { closeInheritedDescriptors, detach, interact, run: plainRun, runStreaming } = await import('./process.ts')
  closeInheritedDescriptors()
  const { flags } = input
  const textOf = (name: string): string | undefined => {
    const value = flags[name]
    return typeof value === 'string' ? value : undefined
  }
  const absolute = (name: string): string | undefined => {
    const value = textOf(name)
    return value === undefined ? undefined : resolve(value)
  }
  const paths = pathsFor(absolute('root'), absolute('runroot'))
  const log = await openLogFor(textOf('log-level') ?? process.env.TSPOD_LOG)
  const run = log === undefined ? plainRun : logged(plainRun, log)
  let engine: Promise<Engine> | undefined
  const world: World = {
    ...surroundings,
    stdin: () => process.stdin,
    terminal: () => {
      const streams = { input: () => process.stdin, stdout: process.stdout, stderr: process.stderr }
      return openTerminal({ ...streams, closed: surroundings.out.closed }, takeSignals)
    },
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock,
    run,
    paths,
    launcher: LAUNCHER,
    units: async scope => (await import('./systemd/index.ts')).openUnits(systemClock, scope),
    template: async name => (await import('node:fs/promises')).readFile(join(HOME, 'templates', name), 'utf8'),
    notifier: async () => {
      const socket = process.env.NOTIFY_SOCKET
      return socket ? (await import('./systemd/index.ts')).openNotifier(socket, systemClock) : undefined
    },
    engine: () => {
      const note = (text: string): void => log?.info(text)
      engine ??= openEngineIn(paths, {
        run,
        stream: runStreaming,
        interact,
        detach,
        note,
        warn: warnOn(surroundings.err),
      })
      return engine
    },
  }
  try {
    const outcome = await verb.run(input, world)
    world.out.write(outcome.stdout ?? '')
    world.err.write(outcome.stderr ?? '')
    progress.verbDone = true
    return outcome
  } finally {
    // An engine that could not be opened has been reported by whoever asked for it.
    await engine?.then(
      opened => opened.close(),
      () => undefined,
    )
  }
}

function requireHost(command: string, anyUser: boolean): void {
  if (process.platform !== 'linux') {
    throw new TspodError('NOT_LINUX', `tspod runs containers of the Linux kernel, and this is ${process.platform}`, {
      remedy: 'run it on a Linux host or in a virtual machine',
    })
  }
  if (!anyUser && process.getuid?.() !== 0) {
    throw new TspodError('NOT_ROOT', `\`tspod ${command}\` needs root`, { remedy: 'run it with sudo' })
  }
}

function warnOn(err: World['err']): Doors['warn'] {
  const told = new Set<string>()
  return text => {
    if (!told.has(text)) err.write(`warning: ${text}\n`)
    told.add(text)
  }
}

type ProcessDoors = Pick<Doors, 'run' | 'stream' | 'detach' | 'interact' | 'note' | 'warn'>

async function openEngineIn(paths: Paths, doors: ProcessDoors): Promise<Engine> {
  const { openEngine } = await import('./engine/index.ts')
  return openEngine({
    ...doors,
    clock: systemClock,
    paths,
    environment: process.env,
    ...(process.env.INVOCATION_ID && { invocationId: process.env.INVOCATION_ID }),
    ...(process.env.NOTIFY_SOCKET && { notifySocket: process.env.NOTIFY_SOCKET }),
    launcher: LAUNCHER,
    exitHook: join(HOME, 'templates/exit-hook'),
    timekeeper: join(HOME, 'templates/timekeeper'),
    prober: [process.execPath, ...SMALL_HEAP, join(HOME, 'dist/prober.cjs')],
    appArmorProfile: join(HOME, 'templates/apparmor-profile.txt'),
  })
}

const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'] satisfies LogLevel[]

/** Opens the log when it was asked for; a level that does not exist is an error, not silence. */
async function openLogFor(level: string | undefined): Promise<Log | undefined> {
  if (level === undefined || level === '') return undefined
  if (!LEVELS.includes(level)) {
    throw new TspodError('USAGE', `TSPOD_LOG="${level}" is no log level`, { remedy: `use one of ${LEVELS.join(', ')}` })
  }
  const { openLog } = await import('./log.ts')
  return openLog(level as LogLevel)
}

/** The door to other programs, telling of each one what came of it and how long it took. */
function logged(run: Run, log: Log): Run {
  return async (command, signal) => {
    const beganMs = systemClock.monotonicMs()
    const tookMs = (): number => Math.round(systemClock.monotonicMs() - beganMs)
    try {
      const finished = await run(command, signal)
      log.debug('ran', { argv: command.argv, exitCode: finished.exitCode, ms: tookMs() })
      return finished
    } catch (error) {
      log.debug('did not run', { argv: command.argv, error: String(error), ms: tookMs() })
      throw error
    }
  }
}

/** Terminals, `timeout` and supervisors deliver one wish to stop several times; only a later one is a second wish. */
const SAME_WISH_MS = 1000

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const satisfies StopSignal[]
const isStopSignal = (name: string): boolean => (STOP_SIGNALS as readonly string[]).includes(name)

type Signals = {
  signal: AbortSignal
  received: StopSignal | undefined
  take: Terminal['takeSignals']
}

/**
 * The first signal asks for an orderly end, a later one ends at once: what is half done is settled by the next call.
 * While a verb has taken the signals for itself, they go there instead.
 */
function listenForSignals(exitCodeOf: (signal: StopSignal) => number): Signals {
  const controller = new AbortController()
  let taken: ((name: NodeJS.Signals) => void) | undefined
  const state: Signals = {
    signal: controller.signal,
    received: undefined,
    take: handler => {
      taken = handler
      for (const name of PROXIED_SIGNALS) if (!isStopSignal(name)) process.on(name, handler)
      return () => {
        taken = undefined
        for (const name of PROXIED_SIGNALS) process.off(name, handler)
      }
    },
  }
  let receivedMs = 0
  for (const name of STOP_SIGNALS) {
    process.on(name, () => {
      if (taken !== undefined) return taken(name)
      const nowMs = systemClock.monotonicMs()
      if (state.received !== undefined) {
        if (nowMs - receivedMs >= SAME_WISH_MS) process.exit(exitCodeOf(name))
        return
      }
      state.received = name
      receivedMs = nowMs
      controller.abort(
        new TspodError('COMMAND_ABORTED', `interrupted by ${name}`, {
          remedy: 'run the same command again to settle what was begun',
        }),
      )
    })
  }
  return state
}

void main(process.argv.slice(2)).then(code => {
  process.exitCode = code
  ifStillBusy(LINGER_MS, () => process.exit(code))
})
