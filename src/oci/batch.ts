/**
 * Gathers calls that arrive while an earlier one is under way, so that one process serves many of them.
 *
 * containers-storage serialises its callers on a lock file anyway: twenty containers mounted by one process cost
 * 3 ms each, by twenty processes 9 ms each (measured on two cores), and every process saved is time of our main thread.
 */

/** One limit for the length of an argv: 64 ids of 64 digits are far below the kernel's. */
const MAX_PER_BATCH = 64

/** What became of one member of a batch. */
export type Outcome<T> = { value: T } | { error: unknown }

/**
 * Returns a function that does `work` for one key. The first call starts at once; calls made until it ends share
 * the next run of `work`, which has to return one outcome per key. When `work` throws, every member gets that error.
 */
export function batched<T>(work: (keys: readonly string[]) => Promise<ReadonlyMap<string, Outcome<T>>>) {
  type Waiter = { resolve: (value: T) => void; reject: (error: unknown) => void }
  let waiting = new Map<string, Waiter[]>()
  let busy = false

  async function serve(): Promise<void> {
    while (waiting.size > 0) {
      const keys = [...waiting.keys()].slice(0, MAX_PER_BATCH)
      const members = new Map(keys.map(key => [key, waiting.get(key) ?? []]))
      waiting = new Map([...waiting].filter(([key]) => !members.has(key)))
      const outcomes = await work(keys).catch((error: unknown) => new Map(keys.map(key => [key, { error }])))
      for (const [key, waiters] of members)
        settle(waiters, outcomes.get(key) ?? { error: new Error(`no outcome for ${key}`) })
    }
    busy = false
  }

  function settle(waiters: Waiter[], outcome: Outcome<T>): void {
    for (const waiter of waiters) {
      if ('value' in outcome) waiter.resolve(outcome.value)
      else waiter.reject(outcome.error)
    }
  }

  return (key: string): Promise<T> =>
    new Promise((resolve, reject) => {
      waiting.set(key, [...(waiting.get(key) ?? []), { resolve, reject }])
      if (busy) return
      busy = true
      // Calls made in the same turn of the event loop are served together.
      queueMicrotask(() => void serve())
    })
}
