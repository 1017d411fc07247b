import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { startOrder } from '../../src/order.ts'

type Graph = { name: string; dependsOn: string[] }[]

/** Up to eight containers, each depending on any of those that `allowed` says. */
function graphs(allowed: (from: number, to: number) => boolean): fc.Arbitrary<Graph> {
  return fc.integer({ min: 0, max: 8 }).chain(size => {
    const row = fc.array(fc.boolean(), { minLength: size, maxLength: size })
    return fc.array(row, { minLength: size, maxLength: size }).map(rows =>
      rows.map((row, from) => ({
        name: `c${from}`,
        dependsOn: row.flatMap((edge, to) => (edge && allowed(from, to) ? [`c${to}`] : [])),
      })),
    )
  })
}
/** Without a cycle, in any order of the list. */
const acyclic = graphs((from, to) => from > to).chain(graph =>
  fc.shuffledSubarray(graph, { minLength: graph.length, maxLength: graph.length }),
)
const any = graphs(() => true)
const names = (graph: Graph): string[] => graph.map(node => node.name)

function orderOf(graph: Graph): string[] {
  const result = startOrder(graph)
  if ('cycle' in result) throw new Error(`a cycle: ${result.cycle.join(' ')}`)
  return result.order
}

describe('start order', () => {
  const cases: Record<string, { graph: Record<string, string[]>; result: ReturnType<typeof startOrder> }> = {
    'nothing depends: the order of the manifest': {
      graph: { c: [], a: [], b: [] },
      result: { order: ['c', 'a', 'b'] },
    },
    'who depends waits, the others keep their places': {
      graph: { web: ['db'], log: [], db: [], end: [] },
      result: { order: ['log', 'db', 'web', 'end'] },
    },
    'a diamond': {
      graph: { top: ['left', 'right'], right: ['base'], left: ['base'], base: [] },
      result: { order: ['base', 'right', 'left', 'top'] },
    },
    'a dependency elsewhere counts as started': { graph: { a: ['gone'] }, result: { order: ['a'] } },
    'a circle of one': { graph: { a: ['a'] }, result: { cycle: ['a'] } },
    'a circle is told from its first container, without what leads to it': {
      graph: { way: ['c'], b: ['c'], c: ['d'], d: ['b'], free: [] },
      result: { cycle: ['b', 'c', 'd'] },
    },
  }
  for (const [name, { graph, result }] of Object.entries(cases)) {
    test(name, () => {
      expect(startOrder(Object.entries(graph).map(([name, dependsOn]) => ({ name, dependsOn })))).toEqual(result)
    })
  }

  test('has every container once, each behind all that it depends on', () => {
    fc.assert(
      fc.property(acyclic, graph => {
        const order = orderOf(graph)
        expect(order.toSorted()).toEqual(names(graph).toSorted())
        for (const { name, dependsOn } of graph)
          for (const other of dependsOn) expect(order.indexOf(other)).toBeLessThan(order.indexOf(name))
      }),
    )
  })

  test('overtakes an earlier container only while that one waits', () => {
    fc.assert(
      fc.property(acyclic, graph => {
        const order = orderOf(graph)
        for (const [step, name] of order.entries()) {
          const overtaken = graph.slice(0, names(graph).indexOf(name)).filter(node => order.indexOf(node.name) > step)
          const startedBefore = order.slice(0, step)
          for (const node of overtaken) expect(node.dependsOn.some(other => !startedBefore.includes(other))).toBe(true)
        }
      }),
    )
  })

  test('is an order, or a circle that really is one', () => {
    fc.assert(
      fc.property(any, graph => {
        const result = startOrder(graph)
        if ('order' in result) return
        const { cycle } = result
        expect(new Set(cycle).size).toBe(cycle.length)
        expect(cycle.length).toBeGreaterThan(0)
        for (const [index, name] of cycle.entries()) {
          const next = cycle[(index + 1) % cycle.length] ?? ''
          expect(graph.find(node => node.name === name)?.dependsOn).toContain(next)
        }
      }),
    )
  })
})
