/** Someone looks into a container: its output here, their keys there, until it ends or they leave. */
import { isMissing, TspodError } from '../../errors.ts'
import {
  type Console,
  openConsole,
  type ProcessId,
  signalContainer,
  type Verdict,
  type Watched,
  waitExit,
} from '../../oci/index.ts'
import { containerRunDirectory, exitDirectory } from '../../paths.ts'
import { PROXIED_SIGNALS, type Terminal } from '../../terminal.ts'
import type { EngineContext } from '../context.ts'
import { tellOf } from '../events/index.ts'
import { operateContainers } from '../operate/index.ts'
import { watched } from '../run/index.ts'
import { type ContainerRecord, readContainer, readPodOf, specNamed } from '../state/index.ts'
import type { AttachEnd, AttachRequest } from '../types/index.ts'
import { oneContainer } from '../view/index.ts'
import { detachScanner } from './detach-keys.ts'

const ATTACHED = { action: 'attach', reason: '' }

/** An attachment that stands: nothing the container prints from now on is missed. */
export type Attachment = {
  /** Connects it with the terminal until the container has ended or the person has left. */
  run(terminal: Terminal, signal: AbortSignal): Promise<AttachEnd>
  close(): void
}

/**
 * Attaches to a running container.
 * @throws NO_SUCH_OBJECT, WRONG_STATE in Podman's words, and what `Attachment.run` throws.
 */
export async function attach(
  context: EngineContext,
  nameOrId: string,
  request: AttachRequest,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<AttachEnd> {
  const container = await oneContainer(context, nameOrId)
  if (container.state !== 'running') {
    throw new TspodError('WRONG_STATE', 'you can only attach to running containers', {
      remedy: `${container.name} is ${container.state}; see tspod ps -a`,
    })
  }
  const attachment = await openAttachment(context, container.id, request)
  await tellOf(context, container, ATTACHED)
  return attachment.run(terminal, signal)
}

/**
 * Starts a container and shows it from its first byte on; one that runs already is attached to.
 * @throws as `attach`, and what creating and starting may throw.
 */
export async function startAttached(
  context: EngineContext,
  nameOrId: string,
  request: AttachRequest,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<AttachEnd> {
  const container = await oneContainer(context, nameOrId)
  const { id, state } = container
  if (state === 'running') return attach(context, id, request, terminal, signal)
  const operate = async (action: 'init' | 'start'): Promise<void> => {
    const [outcome] = await operateContainers(context, [id], { do: action }, signal)
    if (outcome?.error !== undefined) throw outcome.error
  }
  if (state !== 'created') await operate('init')
  const attachment = await openAttachment(context, id, request)
  try {
    await operate('start')
  } catch (error) {
    attachment.close()
    throw error
  }
  await tellOf(context, container, ATTACHED)
  return attachment.run(terminal, signal)
}

/**
 * Connects to the monitor of a container that is created or running.
 * @throws NO_SUCH_OBJECT when it is gone, WRONG_STATE when nobody monitors it.
 */
export async function openAttachment(context: EngineContext, id: string, request: AttachRequest): Promise<Attachment> {
  const [record, pod] = await Promise.all([readContainer(context.store, id), readPodOf(context.store, id)])
  const spec = record && pod && specNamed(pod.spec, record.shortName)
  if (record === undefined) {
    throw new TspodError('NO_SUCH_OBJECT', `container ${id} was removed meanwhile`, { remedy: 'see tspod ps -a' })
  }
  const place = { tty: spec?.tty === true, stdin: request.stdin && spec?.stdin === true }
  const monitor = await openConsole(containerRunDirectory(context.paths, id), context.clock).catch(error => {
    throw isGone(error) ? unmonitored(record, error) : error
  })
  return {
    run: (terminal, signal) =>
      showConsole(context, { subject: mainProcess(context, record), monitor, request, ...place }, terminal, signal),
    close: monitor.close,
  }
}

/** Whom a console belongs to: the main process of a container, or what exec runs. */
export type Subject = {
  name: string
  watched: Watched
  /** Where its monitor records how it ended. */
  exitDir: string
  /** The exit code, should somebody have recorded it and taken the monitor's file away. */
  recorded(): Promise<number | undefined>
}

const mainProcess = (context: EngineContext, record: ContainerRecord): Subject => ({
  name: record.name,
  watched: watched(record),
  exitDir: exitDirectory(context.paths),
  recorded: async () => {
    const now = await readContainer(context.store, record.id)
    const settled = now?.finishedMs !== undefined && now.finishedMs >= (record.startedMs ?? record.createdMs)
    return settled ? now.exitCode : undefined
  },
})

type Session = { subject: Subject; monitor: Console; request: AttachRequest; tty: boolean; stdin: boolean }

/** How a session came to its end, before the exit code is known. */
type Over = 'ended' | 'detached'

/**
 * Connects a console with the terminal until its process has ended, the person has left, or `signal` is aborted, and
 * closes it. Throws COMMAND_FAILED when nobody saw the exit code, WRONG_STATE when the monitor died.
 */
export async function showConsole(
  context: Pick<EngineContext, 'clock'>,
  { subject, monitor, request, tty, stdin }: Session,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<AttachEnd> {
  const over = new AbortController()
  const stop = AbortSignal.any([signal, terminal.closed, over.signal])
  const raw = tty && request.stdin && terminal.inputIsTerminal
  // Watched from the beginning: a container that is restarted at once takes its exit file with it.
  const verdict = waitExit(
    subject.exitDir,
    [subject.watched],
    WAIT_LIMIT_MS,
    context.clock,
    AbortSignal.any([signal, over.signal]),
  ).then(ended => ended.get(subject.watched.id))
  verdict.catch(() => undefined)
  const undo = [terminal.onResize(() => resize(tty, monitor, terminal)), monitor.close]
  if (request.sigProxy) undo.push(terminal.takeSignals(name => proxy(subject.watched.container, name)))
  try {
    if (request.stdin && !stdin) await terminal.write('stderr', NO_STDIN)
    if (raw) terminal.setRaw(true)
    resize(tty, monitor, terminal)
    const ends: Promise<Over>[] = [showOutput(monitor, terminal), aborted(stop)]
    if (request.stdin && (stdin || terminal.inputIsTerminal)) {
      const keys = raw || terminal.inputIsTerminal ? request.detachKeys : []
      ends.push(sendInput({ monitor, terminal, keys, stdin, raw }, stop))
    }
    const how = await Promise.race(ends)
    return how === 'detached' ? { is: 'detached' } : await exitOf(subject, verdict)
  } finally {
    if (raw) terminal.setRaw(false)
    over.abort()
    for (const act of undo) act()
  }
}

const NO_STDIN = Buffer.from('warning: the manifest does not say `stdin: true`, so nothing that is typed arrives\n')

/** The longest a timer can be. */
const WAIT_LIMIT_MS = 2 ** 31 - 1

/** Rejects never: a wish to stop is looked at by the session. */
const aborted = (signal: AbortSignal): Promise<Over> =>
  new Promise(resolve => {
    if (signal.aborted) resolve('detached')
    signal.addEventListener('abort', () => resolve('detached'), { once: true })
  })

function resize(tty: boolean, monitor: Console, terminal: Terminal): void {
  const size = tty ? terminal.size() : undefined
  if (size !== undefined) monitor.resize(size)
}

function proxy(main: ProcessId, name: NodeJS.Signals): void {
  if ((PROXIED_SIGNALS as readonly string[]).includes(name)) signalContainer(main.pid, main.start, name)
}

/** One piece after the other: a reader who is slow makes conmon wait, and nothing piles up here. */
async function showOutput(monitor: Console, terminal: Terminal): Promise<Over> {
  for (let piece = await monitor.receive(); piece !== undefined; piece = await monitor.receive()) {
    await terminal.write(piece.stream, piece.bytes)
  }
  return 'ended'
}

type Sending = { monitor: Console; terminal: Terminal; keys: readonly number[]; stdin: boolean; raw: boolean }

/** Settles only when the person has left: the end of the input is not the end of the output. */
async function sendInput({ monitor, terminal, keys, stdin, raw }: Sending, stop: AbortSignal): Promise<Over> {
  const scan = detachScanner(keys)
  let detach = false
  await terminal.read(async bytes => {
    const scanned = scan(bytes)
    detach = scanned.detach
    if (stdin && !(await monitor.send(scanned.pass))) return false
    return !detach
  }, stop)
  // In raw mode no key means the end: the terminal has hung up.
  if (detach || raw) return 'detached'
  if (stdin && !stop.aborted) monitor.finish()
  return new Promise(() => undefined)
}

/** The exit code of the run that was looked at; one that nobody saw is an error, never 0. */
async function exitOf(subject: Subject, waiting: Promise<Verdict | undefined>): Promise<AttachEnd> {
  const verdict = await waiting
  if (verdict?.is === 'exited') return { is: 'exited', code: verdict.exit.code }
  if (verdict?.is === 'monitor-lost') throw unmonitored(subject)
  const code = await subject.recorded()
  if (code !== undefined) return { is: 'exited', code }
  throw new TspodError('COMMAND_FAILED', `${subject.name} has ended, and nobody saw its exit code`, {
    remedy: 'see tspod ps -a and tspod logs',
  })
}

const isGone = (error: unknown): boolean => isMissing(error) || (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'

const unmonitored = (subject: Pick<Subject, 'name'>, cause?: unknown): TspodError =>
  new TspodError('WRONG_STATE', `${subject.name} has no monitor (conmon) to attach to`, {
    remedy: 'restart its pod; what it prints until then is lost',
    cause,
  })
