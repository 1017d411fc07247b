/** A function that does `work` on the first call and gives every caller the same outcome, a failure too. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  let outcome: Promise<T> | undefined
  return () => {
    outcome ??= work()
    return outcome
  }
}
