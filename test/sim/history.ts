/** One history: a play, whatever may befall it, and its end; with the checks of what must be true at rest. */
import { cleanup } from '../../src/engine/cleanup.ts'
import type { EngineContext } from '../../src/engine/context.ts'
import { tendWith } from '../../src/engine/jobs/index.ts'
import { operatePods } from '../../src/engine/operate/pods.ts'
import { down } from '../../src/engine/play/down.ts'
import { tick } from '../../src/engine/tick.ts'
import type { Id } from '../../src/model.ts'
import { pathsFor } from '../../src/paths.ts'
import { hostFacts } from '../support/spec-input.ts'
import { atRest, nothingLeft } from './checks.ts'
import { operate, playWhole } from './commands.ts'
import { setWorld, type World } from './current.ts'
import { Kernel, RUNTIME_ROOT, type Run } from './kernel.ts'
import { type Random, randomFrom } from './random.ts'
import { Rules } from './rules.ts'
import { type Actor, type Fate, Scheduler } from './scheduler.ts'
import type { Database } from './store.ts'
import { Timekeeper } from './timekeeper.ts'
import { randomWorkload, type Workload } from './workload.ts'

export type Told = {
  seed: number
  failure: string | undefined
  trace: string[]
  counts: Record<string, number>
}

/** How much may go wrong in a history; each is chosen once, so that quiet histories check what noisy ones cannot. */
type Weather = { crash: number; fail: number; full: number; jumps: boolean; disasters: boolean; commands: boolean }

const PODS_LIVE_MS = 20 * 60_000
/** A back-off of five minutes and all that may come before it. */
const CALM_MS = 15 * 60_000
const JOB_HOURS = 4

export class History {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly kernel: Kernel
  readonly rules: Rules
  readonly world: World
  readonly database: Database
  readonly workload: Workload
  readonly counts: Record<string, number> = {}
  readonly timekeeper: Timekeeper
  readonly #weather: Weather
  #isStorm = true
  #networkDownUntilMs = 0

  constructor(seed: number, database: Database) {
    this.random = randomFrom(seed)
    this.database = database
    database.clear()
    this.scheduler = new Scheduler(this.random)
    this.kernel = new Kernel(this.scheduler)
    this.rules = new Rules(this.scheduler, this.kernel, database)
    this.timekeeper = new Timekeeper(this.scheduler, () => this.spawn('tick', context => tick(context)))
    this.world = {
      scheduler: this.scheduler,
      kernel: this.kernel,
      rules: this.rules,
      timekeeper: this.timekeeper,
      holds: new Map(),
      locks: new Map(),
      wishes: new Map(),
      lockFiles: new Set(),
    }
    setWorld(this.world)
    this.workload = randomWorkload(this.random)
    for (const [name, profile] of this.workload.profiles) this.kernel.profiles.set(name, profile)
    this.#weather = randomWeather(this.random)
    const { crash, fail, full, disasters, commands } = this.#weather
    this.rules.calm = Object.values(this.#weather).every(value => !value)
    this.rules.sound = crash === 0 && fail === 0 && full === 0 && !disasters
    this.rules.alone = !commands && fail === 0 && full === 0
    this.rules.jobs.alone = !commands
    this.scheduler.fateOf = (actor, label) => this.#fateOf(actor, label)
    this.scheduler.onDeath = () => {
      this.rules.killed++
      this.rules.forgetPlans()
      this.count('crashes')
    }
    this.kernel.onHook = run => this.#hook(run, 0)
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  /** What one process of tspod works with. */
  context(): EngineContext {
    const { scheduler, kernel } = this
    const layer = (act: () => void, label: string): Promise<void> => scheduler.effect(label, act)
    const rootfs = {
      create: (_image: unknown, id: Id) =>
        scheduler.effect('rootfs', () => {
          kernel.layers.set(id, 'mounted')
          return '/rootfs'
        }),
      unmount: (id: Id) => layer(() => void (kernel.layers.has(id) && kernel.layers.set(id, 'unmounted')), 'unmount'),
      remove: (id: Id) => layer(() => void kernel.layers.delete(id), 'erase'),
    }
    return {
      store: this.database.door(scheduler),
      clock: scheduler.clock,
      boot: kernel.boot,
      paths: pathsFor(undefined, undefined),
      host: hostFacts(),
      hierarchies: [],
      cgroupPlace: { manager: 'cgroupfs' },
      journal: false,
      launcher: 'tspod',
      exitHook: 'exit-hook',
      note: () => undefined,
      rootfs: async () => rootfs,
      networks: {
        teardown: (_path: string, input: { container_id: string }) =>
          scheduler.effect('disconnect', () => {
            this.rules.touches(input.container_id, 'disconnect')
            kernel.connected.delete(input.container_id)
          }),
      },
      findImage: async () => ({}),
      runtime: async () => ({ name: 'crun', path: '/usr/bin/crun', version: '1.8', root: RUNTIME_ROOT }),
      // The doors that nothing here goes through are left out.
    } as unknown as EngineContext
  }

  spawn<T>(name: string, work: (context: EngineContext, signal: AbortSignal) => Promise<T>) {
    this.count(name.split(' ')[0] ?? name)
    const signal = new AbortController().signal
    return this.scheduler.spawn(name, () => work(this.context(), signal))
  }

  async play(): Promise<Told> {
    const { bundle, options } = this.workload
    void this.spawn('play', (context, signal) => playWhole(context, bundle, options, signal))
    this.#storm()
    await this.scheduler.run(PODS_LIVE_MS)
    this.#isStorm = false
    this.scheduler.say('--- from here on nothing goes wrong any more')
    this.scheduler.fateOf = () => 'go'
    // Whoever paused something lets it go on.
    for (const run of this.kernel.runs.values()) this.kernel.freeze(run, false)
    // Only crashes need somebody who looks: where there are none, clocks and exits are enough.
    if (!this.rules.sound) this.#lookAfterAll()
    await this.scheduler.run(CALM_MS)
    // Pauses between pods add up.
    for (let hour = 0; hour < JOB_HOURS && this.scheduler.failure === undefined && this.rules.jobs.isOpen(); hour++)
      await this.scheduler.run(3_600_000)
    if (this.scheduler.failure === undefined) await atRest(this)
    if (this.scheduler.failure === undefined) await this.#down()
    return this.told()
  }

  told(): Told {
    this.counts.effects = this.scheduler.effects
    this.counts.plans = this.rules.plans
    for (const [kind, count] of this.rules.steps) this.counts[`step ${kind}`] = count
    return { seed: 0, failure: this.scheduler.failure?.message, trace: this.scheduler.trace, counts: this.counts }
  }

  async #down(): Promise<void> {
    const { workloads } = this.workload.bundle
    const pods = this.workload.bundle.pods.map(pod => pod.name)
    const request = { pods, workloads, secrets: [], claims: [], podClaims: [], claimsOf: [] }
    const ended = this.spawn('down', (context, signal) => down(context, request, { force: true }, signal))
    await this.scheduler.run(10 * 60_000)
    if (this.scheduler.failure !== undefined) return
    const outcome = await Promise.race([ended, Promise.resolve('does not end' as const)])
    if (typeof outcome === 'string' || 'error' in outcome) this.scheduler.accuse(`down: ${JSON.stringify(outcome)}`)
    else for (const { object, message } of outcome.value.failures) this.scheduler.accuse(`down: ${object}: ${message}`)
    nothingLeft(this)
  }

  /** The next command after a crash. */
  #lookAfterAll(): void {
    for (const row of this.database.all("SELECT id, name FROM pod WHERE kind = 'pod'")) {
      void this.spawn(`look ${row.name}`, (context, signal) =>
        tendWith(context, [row.id as Id], () => operatePods(context, [row.id as Id], { do: 'cleanup' }, signal)),
      )
    }
  }

  /** conmon runs the exit hook: templates/exit-hook. */
  #hook(run: Run, attempt: number): void {
    const { boot } = this.kernel
    this.scheduler.after(this.random.below(200), async () => {
      if (this.kernel.boot !== boot || this.world.holds.get(run.pod)?.alive) return
      const outcome = await this.spawn(`cleanup ${run.name}`, context => cleanup(context, run.id))
      if (typeof outcome === 'object' && 'value' in outcome) return
      const pauseMs = [5_000, 10_000, 15_000][attempt]
      if (pauseMs !== undefined) this.scheduler.after(pauseMs, () => this.#hook(run, attempt + 1))
    })
  }

  #fateOf(_actor: Actor, label: string): Fate {
    if (!this.#isStorm) return 'go'
    const { crash, fail, full } = this.#weather
    if (crash > 0 && this.random.chance(crash)) return this.random.pick(['die before', 'die after'] as const)
    if (label === 'network' && this.scheduler.monoMs < this.#networkDownUntilMs) return new Error('netavark fails')
    if (label === 'commit' && full > 0 && this.random.chance(full)) {
      this.count('failed commits')
      // What was planned and could not be written down is not carried out (seed 555711).
      this.rules.forgetPlans()
      return new Error('database or disk is full')
    }
    if (fail > 0 && MAY_FAIL.test(label) && this.random.chance(fail)) {
      this.count('failed effects')
      return new Error(`${label} fails`)
    }
    return 'go'
  }

  /** What befalls the pods from outside, at random times. */
  #storm(): void {
    const { jumps, disasters, commands } = this.#weather
    // Just before nobody but the timekeeper looks: what it waits for is suddenly far away.
    if (jumps) this.scheduler.after(PODS_LIVE_MS - this.random.below(60_000), () => this.#jump(-5 * 3_600_000))
    const kinds = [...(jumps ? [this.#anyJump] : []), ...(disasters ? [this.#disaster] : [])]
    if (commands) kinds.push(...Array(3).fill(this.#command))
    if (kinds.length === 0) return
    for (let count = this.random.between(1, 10); count > 0; count--) {
      const kind = this.random.pick(kinds)
      // Many things happen in the first seconds of a pod, few in an hour.
      const longest = this.random.pick([500, 5_000, 60_000, PODS_LIVE_MS])
      this.scheduler.after(this.random.below(longest), () => kind.call(this))
    }
  }

  #anyJump(): void {
    this.#jump(this.random.pick([1, -1]) * this.random.pick([30_000, 600_000, 5 * 3_600_000, 400 * 86_400_000]))
  }

  #jump(ms: number): void {
    this.scheduler.say(`* the clock jumps by ${ms / 1000} s`)
    this.count('jumps')
    this.rules.jumped = true
    this.rules.jobs.alone = false
    this.scheduler.offsetMs += ms
  }

  #disaster(): void {
    const { random, kernel, scheduler } = this
    const running = [...kernel.runs.values()].filter(run => run.process.alive)
    const some = random.pick([...running, undefined])
    const disasters: Record<string, () => void> = {
      'killed containers': () => some && kernel.end(some, 137),
      'failed probes': () => some && this.#failProbe(some),
      'killed monitors': () => some && kernel.killMonitor(some),
      'killed processes': () => scheduler.living().forEach(actor => void scheduler.kill(actor)),
      'killed timekeepers': () => this.timekeeper.kill(),
      'network failures': () => {
        this.#networkDownUntilMs = scheduler.monoMs + random.below(60_000)
      },
      reboots: () => this.#reboot(),
    }
    const kind = random.pick(Object.keys(disasters))
    this.count(kind)
    disasters[kind]?.()
  }

  /** What the prober does with a container whose liveness probe has failed: a wish in its record, and a look, and again. */
  #failProbe(run: Run): void {
    const params = [run.id, run.process.pid]
    const isUp = "id = ? AND pid = ? AND state = 'running' AND hooked = 1 AND kind IN ('regular', 'sidecar')"
    this.database.all(`UPDATE container SET failed_check = 'liveness', ready = 0 WHERE ${isUp}`, params)
    this.scheduler.say(`* the liveness probe of ${run.name} fails`)
    const ask = (): void => {
      if (this.database.all(`SELECT 1 FROM container WHERE failed_check IS NOT NULL AND ${isUp}`, params).length === 0)
        return
      void this.spawn(`cleanup ${run.name}`, context => cleanup(context, run.id))
      this.scheduler.after(10_000, ask)
    }
    this.scheduler.after(this.random.below(200), ask)
  }

  #reboot(): void {
    this.scheduler.say('* the host is rebooted')
    for (const actor of this.scheduler.living()) this.scheduler.kill(actor)
    this.timekeeper.kill()
    this.kernel.reboot(this.random.chance(0.2))
    this.scheduler.after(this.random.below(30_000), () => this.#lookAfterAll())
  }

  #command(): void {
    operate(this)
  }
}

/** Commits fail by themselves: the disk is full. Reading never does. */
const MAY_FAIL =
  /^(create|start|bundle|rootfs|erase|unmount|delete|network|disconnect|sandbox|unpin|cgroup|volumes|remove)/

function randomWeather(random: Random): Weather {
  if (random.chance(0.2)) return { crash: 0, fail: 0, full: 0, jumps: false, disasters: false, commands: false }
  if (random.chance(0.1)) return { crash: 0, fail: 0, full: 0, jumps: true, disasters: false, commands: false }
  return {
    crash: random.pick([0, 0, 0.002, 0.01, 0.05]),
    fail: random.pick([0, 0, 0.01, 0.1]),
    full: random.pick([0, 0, 0, 0.005, 0.05]),
    jumps: random.chance(0.3),
    disasters: random.chance(0.5),
    commands: random.chance(0.5),
  }
}
