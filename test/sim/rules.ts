/** What must hold at any moment, whoever was killed when: checked on every plan and on every effect. */
import type { Plan, PlanInput } from '../../src/engine/plan/index.ts'
import type { PodSettings } from '../../src/engine/state/records.ts'
import type { Row } from '../../src/engine/state/store.ts'
import type { Id, PodSpec } from '../../src/model.ts'
import { JobRules } from './jobs.ts'
import type { Kernel, Run } from './kernel.ts'
import type { Scheduler } from './scheduler.ts'
import type { Database } from './store.ts'

const LONGEST_BACK_OFF_MS = 300_000
const LONG_RUN_MS = 600_000
/** Beside a back-off: locks, graces and looks of others. */
const SLACK_MS = 60_000

type Ended = { run: Run; boot: string; seen: boolean }
type Message = { fails: boolean; because: string }

export class Rules {
  /** Nothing but exits happens in this history: times can be foretold. */
  calm = true
  /** No process is killed, no host rebooted and nothing fails: counts can be foretold. */
  sound = true
  /** Nobody but the restart policy starts anything, and no start fails. */
  alone = true
  /** Processes of tspod that were killed: each may have taken a count along. */
  killed = 0
  /** Some clock was set: times mean less. */
  jumped = false
  plans = 0
  readonly steps = new Map<string, number>()
  readonly #scheduler: Scheduler
  readonly #kernel: Kernel
  readonly #database: Database
  /** How often a pod's network was set up: containers are started anew after each. */
  readonly #epochs = new Map<string, number>()
  readonly #startedIn = new Map<Id, number>()
  readonly #succeededOn = new Map<Id, string>()
  readonly #ended = new Map<Id, Ended>()
  readonly #streaks = new Map<Id, number>()
  readonly #starts = new Map<Id, number>()
  readonly #names = new Map<Id, string>()
  readonly #podOf = new Map<Id, string>()
  readonly #lastPlans = new Map<string, Plan>()
  /** What each service container's end should say, as it was when its stop was planned. */
  readonly #messages = new Map<string, Message>()
  readonly jobs: JobRules

  constructor(scheduler: Scheduler, kernel: Kernel, database: Database) {
    this.#scheduler = scheduler
    this.#kernel = kernel
    this.#database = database
    this.jobs = new JobRules(scheduler, kernel, database)
    kernel.onExit = run => this.#exit(run)
  }

  accuse(message: string): void {
    this.#scheduler.accuse(message)
  }

  #nameOf(id: Id): string {
    const known = this.#names.get(id)
    if (known !== undefined) return known
    const row = this.#row(id)
    if (row === undefined) return id
    this.#names.set(id, String(row.name))
    this.#podOf.set(id, String(row.pod))
    return String(row.name)
  }

  #row(id: Id): Row | undefined {
    return this.#database.all('SELECT * FROM container WHERE id = ?', [id])[0]
  }

  /** Nothing is done to the kernel for anything that the store does not know. */
  #recordOf(id: Id, podId: string): { row: Row; pod: Row } {
    const [row, pod] = [this.#row(id), this.#database.all('SELECT * FROM pod WHERE id = ?', [podId])[0]]
    if (row !== undefined && pod !== undefined) return { row, pod }
    this.accuse(`something is done to container ${id}, of which there is no record`)
    throw new Error('no record')
  }

  plan(input: PlanInput, plan: Plan): void {
    this.plans++
    for (const step of plan.steps) {
      const what = 'container' in step ? `${step.do} ${this.#nameOf(step.container)}` : step.do
      this.#scheduler.say(`      plan: ${what}, because ${step.because}`)
    }
    const seen = new Set<string>()
    for (const step of plan.steps) {
      this.steps.set(step.do, (this.steps.get(step.do) ?? 0) + 1)
      if (seen.has(step.id)) this.accuse(`plan: two steps ${step.id}`)
      if (step.because === '') this.accuse(`plan: ${step.id} has no reason`)
      for (const id of [...step.after, ...step.order]) {
        if (!seen.has(id)) this.accuse(`plan: ${step.id} waits for ${id}, which is no earlier step`)
      }
      seen.add(step.id)
      const container = 'container' in step ? input.containers.find(({ id }) => id === step.container) : undefined
      if (container === undefined) continue
      const isUp = container.observed.at === 'running' || container.observed.at === 'unmonitored'
      if (step.do === 'start' && (container.goal !== 'running' || input.goal !== 'running')) {
        this.accuse(`plan: ${step.id}, which is wanted ${container.goal} in a pod wanted ${input.goal}`)
      }
      if (step.do === 'start' && isUp) this.accuse(`plan: ${step.id}, which runs`)
      if ((step.do === 'delete' || step.do === 'discard') && isUp && !seen.has(`stop ${step.container}`)) {
        this.accuse(`plan: ${step.id}, which runs and is not stopped before`)
      }
    }
    const waitMs = plan.againAtMs === undefined ? undefined : plan.againAtMs - input.nowMs
    if (waitMs !== undefined && (waitMs <= 0 || waitMs > LONGEST_BACK_OFF_MS)) {
      this.accuse(`plan: looks again in ${waitMs / 1000} s`)
    }
    const first = input.containers[0]
    const pod = first && this.#podOf.get(first.id)
    if (pod === undefined) return
    this.#lastPlans.set(pod, plan)
    const [service] = this.#database.all("SELECT * FROM pod WHERE id = ? AND kind = 'service'", [pod])
    if (service !== undefined) this.#messages.set(pod, this.#messageOf(service))
  }

  /** What a process that died had planned is nobody's plan any more. */
  forgetPlans(): void {
    this.#lastPlans.clear()
  }

  connected(pod: string): void {
    this.#epochs.set(pod, (this.#epochs.get(pod) ?? 0) + 1)
  }

  create(id: Id, podId: string): void {
    const { row, pod } = this.#recordOf(id, podId)
    const name = String(row.name)
    if (this.#kernel.runs.get(id)?.process.alive) this.accuse(`${name}: two instances at the same time`)
    if (pod.kind === 'service') return
    if (!this.#kernel.pinned.has(podId)) this.accuse(`${name}: created without namespaces`)
    if (row.kind === 'infra') this.#kernel.infra.set(podId, id)
    else if ((JSON.parse(String(pod.spec)) as PodSpec).shareProcessNamespace) {
      const infra = this.#kernel.infra.get(podId)
      const run = infra && this.#kernel.runs.get(infra)
      if (!run?.process.alive) throw new Error('the PID namespace has no owner')
    }
  }

  start(run: Run): void {
    const { row, pod } = this.#recordOf(run.id, run.pod)
    if (row.goal !== 'running') this.accuse(`${run.name} is started and wanted ${row.goal}`)
    if (pod.goal !== 'running') this.accuse(`${run.name} is started in a pod wanted ${pod.goal}`)
    if (pod.failure !== null) this.accuse(`${run.name} is started in a pod that has failed: ${pod.failure}`)
    this.jobs.start(pod)
    this.#restartTime(run, row)
    this.#restartCount(run, row)
    if (pod.kind === 'service') return
    const isBridged = (JSON.parse(String(pod.settings)) as PodSettings).network === 'bridge'
    if (isBridged && !this.#kernel.connected.has(run.pod)) this.accuse(`${run.name} is started without network`)
    const epoch = this.#epochs.get(run.pod) ?? 0
    this.#startOrder(run, row, pod, epoch)
    this.#startedIn.set(run.id, epoch)
  }

  #startOrder(run: Run, row: Row, pod: Row, epoch: number): void {
    const rows = this.#rows(run.pod)
    const wants = (other: Row): boolean => other.goal === 'running'
    const isStarted = (other: Row): boolean => this.#startedIn.get(other.id as Id) === epoch
    // From then on each sidecar is restarted by itself: one in its back-off holds up no other one (seed 61968 of old).
    const hasBegun = rows.some(other => other.kind === 'regular' && isStarted(other))
    const before = (other: Row): boolean =>
      row.kind === 'regular' || (isInitial(row) && Number(other.ordinal) < Number(row.ordinal))
    for (const other of rows) {
      if (other.kind === 'infra' && row.kind !== 'infra' && !isStarted(other)) {
        this.accuse(`${run.name} is started before the infra container`)
      }
      if (other.kind === 'init' && before(other) && this.#succeededOn.get(other.id as Id) !== this.#kernel.boot) {
        this.accuse(`${run.name} is started, but ${other.name} has not succeeded on this boot`)
      }
      if (other.kind === 'sidecar' && before(other) && wants(other) && !hasBegun && !isStarted(other)) {
        this.accuse(`${run.name} is started before ${other.name}`)
      }
    }
    for (const name of dependenciesOf(pod, row)) {
      const other = rows.find(one => one.short_name === name)
      if (other && wants(other) && !isStarted(other) && !isOver(pod, other)) {
        this.accuse(`${run.name} is started before ${other.name}, which it depends on`)
      }
    }
    const service = pod.service === null ? undefined : this.#rows(String(pod.service))[0]
    if (service !== undefined && pod.complete === 0 && !this.#kernel.runs.get(service.id as Id)?.started) {
      this.accuse(`${run.name} is started before the service container`)
    }
  }

  /** Each start but the first is counted, whatever was killed and rebooted between them. */
  #restartCount(run: Run, row: Row): void {
    const earlier = this.#starts.get(run.id) ?? 0
    this.#starts.set(run.id, earlier + 1)
    const last = this.#ended.get(run.id)?.run
    const ranMs = last?.endedMs === undefined ? 0 : last.endedMs - last.startedMs
    if (this.sound && !this.jumped && ranMs >= LONG_RUN_MS && Number(row.crashes) > 1) {
      this.accuse(`${run.name} ran for ${ranMs / 1000} s and begins with ${row.crashes} crashes`)
    }
    // A service is started by its pods. What was started by a process that was killed before it could say so counts as
    // begun anew after a reboot; one that was killed before its first start counts as restarted.
    if (!this.alone || row.kind === 'service') return
    const uncounted = earlier - Number(row.restarts)
    if (uncounted > this.killed || (this.sound && uncounted < 0)) {
      this.accuse(`${run.name} was started ${earlier} times before and counts ${row.restarts} restarts`)
    }
  }

  #restartTime(run: Run, row: Row): void {
    const ended = this.#ended.get(run.id)
    if (ended === undefined || ended.boot !== this.#kernel.boot || ended.run.endedMs === undefined) return
    // Of one whose monitor was killed the end is what the engine took for it, which is before (seed 5551057).
    if (ended.run.asked || !ended.seen) return
    const gapMs = this.#scheduler.monoMs - ended.run.endedMs
    const ranMs = ended.run.endedMs - ended.run.startedMs
    // The restart itself is among them already.
    const recordedMs = ranMs >= LONG_RUN_MS ? 0 : backOffMs(Math.max(0, Number(row.crashes) - 1))
    if (!this.jumped && gapMs < recordedMs) {
      this.accuse(`${run.name} is restarted after ${gapMs / 1000} s instead of ${recordedMs / 1000} s`)
    }
    // A sidecar in back-off holds up what comes after it.
    if (!this.calm || this.#rows(run.pod).some(({ kind }) => kind === 'sidecar')) return
    const dueMs = backOffMs((this.#streaks.get(run.id) ?? 1) - 1)
    if (gapMs < dueMs || gapMs > dueMs + SLACK_MS) {
      this.accuse(
        `${run.name}: in a quiet history it is restarted after ${gapMs / 1000} s instead of ${dueMs / 1000} s`,
      )
    }
  }

  /** Namespaces or network of a pod are about to be touched: whoever comes after a crash has to know. */
  touches(podId: string, what: string): void {
    const [sandbox] = this.#database.all(
      'SELECT state, boot, complete FROM sandbox JOIN pod ON pod.id = sandbox.pod WHERE pod.id = ?',
      [podId],
    )
    // A play that is interrupted is undone as a whole.
    if (sandbox?.complete === 0 || (sandbox?.state === 'changing' && sandbox.boot === this.#kernel.boot)) return
    this.accuse(`${what} of pod ${podId}, which the store takes for ${sandbox?.state}`)
  }

  /** The engine is about to signal a container's process. */
  signal(run: Run, signal: string | number): void {
    const { row, pod } = this.#recordOf(run.id, run.pod)
    if (pod.kind === 'service') this.#serviceStop(run, pod, signal)
    if (!this.#lastPlans.get(run.pod)?.steps.some(step => step.do === 'unpin')) return
    for (const other of this.#rows(run.pod)) {
      if (other.id === run.id || !this.#isUp(other)) continue
      const isWork = other.kind === 'regular' || other.kind === 'init'
      const late =
        row.kind === 'infra' ||
        (row.kind === 'sidecar' && (isWork || Number(other.ordinal) > Number(row.ordinal))) ||
        dependenciesOf(pod, other).includes(String(row.short_name))
      if (late && other.kind !== 'infra') this.accuse(`${run.name} is stopped while ${other.name} runs`)
    }
  }

  #serviceStop(run: Run, service: Row, signal: string | number): void {
    const rows = this.#membersOf(service)
    for (const row of rows) if (this.#isUp(row)) this.accuse(`${run.name} is stopped while ${row.name} runs`)
    // Its end tells systemd what became of the containers; its removal tells nothing, and KILL may come after a grace.
    if (service.goal !== 'stopped' || run.asked || !run.started) return
    const message = this.#messages.get(String(service.id)) ?? this.#messageOf(service)
    if ((signal === 'SIGKILL') !== message.fails) this.accuse(`${run.name} ends by ${signal}: ${message.because}`)
  }

  #membersOf(service: Row): Row[] {
    const pods = this.#database.all('SELECT id FROM pod WHERE service = ?', [String(service.id)])
    return pods.flatMap(pod => this.#rows(String(pod.id)))
  }

  /** What the end of a service has to say by what is on record now. */
  #messageOf(service: Row): Message {
    const pods = this.#database.all('SELECT id, failure, job, goal FROM pod WHERE service = ?', [String(service.id)])
    const ofJob = new Set(pods.filter(({ job }) => job !== null).map(({ id }) => id))
    const jobs = this.#database.all(
      'SELECT outcome FROM job WHERE id IN (SELECT job FROM pod WHERE service = ? AND goal <> ?)',
      [String(service.id), 'removed'],
    )
    const hasFailed = new Set(pods.filter(pod => pod.failure !== null).map(pod => pod.id))
    const { propagation } = JSON.parse(String(service.settings)) as PodSettings
    const isGoing = new Set(pods.filter(({ goal }) => goal === 'removed').map(({ id }) => id))
    const codes = this.#membersOf(service)
      // What is about to be removed tells nothing any more.
      .filter(({ kind, pod }) => kind === 'regular' && !ofJob.has(pod) && !isGoing.has(pod))
      // What somebody has stopped has not failed.
      .map(row => (hasFailed.has(row.pod as Id) ? 'failed' : row.state === 'exited' ? row.exit_code : null))
      .concat(jobs.map(({ outcome }) => (outcome === 'Complete' ? 0 : 'failed')))
    const isBad = (code: unknown): boolean => code !== null && code !== 0
    const fails =
      (propagation === 'any' && codes.some(isBad)) || (propagation === 'all' && codes.length > 0 && codes.every(isBad))
    return { fails, because: `${propagation} of the codes ${codes.join(', ')}` }
  }

  /** The runtime is asked to delete a container whose process is there. */
  deletion(run: Run): void {
    const row = this.#row(run.id)
    const isRecorded = row?.pid === run.process.pid && row.boot === this.#kernel.boot
    if (run.started && !run.asked && isRecorded) this.accuse(`${run.name} is deleted while it runs`)
  }

  #exit(run: Run): void {
    if (!run.started) return
    this.#ended.set(run.id, { run, boot: this.#kernel.boot, seen: run.monitor.alive })
    const ranMs = (run.endedMs ?? 0) - run.startedMs
    this.#streaks.set(run.id, ranMs >= LONG_RUN_MS ? 1 : (this.#streaks.get(run.id) ?? 0) + 1)
    this.jobs.end(run.id, run.pod, run.code ?? 0)
    if (run.code === 0) this.#succeededOn.set(run.id, this.#kernel.boot)
  }

  /** Runs, and the store knows of it: what it does not know cannot be taken into account. */
  #isUp(row: Row): boolean {
    const run = this.#kernel.runs.get(row.id as Id)
    return run?.started === true && run.process.alive && row.pid === run.process.pid
  }

  #rows(pod: string): Row[] {
    return this.#database.all('SELECT * FROM container WHERE pod = ?', [pod])
  }
}

/** It has ended, and by its own terms or its pod's for good. */
const isOver = (pod: Row, row: Row): boolean =>
  (row.state === 'exited' || row.state === 'stopped') && !runsAgain(pod, row)

/** By what the manifest says, a container that ended like that is started again. */
export function runsAgain(pod: Row, row: Row): boolean {
  const spec = JSON.parse(String(pod.spec)) as PodSpec
  if (row.kind === 'sidecar' || row.kind === 'infra') return true
  if (row.kind === 'service' || (row.kind === 'init' && row.exit_code === 0)) return false
  // However gracefully it went: a probe has found it to be beyond help.
  const code = row.failed_check !== null && row.exit_code === 0 ? 137 : Number(row.exit_code)
  const own = [...spec.initContainers, ...spec.containers].find(({ name }) => name === row.short_name)
  for (const { operator, values } of own?.restartRules ?? []) {
    if (values.includes(code) === (operator === 'In')) return true
  }
  const policy = own?.restartPolicy ?? spec.restartPolicy
  return policy === 'Always' || (policy === 'OnFailure' && code !== 0)
}

const isInitial = (row: Row): boolean => row.kind === 'init' || row.kind === 'sidecar'

/** Short names of what a container of the pod depends on. */
export function dependenciesOf(pod: Row, row: Row): string[] {
  const spec = JSON.parse(String(pod.spec)) as PodSpec
  return spec.containers.find(({ name }) => name === row.short_name)?.dependsOn ?? []
}

/** The kubelet's: at once, then 10 s, doubling to 300 s. */
const backOffMs = (crashes: number): number =>
  crashes === 0 ? 0 : Math.min(10_000 * 2 ** (crashes - 1), LONGEST_BACK_OFF_MS)
