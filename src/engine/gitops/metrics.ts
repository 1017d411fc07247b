/** How sources stand, in the text format of Prometheus: the same families for each source, from records alone. Pure. */
import { isOver } from './decide.ts'
import type { SourceRecord } from './store.ts'

/** A source with what is counted of it. */
export type Measured = SourceRecord & {
  objects: number
  /** How long the newest run of the history took; absent: there is none. */
  tookMs?: number
}

type Family = {
  name: string
  /** A collector of text files wants the same words from all of them. */
  help: string
  value(source: Measured, nowMs: number): number
  labels?(source: Measured): Record<string, string>
}

const seconds = (ms: number | undefined): number => (ms ?? 0) / 1000
const flag = (is: boolean): number => (is ? 1 : 0)

const FAMILIES: readonly Family[] = [
  {
    name: 'info',
    help: 'A GitOps source: the revision that is applied and the newest that was seen.',
    value: () => 1,
    labels: ({ applied, seen }) => ({ revision: applied?.revision ?? '', seen: seen?.revision ?? '' }),
  },
  {
    name: 'up_to_date',
    help: 'Whether the newest revision that was seen is applied, without a failure since and without drift.',
    value: ({ applied, seen, failure, drift }) =>
      flag(
        applied !== undefined && applied.revision === seen?.revision && failure === undefined && drift === undefined,
      ),
  },
  {
    name: 'suspended',
    help: 'Whether nothing of it is reconciled.',
    value: ({ suspended }, nowMs) => flag(suspended !== undefined && !isOver(suspended, nowMs)),
  },
  {
    name: 'suspended_objects',
    help: 'Objects that are left alone while the rest goes on.',
    value: ({ held = {} }, nowMs) => Object.values(held).filter(one => !isOver(one, nowMs)).length,
  },
  {
    name: 'failures',
    help: 'How often in a row it has failed in the same way, 0 when it has not; reconciles that only wait do not count.',
    value: ({ failure }) => failure?.times ?? 0,
  },
  {
    name: 'drift',
    help: 'Whether what runs differs and is only observed.',
    value: ({ drift }) => flag(drift !== undefined),
  },
  {
    name: 'objects',
    help: 'Objects, or units, that it has applied.',
    value: ({ objects }) => objects,
  },
  {
    name: 'interval_seconds',
    help: 'How often it is to be reconciled.',
    value: ({ intervalMs }) => seconds(intervalMs),
  },
  {
    name: 'last_reconcile_timestamp_seconds',
    help: 'When it was last reconciled, 0 for never; a suspended source is not.',
    value: ({ checkedMs }) => seconds(checkedMs),
  },
  {
    name: 'last_applied_timestamp_seconds',
    help: 'When the revision that runs was applied, 0 for never.',
    value: ({ applied }) => seconds(applied?.atMs),
  },
  {
    name: 'last_run_duration_seconds',
    help: 'How long the newest run of its history took.',
    value: ({ tookMs }) => seconds(tookMs),
  },
]

/** All families of these sources; nothing where there are none. */
export function renderMetrics(sources: readonly Measured[], nowMs: number): string {
  if (sources.length === 0) return ''
  return FAMILIES.map(({ name, help, value, labels }) => {
    const family = `tspod_gitops_${name}`
    const samples = sources.map(
      source => `${family}{${labelsText({ source: source.name, ...labels?.(source) })}} ${value(source, nowMs)}\n`,
    )
    return `# HELP ${family} ${help}\n# TYPE ${family} gauge\n${samples.join('')}`
  }).join('')
}

const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')

/** Source: https://prometheus.io/docs/instrumenting/exposition_formats/, label values. */
const escaped = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
