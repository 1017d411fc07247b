/**
 * Virtual time and virtual processes. A process here ("actor") is one run of real engine code; everything it does to
 * the world outside is an effect that waits until the scheduler lets it happen: one at a time, in an order the seed
 * chooses, with the chance that the process is killed just before it or fails in it.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '../../src/clock.ts'
import type { Random } from './random.ts'

export type Actor = { name: string; alive: boolean }

/** Thrown into what a dead actor still tries to do at once; whatever catches it gets no further either. */
class Dead extends Error {}

type Parked = { actor: Actor; label: string; happen(): void; fail(error: Error): void }
type Timer = { atMs: number; act(): void; cancelled: boolean }

/** What befalls an effect: nothing, the death of its process before it or right after it, or an error. */
export type Fate = 'go' | 'die before' | 'die after' | Error

/** 2023-11-14: far from 0, so that no clock jump leads before 1970. */
const EPOCH_MS = 1_700_000_000_000
/** No history needs as many; one that does goes round in circles. */
const MAX_EFFECTS = 30_000
const TRACE_LINES = 4_000

export class Scheduler {
  readonly random: Random
  monoMs = 0
  /** Wall clock minus monotonic clock: jumps change it. */
  offsetMs = EPOCH_MS
  effects = 0
  readonly trace: string[] = []
  fateOf: (actor: Actor, label: string) => Fate = () => 'go'
  #failure: Error | undefined
  #parked: Parked[] = []
  readonly #timers: Timer[] = []
  readonly #actors = new Set<Actor>()
  readonly #here = new AsyncLocalStorage<Actor>()

  constructor(random: Random) {
    this.random = random
  }

  nowMs(): number {
    return this.monoMs + this.offsetMs
  }

  readonly clock: Clock = {
    nowMs: () => Math.round(this.nowMs()),
    monotonicMs: () => this.monoMs,
    sleep: (ms, signal) => this.sleep(ms, signal),
  }

  say(text: string): void {
    if (this.trace.length < TRACE_LINES) this.trace.push(`${(this.monoMs / 1000).toFixed(3).padStart(10)}  ${text}`)
  }

  /** A rule was broken: the history ends here. */
  accuse(message: string): void {
    this.say(`BROKEN: ${message}`)
    this.#failure ??= new Error(message)
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  living(): Actor[] {
    return [...this.#actors]
  }

  here(): Actor {
    const actor = this.#here.getStore()
    if (actor === undefined) throw new Error('an effect outside of any actor')
    return actor
  }

  /** Starts a process that runs `work`; resolves to its outcome, `killed` when it did not live to have one. */
  spawn<T>(name: string, work: () => Promise<T>): Promise<{ value: T } | { error: unknown } | 'killed'> {
    const actor: Actor = { name, alive: true }
    this.#actors.add(actor)
    this.say(`+ ${name}`)
    return new Promise(resolve => {
      this.#deaths.set(actor, () => resolve('killed'))
      const end = (outcome: { value: T } | { error: unknown }): void => {
        if (!actor.alive) return
        actor.alive = false
        this.#forget(actor)
        this.say(`- ${name}${'error' in outcome ? `: ${(outcome.error as Error).message}` : ''}`)
        resolve(outcome)
      }
      this.#here.run(actor, () =>
        work().then(
          value => end({ value }),
          error => end({ error }),
        ),
      )
    })
  }

  readonly #deaths = new Map<Actor, () => void>()
  onDeath: (actor: Actor) => void = () => undefined

  kill(actor: Actor): void {
    if (!actor.alive) return
    actor.alive = false
    this.say(`✗ ${actor.name} is killed`)
    this.#parked = this.#parked.filter(parked => parked.actor !== actor)
    const told = this.#deaths.get(actor)
    this.#forget(actor)
    this.onDeath(actor)
    told?.()
  }

  #forget(actor: Actor): void {
    this.#actors.delete(actor)
    this.#deaths.delete(actor)
  }

  /** Something the current actor does to the world, sooner or later. */
  effect<T>(label: string, act: () => T): Promise<T> {
    const actor = this.here()
    return new Promise((resolve, reject) => {
      if (!actor.alive) return
      const happen = (): void => {
        try {
          resolve(act())
        } catch (error) {
          reject(error)
        }
      }
      this.#parked.push({ actor, label, happen, fail: reject })
    })
  }

  /** Something the current actor does at once, without giving anybody else a turn. */
  atOnce<T>(label: string, act: () => T): T {
    const actor = this.here()
    if (!actor.alive) throw new Dead()
    if (this.fateOf(actor, label) === 'die before') this.kill(actor)
    if (!actor.alive) throw new Dead()
    this.#count(actor, label)
    return act()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const actor = this.here()
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const cancel = this.after(ms, () => actor.alive && resolve())
      signal?.addEventListener('abort', () => {
        cancel()
        if (actor.alive) reject(signal.reason)
      })
    })
  }

  /** Calls `act` when that much time has passed; returns what cancels it. */
  after(ms: number, act: () => void): () => void {
    const timer: Timer = { atMs: this.monoMs + Math.max(0, ms), act, cancelled: false }
    let index = this.#timers.length
    while (index > 0 && (this.#timers[index - 1]?.atMs ?? 0) > timer.atMs) index--
    this.#timers.splice(index, 0, timer)
    return () => {
      timer.cancelled = true
    }
  }

  /** Lets the world go on for `ms`, or until something is broken. Time stands still at the end. */
  async run(ms: number): Promise<void> {
    const endMs = this.monoMs + ms
    for (;;) {
      await settled()
      if (this.#failure !== undefined) return
      const timer = this.#timers[0]
      if (timer !== undefined && (timer.cancelled || timer.atMs <= this.monoMs)) {
        this.#timers.shift()
        if (!timer.cancelled) timer.act()
      } else if (this.#parked.length > 0) {
        this.#next()
      } else if (timer === undefined || timer.atMs > endMs) {
        this.monoMs = Math.max(this.monoMs, endMs)
        return
      } else {
        this.monoMs = timer.atMs
      }
    }
  }

  #next(): void {
    const [parked] = this.#parked.splice(this.random.below(this.#parked.length), 1)
    if (parked === undefined) return
    const { actor, label } = parked
    this.monoMs += this.random.chance(0.02) ? this.random.between(50, 2_000) : this.random.below(15)
    const fate = this.fateOf(actor, label)
    if (fate !== 'die before') {
      this.#count(actor, fate instanceof Error ? `${label} fails` : label)
      if (fate instanceof Error) parked.fail(fate)
      else parked.happen()
    }
    if (fate === 'die before' || fate === 'die after') this.kill(actor)
  }

  #count(actor: Actor, label: string): void {
    this.effects++
    this.say(`  ${actor.name}: ${label}`)
    if (this.effects > MAX_EFFECTS) this.accuse(`does not come to rest within ${MAX_EFFECTS} effects`)
  }
}

/** Resolves when everything that could go on without the scheduler has gone on. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
