/** A command in a running container, by the runtime's own exec, with the container's limits and rights. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { processStart, removeTree } from '../../files.ts'
import {
  buildExecProcess,
  type Console,
  type ExecWanted,
  execArgs,
  execMonitored,
  findProgram,
  type OciConfig,
  openConsole,
  type Reported,
  type Runtime,
  resolveIdentity,
  runtimeArgs,
} from '../../oci/index.ts'
import { containerRunDirectory } from '../../paths.ts'
import type { Terminal } from '../../terminal.ts'
import type { EngineContext } from '../context.ts'
import { tellOf } from '../events/index.ts'
import { enterPodCgroup } from '../run/index.ts'
import { type PodRecord, readPodOf, readSandbox, specNamed } from '../state/index.ts'
import type { AttachEnd, ContainerView, ExecRequest } from '../types/index.ts'
import { cgroupOf } from '../unit.ts'
import { oneContainer } from '../view/index.ts'
import { showConsole } from './attach.ts'
import { refusalIn } from './refusal.ts'
import { beginSession, sessionDirectory, sessionEnded, sessionStarted } from './sessions.ts'

/**
 * Runs `request` with the caller's terminal or pipes and returns the exit code of the command.
 * @throws NO_SUCH_OBJECT, EXEC_WRONG_STATE (255) in Podman's words, EXEC_NOT_FOUND (127), EXEC_CANNOT_INVOKE (126).
 */
export async function exec(
  context: EngineContext,
  nameOrId: string,
  request: ExecRequest,
  signal: AbortSignal,
): Promise<number> {
  return inSession(
    context,
    await prepare(context, nameOrId, request),
    async ({ session, runtime, container }, files) => {
      const [program, ...args] = execArgs(runtime, container.id, { processFile: files.process, pidFile: files.pid })
      const globals = runtimeArgs(runtime).length - 1
      const logged = [...args.slice(0, globals), '--log', files.log, '--log-format', 'json', ...args.slice(globals)]
      const over = new AbortController()
      const known = recordProcess(context, session, files.pid, over.signal)
      try {
        const code = await context.interact([program, ...logged], { stdin: request.interactive }, signal)
        const refusal = code === 0 ? undefined : refusalIn(await readText(files.log), request)
        if (refusal !== undefined) throw refusal
        await sessionEnded(context, container, session, code)
        await removeTree(files.directory)
        return code
      } finally {
        over.abort()
        await known
      }
    },
  )
}

/**
 * Starts `request` in the background and returns the id of its session, whose exit code is recorded.
 * @throws as `exec`, but WRONG_STATE (125 in Podman, too), and what conmon may throw.
 */
export async function execDetached(context: EngineContext, nameOrId: string, request: ExecRequest): Promise<string> {
  return inSession(context, await prepare(context, nameOrId, request, 'WRONG_STATE'), async (running, files) => {
    await underMonitor(context, running, files, request)
    return running.session
  })
}

/**
 * Runs `request` on the caller's terminal, under a conmon of its own: it knows the sizes of the terminal, which not
 * every runtime does, and what is left with the detach keys runs on.
 * @throws as `exec`, and what conmon may throw.
 */
export async function execOnTerminal(
  context: EngineContext,
  nameOrId: string,
  request: ExecRequest & { detachKeys: number[] },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<AttachEnd> {
  return inSession(context, await prepare(context, nameOrId, request), async (running, files) => {
    const { session, container } = running
    let monitor: Console | undefined
    const started = await underMonitor(context, running, files, request, async () => {
      monitor = await openConsole(files.directory, context.clock)
    })
    if (monitor === undefined) throw new Error('conmon started a command without waiting for who attaches')
    const watched = {
      id: container.id,
      container: { pid: started.pid, start: started.start ?? '' },
      monitor: { pid: started.conmonPid, start: started.conmonStart ?? '' },
    }
    const subject = { name: session, watched, exitDir: files.directory, recorded: async () => undefined }
    const stdin = request.interactive
    const how = { request: { stdin, detachKeys: request.detachKeys, sigProxy: false }, tty: true, stdin }
    const end = await showConsole(context, { subject, monitor, ...how }, terminal, signal)
    if (end.is === 'exited') {
      await sessionEnded(context, container, session, end.code)
      await removeTree(files.directory)
    }
    return end
  })
}

/** Has conmon run the command of a session, and records its process. */
async function underMonitor(
  context: EngineContext,
  { session, runtime, container, pod }: Prepared & { session: string },
  files: SessionFiles,
  request: ExecRequest,
  onAttachable?: () => Promise<void>,
): Promise<Reported> {
  const conmonPath = findProgram('conmon')
  if (conmonPath === undefined) {
    throw new TspodError('TOOL_MISSING', 'conmon is not installed', { remedy: 'install it: apt install conmon' })
  }
  const cgroup = cgroupOf(context, pod)
  const place = { runtime, id: container.id, name: container.name, conmonPath, session, directory: files.directory }
  const { root, runRoot } = context.paths
  const exitHook = [context.launcher, '--root', root, '--runroot', runRoot]
  exitHook.push('container', 'cleanup', '--exec', session, container.id)
  const how = { tty: request.tty, stdin: request.interactive, processFile: files.process, exitHook }
  const hooks = {
    beforeStart: (pid: number) => enterPodCgroup({ context, cgroup }, pid),
    ...(onAttachable !== undefined && { onAttachable }),
  }
  const started = await execMonitored({ ...place, ...how, ...hooks }, context.clock).catch(async error => {
    throw refusalIn(await readText(files.log), request) ?? error
  })
  const { pid, start } = started
  // Without a start time it has ended already, and the exit file says how.
  if (start !== undefined) await sessionStarted(context, session, { pid, start })
  return started
}

type Prepared = {
  container: ContainerView
  pod: PodRecord
  runtime: Runtime
  /** The OCI process. */
  process: object
  command: string[]
}

/** Everything that can be said against it before anything is done; `refusal`: the code when the container does not run. */
async function prepare(
  context: EngineContext,
  nameOrId: string,
  request: ExecRequest,
  refusal: 'WRONG_STATE' | 'EXEC_WRONG_STATE' = 'EXEC_WRONG_STATE',
): Promise<Prepared> {
  const container = await oneContainer(context, nameOrId)
  if (container.state !== 'running') {
    throw new TspodError(refusal, 'can only create exec sessions on running containers: container state improper', {
      remedy: `${container.name} is ${container.state}; see tspod ps -a`,
    })
  }
  if (container.kind === 'service' || container.kind === 'infra') {
    throw new TspodError('EXEC_NOT_FOUND', `${container.name} is the ${container.kind} container: it has no programs`, {
      remedy: 'name a container of the manifest',
    })
  }
  const pod = await readPodOf(context.store, container.id)
  const sandbox = pod && (await readSandbox(context.store, pod.id, context.boot))?.facts
  const spec = pod && specNamed(pod.spec, container.shortName)
  if (pod === undefined || sandbox === undefined || spec === undefined) {
    throw new TspodError('NO_SUCH_OBJECT', `container ${container.name} was removed meanwhile`, {
      remedy: 'see tspod ps -a',
    })
  }
  const directory = containerRunDirectory(context.paths, container.id)
  const config = JSON.parse(await readFile(join(directory, 'config.json'), 'utf8')) as OciConfig
  const wanted: ExecWanted = {
    args: request.args,
    env: wantedEnv(request.env, config),
    tty: request.tty,
    ...(request.privileged && { capabilities: context.host.capabilities }),
    ...(request.cwd !== undefined && { cwd: request.cwd }),
    ...(request.user !== undefined && {
      identity: resolveIdentity(config.root.path, '', spec.security, pod.spec.security, request.user),
    }),
  }
  return { container, pod, runtime: sandbox.runtime, process: buildExecProcess(config, wanted), command: request.args }
}

type SessionFiles = { directory: string; process: string; pid: string; log: string }

/** Records a session around `work`; when that fails before it has recorded an end, nobody knows how it ended. */
async function inSession<T>(
  context: EngineContext,
  prepared: Prepared,
  work: (running: Prepared & { session: string }, files: SessionFiles) => Promise<T>,
): Promise<T> {
  const { container, command } = prepared
  const owner = { pid: process.pid, start: processStart(process.pid) ?? '' }
  const session = await beginSession(context, container, command, owner)
  const told = tellOf(context, container, { action: 'exec', reason: '', facts: { execID: session } })
  const directory = sessionDirectory(context, container.id, session)
  const at = (name: string): string => join(directory, name)
  const files = { directory, process: at('process.json'), pid: at('exec.pid'), log: at('runtime.log') }
  try {
    await mkdir(directory, { mode: 0o700 })
    await writeFile(files.process, JSON.stringify(prepared.process), { mode: 0o600 })
    return await work({ ...prepared, session }, files)
  } catch (error) {
    const code = error instanceof TspodError && error.code.startsWith('EXEC_') ? error.exitCode : undefined
    await sessionEnded(context, container, session, code)
    await removeTree(directory)
    throw error
  } finally {
    await told
    // It holds the environment. What else a background session has in its directory goes with its record.
    await removeTree(files.process)
  }
}

const readText = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

/** A command that lasts is worth a look at how long its process takes to appear. */
const PID_POLL_MS = 20
const PID_POLLS = 250

/** Records the process of a session once the runtime has written its pid. Never throws for want of one. */
async function recordProcess(
  context: EngineContext,
  session: string,
  pidFile: string,
  over: AbortSignal,
): Promise<void> {
  for (let poll = 0; poll < PID_POLLS && !over.aborted; poll++) {
    await context.clock.sleep(PID_POLL_MS, over).catch(() => undefined)
    const pid = Number.parseInt(await readText(pidFile), 10)
    const start = pid > 1 ? processStart(pid) : undefined
    if (start !== undefined) return sessionStarted(context, session, { pid, start })
  }
}

/** `KEY=value`, or `KEY` for the value the container itself has. */
function wantedEnv(entries: readonly string[], config: OciConfig): Record<string, string> {
  const env: Record<string, string> = {}
  for (const entry of entries) {
    const equals = entry.indexOf('=')
    if (equals > 0) env[entry.slice(0, equals)] = entry.slice(equals + 1)
    else if (equals < 0)
      env[entry] = config.process.env.find(one => one.startsWith(`${entry}=`))?.slice(entry.length + 1) ?? ''
    else throw new TspodError('USAGE', `"${entry}" is no environment variable`, { remedy: 'write -e NAME=value' })
  }
  return env
}
