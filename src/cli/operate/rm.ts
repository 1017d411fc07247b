/** `tspod rm`, `tspod pod rm`. */

import type { Outcome as Done, Engine } from '../../engine/index.ts'
import { EXIT_OWN_ERROR, isTspodError } from '../../errors.ts'
import type { FlagTable } from '../flags.ts'
import { LONG_FILTER_FLAG } from '../list-flags.ts'
import { defineVerb } from '../verb.ts'
import {
  actOnPods,
  containersNamed,
  graceOf,
  ID_FILE_FLAG,
  IGNORE_FLAG,
  POD_ID_FILE_FLAG,
  report,
  TARGET_FLAGS,
  type Target,
  TIME_FLAG,
  targetProblems,
} from './targets.ts'

const EXIT_MISSING = 1
const EXIT_STILL_RUNS = 2

const COMMON_FLAGS = {
  ...TARGET_FLAGS,
  ...IGNORE_FLAG,
  ...TIME_FLAG,
  ...LONG_FILTER_FLAG,
  force: { kind: 'switch', initial: false, short: 'f', help: 'stop what runs first; what does not exist is no error' },
} as const satisfies FlagTable

const POD_FLAGS = { ...COMMON_FLAGS, ...POD_ID_FILE_FLAG } as const satisfies FlagTable

const FLAGS = {
  ...COMMON_FLAGS,
  ...ID_FILE_FLAG,
  depend: { kind: 'switch', initial: false, help: 'also what depends on it: the pods of a service container' },
  volumes: {
    kind: 'switch',
    initial: false,
    short: 'v',
    hidden: true,
    help: 'without effect: emptyDirs go with their pod, claims stay',
  },
} as const satisfies FlagTable

export const rm = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Removes containers with their root file systems and logs; their pods stay. A running one is refused without ' +
    '--force. `tspod pod rm` and `tspod kube down` remove whole pods.',
  examples: [
    { does: 'One that has ended', line: 'tspod rm web-nginx' },
    { does: 'Whatever it is doing', line: 'tspod rm -f -t 0 web-nginx' },
    { does: 'A service with all its pods', line: 'tspod rm --depend 9f86d081884c-service' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands),
  async run({ flags, operands }, world) {
    const engine = await world.engine()
    const { found, missing } = await containersNamed(
      engine,
      operands,
      {
        ...flags,
        ignore: flags.ignore || flags.force,
      },
      world.clock.nowMs(),
    )
    const meant = flags.all ? found.filter(({ view }) => view.kind !== 'service' && view.kind !== 'infra') : found
    const action = { do: flags.force ? 'remove by force' : 'remove', ...graceOf(flags.time) } as const
    if (flags.depend) {
      const services = meant.filter(({ view }) => view.kind === 'service')
      await removePodsOf(engine, services, flags.time, world.signal)
    }
    const left = flags.depend ? meant.filter(({ view }) => view.kind !== 'service') : meant
    const outcomes = await engine.operateContainers(
      left.map(({ view }) => view.id),
      action,
      world.signal,
    )
    const answers = new Map(left.map(({ view }, index) => [view.id, outcomes[index] as Done]))
    const all = meant.map(({ view }): Done => answers.get(view.id) ?? { id: view.id, name: view.name })
    return report(meant, all, missing, undefined, rmExitCode)
  },
})

/** As Podman's: 1 when what is missing is all that is wrong, 2 when something still runs, 125 for the rest. */
function rmExitCode(errors: readonly Error[]): number {
  if (errors.every(error => isTspodError(error, 'NO_SUCH_OBJECT'))) return EXIT_MISSING
  return errors.every(error => isTspodError(error, 'WRONG_STATE') && error.message.includes('without force'))
    ? EXIT_STILL_RUNS
    : EXIT_OWN_ERROR
}

const podRmExitCode = (errors: readonly Error[]): number =>
  errors.every(error => isTspodError(error, 'NO_SUCH_OBJECT')) ? EXIT_MISSING : EXIT_OWN_ERROR

/** A service goes with the last pod it stands for. */
async function removePodsOf(
  engine: Engine,
  services: readonly Target<{ podId: string }>[],
  time: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const ids = services.map(({ view }) => view.podId)
  const pods = (await engine.pods()).filter(({ service }) => service !== undefined && ids.includes(service))
  const outcomes = await engine.operatePods(
    pods.map(({ id }) => id),
    { do: 'remove', force: true, ...graceOf(time) },
    signal,
  )
  const failed = outcomes.find(({ error }) => error !== undefined)
  if (failed?.error !== undefined) throw failed.error
}

export const podRm = defineVerb({
  operands: 'POD [POD...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Removes pods with everything they have but claims. A pod with running containers is refused without --force. A ' +
    'service container goes with the last pod it stands for.',
  examples: [
    { does: 'A pod that was stopped', line: 'tspod pod rm web' },
    { does: 'All pods, running or not', line: 'tspod pod rm -f --all' },
  ],
  flags: POD_FLAGS,
  check: ({ flags, operands }) => targetProblems(flags, operands, 'pod'),
  run: ({ flags, operands }, world) =>
    actOnPods(
      { flags: { ...flags, ignore: flags.ignore || flags.force }, operands },
      world,
      {
        do: 'remove',
        force: flags.force,
        ...graceOf(flags.time),
      },
      podRmExitCode,
    ),
})
