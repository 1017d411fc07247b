import { describe, expect, test } from '@jest/globals'
import { CASES } from '../../bench/budget.ts'
import { manifest } from '../../bench/manifests.ts'
import { overBudget, rowsOf, tableOf } from '../../bench/report.ts'
import { describeLeaks, difference } from '../../support/leaks.ts'

describe('the table of make bench', () => {
  const samples = {
    'play 1 pod × 1': { podman: [100, 300, 200], floor: [50, 60, 40], tspod: [90, 110, 100] },
    'down 1 pod × 1': { podman: [100, 200], floor: [100, 100], tspod: [90, 90] },
    '--version': { podman: [40], tspod: [50] },
  }
  const rows = rowsOf(samples, CASES)

  test('medians, ratios and budgets of what was measured, and no row of what was not', () => {
    expect(rows.map(({ work }) => work)).toEqual(['play 1 pod × 1', 'down 1 pod × 1', '--version'])
    expect(rows[0]).toMatchObject({
      by: { podman: { median: 200, min: 100, max: 300, rounds: 3 } },
      toPodman: { ratio: 0.5, budget: 0.6 },
      toFloor: { ratio: 2, budget: 2 },
    })
    expect(rows[1]!.by.podman!.median).toBe(150)
    expect(tableOf(rows)).toMatch(
      /^play 1 pod × 1 +ms +200 \(100-300\) +50 \(40-60\) +100 \(90-110\) +0\.50 ok 0\.6 +2\.00 ok 2$/m,
    )
  })

  test('what is over its budget is marked and listed', () => {
    expect(overBudget(rows).map(({ work }) => work)).toEqual(['down 1 pod × 1'])
    expect(tableOf(rows)).toContain('0.60 OVER 0.5')
  })
})

test('the compared manifests have the pods and containers of their shape', () => {
  const text = manifest({ pods: 3, containers: 2, inits: 1 }, 'p-')
  const documents = text
    .split('---\n')
    .filter(Boolean)
    .map(part => JSON.parse(part))
  expect(documents.map(({ metadata }) => metadata.name)).toEqual(['p-1', 'p-2', 'p-3'])
  expect(documents[0].spec).toMatchObject({
    containers: [{ name: 'c1' }, { name: 'c2' }],
    initContainers: [{ name: 'init1' }],
  })
})

test('a difference of snapshots counts a name as often as it occurs, and says in which direction', () => {
  const leaks = difference({ mounts: ['a', 'b'], links: ['x'] }, { mounts: ['a', 'a', 'b'], rows: ['pod 1'] })
  expect(describeLeaks(leaks)).toBe('+ mounts: a\n- links: x\n+ rows: pod 1')
})
