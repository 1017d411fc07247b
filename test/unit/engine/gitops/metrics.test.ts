/** The text that Prometheus reads of sources. */
import { expect, test } from '@jest/globals'
import { type Measured, renderMetrics } from '../../../../src/engine/gitops/metrics.ts'

const well: Measured = {
  name: 'shop',
  from: { kind: 'directory', dir: '/srv/shop' },
  intervalMs: 300_000,
  prune: true,
  units: false,
  onFailure: 'keep-old',
  timeoutMs: 60_000,
  observe: false,
  seen: { revision: 'r2', atMs: 1000 },
  applied: { revision: 'r2', atMs: 1_767_355_200_250 },
  checkedMs: 1_767_355_260_000,
  objects: 5,
  tookMs: 690,
}
const suspension = { reason: 'x', author: 'ada', sinceMs: 0, untilMs: 5000 }

test('two sources, one well and one that has never been applied', () => {
  const { applied, checkedMs, tookMs, ...more } = well
  const other: Measured = { ...more, name: 'blog', seen: { revision: 'a "b"\\\nc', atMs: 0 }, objects: 0 }
  expect(renderMetrics([well, other], 1000)).toMatchInlineSnapshot(`
"# HELP tspod_gitops_info A GitOps source: the revision that is applied and the newest that was seen.
# TYPE tspod_gitops_info gauge
tspod_gitops_info{source="shop",revision="r2",seen="r2"} 1
tspod_gitops_info{source="blog",revision="",seen="a \\"b\\"\\\\\\nc"} 1
# HELP tspod_gitops_up_to_date Whether the newest revision that was seen is applied, without a failure since and without drift.
# TYPE tspod_gitops_up_to_date gauge
tspod_gitops_up_to_date{source="shop"} 1
tspod_gitops_up_to_date{source="blog"} 0
# HELP tspod_gitops_suspended Whether nothing of it is reconciled.
# TYPE tspod_gitops_suspended gauge
tspod_gitops_suspended{source="shop"} 0
tspod_gitops_suspended{source="blog"} 0
# HELP tspod_gitops_suspended_objects Objects that are left alone while the rest goes on.
# TYPE tspod_gitops_suspended_objects gauge
tspod_gitops_suspended_objects{source="shop"} 0
tspod_gitops_suspended_objects{source="blog"} 0
# HELP tspod_gitops_failures How often in a row it has failed in the same way, 0 when it has not; reconciles that only wait do not count.
# TYPE tspod_gitops_failures gauge
tspod_gitops_failures{source="shop"} 0
tspod_gitops_failures{source="blog"} 0
# HELP tspod_gitops_drift Whether what runs differs and is only observed.
# TYPE tspod_gitops_drift gauge
tspod_gitops_drift{source="shop"} 0
tspod_gitops_drift{source="blog"} 0
# HELP tspod_gitops_objects Objects, or units, that it has applied.
# TYPE tspod_gitops_objects gauge
tspod_gitops_objects{source="shop"} 5
tspod_gitops_objects{source="blog"} 0
# HELP tspod_gitops_interval_seconds How often it is to be reconciled.
# TYPE tspod_gitops_interval_seconds gauge
tspod_gitops_interval_seconds{source="shop"} 300
tspod_gitops_interval_seconds{source="blog"} 300
# HELP tspod_gitops_last_reconcile_timestamp_seconds When it was last reconciled, 0 for never; a suspended source is not.
# TYPE tspod_gitops_last_reconcile_timestamp_seconds gauge
tspod_gitops_last_reconcile_timestamp_seconds{source="shop"} 1767355260
tspod_gitops_last_reconcile_timestamp_seconds{source="blog"} 0
# HELP tspod_gitops_last_applied_timestamp_seconds When the revision that runs was applied, 0 for never.
# TYPE tspod_gitops_last_applied_timestamp_seconds gauge
tspod_gitops_last_applied_timestamp_seconds{source="shop"} 1767355200.25
tspod_gitops_last_applied_timestamp_seconds{source="blog"} 0
# HELP tspod_gitops_last_run_duration_seconds How long the newest run of its history took.
# TYPE tspod_gitops_last_run_duration_seconds gauge
tspod_gitops_last_run_duration_seconds{source="shop"} 0.69
tspod_gitops_last_run_duration_seconds{source="blog"} 0
"
`)
})

/** The values of one family, in the order of the sources. */
const values = (name: string, sources: readonly Measured[], nowMs = 1000): number[] =>
  [...renderMetrics(sources, nowMs).matchAll(new RegExp(`^tspod_gitops_${name}\\{.*\\} (.*)$`, 'gm'))].map(
    ([, value]) => Number(value),
  )

const failure = { stage: 'source' as const, code: 'X', message: 'm', remedy: 'r', sinceMs: 0, times: 3 }
const cases: Record<string, [name: string, source: Measured, nowMs: number, value: number]> = {
  'a failure: not up to date': ['up_to_date', { ...well, failure }, 0, 0],
  'a failure: how often': ['failures', { ...well, failure }, 0, 3],
  'drift: not up to date': ['up_to_date', { ...well, drift: 'create pod/a' }, 0, 0],
  'drift: told as that': ['drift', { ...well, drift: 'create pod/a' }, 0, 1],
  'an earlier revision runs: not up to date': ['up_to_date', { ...well, seen: { revision: 'r3', atMs: 0 } }, 0, 0],
  'a suspension that holds': ['suspended', { ...well, suspended: suspension }, 4999, 1],
  'a suspension that has run out': ['suspended', { ...well, suspended: suspension }, 5000, 0],
  'objects that are left alone, without those whose time has come': [
    'suspended_objects',
    { ...well, held: { 'pod/a': suspension, 'pod/b': { ...suspension, untilMs: 9000 } } },
    5000,
    1,
  ],
}
for (const [name, [family, source, nowMs, value]] of Object.entries(cases))
  test(name, () => expect(values(family, [source], nowMs)).toEqual([value]))

test('no sources, no text', () => expect(renderMetrics([], 0)).toBe(''))
