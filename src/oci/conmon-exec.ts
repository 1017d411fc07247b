/** A command in a running container under a conmon of its own, which records how it ended. */
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { begin, type CreateInput, exitCommand, monitored, type Reported, runtimeArgsOf } from './conmon.ts'

export type ExecInput = Pick<
  CreateInput,
  'runtime' | 'id' | 'name' | 'conmonPath' | 'tty' | 'exitHook' | 'beforeStart' | 'onAttachable'
> & {
  /** Whether what is sent to the console in `directory` reaches the command. */
  stdin: boolean
  /** 64 hex digits. */
  session: string
  /** A directory of this session's own: pid files, the runtime's log, and at the end a file named by the container. */
  directory: string
  /** Holds the OCI process. */
  processFile: string
}

/**
 * Starts a command. Its end is in `readExit(directory, id)`, its output goes to whoever has opened the console in
 * `directory`, which `onAttachable` is the time for.
 * Throws START_FAILED with the runtime's complaint, COMMAND_TIMEOUT, TOOL_MISSING.
 */
export function execMonitored(input: ExecInput, clock: Clock): Promise<Reported> {
  const whole = { ...input, bundle: input.directory, runDir: input.directory }
  return monitored(whole, clock, begin({ ...whole, args: execConmonArgs(input) }))
}

/** conmon's arguments. Pure. */
export function execConmonArgs(input: ExecInput): string[] {
  const { directory } = input
  // Version 1: without it conmon answers with the exit code, when all is over.
  const args = ['--api-version', '1', '--exec', '--exec-process-spec', input.processFile]
  args.push('--cid', input.id, '--cuuid', input.session, '--name', input.name)
  args.push('--runtime', input.runtime.path, '--bundle', directory)
  args.push('--container-pidfile', join(directory, 'container.pid'))
  args.push('--conmon-pidfile', join(directory, 'conmon.pid'))
  args.push('--exit-dir', directory, '--full-attach', '--log-path', 'none')
  args.push(...runtimeArgsOf(input.runtime, join(directory, 'runtime.log')))
  if (input.tty) args.push('--terminal')
  if (input.stdin) args.push('--stdin')
  if (input.onAttachable !== undefined) args.push('--exec-attach')
  return [...args, ...exitCommand(input.exitHook)]
}
