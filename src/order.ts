/** The order in which containers that wait for one another start. */

type Node<Name extends string> = { name: Name; dependsOn?: readonly Name[] }

/**
 * The names in an order where each stands behind all that it depends on. What need not wait keeps its place: the next
 * one is always the first of the list whose dependencies have all started. A cycle comes back instead of an order:
 * each name of it depends on the next one, the last one on the first, and the first one stands first in the list.
 * A dependency that is not in the list counts as started.
 */
export function startOrder<Name extends string>(nodes: readonly Node<Name>[]): { order: Name[] } | { cycle: Name[] } {
  const order: Name[] = []
  let waiting = [...nodes]
  while (waiting.length > 0) {
    const names = new Set(waiting.map(node => node.name))
    const next = waiting.find(node => !(node.dependsOn ?? []).some(name => names.has(name)))
    if (next === undefined) return { cycle: cycleIn(waiting) }
    order.push(next.name)
    waiting = waiting.filter(node => node !== next)
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
