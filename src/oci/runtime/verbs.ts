/** The verbs of an OCI runtime: argv in, and what came of it judged by the kernel and the state directory. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { isTspodError, TspodError } from '../../errors.ts'
import { removeTree } from '../../files.ts'
import type { Id } from '../../model.ts'
import type { Finished, Run } from '../../process.ts'
import { isAlive, type ProcessId } from '../exit.ts'
import { lastMessage, startFailed } from '../failures.ts'
import type { Runtime } from './select.ts'

/** Deadline of one runtime call unless tspod.toml says otherwise; a runtime that hangs is killed with its process group. */
const RUNTIME_TIMEOUT_MS = 60_000

/** Arguments every call of a runtime starts with. */
export function runtimeArgs(runtime: Runtime): [string, ...string[]] {
  return [runtime.path, '--root', runtime.root]
}

/**
 * One call of the runtime. Throws COMMAND_TIMEOUT when it hangs, saying what it was to do (`delete container web`).
 */
export async function callRuntime(run: Run, runtime: Runtime, doing: string, args: string[]): Promise<Finished> {
  const timeoutMs = runtime.timeoutMs ?? RUNTIME_TIMEOUT_MS
  try {
    return await run({ argv: [...runtimeArgs(runtime), ...args], timeoutMs })
  } catch (cause) {
    if (!isTspodError(cause, 'COMMAND_TIMEOUT')) throw cause
    throw runtimeHangs(runtime, doing, timeoutMs, cause)
  }
}

/** COMMAND_TIMEOUT of a runtime that was to do something (`create container web`) and was killed instead. */
export function runtimeHangs(
  runtime: Pick<Runtime, 'name'>,
  doing: string,
  timeoutMs: number,
  cause?: unknown,
): TspodError {
  const seconds = Math.round(timeoutMs / 1000)
  return new TspodError('COMMAND_TIMEOUT', `${runtime.name} did not ${doing} within ${seconds} s and was killed`, {
    remedy: 'try again; when it happens again, look at the load of this host and at dmesg',
    cause,
  })
}

/** COMMAND_FAILED with what the runtime said when it was to do something (`pause container web`), in one sentence. */
export function runtimeFailed(runtime: Pick<Runtime, 'name'>, doing: string, finished: Finished): TspodError {
  const why = lastMessage(finished.stderr) || `it ended with code ${finished.exitCode} without a word`
  return new TspodError('COMMAND_FAILED', `${runtime.name} cannot ${doing}: ${why}`, {
    remedy: `run it by hand to see more: ${finished.argv.join(' ')}`,
  })
}

/**
 * Starts a created container. Throws START_FAILED with what the runtime said, and also when the runtime claims
 * success but the container still waits in its start FIFO: exit codes are not believed, the kernel is. By the same
 * rule a runtime that failed or was killed after `process` had been let go has started it.
 */
export async function startContainer(
  run: Run,
  runtime: Runtime,
  id: Id,
  name: string = id,
  process?: ProcessId,
): Promise<void> {
  const waits = (): boolean => isThere(join(runtime.root, id, 'exec.fifo'))
  const couldStart = waits()
  const hasStarted = (): boolean => couldStart && !waits() && process !== undefined && isAlive(process)
  let finished: Finished
  try {
    finished = await callRuntime(run, runtime, `start container ${name}`, ['start', id])
  } catch (error) {
    if (isTspodError(error, 'COMMAND_TIMEOUT') && hasStarted()) return
    throw error
  }
  if (finished.exitCode !== 0) {
    if (hasStarted()) return
    throw startFailed(name, runtime, finished.stderr || endedBy(finished))
  }
  if (waits()) throw startFailed(name, runtime, `${runtime.name} reported success but did not start it`)
}

const endedBy = ({ exitCode }: Finished): string =>
  exitCode > 128 ? `the runtime was killed by signal ${exitCode - 128}` : ''

/**
 * Removes a container from the runtime; with `force` it is killed first. A container the runtime does not know
 * (any more) is success. With `force`, state that the runtime cannot read is removed as well: what may still run is
 * then only known by its cgroup. Throws COMMAND_FAILED or COMMAND_TIMEOUT otherwise.
 */
export async function deleteContainer(run: Run, runtime: Runtime, id: Id, options: { force: boolean }): Promise<void> {
  if (!isKnown(runtime, id)) return
  const force = options.force ? ['--force'] : []
  const doing = `delete container ${id.slice(0, 12)}`
  let finished: Finished
  try {
    finished = await callRuntime(run, runtime, doing, ['delete', ...force, id])
  } catch (error) {
    if (!isKnown(runtime, id)) return
    throw error
  }
  if (!isKnown(runtime, id)) return
  if (options.force && STATE_UNREADABLE.test(finished.stderr)) return removeTree(join(runtime.root, id))
  if (finished.exitCode !== 0) throw runtimeFailed(runtime, doing, finished)
  throw new TspodError('COMMAND_FAILED', `${runtime.name} cannot ${doing}: it reported success but kept it`, {
    remedy: 'stop its processes, then run the same command again',
  })
}

/** What runc says about state that was torn by a full disk or a crash; crun removes such state by itself. */
const STATE_UNREADABLE = /unexpected EOF|msg="?EOF|invalid character|cannot unmarshal/

/**
 * The last resort for a container whose runtime cannot delete it (it hangs, crashes or is not installed any more):
 * its state is removed without the runtime. Only for one that has no process left.
 */
export async function forgetContainer(runtime: Runtime, id: Id): Promise<void> {
  await removeTree(join(runtime.root, id))
}

/** True when the runtime has state of this container, whatever that state is. */
export function isKnown(runtime: Runtime, id: Id): boolean {
  return isThere(join(runtime.root, id))
}

const isThere = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined

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
