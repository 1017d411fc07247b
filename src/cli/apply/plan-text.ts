/** Plans and reports of applies as text. Pure. */
import type { ApplyPlan, ApplyReport, FieldChange, PlannedObject } from '../../engine/index.ts'
import { unaskedText } from '../../words.ts'
import { printable } from '../output.ts'
import { effectLabel, isHeld, isShown } from '../plan-words.ts'
import { json, table } from '../table.ts'
import type { Outcome } from '../verb.ts'

/** `pod/web`. */
export const objectLabel = ({ kind, name }: Pick<PlannedObject, 'kind' | 'name'>): string =>
  printable(`${kind.toLowerCase()}/${name}`)

/** True when an apply would change something. */
export const differs = ({ objects }: ApplyPlan): boolean =>
  objects.some(({ action }) => action !== 'unchanged' && action !== 'keep')

export type PlanFlags = { output?: string; quiet: boolean }

/** A plan as data or for people, who are told beside it what it cannot know. */
export function planOutput(plan: ApplyPlan, { output, quiet }: PlanFlags): Pick<Outcome, 'stdout' | 'stderr'> {
  const notes = plan.unasked === undefined ? [] : [unaskedText(plan.unasked)]
  if (output === 'json') return { stdout: json({ plan, differs: differs(plan), notes }) }
  return { stdout: planText(plan), stderr: quiet ? '' : notes.map(note => `note: ${printable(note)}\n`).join('') }
}

/** What would be done as a table, the fields that differ below it, and how much stays as it is. */
export function planText({ objects }: ApplyPlan): string {
  const shown = objects.filter(isShown)
  const rows = shown.map(one => [
    objectLabel(one),
    one.action,
    effectLabel(one),
    one.outageMs === undefined ? '' : outage(one.outageMs),
    printable(one.because.join('; ')),
  ])
  const parts = [
    shown.length === 0 ? '' : table(['OBJECT', 'ACTION', 'EFFECT', 'OUTAGE', 'BECAUSE'], rows),
    ...shown.filter(({ changes }) => changes.length > 0).map(one => `${objectLabel(one)}\n${changeLines(one.changes)}`),
    `${counts(objects.map(({ action }) => PLANNED[action]))}\n`,
  ]
  return parts.filter(Boolean).join('\n')
}

const PLANNED: Record<PlannedObject['action'], string> = {
  create: 'to create',
  start: 'to start',
  configure: 'to configure',
  unchanged: 'unchanged',
  prune: 'to prune',
  keep: 'kept',
}

/** The longest time nothing of it serves. */
const outage = (ms: number): string => (ms < 10_000 ? `<${Math.ceil(ms / 100) / 10}s` : `<${Math.ceil(ms / 1000)}s`)

/** One line for each field; `(changed)` for what is not shown. */
const changeLines = (changes: readonly FieldChange[]): string =>
  changes
    .map(({ path, before, after }) => {
      if (before === undefined && after === undefined) return `  ${printable(path)}: (changed)\n`
      return `  ${printable(path)}: ${printable(before ?? '(none)')} -> ${printable(after ?? '(none)')}\n`
    })
    .join('')

function counts(words: readonly string[]): string {
  const found = Map.groupBy(words, word => word)
  return [...found].map(([word, list]) => `${list.length} ${word}`).join(', ') || 'nothing to do'
}

/** kubectl's line for each object, with what was done to what runs. */
export function reportText({ plan, results }: ApplyReport): string {
  return results
    .map(({ kind, name, outcome, message }) => {
      const planned = plan.objects.find(one => one.kind === kind && one.name === name)
      const why = planned === undefined ? '' : outcome === 'configured' ? effectText(planned) : heldText(planned)
      const failure = message === undefined ? '' : `: ${printable(message)}`
      return `${objectLabel({ kind, name })} ${outcome}${why}${failure}\n`
    })
    .join('')
}

const heldText = (planned: PlannedObject): string =>
  isHeld(planned) ? ` (${printable(planned.because.join('; '))})` : ''

function effectText({ effect, because, atOnce }: PlannedObject): string {
  const done = { none: '', live: '', restart: 'restarted', recreate: 'recreated', delete: '' }[effect]
  return done === '' ? '' : ` (${effectLabel({ effect: done, atOnce })}: ${printable(because.join('; '))})`
}

/** `3 unchanged, 1 configured`. */
export const summaryText = ({ results }: ApplyReport): string => counts(results.map(({ outcome }) => outcome))
