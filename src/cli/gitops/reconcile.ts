/** `tspod gitops reconcile`: what the timer and the path unit call, and people who do not want to wait. */
import type { ReconcileWish, RunView } from '../../engine/index.ts'
import { EXIT_REFUSED, isTspodError } from '../../errors.ts'
import { sideBySide } from '../../side-by-side.ts'
import { failureText } from '../failure.ts'
import type { FlagTable } from '../flags.ts'
import { json } from '../table.ts'
import { defineVerb, type Outcome, type World } from '../verb.ts'
import { FORMAT_FLAG, gitopsOf, teller } from './common.ts'
import { runJson, runText } from './run-text.ts'
import { rewatch } from './watch.ts'

const EXIT_FAILED = 1
/** Most of the time a source waits for its pods; more of them than this would only be in each other's way. */
const SOURCES_AT_ONCE = 4

export const WISH_FLAGS = {
  'allow-prune': { kind: 'number', value: 'N', minimum: 1, help: 'so many objects may be removed at once' },
  'confirm-prune': {
    kind: 'switch',
    initial: false,
    help: 'objects with the annotation io.tspod.prune: confirm may be removed',
  },
  rewind: { kind: 'switch', initial: false, help: 'take a history that was rewritten (git push --force), this once' },
} as const satisfies FlagTable

const FLAGS = {
  ...WISH_FLAGS,
  all: { kind: 'switch', initial: false, short: 'a', help: 'every source, up to four of them at a time' },
  quiet: { kind: 'switch', initial: false, short: 'q', help: 'show no progress, and do not insist on what has failed' },
  ...FORMAT_FLAG,
} as const satisfies FlagTable

export const reconcile = defineVerb({
  operands: '[NAME...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Brings what runs to what sources say. Everything is read, checked and planned before the first change. Of several ' +
    'sources four are at work at a time: one that fails, or waits for its pods, keeps no other one back. A revision that has failed is tried again when somebody asks for it here by ' +
    'name, and by itself (--all, units) only once the source or the host has changed.\n' +
    'Ends with 0 when all is well or suspended, 1 when something has failed, 6 when a guard has refused it: then ' +
    'nothing was changed.',
  examples: [
    { does: 'Now, not at the next interval', line: 'tspod gitops reconcile shop' },
    { does: 'From cron, where there is no systemd', line: 'tspod gitops reconcile --all --quiet' },
    { does: 'Yes, remove that many', line: 'tspod gitops reconcile shop --allow-prune 12' },
  ],
  flags: FLAGS,
  check: ({ flags, operands }) =>
    flags.all === operands.length > 0 ? [{ message: 'name sources, or say --all' }] : [],
  async run({ flags, operands }, world) {
    const gitops = await gitopsOf(world)
    const names = flags.all ? (await gitops.sources()).map(({ name }) => name) : [...new Set(operands)]
    const allowed = flags['allow-prune']
    const wish: ReconcileWish = {
      insist: !flags.all && !flags.quiet,
      confirmPrune: flags['confirm-prune'],
      rewind: flags.rewind,
      ...(allowed !== undefined && { allowPrune: allowed }),
    }
    const done = await reconcileEach(names, wish, flags.quiet, world)
    const runs = done.flatMap(each => ('run' in each ? [each.run] : []))
    const complaints = done.flatMap(each => ('complaint' in each ? [each.complaint] : []))
    return {
      ...(flags.format === 'json' ? { stdout: json(runs.map(runJson)) } : { stdout: runs.map(runText).join('') }),
      stderr: complaints.join(''),
      exitCode: complaints.length > 0 ? EXIT_FAILED : worstOf(runs.map(exitCodeOf)),
    }
  },
})

type Done = { run: RunView } | { complaint: string }

async function reconcileEach(
  names: readonly string[],
  wish: ReconcileWish,
  quiet: boolean,
  world: World,
): Promise<Done[]> {
  const gitops = await gitopsOf(world)
  const { told, finish } = await teller(world, quiet)
  const isOneOfMany = names.length > 1
  const reconcileOne = async (name: string): Promise<Done> => {
    const prefix = isOneOfMany ? `${name}: ` : ''
    const say = (text: string): void => told(`${prefix}${text}`)
    const done = await gitops.reconcile(name, wish, say, world.signal).then(
      (run): Done => {
        say(`${run.outcome}: ${run.reason}`)
        return { run }
      },
      (error): Done => {
        if (!isTspodError(error) || world.signal.aborted) throw error
        say(error.message)
        return { complaint: `${prefix}${failureText(error).text}` }
      },
    )
    const source = (await gitops.sources()).find(each => each.name === name)
    const unseen = source && (await rewatch(source, world))
    if (unseen) say(unseen)
    return done
  }
  try {
    return await sideBySide(names, SOURCES_AT_ONCE, reconcileOne)
  } finally {
    await finish()
  }
}

/** Failure is worse than refusal, after which nothing has changed. */
const worstOf = (codes: readonly number[]): number =>
  codes.includes(EXIT_FAILED) ? EXIT_FAILED : Math.max(0, ...codes)

/** The number of a failure is smaller than that of a refusal, as in other tools. */
export function exitCodeOf({ outcome, failure }: RunView): number {
  if (outcome === 'failed' || outcome === 'interrupted') return EXIT_FAILED
  if (outcome !== 'refused') return 0
  return failure?.code === 'GITOPS_REFUSED' ? EXIT_REFUSED : EXIT_FAILED
}

/** For verbs that are about one run. */
export const runOutcome = (run: RunView, format: string | undefined): Outcome => ({
  stdout: format === 'json' ? json(runJson(run)) : runText(run),
  exitCode: exitCodeOf(run),
})
