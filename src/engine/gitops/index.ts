/**
 * GitOps sources: directories and repositories of manifests that are the truth of what runs.
 *
 *   read ─► validate ─► preflight ─► plan ─► guards ─► apply in waves ─► ready? ─► inventory, history, events
 *
 * A reconcile is one call, by a timer, a path unit or a person. It holds the source's lock; nothing stays running.
 */
import { rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isTspodError, TspodError } from '../../errors.ts'
import { removeTree } from '../../files.ts'
import { gitopsDirectory } from '../../paths.ts'
import { listed, unaskedText } from '../../words.ts'
import type { EngineContext } from '../context.ts'
import { readPods, takeLock } from '../state/index.ts'
import type { AppView, Engine, Gitops, ReconcileWish, RunView, SourcePlan, SourceWish, Told } from '../types/index.ts'
import { changesOf, judgePrune } from './decide.ts'
import { driftIgnored } from './drift.ts'
import { exported } from './export.ts'
import type { Hands } from './hands.ts'
import { noteSeen, type Progress, prepare, readNow } from './prepare.ts'
import { hostPathsOf, realHands } from './real.ts'
import { reconcileOnce } from './reconcile.ts'
import { rollBack } from './rollback.ts'
import {
  deleteSource,
  insertSource,
  keptRevisions,
  readRuns,
  readSource,
  readSources,
  type SourceRecord,
  tellOfSource,
} from './store.ts'
import { resume, suspend } from './suspend.ts'
import { openUnitMode } from './unit-mode.ts'

/** A reconcile waits for an apply to become ready: whoever comes second may have to wait as long. */
const LOCK_TIMEOUT_MS = 15 * 60_000
/** A source that changes while it is applied is looked at again, but not for ever. */
const MOST_ROUNDS = 5

type Applying = Pick<Engine, 'apply' | 'planApply' | 'settled' | 'apps' | 'removeApp'>

/** All about GitOps sources of one installation. */
export function openGitops(context: EngineContext, engine: Applying): Gitops {
  const hands = realHands(context, engine)
  const { store, clock } = context
  const write = hands.store.write
  return {
    add: async wish => {
      const tell = await tellingOf(wish)
      await tell?.requireTellable(context, wish)
      await write(async tx => {
        await insertSource(tx, wish, clock.nowMs())
        await tellOfSource(tx, wish.name, { action: 'add', reason: 'Added', message: '' }, clock.nowMs())
      })
      await tell?.writeMetrics(context, wish)
    },
    metrics: async () => (await import('./tell.ts')).allMetrics(context),
    sources: () => readSources(store),
    list: async () => {
      const [sources, apps] = await Promise.all([readSources(store), engine.apps()])
      const looks = sources.map(async source => {
        const app = source.units ? await appOfUnits(context, source) : apps.find(({ name }) => name === source.name)
        const ignored = await driftIgnored(hands, source)
        return { ...source, ...(ignored.length > 0 && { driftIgnored: ignored }), ...(app !== undefined && { app }) }
      })
      return Promise.all(looks)
    },
    plan: (name, wish, signal) => planOf(hands, name, wish, signal),
    reconcile: (name, wish, told, signal) =>
      locked(context, { name, told, signal }, () => settle(hands, name, wish, told, signal)),
    history: async (name, limit) => {
      await readSource(store, name)
      return readRuns(store, name, limit)
    },
    suspend: (name, suspension, objects) => measuredAfter(context, name, suspend(context, name, suspension, objects)),
    resume: (name, objects) => measuredAfter(context, name, resume(context, name, objects)),
    rollback: (name, to, author, told, signal) =>
      locked(context, { name, told, signal }, () => rollBack(hands, name, to, author, told, signal)),
    export: (name, revision) => exported(store, name, revision),
    remove: async (name, { prune }, told, signal) => {
      const source = await readSource(store, name)
      await using lock = await lockSource(context, name, told, signal)
      const failures = prune ? await removeAll(context, engine, name, signal) : []
      if (failures.length > 0) return { failures }
      await write(async tx => {
        await deleteSource(tx, name)
        const message = prune ? 'with all that it had applied' : 'what it had applied stays'
        await tellOfSource(tx, name, { action: 'remove', reason: 'Removed', message }, clock.nowMs())
      })
      await removeFiles(context, name)
      await (await tellingOf(source))?.removeMetrics(context, source)
      await lock.removeFile()
      return { failures }
    },
  }
}

/** What tells others of a source; not loaded for one that nobody is told of. */
const tellingOf = async ({ notify, metrics }: SourceWish) =>
  notify === undefined && metrics === undefined ? undefined : await import('./tell.ts')

/** Who looks at the metrics of a source sees at once that somebody has suspended it. */
async function measuredAfter<T>(context: EngineContext, name: string, acting: Promise<T>): Promise<T> {
  const done = await acting
  const source = await readSource(context.store, name)
  await (await tellingOf(source))?.writeMetrics(context, source)
  return done
}

type Asked = { name: string; told: Told; signal: AbortSignal }

/** Does something with a source while its lock is held; others are told of it when it is not any more. */
async function locked(context: EngineContext, asked: Asked, act: () => Promise<RunView>): Promise<RunView> {
  const { name, told, signal } = asked
  const source = await readSource(context.store, name)
  const tell = await tellingOf(source)
  const work = async () => {
    await using _lock = await lockSource(context, name, told, signal)
    // Whoever had the lock before may have told the same.
    const before = tell && (await readSource(context.store, name))
    const run = await act()
    return { run, messages: before && (await tell?.lookBack(context, { before, run })) }
  }
  const { run, messages = [] } = await work()
  if (source.notify !== undefined) await tell?.notify(context, source.notify, messages)
  return run
}

/** Once more where a directory has moved on in the meantime: a path unit does not tell of that twice. */
async function settle(
  hands: Hands,
  name: string,
  wish: ReconcileWish,
  told: Told,
  signal: AbortSignal,
): Promise<RunView> {
  let last: string | undefined
  for (let round = 1; ; round++) {
    const run = await reconcileOnce(hands, name, wish, told, signal)
    if (run.outcome === 'skipped') return run
    const source = await readSource(hands.store, name)
    if (run.outcome === 'applied') await hands.collect(name, await keptRevisions(hands.store, name), signal)
    if (round === MOST_ROUNDS || source.from.kind === 'git') return run
    const now = await hands.revision(source, signal).catch(error => {
      if (isTspodError(error)) return undefined
      throw error
    })
    // Of a commit that could not be read the run has no revision: it is looked at once more, and not for ever.
    if (now === undefined || now === (run.revision ?? last)) return run
    if (run.revision !== undefined) told('the source has changed meanwhile')
    last = now
  }
}

/** The units of a source as if they were objects of an app. */
async function appOfUnits(context: EngineContext, source: SourceRecord): Promise<AppView | undefined> {
  if (source.applied === undefined) return undefined
  const { revision, atMs } = source.applied
  const objects = await openUnitMode(context).objects(source.name)
  const phases = objects.map(({ phase }) => phase)
  const health = phases.every(phase => phase === 'Running')
    ? 'Healthy'
    : phases.every(phase => phase === 'Running' || phase === 'Pending')
      ? 'Progressing'
      : 'Degraded'
  return { name: source.name, source: { path: '', revision }, appliedMs: atMs, health, objects }
}

async function planOf(hands: Hands, name: string, wish: ReconcileWish, signal: AbortSignal): Promise<SourcePlan> {
  const source = await readSource(hands.store, name)
  const work = { hands, source, wish, told: () => undefined, signal }
  const progress: Progress = { stage: 'source' }
  const snapshot = await readNow(work, progress)
  const [, { job, notes }] = await Promise.all([noteSeen(work, snapshot), prepare(work, snapshot, progress)])
  const plan = await hands.plan(job, signal)
  const pruning = judgePrune(plan, wish.allowPrune)
  const { unasked = [] } = plan
  // A reconcile that finds nothing else to do asks nobody.
  const images =
    changesOf(plan) === undefined
      ? `no registry is asked while nothing else differs: ${listed(unasked)} stays with the image that is here`
      : unaskedText(unasked)
  return {
    revision: snapshot.revision,
    ...(snapshot.signer !== undefined && { signer: snapshot.signer }),
    notes: unasked.length === 0 ? notes : [...notes, images],
    plan,
    ...(pruning.do === 'refuse' && { refused: pruning.reason }),
  }
}

async function removeAll(
  context: EngineContext,
  engine: Applying,
  name: string,
  signal: AbortSignal,
): Promise<string[]> {
  if ((await readSource(context.store, name)).units) return openUnitMode(context).removeAll(name, signal)
  try {
    const { failures } = await engine.removeApp(name, { volumes: false }, signal)
    return failures.map(({ object, message }) => `${object}: ${message}`)
  } catch (error) {
    // It has never applied anything.
    if (isTspodError(error, 'NO_SUCH_OBJECT')) return []
    throw error
  }
}

/** Its snapshots, unless a pod that stays has one of them mounted. */
async function removeFiles({ paths, store }: EngineContext, name: string): Promise<void> {
  const directory = join(gitopsDirectory(paths), name)
  const isUsed = hostPathsOf(await readPods(store)).some(path => path.startsWith(`${directory}/`))
  if (isUsed) return
  await removeTree(directory)
  // Unless another source has its own there.
  await rmdir(dirname(directory)).catch(() => undefined)
}

type SourceLock = Awaited<ReturnType<typeof takeLock>>

/** How long somebody waits before he is told that he does. */
const SILENT_MS = 500

async function lockSource(context: EngineContext, name: string, told: Told, signal: AbortSignal): Promise<SourceLock> {
  const { paths, clock } = context
  const lock = { paths, clock, name: `@gitops-${name}`, command: `tspod gitops (${name})`, signal }
  try {
    return await takeLock({ ...lock, timeoutMs: SILENT_MS })
  } catch (error) {
    if (!isTspodError(error, 'LOCK_TIMEOUT')) throw error
    told(`waiting: another reconcile of ${name} is at work`)
  }
  return takeLock({ ...lock, timeoutMs: LOCK_TIMEOUT_MS }).catch(error => {
    if (!isTspodError(error, 'LOCK_TIMEOUT')) throw error
    throw new TspodError(
      'LOCK_TIMEOUT',
      `another reconcile of ${name} has been at work for ${LOCK_TIMEOUT_MS / 60_000} minutes`,
      {
        remedy: `see what it does: tspod gitops history ${name}`,
        cause: error,
      },
    )
  })
}
