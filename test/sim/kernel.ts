/** The host below the engine: files, processes, monitors, layers, namespaces, networks, cgroups. All of it is virtual. */
import type { Id } from '../../src/model.ts'
import type { Exit } from '../../src/oci/index.ts'
import { profileName } from './jobs.ts'
import type { Scheduler } from './scheduler.ts'

/** How a container behaves. */
export type Profile = {
  /** How long a run takes; undefined for one that does not end by itself. */
  lifeMs(): number | undefined
  code(): number
  ignoresTerm: boolean
}

type Process = { pid: number; start: string; alive: boolean }

/** The last run of a container. */
export type Run = {
  id: Id
  pod: string
  name: string
  process: Process
  monitor: Process
  started: boolean
  /** Somebody sent it a signal that means the end. */
  asked: boolean
  frozen: boolean
  /** What happens to it as soon as it is thawed. */
  thawed: (() => void)[]
  startedMs: number
  endedMs: number | undefined
  code: number | undefined
}

export class Kernel {
  boot = 'boot-1'
  readonly files = new Map<string, unknown>()
  readonly runs = new Map<Id, Run>()
  readonly layers = new Map<Id, 'mounted' | 'unmounted'>()
  readonly pinned = new Set<string>()
  readonly connected = new Set<string>()
  readonly cgroups = new Set<string>()
  readonly volumes = new Set<string>()
  /** Processes whose parent must live: pod → its infra container. */
  readonly infra = new Map<string, Id>()
  readonly profiles = new Map<string, Profile>()
  onExit: (run: Run) => void = () => undefined
  /** The exit hook of a container that ended while its monitor was there. */
  onHook: (run: Run) => void = () => undefined
  readonly #scheduler: Scheduler
  readonly #processes = new Map<number, Process>()
  #nextPid = 100
  #boots = 1
  #news: (() => void)[] = []

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  isAlive(pid: number, start: string): boolean {
    const process = this.#processes.get(pid)
    return process?.start === start && process.alive
  }

  /** The run whose process is exactly that one: pids are used again after a reboot. */
  runOf(pid: number, start: string): Run | undefined {
    return [...this.runs.values()].find(({ process }) => process.pid === pid && process.start === start)
  }

  /** Something ended: whoever waits looks again. */
  news(): Promise<void> {
    return new Promise(resolve => this.#news.push(resolve))
  }

  #tell(): void {
    const waiting = this.#news
    this.#news = []
    for (const one of waiting) one()
  }

  #process(): Process {
    const process = { pid: this.#nextPid++, start: String(Math.round(this.#scheduler.nowMs())), alive: true }
    this.#processes.set(process.pid, process)
    return process
  }

  create(id: Id, pod: string, name: string): Run {
    const run: Run = {
      id,
      pod,
      name,
      process: this.#process(),
      monitor: this.#process(),
      started: false,
      asked: false,
      frozen: false,
      thawed: [],
      startedMs: 0,
      endedMs: undefined,
      code: undefined,
    }
    this.runs.set(id, run)
    return run
  }

  start(run: Run): void {
    run.started = true
    run.startedMs = this.#scheduler.monoMs
    const profile = this.profiles.get(profileName(run.name))
    const lifeMs = profile?.lifeMs()
    if (profile === undefined || lifeMs === undefined) return
    this.#scheduler.after(lifeMs, () => this.#unlessFrozen(run, () => this.end(run, profile.code())))
  }

  freeze(run: Run, frozen: boolean): void {
    run.frozen = frozen
    if (!frozen) for (const act of run.thawed.splice(0)) act()
  }

  #unlessFrozen(run: Run, act: () => void): void {
    if (run.frozen) run.thawed.push(act)
    else act()
  }

  /** The container's process ends; everything in its PID namespace goes with an infra container. */
  end(run: Run, code: number): void {
    if (!run.process.alive) return
    run.process.alive = false
    run.endedMs = this.#scheduler.monoMs
    run.code = code
    this.#scheduler.say(`* ${run.name} ends with code ${code}`)
    this.onExit(run)
    if (this.infra.get(run.pod) === run.id) {
      for (const other of this.runs.values()) if (other.pod === run.pod) this.end(other, 137)
    }
    this.#scheduler.after(this.#scheduler.random.below(30), () => this.#report(run, code))
    this.#tell()
  }

  #report(run: Run, code: number): void {
    const isSeen = run.monitor.alive
    const exit: Exit = { code, finishedMs: Math.round(this.#scheduler.nowMs()) }
    if (isSeen) this.files.set(`${EXITS}/${run.id}`, exit)
    run.monitor.alive = false
    this.#tell()
    if (isSeen) this.onHook(run)
  }

  killMonitor(run: Run): void {
    run.monitor.alive = false
    this.#scheduler.say(`* the monitor of ${run.name} is killed`)
    this.#tell()
  }

  signal(pid: number, start: string, signal: string | number): boolean {
    const run = this.runOf(pid, start)
    if (run === undefined || !this.isAlive(pid, start)) return false
    this.#scheduler.say(`    ${signal} to ${run.name}`)
    if (signal !== 'SIGHUP') run.asked = true
    const { random } = this.#scheduler
    if (signal === 'SIGKILL') this.end(run, 137)
    else if (run.started && !this.profiles.get(profileName(run.name))?.ignoresTerm) {
      const code = this.infra.get(run.pod) === run.id || signal === 'SIGINT' || random.chance(0.3) ? 0 : 143
      this.#scheduler.after(random.below(1_500), () => this.#unlessFrozen(run, () => this.end(run, code)))
    }
    return true
  }

  /** Removes a path and all below it. */
  remove(path: string): void {
    this.files.delete(path)
    for (const name of this.files.keys()) if (name.startsWith(`${path}/`)) this.files.delete(name)
  }

  exists(path: string): boolean {
    if (this.files.has(path)) return true
    for (const name of this.files.keys()) if (name.startsWith(`${path}/`)) return true
    return false
  }

  /** Everything but disks is gone. `stale`: the run directory is on a disk and keeps what it had. */
  reboot(stale: boolean): void {
    this.boot = `boot-${++this.#boots}`
    for (const run of this.runs.values()) {
      run.process.alive = false
      run.monitor.alive = false
      run.endedMs ??= this.#scheduler.monoMs
    }
    this.#processes.clear()
    this.#nextPid = 100
    if (!stale) this.remove(RUN_ROOT)
    for (const [id, state] of this.layers) if (state === 'mounted') this.layers.set(id, 'unmounted')
    this.pinned.clear()
    this.connected.clear()
    this.cgroups.clear()
    this.#news = []
  }

  /** What holds memory or names of the kernel for a pod; nothing when it is at rest. */
  held(pod: string): string[] {
    const found: string[] = []
    for (const run of this.runs.values()) {
      if (run.pod !== pod) continue
      if (run.process.alive) found.push(`process of ${run.name}`)
      if (run.monitor.alive) found.push(`monitor of ${run.name}`)
      if (this.exists(`${RUNTIME_ROOT}/${run.id}`)) found.push(`runtime state of ${run.name}`)
      if (this.layers.get(run.id) === 'mounted') found.push(`mount of ${run.name}`)
    }
    if (this.pinned.has(pod)) found.push('namespaces')
    if (this.connected.has(pod)) found.push('network')
    for (const path of this.cgroups) if (path.includes(pod.slice(0, 12))) found.push(`cgroup ${path}`)
    return found
  }

  /** Everything there is, of any pod. */
  rest(): string[] {
    return [
      ...[...this.runs.values()].flatMap(run => [
        ...(run.process.alive ? [`process of ${run.name}`] : []),
        ...(run.monitor.alive ? [`monitor of ${run.name}`] : []),
      ]),
      ...this.files.keys(),
      ...[...this.layers.keys()].map(id => `layer ${id}`),
      ...[...this.pinned].map(pod => `namespaces of ${pod}`),
      ...[...this.connected].map(pod => `network of ${pod}`),
      ...this.cgroups,
      ...[...this.volumes].map(pod => `volumes of ${pod}`),
    ]
  }
}

export const RUN_ROOT = '/run/tspod'
export const EXITS = `${RUN_ROOT}/exits`
export const RUNTIME_ROOT = `${RUN_ROOT}/runtime/crun`
