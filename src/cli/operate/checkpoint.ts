/** `tspod checkpoint` and `tspod restore`. */
import { resolve } from 'node:path'
import type { FlagTable, Problem } from '../flags.ts'
import { defineVerb } from '../verb.ts'
import { actOnContainers, containersNamed, TARGET_FLAGS, targetProblems } from './targets.ts'

const CRIU_FLAGS = {
  keep: {
    kind: 'switch',
    initial: false,
    short: 'k',
    help: "keep what is otherwise removed: logs, and a restore's images",
  },
  'tcp-established': { kind: 'switch', initial: false, help: 'open connections are no obstacle and stay open' },
  'file-locks': { kind: 'switch', initial: false, help: 'locks on files are no obstacle and are taken again' },
  // What happens anyway: a file system is never part of a checkpoint.
  'ignore-rootfs': { kind: 'switch', initial: false, hidden: true, help: 'leave the file system out' },
  'ignore-volumes': { kind: 'switch', initial: false, hidden: true, help: 'leave volumes out' },
} as const satisfies FlagTable

const CHECKPOINT_FLAGS = {
  ...TARGET_FLAGS,
  ...CRIU_FLAGS,
  'leave-running': { kind: 'switch', initial: false, short: 'R', help: 'the container goes on running' },
  export: { kind: 'text', value: 'FILE', short: 'e', help: 'write the checkpoint to a new file as well' },
} as const satisfies FlagTable

const RESTORE_FLAGS = {
  ...TARGET_FLAGS,
  ...CRIU_FLAGS,
  import: { kind: 'text', value: 'FILE', short: 'i', help: 'an archive that `tspod checkpoint --export` wrote here' },
} as const satisfies FlagTable

type Criu = { keep: boolean; 'tcp-established': boolean; 'file-locks': boolean }
const criu = (flags: Criu) => ({
  keep: flags.keep,
  tcpEstablished: flags['tcp-established'],
  fileLocks: flags['file-locks'],
})

export const checkpoint = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Writes all processes of running containers to files, from which `tspod restore` lets them go on, also after a ' +
    'reboot. Their file systems and volumes are not part of it: they stay where they are. Needs criu and a runtime ' +
    'that works with it.',
  examples: [
    { does: 'Freeze on disk, and go on later', line: 'tspod checkpoint web-nginx; tspod restore web-nginx' },
    { does: 'Keep a copy while it runs', line: 'tspod checkpoint -R --export /root/web.tar web-nginx' },
  ],
  flags: CHECKPOINT_FLAGS,
  refused: {
    'a checkpoint is written whole: leave it out': 'P|pre-checkpoint with-previous',
    'an archive is one file that is not compressed: pass it to zstd or gzip': 'c|compress=',
    'a checkpoint is kept with its container, or in an archive: use --export': 'create-image=',
    'criu keeps its figures in the directory that --keep leaves': 'print-stats',
  },
  check: ({ flags, operands }) => [
    ...targetProblems(flags, operands),
    ...onlyOne('--export', flags.export, flags, operands),
  ],
  async run(input, world) {
    const { flags } = input
    const action = { do: 'checkpoint', leaveRunning: flags['leave-running'], ...criu(flags) } as const
    const answer = await actOnContainers(input, world, action, view => view.state === 'running')
    if (flags.export === undefined || answer.exitCode !== 0) return answer
    const engine = await world.engine()
    const { found } = await containersNamed(engine, input.operands, flags, world.clock.nowMs())
    for (const { view } of found) await engine.exportCheckpoint(view.id, resolve(world.cwd, flags.export))
    return answer
  },
})

export const restore = defineVerb({
  operands: 'CONTAINER [CONTAINER...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Lets containers go on from their checkpoints. An archive is taken for the container that it was made of, which ' +
    'has to exist here with the same image; only archives that this installation wrote are accepted, because their ' +
    'images decide what runs as root.',
  examples: [
    { does: 'Go on', line: 'tspod restore web-nginx' },
    { does: 'Go on from an archive', line: 'tspod restore --import /root/web.tar' },
  ],
  flags: RESTORE_FLAGS,
  refused: {
    'a container comes back as the one it was, in its pod': 'n|name= pod= p|publish=',
    'a pod has the address and the network it had: leave it out': 'ignore-static-ip ignore-static-mac',
    'a checkpoint is written whole: leave it out': 'import-previous=',
    'criu keeps its figures in the directory that --keep leaves': 'print-stats',
  },
  check: ({ flags, operands }) =>
    flags.import === undefined
      ? targetProblems(flags, operands)
      : flags.all || flags.latest || operands.length > 0
        ? [{ message: 'Cannot use --import with any positional arguments, --all or --latest' }]
        : [],
  async run(input, world) {
    const { flags } = input
    const action = { do: 'restore', ...criu(flags) } as const
    if (flags.import === undefined) {
      return actOnContainers(input, world, action, view => view.reason === 'Checkpointed')
    }
    const engine = await world.engine()
    const id = await engine.importCheckpoint(resolve(world.cwd, flags.import), world.signal)
    return actOnContainers(
      { flags: { ...flags, all: false, latest: false }, operands: [id] },
      world,
      action,
      () => true,
    )
  },
})

function onlyOne(
  flag: string,
  value: string | undefined,
  { all }: { all: boolean },
  operands: readonly string[],
): Problem[] {
  if (value === undefined || (!all && operands.length <= 1)) return []
  return [{ message: `${flag} can only be used with one container` }]
}
