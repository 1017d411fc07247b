/** `tspod start`, `tspod pod start`. */

import { ATTACH_FLAGS, attachOutcome, detachKeysOf } from '../attach.ts'
import type { FlagTable, Problem } from '../flags.ts'
import { latestContainer } from '../latest.ts'
import { FILTER_FLAG } from '../list-flags.ts'
import { defineVerb } from '../verb.ts'
import { actOnContainers, actOnPods, isRegular, POD_ID_FILE_FLAG, TARGET_FLAGS, targetProblems } from './targets.ts'

const FLAGS = { ...TARGET_FLAGS, ...FILTER_FLAG, ...POD_ID_FILE_FLAG } as const satisfies FlagTable

const START_FLAGS = {
  // Podman has -a for --attach here, and no short form of --all.
  all: { kind: 'switch', initial: false, help: 'all of them' },
  attach: { kind: 'switch', initial: false, short: 'a', help: 'show what the container prints until it ends' },
  ...ATTACH_FLAGS,
  ...FILTER_FLAG,
  interactive: { kind: 'switch', initial: false, short: 'i', help: 'with --attach: connect standard input' },
  latest: TARGET_FLAGS.latest,
  'sig-proxy': { kind: 'tristate', help: 'with --attach: pass signals on to the container (default true)' },
} as const satisfies FlagTable

export const start = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Starts containers that were created or have ended, on the root file system they had. A pod at rest gets its ' +
    'network back first, and its init containers and sidecars come before the container; a restart in back-off does ' +
    'not have to wait any longer.',
  examples: [
    { does: 'One container', line: 'tspod start web-nginx' },
    { does: 'Everything that is not running', line: 'tspod start --all' },
    { does: 'What should always run', line: 'tspod start --all --filter restart-policy=always' },
    { does: 'One container, here, from its first line on', line: 'tspod start -a batch-job' },
  ],
  flags: START_FLAGS,
  check: ({ flags, operands }) => [...targetProblems(flags, operands), ...attachProblems(flags, operands)],
  async run(input, world) {
    const { flags, operands } = input
    if (!flags.attach) return actOnContainers(input, world, { do: 'start' }, isRegular)
    const [engine, keys] = await Promise.all([world.engine(), detachKeysOf(flags['detach-keys'])])
    const name = flags.latest ? await latestContainer(engine) : (operands[0] ?? '')
    const request = { stdin: flags.interactive, detachKeys: keys, sigProxy: flags['sig-proxy'] ?? true }
    const end = await engine.startAttached(name, request, world.terminal(), world.signal)
    return { ...attachOutcome(end), interrupted: world.signal.aborted }
  },
})

/** Podman's own words. */
function attachProblems(
  flags: { attach: boolean; all: boolean; 'sig-proxy': boolean | undefined },
  operands: readonly string[],
): Problem[] {
  if (!flags.attach && flags['sig-proxy'] === true) {
    return [{ message: 'you cannot use sig-proxy without --attach: invalid argument' }]
  }
  if (flags.attach && (flags.all || operands.length > 1)) {
    return [{ message: 'you cannot start and attach multiple containers at once: invalid argument' }]
  }
  return []
}

export const podStart = defineVerb({
  operands: 'POD [POD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Starts all containers of pods: the service container first where there is one, then init containers and ' +
    'sidecars in order, then the others. Init containers that succeeded before run again only with the annotation ' +
    'io.podman.annotations.init.container.type: always. activeDeadlineSeconds of a pod that was at rest begin anew.',
  examples: [
    { does: 'One pod', line: 'tspod pod start web' },
    { does: 'All pods', line: 'tspod pod start --all' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands, 'pod'),
  run: (input, world) => actOnPods(input, world, { do: 'start' }),
})
