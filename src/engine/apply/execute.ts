/**
 * Carrying a plan out. Whatever is interrupted leaves a state from which the next apply goes on: who owns what is
 * written before anything is made, and a pod that is replaced is kept on record until its successor is up.
 *
 *   prepare ─► inventory ─► for each wave: live ─► fewer replicas ─► start ─► play ─► roll ─► ready? ─► prune
 *                                                                     └───────┴─ no: the old ones come back
 */
import { TspodError } from '../../errors.ts'
import type { EngineContext } from '../context.ts'
import { once } from '../once.ts'
import { play } from '../play/index.ts'
import { readinessOf } from '../probe/index.ts'
import { dropBefore, keepBefore, readBefore, type Transaction, takeLock } from '../state/index.ts'
import type { ApplyPlan, ApplyReport, ApplyRequest, Progress } from '../types/index.ts'
import { loadAll } from '../view/index.ts'
import { writeSecrets } from '../volumes/index.ts'
import { lookNoMoreAhead } from './ahead.ts'
import { isWell } from './bring.ts'
import { lazyHasher } from './hash.ts'
import { staleObjects, writeInventory } from './inventory.ts'
import { Ledger } from './ledger.ts'
import { playOptions } from './play-options.ts'
import { look, madeBy, type Prepared, prepare } from './prepare.ts'
import { removeObjects } from './remove.ts'
import { beforeOf } from './restore.ts'
import { settle } from './settled.ts'
import { giveWay } from './undo.ts'
import { bringWave } from './wave.ts'
import { type Look, lookOf, type Planned, type PodPlan } from './world.ts'

/** How long an apply waits for another one of the same app, whose pods may take long to get ready. */
const LOCK_TIMEOUT_MS = 15 * 60_000
export type Work = {
  context: EngineContext
  request: ApplyRequest
  prepared: Prepared
  ledger: Ledger
  progress: Progress
  signal: AbortSignal
  /** Pods by name as they are, but for those that something has been done about since. */
  seen: Map<string, Look>
  /** Names of pods that were made, or begun to be: of all others what was there is there. */
  reached: Set<string>
}

/** Brings what runs to what the bundle of the request says. */
export async function execute(
  context: EngineContext,
  request: ApplyRequest,
  progress: Progress,
  signal: AbortSignal,
): Promise<ApplyReport> {
  if (context.store.trouble !== undefined) throw context.store.trouble
  await using _lock = await lockApp(context, request.app, signal)
  const first = await look(context, request)
  const agreed = (await request.agree?.(planOf(request, first))) ?? true
  if (!agreed) return { plan: planOf(request, first), results: [], ready: true }
  const prepared = await prepare(context, request, first, progress, signal)
  const seen = new Map([...prepared.world.pods.values()].map(pod => [pod.record.name as string, pod]))
  const ledger = new Ledger(prepared.planned)
  const work: Work = { context, request, prepared, ledger, progress, signal, seen, reached: new Set() }
  await begin(work)
  const waves = [...Map.groupBy(prepared.planned.filter(isWanted), ({ object }) => object.wave)].sort(
    ([a], [b]) => a - b,
  )
  for (const [index, [, planned]] of waves.entries()) {
    if (work.ledger.hasFailed || signal.aborted) work.ledger.skip(planned)
    else await bringWave(work, planned, index < waves.length - 1)
  }
  const gone = prepared.planned.filter(one => one.object.action === 'prune')
  if (work.ledger.hasFailed || signal.aborted) work.ledger.skip(gone)
  else await prune(work, gone)
  if (work.ledger.hasFailed) await giveWay(work)
  const replaced = await replacedForGood(work)
  if (signal.aborted) {
    // Whether the others come up nobody has waited for.
    const known = replaced.filter(name => !work.reached.has(name) || isUp(work.seen.get(name)))
    await context.store.write(tx => dropBefore(tx, known))
    throw interrupted(work)
  }
  const looks = once(() => lookAgain(work))
  const report = {
    plan: planOf(request, prepared),
    results: work.ledger.results(),
    ready: await isReady(work, looks),
  }
  await settle(context, request, report, { looks, replaced })
  return report
}

/** What is to be done, as it is shown. */
export const planOf = ({ app }: ApplyRequest, { planned }: Prepared): ApplyPlan => ({
  app,
  objects: planned.map(({ object }) => object),
})

const interrupted = ({ signal, request }: Work): TspodError =>
  new TspodError('COMMAND_ABORTED', `the apply of ${request.app} was interrupted; pods that it had stopped are back`, {
    remedy: 'run the same command again: it goes on where it was',
    cause: signal.reason,
  })

/** Serialises what is done to one app. */
export async function lockApp(context: EngineContext, app: string, signal: AbortSignal): Promise<AsyncDisposable> {
  const { paths, clock } = context
  const request = { paths, clock, name: `@app-${app}`, command: 'tspod apply', timeoutMs: LOCK_TIMEOUT_MS, signal }
  const lock = await takeLock(request)
  return {
    [Symbol.asyncDispose]: async () => {
      await lock.removeFile()
      await lock[Symbol.asyncDispose]()
    },
  }
}

const isWanted = ({ object }: Planned): boolean => object.action !== 'prune' && object.action !== 'keep'

/** Writes what is owned, what comes back, and what is only data: all of it before anything is made. */
async function begin(work: Work): Promise<void> {
  const { context, request, prepared, progress, signal } = work
  const { world, planned } = prepared
  lookNoMoreAhead(context)
  const stale = staleObjects(request, { ...prepared, hasher: lazyHasher(context) })
  const changed = (kind: string): Set<string> =>
    new Set(
      planned.flatMap(({ object: { kind: own, name, action } }) =>
        own === kind && (action === 'create' || action === 'configure') ? name : [],
      ),
    )
  const [secrets, claims] = [changed('Secret'), changed('PersistentVolumeClaim')]
  const replaced = planned.flatMap(({ pods }) => pods.filter(pod => pod.do === 'replace'))
  if (stale.length + secrets.size + claims.size + replaced.length === 0 && !(await isNewSource(work))) return
  await context.store.write(async tx => {
    await writeInventory(tx, request, stale, context.clock.nowMs())
    for (const { standing } of replaced) {
      if (standing === undefined) continue
      const { before, isGood } = beforeOf(request.app, standing)
      await keepBefore(tx, before, isGood)
    }
    await writeSecrets(
      tx,
      context,
      request.bundle.secrets.filter(({ name }) => secrets.has(name)),
    )
    await relabelVolumes(tx, work, claims)
  })
  const missing = request.bundle.claims.filter(({ name }) => !world.volumes.has(name))
  if (missing.length === 0) return
  const bundle = { ...madeBy([], request), claims: missing }
  await play(context, bundle, { ...playOptions(request), replace: false }, progress, signal)
}

async function isNewSource({ context, request }: Work): Promise<boolean> {
  const [row] = await context.store.all('SELECT source, revision FROM app WHERE name = ?', [request.app])
  return row?.source !== request.source.path || (row.revision ?? undefined) !== request.source.revision
}

async function relabelVolumes(tx: Transaction, { request, prepared }: Work, names: ReadonlySet<string>): Promise<void> {
  for (const { name, labels, annotations } of request.bundle.claims) {
    if (!names.has(name) || !prepared.world.volumes.has(name)) continue
    const values = [JSON.stringify(labels), JSON.stringify(annotations), name]
    await tx.run('UPDATE volume SET labels = ?, annotations = ? WHERE name = ?', values)
  }
}

/** Objects that are no longer wanted: those of the last wave first, which is how the plan lists them. */
export async function prune(work: Work, gone: readonly Planned[]): Promise<void> {
  const { context, request, ledger, signal } = work
  const left = gone.filter(one => !ledger.isDone(one))
  if (left.length > 0) work.seen.clear()
  const objects = left.map(({ object }) => object)
  const { failures } = await removeObjects(
    context,
    request.app,
    objects,
    { volumes: request.pruneVolumes === true },
    signal,
  )
  ledger.pruned(left, failures)
}

/** Names of pods that have not to come back any more; what did not come up still may. */
async function replacedForGood({ context, request, prepared, ledger }: Work): Promise<string[]> {
  const kept = await readBefore(context.store, request.app)
  const pods = prepared.planned.flatMap(({ pods: own }) => own)
  const mayReturn = (pod: PodPlan): boolean => pod.do !== 'remove' && pod.do !== 'change' && !!ledger.failed(pod.name)
  return [...kept.keys()].filter(name => !pods.some(pod => pod.name === name && mayReturn(pod)))
}

/** All pods as they are now, as far as this app is concerned; only those are looked at that are not known to stand. */
async function lookAgain({ context, request, prepared, seen }: Work): Promise<Look[]> {
  const { pods, jobs } = request.bundle
  const isIdle = prepared.planned.every(({ job, pods: own }) => !job && own.every(pod => pod.do === 'nothing'))
  // Pods of Jobs come and go by themselves.
  if ((isIdle || jobs === undefined) && pods.every(({ name }) => seen.has(name))) return [...seen.values()]
  return (await loadAll(context)).map(lookOf)
}

async function isReady({ request, ledger }: Work, looks: () => Promise<Look[]>): Promise<boolean> {
  if (ledger.hasFailed) return false
  const names = new Set<string>(request.bundle.pods.map(({ name }) => name))
  const all = await looks()
  return all.filter(({ record }) => record.kind === 'pod' && names.has(record.name)).every(isUp)
}

const isUp = (look: Look | undefined): boolean =>
  look !== undefined && isWell(readinessOf(look.view, look.view.containers))
