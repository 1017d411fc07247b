/** `tspod kill`, `tspod pod kill`. */
import { signalNamed } from '../../signals.ts'
import type { FlagTable, Problem } from '../flags.ts'
import { defineVerb } from '../verb.ts'
import { actOnContainers, actOnPods, ID_FILE_FLAG, isRegular, TARGET_FLAGS, targetProblems } from './targets.ts'

const POD_FLAGS = {
  ...TARGET_FLAGS,
  signal: { kind: 'text', value: 'SIGNAL', short: 's', help: 'name or number (default KILL)' },
} as const satisfies FlagTable
const FLAGS = { ...POD_FLAGS, ...ID_FILE_FLAG } as const satisfies FlagTable

const signalProblems = (text: string | undefined): Problem[] =>
  text === undefined || signalNamed(text) !== undefined ? [] : [{ message: `invalid signal: ${text}` }]

const signalOf = (text: string | undefined): NodeJS.Signals =>
  (text === undefined ? undefined : signalNamed(text)) ?? 'SIGKILL'

export const kill = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Sends a signal to the main process of containers. One that ends because of it is not started again: a kill by ' +
    'hand is a wish, not a crash.',
  examples: [
    { does: 'End a container at once', line: 'tspod kill web-nginx' },
    { does: 'Have it read its configuration again', line: 'tspod kill -s HUP web-nginx' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => [...targetProblems(flags, operands), ...signalProblems(flags.signal)],
  // As in Podman --all means those that can be killed.
  run: (input, world) =>
    actOnContainers(
      input,
      world,
      { do: 'kill', signal: signalOf(input.flags.signal) },
      view => isRegular(view) && view.state === 'running',
    ),
})

export const podKill = defineVerb({
  operands: 'POD [POD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description: 'Sends a signal to the main process of every running container of pods.',
  examples: [
    { does: 'End a pod at once', line: 'tspod pod kill web' },
    { does: 'Another signal', line: 'tspod pod kill -s TERM web' },
  ],
  flags: POD_FLAGS,
  check: ({ flags, operands }) => [...targetProblems(flags, operands, 'pod'), ...signalProblems(flags.signal)],
  run: (input, world) => actOnPods(input, world, { do: 'kill', signal: signalOf(input.flags.signal) }),
})
