/** `tspod attach`: a running container's terminal, or its streams, here. */
import type { AttachEnd } from '../engine/index.ts'
import type { FlagTable, Problem } from './flags.ts'
import { LATEST_FLAG, latestContainer, latestProblems } from './latest.ts'
import { defineVerb, type Outcome } from './verb.ts'

/** What `attach` and `start --attach` have in common. */
export const ATTACH_FLAGS = {
  'detach-keys': {
    kind: 'text',
    value: 'KEYS',
    help: 'keys that leave the container running, such as ctrl-a,d; empty for none (default ctrl-p,ctrl-q)',
  },
} as const satisfies FlagTable

const FLAGS = {
  ...ATTACH_FLAGS,
  ...LATEST_FLAG,
  'no-stdin': { kind: 'switch', initial: false, help: 'do not connect standard input' },
  'sig-proxy': {
    kind: 'switch',
    initial: true,
    help: 'pass signals on to the main process of the container; with =false they end the attachment',
  },
} as const satisfies FlagTable

export const attach = defineVerb({
  operands: 'CONTAINER|POD[/CONTAINER]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Shows what the main process of a container prints from now on, and passes on what is typed when the manifest says ' +
    'stdin: true. ctrl-p ctrl-q leaves it running. When the process ends, so does the command, with its exit code. ' +
    'With stdinOnce: true its input ends with the first attachment.',
  examples: [
    { does: 'Watch and type', line: 'tspod attach shell-main' },
    { does: 'Watch only; ctrl-c ends the watching', line: 'tspod attach --no-stdin --sig-proxy=false web/nginx' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) =>
    operands.length > 1 || latestProblems(flags, operands).length > 0 ? [WANTS_ONE] : [],
  async run({ flags, operands }, world) {
    const [engine, detachKeys] = await Promise.all([world.engine(), detachKeysOf(flags['detach-keys'])])
    const name = flags.latest ? await latestContainer(engine) : (operands[0] ?? '')
    const request = { stdin: !flags['no-stdin'], detachKeys, sigProxy: flags['sig-proxy'] }
    const end = await engine.attach(name, request, world.terminal(), world.signal)
    return { ...attachOutcome(end), interrupted: world.signal.aborted }
  },
})

const WANTS_ONE: Problem = { message: 'attach requires the name or id of one running container or the latest flag' }

/** The bytes of `--detach-keys`. Throws USAGE for keys that do not exist. */
export async function detachKeysOf(text: string | undefined): Promise<number[]> {
  const { DEFAULT_DETACH_KEYS, parseDetachKeys } = await import('../engine/index.ts')
  return parseDetachKeys(text ?? DEFAULT_DETACH_KEYS)
}

/** The container's own exit code; 0 for someone who left it running, as in Podman. */
export const attachOutcome = (end: AttachEnd): Outcome => ({ exitCode: end.is === 'exited' ? end.code : 0 })
