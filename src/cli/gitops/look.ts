/** `tspod gitops list`, `status`, `history` and `diff`: what is known of sources, and what they would do. */

import type { RunView, SourceView, Suspension } from '../../engine/index.ts'
import { objectLabel } from '../../words.ts'
import type { FlagTable } from '../flags.ts'
import { printable, printableLines } from '../output.ts'
import { age, json, table, timestamp } from '../table.ts'
import { defineVerb, type World } from '../verb.ts'
import { FORMAT_FLAG, gitopsOf } from './common.ts'
import { WISH_FLAGS } from './reconcile.ts'
import { planText, runJson, shortRevision } from './run-text.ts'
import { nextRuns } from './watch.ts'

const EXIT_FAILING = 1
const EXIT_SUSPENDED = 3
const EXIT_DIFFERS = 1
const DEFAULT_RUNS = 10

/** How a source stands, in a word. */
type Standing = 'Suspended' | 'Failing' | 'New' | 'Drift' | 'Degraded' | 'Progressing' | 'Ready'

/** Pure. */
export function standingOf({ suspended, failure, applied, drift, app }: SourceView, nowMs: number): Standing {
  if (suspended !== undefined && !(suspended.untilMs !== undefined && suspended.untilMs <= nowMs)) return 'Suspended'
  if (failure !== undefined) return 'Failing'
  if (drift !== undefined) return 'Drift'
  if (applied === undefined) return 'New'
  return app === undefined || app.health === 'Healthy' ? 'Ready' : app.health
}

const exitCodeOf = (standing: Standing): number =>
  standing === 'Suspended' ? EXIT_SUSPENDED : standing === 'Ready' || standing === 'Progressing' ? 0 : EXIT_FAILING

export const list = defineVerb({
  operands: '',
  count: { minimum: 0, maximum: 0 },
  description: 'Lists GitOps sources: where they are from, how they stand and which revision runs.',
  examples: [
    { does: 'All of them', line: 'tspod gitops list' },
    {
      does: 'Those that fail',
      line: `tspod gitops list --format json | jq -r '.[] | select(.status=="Failing").name'`,
    },
  ],
  flags: FORMAT_FLAG,
  async run({ flags }, world) {
    const sources = await (await gitopsOf(world)).list()
    const nowMs = world.clock.nowMs()
    const next = await nextRuns(sources, world)
    if (flags.format === 'json')
      return { stdout: json(sources.map(each => sourceJson(each, next.get(each.name), nowMs))) }
    const rows = sources.map(source => [
      source.name,
      standingOf(source, nowMs),
      shortRevision(source.applied?.revision),
      source.applied === undefined ? '' : age(nowMs - source.applied.atMs),
      source.checkedMs === undefined ? '' : age(nowMs - source.checkedMs),
      printable(originOf(source)),
    ])
    return { stdout: table(['NAME', 'STATUS', 'REVISION', 'APPLIED', 'CHECKED', 'SOURCE'], rows) }
  },
})

export const status = defineVerb({
  operands: '[NAME...]',
  count: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  description:
    'Shows how sources stand: the revision that runs and the newest one that was seen, the health of every object, ' +
    'the last failure with its place, and when they are looked at again. Ends with 0 when all is well, 1 when a ' +
    'source fails or what it runs is degraded, 3 when one is suspended.',
  examples: [
    { does: 'All sources', line: 'tspod gitops status' },
    { does: 'Is it at this commit?', line: `tspod gitops status --format json shop | jq -r '.[].applied.revision'` },
  ],
  flags: FORMAT_FLAG,
  async run({ flags, operands }, world) {
    const sources = await named(operands, world)
    const nowMs = world.clock.nowMs()
    const next = await nextRuns(sources, world)
    return {
      stdout:
        flags.format === 'json'
          ? json(sources.map(each => sourceJson(each, next.get(each.name), nowMs)))
          : sources.map(each => statusText(each, next.get(each.name), nowMs)).join('\n'),
      exitCode: Math.max(0, ...sources.map(each => exitCodeOf(standingOf(each, nowMs)))),
    }
  },
})

async function named(names: readonly string[], world: World): Promise<SourceView[]> {
  const gitops = await gitopsOf(world)
  const all = await gitops.list()
  for (const name of names) if (!all.some(each => each.name === name)) await gitops.history(name, 1)
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name))
}

const originOf = ({ from, path }: SourceView): string => {
  const inside = path === undefined ? '' : ` (${path})`
  if (from.kind !== 'git') return `${from.dir}${inside}`
  const [ref] = Object.values(from.ref)
  return `${from.url}${ref === undefined ? '' : `@${ref}`}${inside}`
}

/** One source as data. */
function sourceJson(source: SourceView, nextMs: number | undefined, nowMs: number): object {
  const at = (when: { revision: string; atMs: number } | undefined): object | null =>
    when === undefined ? null : { ...when, at: timestamp(when.atMs), atMs: undefined }
  const { suspended, held = {}, seen, attempted, applied, checkedMs, failure, ...rest } = source
  return {
    ...rest,
    status: standingOf(source, nowMs),
    seen: at(seen),
    attempted: at(attempted),
    applied: at(applied),
    checked: timestamp(checkedMs),
    next: timestamp(nextMs),
    suspended: suspended === undefined ? null : suspensionJson(suspended),
    held: Object.entries(held).map(([object, suspension]) => ({ object, ...suspensionJson(suspension) })),
    failure:
      failure === undefined
        ? null
        : {
            ...failure,
            since: timestamp(failure.sinceMs),
            retry: timestamp(failure.retryMs),
            sinceMs: undefined,
            retryMs: undefined,
          },
  }
}

const suspensionJson = ({ reason, author, sinceMs, untilMs }: Suspension): object => ({
  reason,
  author,
  since: timestamp(sinceMs),
  until: timestamp(untilMs),
})

function statusText(source: SourceView, nextMs: number | undefined, nowMs: number): string {
  const { suspended, held = {}, seen, applied, attempted, checkedMs, failure, drift, driftIgnored, app } = source
  const ago = (ms: number): string => `${age(nowMs - ms)} ago`
  const standing = standingOf(source, nowMs)
  const suspension = ({ author, sinceMs, untilMs, reason }: Suspension): string =>
    `by ${author} ${ago(sinceMs)}${untilMs === undefined ? '' : `, until ${timestamp(untilMs)}`}: ${reason}`
  const signed = applied?.signer === undefined ? '' : `, signed by ${applied.signer}`
  const rows: [label: string, text: string | undefined][] = [
    ['Status', standing === 'Suspended' ? 'SUSPENDED: nothing is reconciled' : standing],
    ['Suspended', suspended && suspension(suspended)],
    ...Object.entries(held).map(([object, one]): [string, string] => ['LEFT ALONE', `${object}, ${suspension(one)}`]),
    ['Source', originOf(source)],
    ['Variables', source.vars],
    [
      'Applied',
      applied === undefined ? 'nothing yet' : `${shortRevision(applied.revision)} ${ago(applied.atMs)}${signed}`,
    ],
    [
      'Attempted',
      attempted?.revision === applied?.revision
        ? undefined
        : attempted && `${shortRevision(attempted.revision)} ${ago(attempted.atMs)}`,
    ],
    [
      'Seen',
      seen?.revision === applied?.revision ? undefined : seen && `${shortRevision(seen.revision)} ${ago(seen.atMs)}`,
    ],
    ['Checked', checkedMs === undefined ? 'never' : ago(checkedMs)],
    [
      'Next',
      nextMs === undefined ? 'by hand: nobody reconciles it by itself' : `in ${age(Math.max(0, nextMs - nowMs))}`,
    ],
    ['Drift', drift],
    ['Left alone', driftIgnored && `${driftIgnored.join(', ')}: drift ignored`],
    ['Health', app?.health],
  ]
  const objects = (app?.objects ?? []).map(({ phase, ready, total, ...object }) => [
    `  ${objectLabel(object)}`,
    phase ?? '',
    total === undefined ? '' : `${ready ?? 0}/${total}`,
  ])
  return [
    `${source.name}`,
    ...rows.flatMap(([label, text]) => (text === undefined ? [] : [`${label.padStart(11)}: ${printable(text)}`])),
    ...(failure === undefined ? [] : failureLines(failure, ago)),
    '',
    ...(objects.length === 0 ? [] : [table(['  OBJECT', 'STATUS', 'READY'], objects)]),
  ].join('\n')
}

function failureLines(failure: NonNullable<SourceView['failure']>, ago: (ms: number) => string): string[] {
  const { stage, message, remedy, details, revision, sinceMs, times } = failure
  const at = revision === undefined ? '' : ` at ${shortRevision(revision)}`
  const often = times > 1 ? `, ${times} times` : ''
  return [
    `${'Failure'.padStart(11)}: ${stage}${at}, since ${ago(sinceMs)}${often}`,
    ...(details === undefined ? [] : printableLines(details.trimEnd()).split('\n')),
    message,
    remedy,
  ].map((line, index) => (index === 0 ? line : `    ${printable(line)}`))
}

const HISTORY_FLAGS = {
  ...FORMAT_FLAG,
  limit: { kind: 'number', value: 'N', minimum: 1, help: 'at most so many (default 10)' },
} as const satisfies FlagTable

export const history = defineVerb({
  operands: 'NAME',
  count: { minimum: 1, maximum: 1 },
  description:
    'Shows what was done for a source, newest first: when, at which revision, what came of it and why. Reconciles ' +
    'that found everything as it should be are not kept. The JSON has the plan and the result of each object.',
  examples: [
    { does: 'The last ten', line: 'tspod gitops history shop' },
    { does: 'What the last one did', line: `tspod gitops history --format json --limit 1 shop | jq '.[].results'` },
  ],
  flags: HISTORY_FLAGS,
  async run({ flags, operands: [name = ''] }, world) {
    const runs = await (await gitopsOf(world)).history(name, flags.limit ?? DEFAULT_RUNS)
    if (flags.format === 'json') return { stdout: json(runs.map(runJson)) }
    return { stdout: historyText(runs, world.clock.nowMs()) }
  },
})

const historyText = (runs: readonly RunView[], nowMs: number): string =>
  table(
    ['WHEN', 'TOOK', 'REVISION', 'OUTCOME', 'REASON'],
    runs.map(({ beganMs, endedMs, revision, outcome, reason }) => [
      age(nowMs - beganMs),
      endedMs === undefined ? '' : `${((endedMs - beganMs) / 1000).toFixed(1)}s`,
      shortRevision(revision),
      outcome,
      printable(reason),
    ]),
  )

export const diff = defineVerb({
  operands: 'NAME',
  count: { minimum: 1, maximum: 1 },
  description:
    'Shows what a reconcile would do now: every object with the fields that differ, the reason for each restart and ' +
    'the outage to expect; values of Secrets are never shown. Nothing is changed, and a suspended source is ' +
    'looked at as well. Ends with 0 when nothing differs, 1 when something does, and 2 or more when it cannot be told.',
  examples: [{ does: 'What would the newest commit do?', line: 'tspod gitops diff shop' }],
  flags: { ...FORMAT_FLAG, ...WISH_FLAGS },
  async run({ flags, operands: [name = ''] }, world) {
    const allowed = flags['allow-prune']
    const wish = {
      insist: true,
      confirmPrune: flags['confirm-prune'],
      rewind: flags.rewind,
      ...(allowed !== undefined && { allowPrune: allowed }),
    }
    const found = await (await gitopsOf(world)).plan(name, wish, world.signal)
    const differs = found.plan.objects.some(({ action }) => action !== 'unchanged' && action !== 'keep')
    const refused = found.refused === undefined ? '' : `a reconcile would refuse that: ${printable(found.refused)}\n`
    return {
      stdout: flags.format === 'json' ? json(found) : planText(found.plan),
      stderr: `${found.notes.map(note => `note: ${printable(note)}\n`).join('')}${refused}`,
      exitCode: differs ? EXIT_DIFFERS : 0,
    }
  },
})
