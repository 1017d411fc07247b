/**
 * The planner: (what a pod should be, what it is, now) → steps, each with its reason. Pure and total.
 *
 * A step names the steps it has to wait for, so that everything independent runs at once; `--dry-run` can print a
 * plan as it is, and the executor map in apply.ts is total by type.
 */
import type { Id, RestartPolicy } from '../model.ts'
import { judgeExit } from './restart.ts'
import type { ContainerKind } from './types.ts'

/** What the kernel and the exit files say about one container. */
export type Observed =
  | { at: 'absent' }
  | { at: 'created'; pid: number; start: string }
  | { at: 'running'; pid: number; start: string }
  | { at: 'exited'; code: number; finishedMs: number }
  /** There was a process, it is gone, and nobody recorded how it ended. */
  | { at: 'lost' }

export type PlannedContainer = {
  id: Id
  kind: ContainerKind
  observed: Observed
  /** An init container that succeeded earlier, whatever is left of it. */
  done: boolean
  /** Its mounts need what init containers write, so it is created only after them. */
  needsInit: boolean
  startedMs?: number
  crashes: number
}

export type PlanInput = {
  goal: 'created' | 'running'
  restartPolicy: RestartPolicy
  sandboxReady: boolean
  /** Infra first, then init containers in order, then regular ones in order. */
  containers: readonly PlannedContainer[]
  nowMs: number
}

type StepKinds =
  | { do: 'sandbox' }
  | { do: 'network' }
  | { do: 'discard'; container: Id }
  | { do: 'rootfs'; container: Id }
  | { do: 'create'; container: Id }
  | { do: 'start'; container: Id; crashes: number; restart: boolean }
  | { do: 'await'; container: Id }

/**
 * `id` is unique in its plan. `after` names earlier steps that must have succeeded, `order` earlier steps that must
 * only have ended: a container that did not start holds up no sibling.
 */
export type Step = StepKinds & { id: string; after: string[]; order: string[]; because: string }

export type Plan = {
  steps: Step[]
  /** When to look again: the earliest back-off that has not passed yet. */
  againAtMs?: number
  /** Set when the pod can never get where it should be. */
  failed?: { container: Id; reason: string }
}

/** Plans the way of one pod to its goal. */
export function planPod(input: PlanInput): Plan {
  const planner = new Planner(input)
  planner.prepareSandbox()
  for (const container of input.containers) {
    if (container.kind === 'infra') planner.bringUp(container)
    if (container.kind === 'init') planner.bringThrough(container)
    if (container.kind === 'regular') planner.bringUp(container)
  }
  return planner.result()
}

class Planner {
  readonly #input: PlanInput
  readonly #steps: Step[] = []
  #againAtMs: number | undefined
  #failed: Plan['failed']
  /** Steps that must end before any container may be started. */
  #startGate: string[] = []
  /** Steps that must end before any container may be created. */
  #createGate: string[] = []
  /** The await of the last init container that has not finished yet. */
  #initGate: string[] = []
  /** The start of the regular container before: the manifest's order. */
  #startOrder: string[] = []
  /** Regular containers wait for an init container that is in back-off or has failed. */
  #blocked = false

  constructor(input: PlanInput) {
    this.#input = input
  }

  prepareSandbox(): void {
    if (this.#input.sandboxReady) return
    const because = 'the pod has no namespaces on this boot'
    this.#createGate = [this.#add({ do: 'sandbox', because }, 'sandbox', [])]
    this.#startGate = [this.#add({ do: 'network', because }, 'network', this.#createGate)]
  }

  /** A container that should run: infra or regular. */
  bringUp(container: PlannedContainer): void {
    const { observed, crashes } = container
    if (this.#blocked || observed.at === 'running') return
    if (observed.at === 'exited' || observed.at === 'lost') {
      this.#restart(container)
      return
    }
    if (observed.at === 'absent') this.#create(container, 'it does not exist yet')
    this.#start(container, 'it should run', false, crashes)
  }

  /** An init container: it must have ended with code 0 before anything later starts. */
  bringThrough(container: PlannedContainer): void {
    const { observed } = container
    if (container.done || this.#blocked) return
    if (observed.at === 'exited' && observed.code === 0) return
    if (observed.at === 'absent') this.#create(container, 'init containers run before the others')
    if (observed.at === 'absent' || observed.at === 'created') {
      this.#start(container, 'init containers run one by one, in order', false, container.crashes)
    }
    if (observed.at === 'exited' || observed.at === 'lost') {
      if (!this.#restart(container)) {
        this.#blocked = true
        return
      }
    }
    if (this.#input.goal === 'created') return
    const after = this.#has(`start ${container.id}`)
    this.#initGate = [
      this.#add(
        { do: 'await', container: container.id, because: 'the next one starts when it succeeded' },
        `await ${container.id}`,
        after,
      ),
    ]
    this.#startGate = this.#initGate
  }

  result(): Plan {
    return {
      steps: this.#steps,
      ...(this.#againAtMs !== undefined && { againAtMs: this.#againAtMs }),
      ...(this.#failed !== undefined && { failed: this.#failed }),
    }
  }

  /** True when the container is started again by this plan. */
  #restart(container: PlannedContainer): boolean {
    const { observed } = container
    const ended = {
      exitCode: observed.at === 'exited' ? observed.code : undefined,
      startedMs: container.startedMs,
      finishedMs: observed.at === 'exited' ? observed.finishedMs : this.#input.nowMs,
      crashes: container.crashes,
    }
    const kind = container.kind === 'init' ? 'init' : 'regular'
    const verdict = judgeExit(container.kind === 'infra' ? 'Always' : this.#input.restartPolicy, kind, ended)
    if (!verdict.restart) {
      if (kind === 'init') this.#failed = { container: container.id, reason: verdict.reason }
      return false
    }
    if (verdict.atMs > this.#input.nowMs) {
      this.#againAtMs = Math.min(this.#againAtMs ?? verdict.atMs, verdict.atMs)
      return false
    }
    const discarded = this.#add(
      { do: 'discard', container: container.id, because: verdict.reason },
      `discard ${container.id}`,
      [],
    )
    this.#create(container, verdict.reason, [discarded])
    this.#start(container, verdict.reason, true, verdict.crashes)
    return true
  }

  #create(container: PlannedContainer, because: string, after: string[] = []): void {
    const gate = [...this.#createGate, ...(container.needsInit ? this.#initGate : [])]
    if (container.kind !== 'infra') {
      gate.push(this.#add({ do: 'rootfs', container: container.id, because }, `rootfs ${container.id}`, after))
    }
    const id = this.#add({ do: 'create', container: container.id, because }, `create ${container.id}`, [
      ...gate,
      ...after,
    ])
    // Everything later lives in the PID namespace of the infra container.
    if (container.kind === 'infra') this.#createGate = [id]
  }

  #start(container: PlannedContainer, because: string, restart: boolean, crashes: number): void {
    if (this.#input.goal === 'created') return
    const after = [...this.#has(`create ${container.id}`), ...this.#startGate]
    const step = { do: 'start', container: container.id, because, restart, crashes } as const
    const id = this.#add(step, `start ${container.id}`, after, this.#startOrder)
    if (container.kind === 'regular') this.#startOrder = [id]
    else this.#startGate = [id]
  }

  #has(id: string): string[] {
    return this.#steps.some(step => step.id === id) ? [id] : []
  }

  #add(step: StepKinds & { because: string }, id: string, after: string[], order: string[] = []): string {
    this.#steps.push({ ...step, id, after: [...new Set(after)], order: [...order] } as Step)
    return id
  }
}
