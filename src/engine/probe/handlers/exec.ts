/**
 * Commands of probes and hooks in a container, by the runtime's own exec. Unlike those that people run they are no
 * sessions: nothing of them is recorded, and what they leave goes with the run of the container.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isTspodError } from '../../../errors.ts'
import { processStart } from '../../../files.ts'
import type { Id } from '../../../model.ts'
import { buildExecProcess, execArgs, type OciConfig, type Runtime, runtimeArgs } from '../../../oci/index.ts'
import { containerRunDirectory, type Paths } from '../../../paths.ts'
import type { Run } from '../../../process.ts'
import { refusalIn } from '../../exec/index.ts'
import type { Finding } from './handle.ts'

/** What of its output is kept. */
const MAX_OUTPUT_BYTES = 10 * 1024

export type ExecPlace = {
  run: Run
  paths: Paths
  runtime: Runtime
  id: Id
  /** Of the files it needs: one command of this name runs at a time. */
  name: string
}

/** Runs a command in a container that runs; when its time is over, it and its process group are killed. */
export async function execCheck(
  { run, paths, runtime, id, name }: ExecPlace,
  command: readonly string[],
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Finding> {
  const bundle = containerRunDirectory(paths, id)
  const directory = join(bundle, `check-${name}`)
  const files = { process: join(directory, 'process.json'), pid: join(directory, 'pid'), log: join(directory, 'log') }
  const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as OciConfig
  const wanted = buildExecProcess(config, { args: [...command], env: {}, tty: false })
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  writeFileSync(files.process, JSON.stringify(wanted), { mode: 0o600 })
  try {
    const [program, ...args] = execArgs(runtime, id, { processFile: files.process, pidFile: files.pid })
    const globals = runtimeArgs(runtime).length - 1
    const logged = [...args.slice(0, globals), '--log', files.log, '--log-format', 'json', ...args.slice(globals)]
    const argv = [program, ...logged] as [string, ...string[]]
    const finished = await run({ argv, timeoutMs, keepBytes: MAX_OUTPUT_BYTES }, signal)
    if (finished.exitCode === 0) return { is: 'success', text: '' }
    const refusal = refusalIn(readText(files.log), { args: [...command] })
    if (refusal !== undefined) return { is: 'unknown', text: refusal.message }
    const output = `${finished.stdout}${finished.stderr}`.trim()
    return { is: 'failure', text: output === '' ? `command exited with code ${finished.exitCode}` : output }
  } catch (error) {
    killGroup(Number.parseInt(readText(files.pid), 10))
    if (!isTspodError(error, 'COMMAND_TIMEOUT')) throw error
    return { is: 'failure', text: `command "${command.join(' ')}" timed out after ${timeoutMs / 1000}s` }
  } finally {
    // It holds the environment, and a pid that is soon somebody else's.
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The runtime is gone by then; what it ran goes on without it. */
function killGroup(pid: number): void {
  if (!(pid > 1) || processStart(pid) === undefined) return
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL')
    } catch {
      // It leads no group, or has ended.
    }
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
