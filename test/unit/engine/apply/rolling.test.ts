import { describe, expect, test } from '@jest/globals'
import { planAll } from '../../../../src/engine/apply/plan.ts'
import { atOnceOf, inTurns, nextBatch } from '../../../../src/engine/apply/rolling.ts'
import type { Planned, World } from '../../../../src/engine/apply/world.ts'
import type { PodSpec, Rollout } from '../../../../src/model.ts'
import { bundleOf, requestOf, wantedOf, worldAfter } from '../../../support/apply-world.ts'

describe('how many pods may be missing at a time', () => {
  const percent = (amount: number): Rollout => ({ maxUnavailable: { amount, percent: true } })
  const number = (amount: number): Rollout => ({ maxUnavailable: { amount } })
  const cases: [
    what: string,
    kind: string,
    rollout: Rollout | undefined,
    replicas: number,
    atOnce: number | undefined,
  ][] = [
    ['a quarter, and at least one', 'Deployment', undefined, 3, 1],
    ['a quarter, rounded down', 'Deployment', undefined, 11, 2],
    ['a quarter of a ReplicaSet as well', 'ReplicaSet', undefined, 8, 2],
    ['one of a StatefulSet', 'StatefulSet', undefined, 11, 1],
    ['all of one', 'Deployment', undefined, 1, undefined],
    ['all of none', 'Deployment', undefined, 0, undefined],
    ['half', 'Deployment', percent(50), 5, 2],
    ['one where none would be: nothing else is possible here', 'Deployment', number(0), 3, 1],
    ['one where a percentage comes to none', 'StatefulSet', percent(10), 3, 1],
    ['so many', 'StatefulSet', number(2), 3, 2],
    ['all where that many may', 'Deployment', number(3), 3, undefined],
    ['all of them', 'Deployment', percent(100), 4, undefined],
    ['all where that is asked for', 'Deployment', { type: 'recreate' }, 9, undefined],
  ]
  test.each(cases)('%s', (_, kind, rollout, replicas, atOnce) => {
    expect(atOnceOf({ kind, ...(rollout && { rollout }) }, replicas)).toBe(atOnce)
  })
})

const workload = (kind: string, image: string, replicas: number, more = '', port = ''): string => `
apiVersion: apps/v1
kind: ${kind}
metadata: {name: web}
spec:
  ${more}
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "${image}"${port}}]}
`

function planOf(text: string, world: World): Planned {
  const [first] = planAll(requestOf(bundleOf(text)), world, wantedOf)
  if (first === undefined) throw new Error('nothing is planned')
  return first
}
const worldOf = (text: string): World => worldAfter(bundleOf(text))
const actions = ({ pods }: Planned): string[] => pods.map(({ name, do: what }) => `${what} ${name}`)

test('those that serve nobody come next, all of them, and then so many of the others', () => {
  const next = (left: string, serving: string): string =>
    nextBatch([...left], new Set(serving), { atOnce: 2, pods: [] }).join('')
  expect(next('abcd', 'abcd')).toBe('ab')
  expect(next('abcd', 'abd')).toBe('c')
  expect(next('abcd', 'b')).toBe('acd')
  expect(next('d', 'd')).toBe('d')
})

describe('a workload that is another now', () => {
  test('is replaced some at a time: each pod is away for a while, and the workload is not', () => {
    const plan = planOf(workload('Deployment', 'a:2', 3), worldOf(workload('Deployment', 'a:1', 3)))
    expect(plan.rolling).toEqual({ atOnce: 1, pods: ['web-pod', 'web-pod-2', 'web-pod-3'], deadlineMs: 600_000 })
    expect(plan.object).toMatchObject({ action: 'configure', effect: 'restart', atOnce: 1 })
    expect(plan.object).not.toHaveProperty('outageMs')
    expect(plan.object.pods?.every(({ outageMs = 0 }) => outageMs > 0)).toBe(true)
  })

  test('of one pod, or all at once, is away for as long as that takes', () => {
    const one = planOf(workload('Deployment', 'a:2', 1), worldOf(workload('Deployment', 'a:1', 1)))
    const recreate = 'strategy: {type: Recreate}'
    const all = planOf(workload('Deployment', 'a:2', 3, recreate), worldOf(workload('Deployment', 'a:1', 3, recreate)))
    for (const { object, rolling } of [one, all]) {
      expect([rolling, object.atOnce]).toEqual([undefined, undefined])
      expect(object.outageMs).toBeGreaterThan(0)
    }
  })

  test('of fewer pods now: those that go are nobody who would serve meanwhile', () => {
    const { object } = planOf(workload('Deployment', 'a:2', 1), worldOf(workload('Deployment', 'a:1', 3)))
    expect(object.outageMs).toBeGreaterThan(0)
    const gone = planOf(workload('Deployment', 'a:1', 0), worldOf(workload('Deployment', 'a:1', 2)))
    expect(gone.object).not.toHaveProperty('outageMs')
  })

  test('of more pods now: the new ones are not replaced, and the old one is while they serve', () => {
    const plan = planOf(workload('Deployment', 'a:2', 3), worldOf(workload('Deployment', 'a:1', 1)))
    expect(actions(plan)).toEqual(['replace web-pod', 'make web-pod-2', 'make web-pod-3'])
    expect(plan.rolling?.pods).toEqual(['web-pod'])
  })

  test('with another strategy only is the same', () => {
    const other = 'strategy: {rollingUpdate: {maxUnavailable: 2}}'
    const plan = planOf(workload('Deployment', 'a:1', 3, other), worldOf(workload('Deployment', 'a:1', 3)))
    expect([plan.object.action, plan.object.because, plan.rolling]).toEqual(['unchanged', [], undefined])
  })

  test('is replaced all at once when another pod waits for its port', () => {
    const port = ', ports: [{containerPort: 80, hostPort: 80}]'
    const world = worldOf(workload('StatefulSet', 'a:1', 1, '', port))
    const next = workload('StatefulSet', 'a:2', 2)
    expect(planOf(next, world).rolling?.atOnce).toBe(1)
    const pod = `---\napiVersion: v1\nkind: Pod\nmetadata: {name: new}\nspec: {containers: [{name: m, image: x${port}}]}`
    const plan = planAll(requestOf(bundleOf(`${next}${pod}`)), world, wantedOf).find(
      ({ object }) => object.name === 'web',
    )
    expect([plan?.rolling, plan?.object.atOnce]).toEqual([undefined, undefined])
  })
})

describe('a StatefulSet', () => {
  const held = (kind: string, more: string): Planned =>
    planOf(workload(kind, 'a:2', 3, more), worldOf(workload(kind, 'a:1', 3, more)))

  test('is replaced from the last pod down', () => {
    const { rolling } = held('StatefulSet', 'updateStrategy: {rollingUpdate: {maxUnavailable: 2}}')
    expect(rolling).toEqual({ atOnce: 2, pods: ['web-2', 'web-1', 'web-0'] })
  })

  test('keeps pods below its partition, also those with other numbers', () => {
    const plan = held('StatefulSet', 'ordinals: {start: 5}\n  updateStrategy: {rollingUpdate: {partition: 2}}')
    expect(actions(plan)).toEqual(['nothing web-5', 'nothing web-6', 'replace web-7'])
    expect(plan.object.because).toEqual([
      '2 of 3 pods: it is not what its template says, and stays as it is below partition 2',
      '1 of 3 pods: spec.containers[main].image changed',
    ])
  })

  test('keeps all of them with OnDelete, starts what was stopped and makes what is gone', () => {
    const more = 'updateStrategy: {type: OnDelete}'
    const why = 'it is not what its template says, and stays as it is until it is removed (OnDelete)'
    expect(held('StatefulSet', more).object).toMatchObject({
      ...{ action: 'unchanged', effect: 'none', because: [`3 of 3 pods: ${why}`] },
    })
    const world = worldOf(workload('StatefulSet', 'a:1', 3, more))
    ;(world.pods as Map<string, unknown>).delete('web-0')
    const stopped = world.pods.get('web-1')!
    stopped.record.goal = 'stopped'
    const plan = planOf(workload('StatefulSet', 'a:2', 3, more), world)
    expect(actions(plan)).toEqual(['make web-0', 'start web-1', 'nothing web-2'])
    expect(plan.object.pods?.[1]).toMatchObject({ action: 'start', because: ['it was stopped', why] })
  })

  test('that is the same has nothing to keep back', () => {
    const more = 'updateStrategy: {type: OnDelete}'
    const same = planOf(workload('StatefulSet', 'a:1', 2, more), worldOf(workload('StatefulSet', 'a:1', 2, more)))
    expect(same.object).toMatchObject({ action: 'unchanged', because: [] })
  })
})

describe('turns', () => {
  /** `NAME<LEADER,LEADER`; `+` before what is replaced some at a time, with two pods, NAME and NAME2. */
  const unit = (text: string) => {
    const [, roll, name = '', leaders = ''] = /^(\+?)(\w+)<?(.*)$/.exec(text) ?? []
    const spec = { startAfter: leaders.split(',').filter(Boolean) } as unknown as PodSpec
    return {
      text,
      isRoll: roll === '+',
      pods: (roll ? [name, `${name}2`] : [name]).map(each => ({ name: each, spec })),
    }
  }
  const cases: [units: string, turns: string][] = [
    ['a b<a +c<b', 'a b<a +c<b'],
    ['+a b', '+a b'],
    ['b<a +a', '+a | b<a'],
    ['b<a2 +a', '+a | b<a2'],
    ['c<b b<a +a d', '+a d | c<b b<a'],
    ['+c<b b<a +a', '+a | +c<b b<a'],
    ['+c<a +a +b', '+a +b | +c<a'],
    ['+a<a2', '+a<a2'],
    ['a<elsewhere', 'a<elsewhere'],
  ]
  test.each(cases)('of %s are %s', (units, turns) => {
    const groups = inTurns(units.split(' ').map(unit))
    expect(groups.map(group => group.map(({ text }) => text).join(' ')).join(' | ')).toBe(turns)
  })
})
