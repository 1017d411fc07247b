/** Random Jobs, and what must be true of them. */
import type { Row } from '../../src/engine/state/store.ts'
import { firstPods, INDEX_MARK, NUMBER_MARK } from '../../src/job.ts'
import type { ContainerName, ContainerSpec, Id, JobSpec, PodName, PodSpec } from '../../src/model.ts'
import { containerSpec, podSpec } from '../support/spec-input.ts'
import type { Kernel, Profile } from './kernel.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'
import type { Database } from './store.ts'

const NAME = 'job'
const POD = 'job-pod'
/** A play waits for the init containers of all its pods. */
const INIT_MS = 10_000
/** Beside what it waits for: graces, locks and looks of others. */
const SLACK_MS = 120_000

/** A Job that comes to an end, and its first pods. */
export function randomJob(random: Random, profiles: Map<string, Profile>): { job: JobSpec; pods: PodSpec[] } {
  const completions = random.chance(0.8) ? random.between(1, 5) : undefined
  const indexed = completions !== undefined && random.chance(0.4)
  const perIndex = indexed && random.chance(0.4) ? { backoffLimitPerIndex: random.below(3) } : {}
  const template = randomTemplate(random, profiles, { indexed, onlyNever: 'backoffLimitPerIndex' in perIndex })
  const failsAt = template.restartPolicy === 'Never' && random.chance(0.2)
  const exitCodes = { operator: 'In', values: [3] } as const
  const job: JobSpec = {
    name: NAME,
    template,
    parallelism: random.between(1, 3),
    ...(completions !== undefined && { completions }),
    indexed,
    backoffLimit: 'backoffLimitPerIndex' in perIndex ? 2 ** 31 - 1 : random.pick([0, 1, 2, 4]),
    ...perIndex,
    ...('backoffLimitPerIndex' in perIndex && random.chance(0.3) && { maxFailedIndexes: random.below(3) }),
    ...(random.chance(0.25) && { deadlineMs: random.pick([10_000, 120_000, 900_000]) }),
    ...(random.chance(0.3) && { ttlMs: random.pick([0, 30_000, 600_000]) }),
    failureRules: failsAt ? [{ action: 'FailJob', exitCodes: { ...exitCodes, values: [...exitCodes.values] } }] : [],
    successRules: indexed && random.chance(0.2) ? [{ count: 1 }] : [],
  }
  return { job, pods: firstPods(job) }
}

function randomTemplate(
  random: Random,
  profiles: Map<string, Profile>,
  { indexed, onlyNever }: { indexed: boolean; onlyNever: boolean },
): PodSpec {
  const longest = random.pick([200, 10_000, 100_000])
  const failures = random.pick([0, 0.2, 0.5, 1])
  const make = (short: string, more: Partial<ContainerSpec> = {}): ContainerSpec => {
    const isSidecar = more.restartPolicy === 'Always'
    profiles.set(`${POD}-${short}`, {
      lifeMs: () => (isSidecar ? undefined : random.below(short === 'i0' ? INIT_MS : longest)),
      code: () => (random.chance(failures) ? random.between(1, 4) : 0),
      ignoresTerm: random.chance(0.1),
    })
    return containerSpec({ name: short as ContainerName, ...more })
  }
  const inits = [
    ...(random.chance(0.2) ? [make('i0')] : []),
    ...(random.chance(0.2) ? [make('s1', { restartPolicy: 'Always' })] : []),
  ]
  return podSpec({
    name: `${POD}${NUMBER_MARK}` as PodName,
    hostname: indexed ? `${NAME}-${INDEX_MARK}` : `${POD}${NUMBER_MARK}`,
    origin: { kind: 'Job', name: NAME, place: { file: 'job.yaml', line: 1, column: 1 } },
    restartPolicy: onlyNever ? 'Never' : random.pick(['OnFailure', 'Never'] as const),
    graceMs: random.pick([0, 2_000, 10_000]),
    initContainers: inits,
    containers: [make('c0'), ...(random.chance(0.2) ? [make('c1')] : [])],
    ...(random.chance(0.1) && { deadlineMs: random.pick([5_000, 60_000]) }),
  })
}

/** Later pods of a Job behave as its first. */
export const profileName = (container: string): string => container.replace(/^job-pod-\d+-/, `${POD}-`)

/** What becomes of Jobs, as the kernel sees it. */
export class JobRules {
  /** Nobody but the engine starts their pods. */
  alone = true
  readonly #scheduler: Scheduler
  readonly #kernel: Kernel
  readonly #database: Database
  /** Pods all of whose regular containers have ended with 0 at some time. */
  readonly #succeeded = new Set<string>()
  readonly #codes = new Map<Id, number>()

  constructor(scheduler: Scheduler, kernel: Kernel, database: Database) {
    this.#scheduler = scheduler
    this.#kernel = kernel
    this.#database = database
  }

  /** A container of a pod is about to be started. */
  start(pod: Row): void {
    if (pod.job === null) return
    this.check()
    const [job] = this.#database.all('SELECT * FROM job WHERE id = ?', [String(pod.job)])
    if (job === undefined) this.#scheduler.accuse(`${pod.name} is started, and its Job is gone`)
    if (job === undefined || !this.alone) return
    // Whoever was at it when the Job ended may come to its end.
    const isLate = job.outcome !== null && this.#scheduler.nowMs() - Number(job.finished_ms) > SLACK_MS
    if (isLate) this.#scheduler.accuse(`${pod.name} is started of a Job that is ${job.outcome}`)
    const { parallelism } = JSON.parse(String(job.spec)) as JobSpec
    const up = this.#pods(job).filter(other => other.id === pod.id || this.#isUp(other))
    if (up.length > parallelism)
      this.#scheduler.accuse(`${up.map(({ name }) => name).join(', ')} run at once, more than ${parallelism}`)
  }

  /** A container has ended with this code. */
  end(id: Id, podId: string, code: number): void {
    this.#codes.set(id, code)
    const rows = this.#database.all("SELECT id FROM container WHERE pod = ? AND kind = 'regular'", [podId])
    const [pod] = this.#database.all('SELECT spec FROM pod WHERE id = ?', [podId])
    const work = pod === undefined ? undefined : (JSON.parse(String(pod.spec)) as PodSpec).containers
    const isWhole = rows.length > 0 && rows.length === work?.length
    if (isWhole && rows.every(row => this.#codes.get(row.id as Id) === 0)) this.#succeeded.add(podId)
  }

  /** Nothing is counted that was not there. */
  check(): void {
    for (const job of this.#database.all('SELECT * FROM job')) {
      const { succeeded, succeededIndexes } = JSON.parse(String(job.progress)) as Progress
      if (succeeded > this.#succeeded.size)
        this.#scheduler.accuse(`${succeeded} pods have succeeded, says the Job, of ${this.#succeeded.size}`)
      if (new Set(succeededIndexes).size !== succeededIndexes.length)
        this.#scheduler.accuse(`indexes are counted twice: ${succeededIndexes.join(', ')}`)
      const { completions = Number.POSITIVE_INFINITY } = JSON.parse(String(job.spec)) as JobSpec
      if (this.alone && succeeded > completions) this.#scheduler.accuse(`${succeeded} of ${completions} have succeeded`)
    }
  }

  /** A Job that is still at it, and not because somebody holds one of its pods, or a container of one. */
  isOpen(): boolean {
    // A pod of whose work somebody has taken away does not succeed any more.
    const regular = "SELECT count(*) FROM container WHERE pod = pod.id AND kind = 'regular'"
    const robbed = `(${regular}) < json_array_length(spec, '$.containers')`
    const held = "SELECT pod FROM container WHERE goal <> 'running'"
    // What somebody does to a pod whose end is counted holds up nothing, unless he starts it again.
    const over = "counted = 1 AND id IN (SELECT pod FROM sandbox WHERE state = 'down')"
    const open = this.#database.all(
      `SELECT id FROM job WHERE outcome IS NULL AND id NOT IN
       (SELECT job FROM pod WHERE job IS NOT NULL AND NOT (${over})
        AND (goal <> 'running' OR complete = 0 OR ${robbed} OR id IN (${held})))`,
    )
    return open.length > 0
  }

  /** Nothing goes wrong any more, and all time it may need has passed. */
  atRest(): void {
    this.check()
    if (this.isOpen()) this.#scheduler.accuse('the Job does not end')
    for (const job of this.#database.all('SELECT * FROM job WHERE outcome IS NOT NULL')) {
      const pods = this.#pods(job)
      const up = pods.filter(pod => this.#isUp(pod))
      if (up.length > 0) this.#scheduler.accuse(`the Job is ${job.outcome}, and ${up[0]?.name} runs`)
      const { ttlMs, completions } = JSON.parse(String(job.spec)) as JobSpec
      const { succeeded } = JSON.parse(String(job.progress)) as Progress
      if (job.reason === 'Completed' && succeeded < (completions ?? 1))
        this.#scheduler.accuse(`the Job is complete with ${succeeded} of ${completions}`)
      const ageMs = this.#scheduler.nowMs() - Number(job.finished_ms)
      if (ttlMs !== undefined && ageMs > ttlMs + SLACK_MS && pods.every(({ service }) => service === null))
        this.#scheduler.accuse(`the Job is there ${ageMs} ms after its end, and should go after ${ttlMs}`)
    }
  }

  #pods(job: Row): Row[] {
    return this.#database.all('SELECT * FROM pod WHERE job = ?', [String(job.id)])
  }

  #isUp(pod: Row): boolean {
    return [...this.#kernel.runs.values()].some(run => run.pod === pod.id && run.started && run.process.alive)
  }
}

type Progress = { succeeded: number; succeededIndexes: number[] }
