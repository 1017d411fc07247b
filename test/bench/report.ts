/** From samples to medians, ratios and a table: pure. */
import { type Case, MEMORY_BUDGET, VERSION_BUDGET } from './budget.ts'

export type Contender = 'podman' | 'floor' | 'tspod'

/** Milliseconds (or kilobytes) of every round, by what was measured and by whom. */
export type Samples = Record<string, Partial<Record<Contender, number[]>>>

export type Measured = { versions: Record<string, string>; samples: Samples; troubles: string[] }

export type Summary = { median: number; min: number; max: number; rounds: number }

export type Row = {
  work: string
  unit: string
  by: Partial<Record<Contender, Summary>>
  toPodman?: { ratio: number; budget?: number }
  toFloor?: { ratio: number; budget?: number }
}

/** Key of the samples of one verb on one case. */
export const sampleKey = (verb: 'play' | 'down' | 'memory', name: string): string => `${verb} ${name}`
export const VERSION_KEY = '--version'

/** One row for everything in `samples` that `cases` name, in their order. */
export function rowsOf(samples: Samples, cases: readonly Case[]): Row[] {
  const rows = cases.flatMap(one => [
    row(`play ${one.name}`, 'ms', samples[sampleKey('play', one.name)], one.play, one.floor),
    row(`down ${one.name}`, 'ms', samples[sampleKey('down', one.name)], one.down, one.floor),
    row(`PSS per pod, ${one.name}`, 'kB', samples[sampleKey('memory', one.name)], memoryBudget(one)),
  ])
  return [...rows, row(VERSION_KEY, 'ms', samples[VERSION_KEY], VERSION_BUDGET)].filter(
    ({ by }) => Object.keys(by).length > 0,
  )
}

/**
 * What is saved is Podman's infra container: with ten containers in a pod, ten monitors outweigh it for everyone, and as
 * a unit both have a service container.
 */
const memoryBudget = ({ shape, unit }: Case): number | undefined =>
  shape.containers === 1 && !unit ? MEMORY_BUDGET : undefined

function row(work: string, unit: string, taken: Samples[string] = {}, budget?: number, floorBudget?: number): Row {
  const by: Row['by'] = {}
  for (const [who, values] of Object.entries(taken)) by[who as Contender] = summary(values)
  const result: Row = { work, unit, by }
  if (by.tspod !== undefined && by.podman !== undefined) {
    const ratio = by.tspod.median / by.podman.median
    result.toPodman = budget === undefined ? { ratio } : { ratio, budget }
  }
  if (by.tspod !== undefined && by.floor !== undefined) {
    const ratio = by.tspod.median / by.floor.median
    result.toFloor = floorBudget === undefined ? { ratio } : { ratio, budget: floorBudget }
  }
  return result
}

function summary(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)!, rounds: sorted.length }
}

/** The rows as a table for people: medians with (min to max), ratios with their budgets. */
export function tableOf(rows: readonly Row[]): string {
  const head = ['work', 'unit', 'podman', 'floor', 'tspod', '÷ podman', '÷ floor']
  const body = rows.map(one => [
    one.work,
    one.unit,
    shown(one.by.podman),
    shown(one.by.floor),
    shown(one.by.tspod),
    verdict(one.toPodman),
    verdict(one.toFloor),
  ])
  const widths = head.map((_, column) => Math.max(...[head, ...body].map(cells => cells[column]!.length)))
  return [head, ...body]
    .map(cells =>
      cells
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const shown = (one: Summary | undefined): string =>
  one === undefined ? '-' : `${Math.round(one.median)} (${Math.round(one.min)}-${Math.round(one.max)})`

function verdict(one: { ratio: number; budget?: number } | undefined): string {
  if (one === undefined) return '-'
  if (one.budget === undefined) return one.ratio.toFixed(2)
  return `${one.ratio.toFixed(2)} ${one.ratio <= one.budget ? 'ok' : 'OVER'} ${one.budget}`
}

/** Rows that are over a budget. */
export const overBudget = (rows: readonly Row[]): Row[] =>
  rows.filter(({ toPodman, toFloor }) => isOver(toPodman) || isOver(toFloor))

const isOver = (one: { ratio: number; budget?: number } | undefined): boolean =>
  one?.budget !== undefined && one.ratio > one.budget
