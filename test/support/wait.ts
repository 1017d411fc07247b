/** Waiting for something that comes by itself, with a deadline. */
import { systemClock } from '../../src/clock.ts'

const POLL_MS = 100

/** Asks until the answer satisfies `holds`; answers it. Throws with the last answer after `withinMs`. */
export async function eventually<T>(
  ask: () => Promise<T>,
  holds: (answer: T) => boolean,
  withinMs = 15_000,
): Promise<T> {
  const deadline = systemClock.monotonicMs() + withinMs
  for (;;) {
    const answer = await ask()
    if (holds(answer)) return answer
    if (systemClock.monotonicMs() > deadline) {
      throw new Error(`not within ${withinMs} ms; the last answer was ${JSON.stringify(answer)}`)
    }
    await systemClock.sleep(POLL_MS)
  }
}
