/** `tspod apply`: what runs becomes what manifests say, and nothing else is touched. */

import { parseDuration } from '../../duration.ts'
import type { ApplyReport, ApplyRequest } from '../../engine/index.ts'
import type { FlagTable, Problem } from '../flags.ts'
import { progressLine } from '../progress.ts'
import { json } from '../table.ts'
import { defineVerb, type Outcome, type World } from '../verb.ts'
import { type PlanFlags, planOutput, reportText, summaryText } from './plan-text.ts'
import { APPLY_FLAGS, applyFlagProblems, readInputs, requestOf } from './sources.ts'

const DEFAULT_WAIT = '5m'
/** Some objects are not as the manifests say. */
const EXIT_FAILED = 1

const FLAGS = {
  ...APPLY_FLAGS,
  'dry-run': { kind: 'switch', initial: false, help: 'print what would be done, as `tspod diff` does, and do nothing' },
  'on-failure': {
    kind: 'choice',
    choices: ['keep-old', 'rollback', 'stop'],
    help: 'when a pod does not come up: bring the old one back (the default), undo the whole apply, or leave it',
  },
  timeout: { kind: 'text', value: 'DURATION', help: `with --wait: how long at most (default ${DEFAULT_WAIT})` },
  wait: {
    kind: 'switch',
    initial: false,
    help: 'wait until all pods are ready; one that does not become ready has failed',
  },
} as const satisfies FlagTable

export const apply = defineVerb({
  operands: '-f FILE|DIR',
  count: { minimum: 0, maximum: 0 },
  description:
    'Creates what is missing, changes what differs, starts what was stopped, and leaves the rest alone: run it again ' +
    'and nothing happens. A pod restarts only when its own spec, a key of a ConfigMap or Secret that it uses, or its ' +
    'image is another one. New images are there before an old pod stops, and a pod that does not come up makes way ' +
    'for the old one.\n' +
    'All objects belong to one app, which `tspod apps` lists and `tspod down NAME` removes. One line per object goes ' +
    'to standard output. The exit code is 1 when some object is not as its manifest says.',
  examples: [
    { does: 'Make it so', line: 'tspod apply -f app.yaml' },
    { does: 'A directory, and whatever is no longer in it goes', line: 'tspod apply -f ./shop -R --prune' },
    { does: 'See what would happen', line: 'tspod apply -f app.yaml --dry-run' },
    { does: 'Be sure that it works', line: 'tspod apply -f app.yaml --wait --timeout 90s' },
    { does: 'From another program', line: 'kustomize build . | tspod apply --app shop -f -' },
  ],
  flags: FLAGS,
  check: ({ flags }) => {
    const problems: Problem[] = applyFlagProblems(flags)
    if (flags.timeout !== undefined && parseDuration(flags.timeout) === undefined)
      problems.push({
        message: `invalid argument "${flags.timeout}" for "--timeout" flag`,
        remedy: 'write it as 90s or 5m',
      })
    if (flags.timeout !== undefined && !flags.wait) problems.push({ message: '--timeout needs --wait' })
    return problems
  },
  async run({ flags }, world) {
    const inputs = await readInputs(flags, world, 'tspod apply')
    const isJson = flags.output === 'json'
    const beganMs = world.clock.monotonicMs()
    const engine = await world.engine()
    // Most of all applies, when something calls it again and again.
    const settled = flags['dry-run'] ? undefined : await engine.settled(inputs.inputs)
    if (settled?.ready) return outcomeOf(settled, { isJson, quiet: flags.quiet, beganMs }, world)
    const asked = await requestOf(inputs, world)
    const waitMs = flags.wait ? parseDuration(flags.timeout ?? DEFAULT_WAIT) : undefined
    const request: ApplyRequest = {
      ...asked,
      onFailure: (flags['on-failure'] ?? 'keep-old') as ApplyRequest['onFailure'],
      ...(waitMs !== undefined && { waitMs }),
    }
    if (flags['dry-run']) return dryRun(request, flags, world)
    const progress = progressLine(world.err, flags.quiet)
    const report = await engine.apply(request, progress.show, world.signal).finally(() => progress.finish())
    return outcomeOf(report, { isJson, quiet: flags.quiet, beganMs, waits: flags.wait }, world)
  },
})

async function dryRun(request: ApplyRequest, flags: PlanFlags, world: World): Promise<Outcome> {
  const plan = await (await world.engine()).planApply(request, world.signal)
  return planOutput(plan, flags)
}

type Telling = { isJson: boolean; quiet: boolean; beganMs: number; waits?: boolean }

function outcomeOf(report: ApplyReport, { isJson, quiet, beganMs, waits }: Telling, { clock }: World): Outcome {
  const seconds = ((clock.monotonicMs() - beganMs) / 1000).toFixed(1)
  const isGood = report.results.every(({ outcome }) => !['failed', 'rolled back', 'skipped'].includes(outcome))
  const isDone = isGood && (!waits || report.ready)
  const summary = `app ${report.plan.app}: ${summaryText(report)} in ${seconds} s\n`
  return {
    stdout: isJson ? json(report) : reportText(report),
    stderr: isDone ? (quiet ? '' : summary) : `${summary}Error: some objects are not as their manifests say\n`,
    exitCode: isDone ? 0 : EXIT_FAILED,
  }
}
