/** Runs and plans of sources, for people and for scripts. */
import type { ApplyPlan, PlannedObject, RunView } from '../../engine/index.ts'
import { printable, printableLines } from '../output.ts'
import { effectLabel, isShown } from '../plan-words.ts'
import { timestamp } from '../table.ts'

/** Commits as git shortens them, digests by their beginning. */
export const shortRevision = (revision: string | undefined): string =>
  revision === undefined
    ? ''
    : /^[0-9a-f]{40,64}$/.test(revision)
      ? revision.slice(0, 12)
      : revision.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]+$/, '$1')

/** What a reconcile has done: a line for each object that it touched, then the sum of it. */
export function runText(run: RunView): string {
  const objects = [...(run.results ?? []), ...(run.healed ?? [])].filter(({ outcome }) => outcome !== 'unchanged')
  const lines = objects.map(({ kind, name, outcome, message }) =>
    printable(`${kind.toLowerCase()}/${name} ${outcome}${message === undefined ? '' : `: ${message}`}`),
  )
  const { failure } = run
  if (failure?.details !== undefined) lines.push(printableLines(failure.details.trimEnd()))
  const at = run.revision === undefined ? '' : ` at ${shortRevision(run.revision)}`
  lines.push(printable(`${run.source} ${run.outcome}${at}: ${run.reason}`))
  if (failure !== undefined) lines.push(`  ${printable(failure.remedy)}`)
  return lines.map(line => `${line}\n`).join('')
}

/** The same as data. */
export const runJson = ({ beganMs, endedMs, ...run }: RunView): object => ({
  ...run,
  began: timestamp(beganMs),
  ended: timestamp(endedMs),
})

const MARK: Readonly<Record<PlannedObject['action'], string>> = {
  create: '+',
  start: '>',
  configure: '~',
  prune: '-',
  keep: '!',
  unchanged: ' ',
}

/** A plan: what becomes of each object, why, and what differs. */
export function planText({ objects }: ApplyPlan): string {
  const changing = objects.filter(isShown)
  return changing
    .flatMap(({ action, effect, atOnce, kind, name, because, changes, outageMs }) => [
      `${MARK[action]} ${kind.toLowerCase()}/${name} ${action}${effect === 'none' ? '' : ` (${effectLabel({ effect, atOnce })})`}${
        outageMs === undefined ? '' : `, about ${Math.ceil(outageMs / 1000)} s without it`
      }`,
      ...because.map(reason => `    ${reason}`),
      ...changes.map(({ path, before, after }) => `    ${path}: ${before ?? '(none)'} -> ${after ?? '(none)'}`),
    ])
    .map(line => `${printable(line)}\n`)
    .join('')
}
