/**
 * The prober: one process for all probes of an installation. It reads from the store what runs, probes it, and writes
 * there what changes; whatever has to be done about a container is done by `tspod container cleanup`, under the pod's
 * lock, as after any end. It is there as long as something is to be probed. When it is killed it leaves its mark
 * behind, and the next command starts another: see engine/prober.ts.
 */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { Clock } from '../../../clock.ts'
import { isTspodError } from '../../../errors.ts'
import { expandWords } from '../../../kube/index.ts'
import type { Handler } from '../../../model.ts'
import { isAlive } from '../../../oci/index.ts'
import { databasePath, type Paths, proberMark } from '../../../paths.ts'
import type { Run } from '../../../process.ts'
import { randomFraction } from '../../../random.ts'
import { readBootKey } from '../../boot.ts'
import { eventAbout, type NewEvent } from '../../events/index.ts'
import { openStore, type Store, takeLock } from '../../state/index.ts'
import { execCheck, type Finding, type Site, tryProbe } from '../handlers/index.ts'
import {
  afterProbe,
  beginWatch,
  type Change,
  dueProbes,
  nextDueMs,
  type ProbeKind,
  takeResult,
  type Watch,
} from './machine.ts'
import { type PodCache, type ProbedRun, readRuns, writeChange } from './records.ts'

/** Missed news costs no more than this. */
const LONGEST_SLEEP_MS = 10_000
/** Probes that run at the same time; others wait for their turn. */
const MAX_AT_ONCE = 64
/** A probe that could not be made is tried again at once, and then counts for nothing. */
const TRIES = 3
/** One that is to be ended is brought to mind again when nothing has come of it. */
const RETRY_MS = 10_000
/** A stop takes as long as the grace of its pod. */
const CLEANUP_TIMEOUT_MS = 24 * 3_600_000
/** The one before it may be about to end. */
const LOCK_TIMEOUT_MS = 2_000
/** Texts of events. */
const MAX_TEXT = 1024
/** In a row, before it gives up and leaves it to the next one. */
const MAX_FAILURES = 30
const PAUSE_MS = 1_000

export type ProberDoors = {
  clock: Clock
  run: Run
  paths: Paths
  launcher: string
  pid: number
  /** Calls `act` whenever somebody says that there is news. */
  onNews(act: () => void): void
}

type Probed = { run: ProbedRun; watch: Watch; busy: Set<ProbeKind>; told: Partial<Record<ProbeKind, string>> }

/** Probes until there is nothing left to probe. */
export async function probe(doors: ProberDoors): Promise<void> {
  const { paths, clock } = doors
  const boot = readBootKey(paths)
  if (boot === undefined || !existsSync(databasePath(paths))) return
  const request = { paths, clock, name: '@prober', command: 'the prober', timeoutMs: LOCK_TIMEOUT_MS }
  const lock = await takeLock(request).catch(error => {
    if (isTspodError(error, 'LOCK_TIMEOUT')) return undefined
    throw error
  })
  // Another one is at work.
  if (lock === undefined) return
  const store = await openStore(databasePath(paths))
  try {
    await new Prober(doors, store, boot).work()
  } finally {
    await store.close()
    await lock.removeFile()
    await lock[Symbol.asyncDispose]()
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

class Prober {
  readonly #doors: ProberDoors
  readonly #store: Store
  readonly #boot: string
  readonly #cache: PodCache = new Map()
  readonly #inode: number | undefined
  #probed = new Map<string, Probed>()
  #atOnce = 0
  #failures = 0
  #version = -1
  #wake = new AbortController()
  /** Containers whose pods are being looked after, and when that was last asked for. */
  readonly #cleanups = new Map<string, { done: boolean; askedMs: number }>()

  constructor(doors: ProberDoors, store: Store, boot: string) {
    this.#doors = doors
    this.#store = store
    this.#boot = boot
    this.#inode = statSync(databasePath(doors.paths)).ino
    doors.onNews(() => this.#wake.abort())
  }

  async work(): Promise<void> {
    const { paths } = this.#doors
    for (;;) {
      await this.#round()
      if (this.#failures >= MAX_FAILURES || !this.#isOurs()) return
      // Who starts a container meanwhile finds no mark, and starts another prober; who came before is seen now.
      rmSync(proberMark(paths), { force: true })
      if ((await readRuns(this.#store, this.#boot, this.#cache)).length === 0) return
    }
  }

  /** The database may have been replaced, or the whole installation taken away. */
  #isOurs(): boolean {
    return statSync(databasePath(this.#doors.paths), { throwIfNoEntry: false })?.ino === this.#inode
  }

  /** Until nothing is left. */
  async #round(): Promise<void> {
    const { clock } = this.#doors
    while (this.#isOurs() && this.#failures < MAX_FAILURES) {
      this.#wake = new AbortController()
      this.#mark()
      let pauseMs = LONGEST_SLEEP_MS
      try {
        await this.#read()
        if (this.#probed.size === 0 && this.#atOnce === 0) return
        pauseMs = this.#begin()
        this.#failures = 0
      } catch {
        // The disk is full, or somebody holds the database: it may get better.
        this.#failures++
        pauseMs = PAUSE_MS
      }
      await clock.sleep(pauseMs, this.#wake.signal).catch(() => undefined)
    }
  }

  /** Before each look, and whatever somebody else has made of it: who finds it has us look again. */
  #mark(): void {
    const { paths, pid } = this.#doors
    const text = `${pid}\n`
    if (textOf(proberMark(paths)) !== text) writeFileSync(proberMark(paths), text, { mode: 0o600 })
  }

  /** Takes up what has started and lets go of what has ended, where anybody has written anything. */
  async #read(): Promise<void> {
    const [row] = await this.#store.all('PRAGMA data_version')
    const version = Number(row?.data_version)
    if (version === this.#version) return
    const { clock } = this.#doors
    const nowMs = clock.monotonicMs()
    const runs = await readRuns(this.#store, this.#boot, this.#cache)
    this.#version = version
    const before = this.#probed
    this.#probed = new Map(
      runs.map(run => {
        const known = before.get(run.key)
        // Of a run that is known, what has been found of it since it was read is newer.
        if (known !== undefined) return [run.key, { ...known, run, watch: { ...known.watch, stopping: run.stopping } }]
        const beganMs = nowMs - Math.max(0, clock.nowMs() - run.startedMs)
        const watch = beginWatch({ ...run, beganMs }, nowMs, randomFraction())
        return [run.key, { run, watch, busy: new Set(), told: {} }]
      }),
    )
    for (const id of this.#cleanups.keys()) {
      if (!runs.some(run => run.id === id)) this.#cleanups.delete(id)
    }
  }

  /** Begins what is due, and answers how long there is nothing to do. */
  #begin(): number {
    const nowMs = this.#doors.clock.monotonicMs()
    let nextMs = nowMs + LONGEST_SLEEP_MS
    for (const probed of this.#probed.values()) {
      if (probed.watch.progress.failedCheck !== undefined) this.#askForCleanup(probed.run)
      for (const kind of dueProbes(probed.watch, nowMs)) {
        if (probed.busy.has(kind) || this.#atOnce >= MAX_AT_ONCE) continue
        void this.#probe(probed.run.key, kind)
      }
      const dueMs = nextDueMs(probed.watch)
      // One that is busy says so when it has ended.
      if (dueMs !== undefined && dueMs > nowMs) nextMs = Math.min(nextMs, dueMs)
    }
    return Math.max(1, nextMs - nowMs)
  }

  async #probe(key: string, kind: ProbeKind): Promise<void> {
    const probed = this.#probed.get(key)
    const spec = probed?.watch.probes[kind]
    if (probed === undefined || spec === undefined) return
    const { busy } = probed
    busy.add(kind)
    this.#atOnce++
    try {
      const finding = await this.#try(probed.run, kind, spec.handler, spec.timeoutMs)
      await this.#take(key, kind, finding)
    } catch {
      // What could not be written is found again by the next probe.
      this.#failures++
    } finally {
      busy.delete(kind)
      this.#atOnce--
      const now = this.#probed.get(key)
      if (now !== undefined) now.watch = afterProbe(now.watch, kind, this.#doors.clock.monotonicMs())
      this.#wake.abort()
    }
  }

  async #try(run: ProbedRun, kind: ProbeKind, handler: Handler, timeoutMs: number): Promise<Finding | undefined> {
    const { clock, paths, run: door } = this.#doors
    const site: Site = {
      ...run.where,
      clock,
      exec: (command, ms) =>
        execCheck(
          { run: door, paths, runtime: run.runtime, id: run.id, name: kind },
          expandWords(command, run.env),
          ms,
        ),
    }
    for (let attempt = 1; ; attempt++) {
      // It has ended, and its monitor tells of that.
      if (!isAlive(run.process)) return undefined
      const finding = await tryProbe(handler, site, timeoutMs)
      if (finding.is !== 'unknown' || attempt === TRIES) return finding
    }
  }

  async #take(key: string, kind: ProbeKind, finding: Finding | undefined): Promise<void> {
    const probed = this.#probed.get(key)
    if (probed === undefined || finding === undefined || !isAlive(probed.run.process)) return
    const result = finding.is === 'warning' ? 'success' : finding.is
    const { watch, change } = takeResult(probed.watch, kind, result, this.#doors.clock.monotonicMs())
    const events = this.#eventsOf(probed, kind, finding, change)
    probed.watch = watch
    probed.told[kind] = finding.is
    const isNews = Object.keys(change).length > 0
    if (isNews || events.length > 0) await this.#write(probed.run, change, events)
    const { kind: container } = probed.run
    if (change.failedCheck !== undefined || (change.started && container === 'sidecar')) this.#askForCleanup(probed.run)
  }

  async #write(run: ProbedRun, change: Change, events: readonly NewEvent[]): Promise<void> {
    try {
      await writeChange(this.#store, run, change, events)
    } catch (error) {
      // What holds is what is in the store: it is read, and the probes begin to count anew.
      this.#probed.delete(run.key)
      this.#version = -1
      throw error
    }
  }

  /** Told once of each row of findings of the same kind, and again when something comes of it. */
  #eventsOf({ run, told }: Probed, kind: ProbeKind, finding: Finding, change: Change): NewEvent[] {
    if (finding.is === 'success') return []
    if (told[kind] === finding.is && Object.keys(change).length === 0) return []
    const what = `${kind[0]?.toUpperCase()}${kind.slice(1)} probe`
    const how = { warning: 'warning', failure: 'failed', unknown: 'errored' }[finding.is]
    const message = `${what} ${how}: ${finding.text}`.slice(0, MAX_TEXT)
    const { id, name, labels } = run.pod
    const about = { kind: 'container' as const, object: run.id, name: run.name, labels, pod: { id, name } }
    const reason = finding.is === 'warning' ? 'ProbeWarning' : 'Unhealthy'
    const news = { action: 'health_status', reason, warning: true, message, facts: { probe: kind } }
    return [eventAbout(this.#doors.clock.nowMs(), about, news)]
  }

  /** Has the container's pod looked after; a play that is not over looks after its pods itself. */
  #askForCleanup({ id, pod }: ProbedRun): void {
    const { clock, run, launcher, paths } = this.#doors
    const nowMs = clock.monotonicMs()
    const last = this.#cleanups.get(id)
    if (!pod.complete || (last !== undefined && (!last.done || nowMs - last.askedMs < RETRY_MS))) return
    const asked = { done: false, askedMs: nowMs }
    this.#cleanups.set(id, asked)
    const argv = [launcher, '--root', paths.root, '--runroot', paths.runRoot, 'container', 'cleanup', id] as const
    void run({ argv, timeoutMs: CLEANUP_TIMEOUT_MS, keepBytes: 0 }).then(
      () => this.#cleaned(asked),
      () => this.#cleaned(asked),
    )
  }

  #cleaned(asked: { done: boolean }): void {
    asked.done = true
    this.#wake.abort()
  }
}
