/**
 * Plans that bring a pod up and keep it there: namespaces and network, init containers and sidecars in order, then
 * the regular ones, and whoever ended again when its time has come. Source of the order: the kubelet's pod sync.
 */
import type { Id } from '../../model.ts'
import { planOneStop } from './down.ts'
import { judgeExit, termsFor, type Verdict } from './restart.ts'
import { FAILED_CHECKS, hasEnded, type Plan, type PlanInput, type PlannedContainer, Steps } from './steps.ts'

/** What the restart judge says of a container that has ended. */
export function verdictOf(input: PlanInput, container: PlannedContainer): Verdict {
  const { observed, kind, crashes, startedMs, own, failedCheck } = container
  const ended = {
    exitCode: observed.at === 'exited' ? observed.code : undefined,
    startedMs,
    // A clock that was set back must not make a back-off longer than it is.
    finishedMs: observed.at === 'exited' ? Math.min(observed.finishedMs, input.nowMs) : input.nowMs,
    crashes,
    ...(failedCheck !== undefined && { failedCheck }),
  }
  return judgeExit(termsFor(input.restartPolicy, kind, own), kind, ended)
}

/** Plans what a pod needs that is to be created or to run. */
export function planRun(input: PlanInput): Plan {
  const way = new WayUp(input)
  way.prepareSandbox()
  for (const container of input.containers) way.take(container)
  return way.result()
}

class WayUp {
  readonly #input: PlanInput
  readonly #steps = new Steps()
  /** Some regular container has run already: init containers are behind it. */
  readonly #initialised: boolean
  #againAtMs: number | undefined
  /** Steps that must succeed before any container may be started. */
  #startGate: string[] = []
  /** Steps that must succeed before any container may be created. */
  #createGate: string[] = []
  /** What the last init container that has not finished yet, or the last sidecar, still has to do. */
  #initGate: string[] = []
  /** The start of the regular container before: the manifest's order. */
  #startOrder: string[] = []
  /** Everything later waits for an init container or sidecar that is in back-off. */
  #blocked = false
  /** Nothing later may start: an init container is not to run. */
  #held = false

  constructor(input: PlanInput) {
    this.#input = input
    this.#initialised = input.containers.some(one => one.kind === 'regular' && wasStarted(one))
  }

  prepareSandbox(): void {
    if (this.#input.sandbox === 'up') return
    const because = 'the pod has no namespaces and no network'
    this.#createGate = [this.#steps.add({ do: 'sandbox', because })]
    this.#startGate = [this.#steps.add({ do: 'network', because }, this.#createGate)]
  }

  take(container: PlannedContainer): void {
    if (container.goal === 'stopped') {
      planOneStop(this.#steps, container, 'it was asked to stop')
      if (container.kind === 'init' && !container.done && !this.#initialised) this.#held = true
      if (container.kind === 'infra') this.#blocked = true
      return
    }
    if (container.ending && container.observed.at === 'running') {
      planOneStop(this.#steps, container, 'its stop had begun')
      // It is started by the next plan, and what comes after it as well.
      if (container.kind !== 'regular') this.#blocked = true
      return
    }
    if (container.observed.at === 'unmonitored') {
      planOneStop(this.#steps, container, 'its monitor is gone, so nobody would see it end')
      // What comes after it waits for the next plan, which knows how it ended.
      if (container.kind === 'infra' || (container.kind !== 'regular' && !this.#initialised)) this.#blocked = true
      return
    }
    if (container.failedCheck !== undefined && container.observed.at === 'running') {
      planOneStop(this.#steps, container, FAILED_CHECKS[container.failedCheck])
      // The next plan judges its end.
      if (container.kind === 'sidecar' && !this.#initialised) this.#blocked = true
      return
    }
    if (this.#blocked) return
    if (container.kind === 'init') this.#bringThrough(container)
    else this.#bringUp(container)
  }

  result(): Plan {
    return {
      steps: this.#steps.list,
      ...(this.#againAtMs !== undefined && { againAtMs: this.#againAtMs }),
    }
  }

  /** A container that should run. */
  #bringUp(container: PlannedContainer): void {
    const { observed } = container
    if (observed.at === 'running') {
      this.#follow(container, [], 'its start is not over')
      return
    }
    if (observed.at === 'exited' || observed.at === 'lost') {
      const restarted = this.#restart(container)
      // Nothing can be in the PID namespace of an infra container that is gone.
      const holdsUp = container.kind === 'infra' || (container.kind === 'sidecar' && !this.#initialised)
      if (!restarted && holdsUp) this.#blocked = true
      return
    }
    if (observed.at === 'absent') this.#create(container, 'it does not exist yet')
    this.#start(container, 'it should run')
  }

  /** An init container: it must have ended with code 0 before anything later starts. */
  #bringThrough(container: PlannedContainer): void {
    const { observed } = container
    if (container.done || this.#initialised) return
    if (observed.at === 'exited' && observed.code === 0) this.#again(container, 'it runs again on each start', 0)
    else if (observed.at === 'exited' || observed.at === 'lost') {
      if (!this.#restart(container)) {
        this.#blocked = true
        return
      }
    }
    if (observed.at === 'absent') this.#create(container, 'init containers run before the others')
    if (observed.at === 'absent' || observed.at === 'created') {
      this.#start(container, 'init containers run one by one, in order')
    }
    const started = this.#steps.ifThere(`start ${container.id}`)
    if (this.#mayNotStart(container) || (started.length === 0 && observed.at !== 'running')) {
      this.#held = true
      return
    }
    if (!this.#input.patient) {
      this.#blocked = true
      return
    }
    this.#initGate = [
      this.#steps.add(
        { do: 'await', container: container.id, because: 'the next one starts when it succeeded' },
        started,
      ),
    ]
    this.#startGate = this.#initGate
  }

  /** True when the container is started again by this plan. */
  #restart(container: PlannedContainer): boolean {
    const verdict = verdictOf(this.#input, container)
    if (!verdict.restart) return false
    if (verdict.atMs > this.#input.nowMs) {
      this.#againAtMs = Math.min(this.#againAtMs ?? verdict.atMs, verdict.atMs)
      return false
    }
    this.#again(container, verdict.reason, verdict.crashes)
    return true
  }

  #again(container: PlannedContainer, because: string, crashes: number): void {
    const discarded = this.#steps.add({ do: 'discard', container: container.id, because, crashes })
    this.#create(container, because, [discarded])
    this.#start(container, because)
  }

  #create(container: PlannedContainer, because: string, after: string[] = []): void {
    // It is made of what its init containers have not made yet.
    if (container.needsInit && this.#held) return
    const gate = [...this.#createGate, ...(container.needsInit ? this.#initGate : [])]
    if (container.kind !== 'infra' && container.kind !== 'service') {
      gate.push(this.#steps.add({ do: 'rootfs', container: container.id, because }, after))
    }
    const id = this.#steps.add({ do: 'create', container: container.id, because }, [...gate, ...after])
    // Everything later lives in the PID namespace of the infra container.
    if (container.kind === 'infra') this.#createGate = [id]
  }

  #start(container: PlannedContainer, because: string): void {
    if (this.#held || this.#mayNotStart(container) || container.dependsOn.some(id => this.#isMissing(id))) return
    const dependencies = container.dependsOn.flatMap(id => this.#startOf(id))
    const after = [...this.#steps.ifThere(`create ${container.id}`), ...this.#startGate, ...dependencies]
    const step = { do: 'start', container: container.id, because } as const
    const id = this.#steps.add(step, after, this.#startOrder)
    if (container.kind === 'regular') this.#startOrder = [id]
    else this.#startGate = [id]
    if (container.kind === 'sidecar') this.#initGate = [id]
    this.#follow(container, [id], because)
  }

  /** What comes after the start of a container, and what waits for that: its hook, and a sidecar's startup probe. */
  #follow(container: PlannedContainer, started: string[], because: string): void {
    const { id, kind } = container
    let last = started
    if (container.postStart === 'due' || (container.postStart !== undefined && started.length > 0)) {
      last = [this.#steps.add({ do: 'hook', container: id, because: 'its postStart hook belongs to its start' }, last)]
    }
    if (kind === 'regular') {
      if (last.length > 0) this.#startOrder = last
      return
    }
    if (kind === 'sidecar' && !this.#initialised && container.unstarted) {
      if (!this.#input.patient) {
        this.#blocked = true
        return
      }
      last = [this.#steps.add({ do: 'await', container: id, because: `${because}; its startup probe decides` }, last)]
    }
    if (last.length === 0) return
    this.#startGate = last
    if (kind === 'sidecar') this.#initGate = last
  }

  /** The last step of a container's start, where this plan has one. */
  #startOf(id: Id): string[] {
    const hook = this.#steps.ifThere(`hook ${id}`)
    return hook.length > 0 ? hook : this.#steps.ifThere(`start ${id}`)
  }

  /** A container that will be started, but not by this plan. */
  #isMissing(id: Id): boolean {
    const container = this.#input.containers.find(one => one.id === id)
    if (container === undefined || container.goal === 'stopped' || wasStarted(container)) return false
    if (this.#steps.ifThere(`start ${id}`).length > 0) return false
    return !hasEnded(container.observed) || verdictOf(this.#input, container).restart
  }

  #mayNotStart({ goal }: PlannedContainer): boolean {
    return this.#input.goal === 'created' || goal === 'created'
  }
}

/** Since the pod's namespaces were made. */
const wasStarted = ({ observed, hasRun }: PlannedContainer): boolean =>
  observed.at === 'running' || (hasRun && (observed.at === 'exited' || observed.at === 'unmonitored'))
