/** The door to time: everything that reads a clock or waits is given one of these. */

export type Clock = {
  /** Wall clock in milliseconds since 1970, for people and records. */
  nowMs(): number
  /** Monotonic milliseconds, for durations. */
  monotonicMs(): number
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  // Not performance.now(): loading that takes 1.5 ms of every command.
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
}

/** Calls `act` after `ms` unless the process has ended by itself before, having nothing left to do. */
export function ifStillBusy(ms: number, act: () => void): void {
  setTimeout(act, ms).unref()
}

/** CLOCK_MONOTONIC in microseconds, as other processes see it: it does not begin with this one. */
export const kernelMicroseconds = (): bigint => process.hrtime.bigint() / 1000n
