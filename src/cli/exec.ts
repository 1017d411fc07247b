/** `tspod exec`: a command in a running container. */
import type { FlagTable, Problem } from './flags.ts'
import { defineVerb } from './verb.ts'

const FLAGS = {
  env: { kind: 'list', value: 'KEY=VALUE', short: 'e', help: 'set a variable for the command' },
  interactive: { kind: 'switch', initial: false, short: 'i', help: 'connect standard input' },
  tty: { kind: 'switch', initial: false, short: 't', help: 'give the command a terminal' },
  user: { kind: 'text', value: 'USER[:GROUP]', short: 'u', help: 'run as this user of the container, name or number' },
  workdir: { kind: 'text', value: 'DIR', short: 'w', help: 'directory in the container to run in' },
} as const satisfies FlagTable

export const exec = defineVerb({
  operands: 'CONTAINER|POD[/CONTAINER] COMMAND [ARG...]',
  count: { minimum: 2, maximum: Number.POSITIVE_INFINITY },
  description:
    'Runs a command next to the main process of a container. Flags after the name belong to the command. ' +
    'The exit code is that of the command; 127 when it does not exist in the container, 126 when it cannot be run, ' +
    '125 for an error of tspod itself.',
  examples: [
    { does: 'One command', line: 'tspod exec web-nginx nginx -t' },
    { does: 'A shell', line: 'tspod exec -it web/nginx sh' },
    { does: 'As another user, somewhere else', line: 'tspod exec -u nobody -w /tmp web-nginx id' },
    { does: 'Feed a file in', line: 'tspod exec -i db-postgres psql <dump.sql' },
  ],
  flags: FLAGS,
  stopAtOperand: true,
  check({ flags, operands }) {
    const problems = flags.env.flatMap(environmentProblem)
    if (flags.workdir !== undefined && !flags.workdir.startsWith('/')) {
      problems.push({ message: `invalid argument "${flags.workdir}" for "-w, --workdir" flag: want an absolute path` })
    }
    if (operands.length === 2 && operands[1] === '--') problems.push({ message: 'no command given after --' })
    return problems
  },
  async run({ flags, operands }, world) {
    const [name = '', ...words] = operands
    // `exec web -- ls` is how kubectl is called.
    const args = words[0] === '--' ? words.slice(1) : words
    const tty = flags.tty && world.stdin().isTTY === true && world.out.isTerminal
    if (flags.tty && !tty) world.err.write('warning: standard input or output is no terminal: -t is without effect\n')
    const request = {
      args,
      env: flags.env,
      tty,
      interactive: flags.interactive,
      ...(flags.user === undefined ? {} : { user: flags.user }),
      ...(flags.workdir === undefined ? {} : { cwd: flags.workdir }),
    }
    const engine = await world.engine()
    return { exitCode: await engine.exec(name, request, world.signal) }
  },
})

/**
 * Podman takes the value of a bare `KEY` from the caller; the launcher of a program that runs as root passes nothing of
 * the caller's environment on, so that is refused instead of setting nothing.
 */
function environmentProblem(entry: string): Problem[] {
  if (/^[^=]+=/.test(entry)) return []
  const remedy = entry.includes('=') ? 'there is no name before the "="' : `write -e ${entry}="$${entry}"`
  return [{ message: `invalid argument "${entry}" for "-e, --env" flag: want KEY=VALUE`, remedy }]
}
