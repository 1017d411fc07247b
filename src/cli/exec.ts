/** `tspod exec`: a command in a running container. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { envLines } from '../env-lines.ts'
import { TspodError } from '../errors.ts'
import { ATTACH_FLAGS, attachOutcome, detachKeysOf } from './attach.ts'
import type { FlagTable, FlagValues, Problem } from './flags.ts'
import { LATEST_FLAG, latestContainer } from './latest.ts'
import { defineVerb, type World } from './verb.ts'

const FLAGS = {
  detach: {
    kind: 'switch',
    initial: false,
    short: 'd',
    help: 'run it in the background and print the id of the session',
  },
  env: { kind: 'list', value: 'KEY=VALUE', short: 'e', help: 'set a variable for the command' },
  'env-file': { kind: 'list', value: 'FILE', help: 'set the variables of a file of KEY=VALUE lines, before --env' },
  interactive: { kind: 'switch', initial: false, short: 'i', help: 'connect standard input' },
  ...LATEST_FLAG,
  privileged: { kind: 'switch', initial: false, help: 'give the command every capability tspod itself has' },
  tty: { kind: 'switch', initial: false, short: 't', help: 'give the command a terminal' },
  user: { kind: 'text', value: 'USER[:GROUP]', short: 'u', help: 'run as this user of the container, name or number' },
  workdir: { kind: 'text', value: 'DIR', short: 'w', help: 'directory in the container to run in' },
  ...ATTACH_FLAGS,
  'preserve-fds': { kind: 'number', value: 'N', minimum: 0, help: 'refused unless 0', hidden: true },
} as const satisfies FlagTable

type Flags = FlagValues<typeof FLAGS>

export const exec = defineVerb({
  operands: 'CONTAINER|POD[/CONTAINER] COMMAND [ARG...]',
  count: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  description:
    'Runs a command next to the main process of a container, with its limits and rights. Flags after the name belong ' +
    'to the command. The exit code is that of the command; 127 when it does not exist in the container, 126 when it ' +
    'cannot be run, 255 when the container does not run, 125 for an error of tspod itself. `tspod inspect` shows what was run in a container of late.',
  examples: [
    { does: 'One command', line: 'tspod exec web-nginx nginx -t' },
    { does: 'A shell', line: 'tspod exec -it web/nginx sh' },
    { does: 'As another user, somewhere else', line: 'tspod exec -u nobody -w /tmp web-nginx id' },
    { does: 'Feed a file in', line: 'tspod exec -i db-postgres psql <dump.sql' },
    { does: 'In the background', line: 'tspod exec -d db-postgres vacuumdb --all' },
  ],
  flags: FLAGS,
  stopAtOperand: true,
  check({ flags, operands }) {
    const problems = [...flags.env.flatMap(environmentProblem), ...refused(flags)]
    if (flags.workdir !== undefined && !flags.workdir.startsWith('/')) {
      problems.push({ message: `invalid argument "${flags.workdir}" for "-w, --workdir" flag: want an absolute path` })
    }
    if (commandIn(flags, operands).length === 0) {
      problems.push({ message: 'must provide a non-empty command to start an exec session: invalid argument' })
    }
    return problems
  },
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const name = flags.latest ? await latestContainer(engine) : (operands[0] ?? '')
    const request = {
      args: commandIn(flags, operands),
      env: [...(await readEnvFiles(flags['env-file'], world)), ...flags.env],
      tty: flags.detach ? flags.tty : ttyHere(flags.tty, world),
      interactive: flags.interactive,
      privileged: flags.privileged,
      ...(flags.user === undefined ? {} : { user: flags.user }),
      ...(flags.workdir === undefined ? {} : { cwd: flags.workdir }),
    }
    if (flags.detach) return { stdout: `${await engine.execDetached(name, request)}\n` }
    if (!request.tty) return { exitCode: await engine.exec(name, request, world.signal) }
    const detachKeys = await detachKeysOf(flags['detach-keys'])
    const end = await engine.execOnTerminal(name, { ...request, detachKeys }, world.terminal(), world.signal)
    return { ...attachOutcome(end), interrupted: world.signal.aborted }
  },
})

/** The words of the command; `exec web -- ls` is how kubectl is called. */
function commandIn(flags: Pick<Flags, 'latest'>, operands: readonly string[]): string[] {
  const words = operands.slice(flags.latest ? 0 : 1)
  return words[0] === '--' ? words.slice(1) : words
}

function ttyHere(wanted: boolean, world: World): boolean {
  const tty = wanted && world.stdin().isTTY === true && world.out.isTerminal
  if (wanted && !tty) world.err.write('warning: standard input or output is no terminal: -t is without effect\n')
  return tty
}

/** What Podman has and tspod has not: said, not ignored. */
function refused(flags: Flags): Problem[] {
  const problems: Problem[] = []
  if (flags['detach-keys'] && !flags.tty) {
    problems.push({
      message: '--detach-keys is not supported without -t',
      remedy: 'run it on a terminal (-t), or with -d',
    })
  }
  if (flags['preserve-fds']) {
    const remedy = 'pass data on standard input (-i)'
    problems.push({
      message: '--preserve-fds is not supported: no descriptor of the caller reaches a container',
      remedy,
    })
  }
  return problems
}

/**
 * Podman takes the value of a bare `KEY` from the caller; the launcher of a program that runs as root passes nothing of
 * the caller's environment on, so that is refused instead of setting nothing.
 */
function environmentProblem(entry: string): Problem[] {
  if (/^[^=]+=/.test(entry)) return []
  const remedy = entry.includes('=') ? 'there is no name before the "="' : `write -e ${entry}="$${entry}"`
  return [{ message: `invalid argument "${entry}" for "-e, --env" flag: want KEY=VALUE`, remedy }]
}

/**
 * The lines of environment files as Podman reads them: empty lines and those that begin with `#` are left out, the
 * value is everything behind the first `=`. Throws USAGE for a line that sets nothing, and for a file that is not there.
 */
async function readEnvFiles(files: readonly string[], { cwd }: Pick<World, 'cwd'>): Promise<string[]> {
  const read = files.map(async file => {
    const text = await readFile(resolve(cwd, file), 'utf8').catch(cause => {
      throw new TspodError('USAGE', `cannot read the environment file ${file}`, { remedy: 'check --env-file', cause })
    })
    return envEntries(text, file)
  })
  return (await Promise.all(read)).flat()
}

/** The entries of one environment file; `file` is for messages. Throws USAGE as above. Pure. */
export function envEntries(text: string, file: string): string[] {
  return envLines(text).map(({ line, name, value }) => {
    if (name !== '') return `${name}=${value}`
    throw new TspodError('USAGE', `${file}:${line}: want KEY=VALUE`, {
      remedy: 'a name alone stands for a variable of the caller in Podman; nothing of the caller is passed on here',
    })
  })
}
