/** What has become of each object while a plan is carried out. */
import type { ApplyOutcome, ApplyResult, ObjectName, PlannedObject } from '../types/index.ts'
import { keyOf, type Planned } from './world.ts'

const DONE: Record<PlannedObject['action'], ApplyOutcome> = {
  create: 'created',
  start: 'started',
  configure: 'configured',
  unchanged: 'unchanged',
  prune: 'pruned',
  keep: 'kept',
}

const SKIPPED = { outcome: 'skipped', message: 'something before it has failed' } as const

const leftAlone = (count: number): string =>
  count === 1 ? '1 other pod goes on as it was' : `${count} other pods go on as they were`

/** Failures are noted by pod; results are told by object. */
export class Ledger {
  readonly #planned: readonly Planned[]
  readonly #failures = new Map<string, string>()
  readonly #restored = new Map<string, string>()
  readonly #skipped = new Set<string>()
  readonly #left = new Set<string>()
  readonly #pruned = new Map<string, string | undefined>()

  constructor(planned: readonly Planned[]) {
    this.#planned = planned
  }

  get hasFailed(): boolean {
    return this.#failures.size > 0 || [...this.#pruned.values()].some(message => message !== undefined)
  }

  /** Why a pod is not what it should be. */
  failed(pod: string): string | undefined {
    return this.#failures.get(pod)
  }

  /** The first failure counts: later ones are what it led to. */
  fail(pod: string, message: string): void {
    if (!this.#failures.has(pod)) this.#failures.set(pod, message)
  }

  skip(planned: readonly Planned[]): void {
    for (const { object } of planned) if (object.action !== 'unchanged') this.#skipped.add(keyOf(object))
  }

  /** Pods that were to be replaced after others, and are not. */
  leave(pods: readonly string[]): void {
    for (const pod of pods) this.#left.add(pod)
  }

  /** The old pod runs again; `trouble`: it does not, and why. */
  restored(pod: string, trouble?: string): void {
    this.#restored.set(pod, trouble ?? '')
  }

  pruned(planned: readonly Planned[], failures: readonly { object: ObjectName; message: string }[]): void {
    for (const { object } of planned) {
      this.#pruned.set(keyOf(object), failures.find(failure => keyOf(failure.object) === keyOf(object))?.message)
    }
  }

  isDone = ({ object }: Planned): boolean => this.#pruned.has(keyOf(object))

  results(): ApplyResult[] {
    return this.#planned.map(one => ({ kind: one.object.kind, name: one.object.name, ...this.#result(one) }))
  }

  #result({ object, pods }: Planned): Pick<ApplyResult, 'outcome' | 'message'> {
    const key = keyOf(object)
    if (this.#skipped.has(key)) return SKIPPED
    const unpruned = this.#pruned.get(key)
    if (unpruned !== undefined) return { outcome: 'failed', message: unpruned }
    const touched = pods.filter(({ name }) => this.#failures.has(name) || this.#restored.has(name))
    const left = pods.filter(({ name }) => this.#left.has(name) && !this.#failures.has(name))
    if (touched.length === 0) return left.length === 0 ? { outcome: DONE[object.action] } : SKIPPED
    const isBack = touched.every(({ name }) => this.#restored.get(name) === '')
    const isOneOfMany = touched.length + left.length > 1
    const sentences = touched.map(({ name }) => this.#sentence(name, isOneOfMany))
    const message = [...sentences, ...(left.length === 0 ? [] : [leftAlone(left.length)])].join('; ')
    return { outcome: isBack ? 'rolled back' : 'failed', message }
  }

  #sentence(pod: string, isOneOfMany: boolean): string {
    const failure = this.#failures.get(pod)
    const back = this.#restored.get(pod)
    const parts = [failure, back === undefined ? undefined : back === '' ? 'it is what it was before' : back]
    return `${isOneOfMany ? `${pod}: ` : ''}${parts.filter(Boolean).join('; ')}`
  }
}
