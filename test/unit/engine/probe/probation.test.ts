import { expect, test } from '@jest/globals'
import { probationMs, restOf } from '../../../../src/engine/probe/probation.ts'

const NOW = 1_000_000

type Running = Parameters<typeof probationMs>[0][number]

test.each<[string, Partial<Running>[], number]>([
  ['have run for a while', [{ startedMs: NOW - 200 }, { startedMs: NOW - 60_000 }], 0],
  [
    'have hardly begun, on a host that tells nothing of them',
    [{ startedMs: NOW - 60_000 }, { startedMs: NOW - 30 }],
    70,
  ],
  ['have begun by a clock that was set back since', [{ startedMs: NOW + 5000 }], 0],
  ['have crashed meanwhile', [{ startedMs: NOW - 4000, crashed: true }], 6000],
  ['have crashed, and rest since', [{ startedMs: NOW - 4000, crashed: true, restedMs: 3000 }], 6000],
  ['have crashed, and run since', [{ startedMs: NOW - 11_000, crashed: true }], 0],
  ['have come to rest', [{ startedMs: NOW - 60, restedMs: 50 }], 0],
  ['have rested for a moment', [{ startedMs: NOW - 60, restedMs: 20 }], 30],
  ['still work', [{ startedMs: NOW - 500, restedMs: 0 }], 50],
  ['go on working', [{ startedMs: NOW - 1990, restedMs: 0 }], 10],
  ['have worked for long', [{ startedMs: NOW - 2000, restedMs: 0 }], 0],
  ['are over', [{ state: 'exited', startedMs: NOW - 10 }], 0],
  ['are none', [], 0],
])('who waits for containers that %s waits for them a little longer', (_, containers, leftMs) => {
  const running = containers.map((change): Running => ({ state: 'running', crashed: false, ...change }))
  expect(probationMs(running, NOW)).toBe(leftMs)
})

const MS = 1_000_000
const BEFORE = { sinceMs: 100, cpuNs: 20 * MS }

test.each<[string, Parameters<typeof restOf>[1], 'goes on' | 'begins anew']>([
  ['has done nothing', { cpuNs: 20 * MS, isBusy: false }, 'goes on'],
  ['has done next to nothing', { cpuNs: 24 * MS, isBusy: false }, 'goes on'],
  ['has worked meanwhile', { cpuNs: 26 * MS, isBusy: false }, 'begins anew'],
  ['works, or waits for a processor or a disk', { cpuNs: 20 * MS, isBusy: true }, 'begins anew'],
  ['is another one in a cgroup of the same name', { cpuNs: 1 * MS, isBusy: false }, 'begins anew'],
])('the rest of a program that %s %s', (_, activity, what) => {
  const begun = { sinceMs: 150, cpuNs: activity.cpuNs }
  expect(restOf(BEFORE, activity, 150)).toEqual(what === 'goes on' ? BEFORE : begun)
  expect(restOf(undefined, activity, 150)).toEqual(begun)
})
