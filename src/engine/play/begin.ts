/** Starting the pods of a play, and undoing what did not come to anything. */
import { isTspodError, TspodError } from '../../errors.ts'
import type { Bundle } from '../../model.ts'
import { type EngineContext, type PodWork, patch } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { tendProber } from '../prober.ts'
import { type Reconciled, reconcile, removeIdleServices, settleService, tearDown } from '../run/index.ts'
import {
  type ContainerRecord,
  keepCopy,
  type Lock,
  readPod,
  specNamed,
  type Transaction,
  updatePod,
  updateSandbox,
  wakeJob,
} from '../state/index.ts'
import { wakeTimekeeper } from '../timekeeper.ts'
import type { ContainerFailure, PlayedPod } from '../types/index.ts'
import { imageLayers } from '../volumes/index.ts'
import { workOn, writePatches } from '../work.ts'
import type { ImageOf } from './images.ts'
import type { Intent } from './intents.ts'
import { lateOnes, leadersFirst, placeOf } from './order.ts'

/** A Job that nobody has come to look after is looked after then. */
const JOB_RETRY_MS = 10_000

type Cast = { service: PodWork | undefined; works: readonly PodWork[] }

/**
 * Starts all pods side by side, but for those that have an order among them; marks them complete together, so that an
 * interrupted play starts over as a whole. The locks of all have to be held.
 */
export async function beginAll(
  { service, works }: Cast,
  locks: Map<string, Lock>,
  signal: AbortSignal,
): Promise<PlayedPod[]> {
  const [first] = works
  if (first === undefined) return []
  const { context } = first
  // While it starts, all that comes before the first start of a container of theirs is got ready.
  const up = service && startFirst(service)
  if (up !== undefined) for (const work of works) work.after = up
  const late = lateOnes(works.map(({ pod }) => pod.spec))
  const outcomes = await leadersFirst(
    works,
    ({ pod }) => placeOf(pod),
    (work: PodWork, before: readonly Begun[]) => (late.has(work.pod.name) ? beginLate(work) : begin(work, before)),
  )
  await up?.catch(async (error: unknown) => {
    await undo(works, locks)
    throw error
  })
  if (signal.aborted) {
    await undo(works, locks)
    throw new TspodError('COMMAND_ABORTED', 'interrupted; everything that was started is stopped and removed again', {
      remedy: 'run the same command again',
      cause: signal.reason,
    })
  }
  const standing = outcomes.filter(({ outcome }) => !hasNoSandbox(outcome))
  await context.store.write(async tx => {
    for (const work of [...(service === undefined ? [] : [service]), ...standing.map(({ work }) => work)]) {
      await settle(tx, work)
    }
  })
  const fallen = outcomes.filter(({ outcome }) => hasNoSandbox(outcome)).map(({ work }) => work)
  await undo(fallen, locks)
  if (service !== undefined && !works.some(hasStarted)) {
    await standDown(service, standing)
    return outcomes.map(playedPod)
  }
  if (standing.some(({ outcome }) => outcome.againAtMs !== undefined)) await wakeTimekeeper(context)
  for (const { work } of standing) await tendProber(work)
  if (service !== undefined && standing.some(({ outcome }) => outcome.finished)) {
    await settleService(context, service.pod.id)
  }
  return outcomes.map(playedPod)
}

/** One of its containers that serve has run, whatever became of it. */
export const hasStarted = ({ containers }: PodWork): boolean =>
  containers.some(({ kind, startedMs }) => kind === 'regular' && startedMs !== undefined)

/** A service of which nothing has started is down, and nothing of it comes back by itself behind its unit's back. */
async function standDown(service: PodWork, standing: readonly Begun[]): Promise<void> {
  const { context } = service
  for (const { work } of standing) {
    if (work.pod.goal !== 'running') continue
    work.pod.goal = 'stopped'
    for (const { id } of work.containers) patch(work, id, { goal: 'stopped' })
    await context.store.write(async tx => {
      await updatePod(tx, work.pod.id, { goal: 'stopped', wakeMs: null })
      await writePatches(tx, work)
    })
    await reconcile(work, false)
  }
  await settleService(context, service.pod.id)
}

type Begun = { work: PodWork; outcome: Reconciled; held?: string }

/** Starts one pod, or only creates it where one of those before it did not come up. */
async function begin(work: PodWork, before: readonly Begun[]): Promise<Begun> {
  const missing = before.find(leader => !isUp(leader.work))
  if (missing === undefined || work.pod.goal !== 'running') return { work, outcome: await reconcile(work, true) }
  return { ...(await beginLate(work)), held: `it was not started, because ${missing.work.pod.name} is not up` }
}

/** Creates a pod that somebody starts later. */
async function beginLate(work: PodWork): Promise<Begun> {
  const { context, pod, containers } = work
  // All of it is about to be undone.
  if (work.signal?.aborted) return { work, outcome: { failures: [], skipped: [] } }
  if (pod.goal === 'running') {
    pod.goal = 'created'
    for (const { id } of containers) patch(work, id, { goal: 'created' })
    await context.store.write(tx => updatePod(tx, pod.id, { goal: 'created' }))
  }
  return { work, outcome: await reconcile(work, true) }
}

/** Every container of it that serves does so, or has done what it was for. */
const isUp = ({ pod, containers }: PodWork): boolean =>
  pod.goal === 'running' &&
  containers.every(({ kind, state, exitCode }) => {
    const isDone = pod.spec.restartPolicy !== 'Always' && state === 'exited' && exitCode === 0
    return kind === 'init' || state === 'running' || isDone
  })

/** What a play wrote of a pod while it was incomplete becomes true at once. */
async function settle(tx: Transaction, work: PodWork): Promise<void> {
  const { pod, context } = work
  const started = pod.goal === 'running' ? { startedMs: context.clock.nowMs() } : {}
  noteEvent(work, undefined, { action: 'create', reason: 'Created' })
  if (pod.goal === 'running') noteEvent(work, undefined, { action: 'start', reason: 'Started' })
  await writePatches(tx, work)
  await updateSandbox(tx, pod.id, context.boot, work.sandboxState)
  await updatePod(tx, pod.id, { complete: true, wakeMs: pod.wakeMs ?? null, ...started })
  // Its Job is looked after next: should whoever is about to do that be killed, somebody else has to.
  if (pod.job !== undefined) await wakeJob(tx, pod.job, context.clock.nowMs() + JOB_RETRY_MS)
  pod.complete = true
}

/** The service comes before its pods; when it cannot be started, nothing is kept. */
function startFirst(service: PodWork): Promise<void> {
  const up = reconcile(service, true).then(({ failures: [failure] }) => {
    if (failure !== undefined) throw failure.error
  })
  // Whoever waits for it is told; nobody may, where all pods fall before.
  up.catch(() => undefined)
  return up
}

/** A pod without its namespaces or network never ran: nothing of it is worth keeping. */
const hasNoSandbox = (outcome: Reconciled): boolean =>
  outcome.failures.some(({ step }) => step.do === 'sandbox' || step.do === 'network')

/** Takes pods away that never came to anything, and their service when it has none left. */
async function undo(works: readonly PodWork[], locks: Map<string, Lock>): Promise<void> {
  const [first] = works
  if (first === undefined) return
  const failures = await Promise.all(
    works.map(async work => {
      const lock = locks.get(work.pod.name)
      if (lock === undefined) throw new Error(`pod ${work.pod.name} is not locked`)
      const { failures } = await tearDown({ ...work, signal: undefined }, lock)
      return failures.map(failure => `${work.pod.name}: ${failure}`)
    }),
  )
  const left = [...failures.flat(), ...(await removeIdleServices(first.context))]
  if (left.length === 0) return
  throw new TspodError('PARTIAL_FAILURE', `what was begun could not be undone: ${left.join('; ')}`, {
    remedy: `run \`tspod kube down\` with the same file`,
  })
}

function playedPod({ work, outcome, held }: Begun): PlayedPod {
  const failures = new Map<string, ContainerFailure>()
  for (const { step, error } of outcome.failures) {
    const record = 'container' in step ? work.containers.find(container => container.id === step.container) : undefined
    // An init container may fail once and succeed when it is tried again.
    if (record !== undefined && isWell(record) && !isTspodError(error, 'GAVE_WAY')) continue
    const container = record?.name ?? work.pod.name
    failures.set(container, { container, message: (error as Error).message })
  }
  if (held !== undefined) failures.set(work.pod.name, { container: work.pod.name, message: held })
  const regular = work.containers.filter(container => container.kind === 'regular')
  return {
    name: work.pod.name,
    id: work.pod.id,
    containers: regular.map(({ name, id }) => ({ name, id })),
    failures: [...failures.values()],
  }
}

const isWell = ({ state, exitCode, failedCheck }: ContainerRecord): boolean =>
  state === 'running' || (state === 'exited' && exitCode === 0 && failedCheck === undefined)

/** Work on a pod that was just written, with its images. */
export function prepared(
  context: EngineContext,
  intent: Intent,
  imageOf: ImageOf,
  together: readonly string[],
  signal: AbortSignal,
): PodWork {
  const work = workOn(context, intent, 'down', signal)
  work.together = together
  for (const record of intent.containers) {
    const spec = specNamed(intent.pod.spec, record.shortName)
    if (spec === undefined) continue
    const { image, present } = imageOf(spec)
    work.images.set(record.id, image)
    // The kubelet's words, whose reason is that of a pull; Podman's word for it there is none.
    const message = `Container image "${spec.image}" already present on machine`
    if (present) noteEvent(work, record, { action: 'present', reason: 'Pulled', message })
  }
  const layers = imageLayers(intent.pod.spec, intent.pod.id)
  for (const volume of intent.pod.spec.volumes) {
    const id = layers.get(volume.name)
    if (volume.kind === 'image' && id !== undefined) work.images.set(id, imageOf(volume).image)
  }
  return work
}

/** A lock file belongs to a pod: a play that was refused leaves none for pods that it did not make. */
export async function forgetLocks(context: EngineContext, locks: Map<string, Lock>): Promise<void> {
  for (const [name, lock] of locks) if ((await readPod(context.store, name)) === undefined) await lock.removeFile()
}

/**
 * Keeps copies of what stands after `beginAll`: what came to nothing is gone by then, and the service with its last pod.
 */
export async function keepCopies(
  { store, paths }: EngineContext,
  works: readonly PodWork[],
  manifests: Bundle['manifests'],
): Promise<void> {
  const stands = new Set((await store.all('SELECT id FROM pod')).map(({ id }) => id))
  for (const work of works.filter(({ pod }) => stands.has(pod.id))) {
    const manifest = manifests[work.pod.name]
    keepCopy(paths, { ...work, ...(manifest !== undefined && { manifest }) })
  }
}
