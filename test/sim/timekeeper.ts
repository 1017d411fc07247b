/** templates/timekeeper, in virtual time: at most one, and only while something waits. */
import type { Scheduler } from './scheduler.ts'

type Outcome = { value: number | undefined } | { error: unknown } | 'killed'

export class Timekeeper {
  readonly #scheduler: Scheduler
  readonly #tick: () => Promise<Outcome>
  /** Changes with every process of this kind, so that what a dead one had planned comes to nothing. */
  #life = 0
  #isThere = false
  #isLooking = false
  #isWoken = false
  #cancel: () => void = () => undefined

  constructor(scheduler: Scheduler, tick: () => Promise<Outcome>) {
    this.#scheduler = scheduler
    this.#tick = tick
  }

  get isThere(): boolean {
    return this.#isThere
  }

  wake(): void {
    if (this.nudge()) return
    this.#isThere = true
    this.#scheduler.say('* a timekeeper starts')
    void this.#look(++this.#life)
  }

  nudge(): boolean {
    if (!this.#isThere) return false
    if (this.#isLooking) this.#isWoken = true
    else {
      this.#cancel()
      void this.#look(this.#life)
    }
    return true
  }

  kill(): void {
    this.#life++
    this.#isThere = false
    this.#isLooking = false
    this.#cancel()
  }

  async #look(life: number): Promise<void> {
    this.#isLooking = true
    this.#isWoken = false
    const outcome = await this.#tick()
    if (life !== this.#life) return
    this.#isLooking = false
    const waitMs = typeof outcome === 'object' && 'value' in outcome ? outcome.value : 10_000
    if (this.#isWoken) return this.#look(life)
    if (waitMs === undefined) {
      this.#isThere = false
      this.#scheduler.say('* the timekeeper has nothing to wait for')
      return
    }
    this.#cancel = this.#scheduler.after(Math.max(1, Math.ceil(waitMs / 1000)) * 1000, () => void this.#look(life))
  }
}
