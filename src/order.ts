/** The order in which containers that wait for one another start. */

type Node<Name extends string> = { name: Name; dependsOn?: readonly Name[] }

/**
 * The names in an order where each stands behind all that it depends on. What need not wait keeps its place: the next
 * one is always the first of the list whose dependencies have all started. A cycle comes back instead of an order:
 * each name of it depends on the next one, the last one on the first, and the first one stands first in the list.
 * A dependency that is not in the list counts as started.
 */
export function startOrder<Name extends string>(nodes: readonly Node<Name>[]): { order: Name[] } | { cycle: Name[] } {
  const count = new Map<Name, number>()
  for (const { name } of nodes) count.set(name, (count.get(name) ?? 0) + 1)
  /** By index: how many it still waits for; by name: who waits for it. */
  const waits: number[] = []
  const dependents = new Map<Name, number[]>()
  for (const [index, { dependsOn }] of nodes.entries()) {
    waits[index] = 0
    for (const name of new Set(dependsOn)) {
      waits[index] += count.get(name) ?? 0
      dependents.set(name, [...(dependents.get(name) ?? []), index])
    }
  }
  const order: Name[] = []
  const started = new Set<number>()
  // Without dependencies this is one walk along the list; a pod may have ten thousand containers.
  let at = 0
  while (order.length < nodes.length) {
    while (at < nodes.length && (started.has(at) || waits[at] !== 0)) at += 1
    const node = nodes[at]
    if (node === undefined) return { cycle: cycleIn(nodes.filter((_, index) => !started.has(index))) }
    order.push(node.name)
    started.add(at)
    for (const index of dependents.get(node.name) ?? []) {
      waits[index] = (waits[index] ?? 0) - 1
      if (waits[index] === 0 && index < at) at = index
    }
  }
  return { order }
}

/** Every node here depends on another one here, so that a walk along the dependencies must come round. */
function cycleIn<Name extends string>(nodes: readonly Node<Name>[]): Name[] {
  const byName = new Map(nodes.map(node => [node.name, node]))
  const path: Name[] = []
  let at = nodes[0]?.name
  while (at !== undefined && !path.includes(at)) {
    path.push(at)
    at = byName.get(at)?.dependsOn?.find(name => byName.has(name))
  }
  const cycle = at === undefined ? [] : path.slice(path.indexOf(at))
  const first = nodes.find(node => cycle.includes(node.name))
  const start = first === undefined ? 0 : cycle.indexOf(first.name)
  return [...cycle.slice(start), ...cycle.slice(0, start)]
}
