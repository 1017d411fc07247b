/** A command in a running container, by the runtime's own exec, with the container's limits and rights. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TspodError } from '../errors.ts'
import { removeTree } from '../files.ts'
import {
  buildExecProcess,
  type ExecWanted,
  execArgs,
  lastMessage,
  type OciConfig,
  resolveIdentity,
  runtimeArgs,
} from '../oci/index.ts'
import { containerRunDirectory } from '../paths.ts'
import { randomHex } from '../random.ts'
import type { EngineContext } from './context.ts'
import { oneContainer } from './query.ts'
import { readPodOf, readSandbox, specNamed } from './records.ts'
import type { ExecRequest } from './types.ts'

/**
 * Runs `request` with the caller's terminal or pipes and returns the exit code of the command.
 * @throws NO_SUCH_OBJECT, WRONG_STATE in Podman's words, EXEC_NOT_FOUND (127), EXEC_CANNOT_INVOKE (126).
 */
export async function exec(
  context: EngineContext,
  nameOrId: string,
  request: ExecRequest,
  signal: AbortSignal,
): Promise<number> {
  const container = await oneContainer(context, nameOrId)
  if (container.state !== 'running') {
    throw new TspodError(
      'WRONG_STATE',
      'can only create exec sessions on running containers: container state improper',
      {
        remedy: `${container.name} is ${container.state}; see tspod ps -a`,
      },
    )
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
    ...(request.cwd !== undefined && { cwd: request.cwd }),
    ...(request.user !== undefined && {
      identity: resolveIdentity(config.root.path, '', spec.security, pod.spec.security, request.user),
    }),
  }
  const session = join(directory, `exec-${randomHex(8)}`)
  const files = { process: `${session}.json`, log: `${session}.log` }
  try {
    await writeFile(files.process, JSON.stringify(buildExecProcess(config, wanted)), { mode: 0o600 })
    const [program, ...args] = execArgs(sandbox.runtime, container.id, { processFile: files.process })
    const globals = runtimeArgs(sandbox.runtime).length - 1
    const logged = [...args.slice(0, globals), '--log', files.log, '--log-format', 'json', ...args.slice(globals)]
    const code = await context.interact([program, ...logged], { stdin: request.interactive }, signal)
    return code === 0 ? 0 : judgeCode(code, await readFile(files.log, 'utf8').catch(() => ''), request)
  } finally {
    await Promise.all([removeTree(files.process), removeTree(files.log)])
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

/** The command's own code, unless the runtime's log says that there was no command to run. */
function judgeCode(code: number, log: string, request: ExecRequest): number {
  const said = lastMessage(log)
  if (said === '') return code
  const command = request.args[0] ?? ''
  if (/not found|no such file/i.test(said)) {
    throw new TspodError('EXEC_NOT_FOUND', `the container has no program "${command}": ${said}`, {
      remedy: 'check the command and its path',
    })
  }
  if (/permission denied|exec format error|is a directory/i.test(said)) {
    throw new TspodError('EXEC_CANNOT_INVOKE', `"${command}" cannot be run: ${said}`, {
      remedy: 'check its mode and the user (-u)',
    })
  }
  if (/level":"(warning|info)/.test(log.split('\n').filter(Boolean).at(-1) ?? '')) return code
  throw new TspodError('START_FAILED', said, {
    remedy: 'see tspod inspect for the container, and tspod doctor for the host',
  })
}
