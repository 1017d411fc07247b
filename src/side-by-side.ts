/** Doing the same with many things, a few at a time. */

/**
 * Does `act` with each item, at most `limit` at a time, begun in their order; answers what came of each in that order.
 * Once one has failed no more are begun, and the first failure is thrown when those under way have ended: nothing goes
 * on behind the back of whoever catches it.
 */
export async function sideBySide<Item, Result>(
  items: readonly Item[],
  limit: number,
  act: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const failures: unknown[] = []
  let next = 0
  const work = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const index = next++
      try {
        results[index] = await act(items[index] as Item)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work))
  if (failures.length > 0) throw failures[0]
  return results
}
