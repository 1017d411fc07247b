/** `play kube`: from a bundle to running pods, all of them or a report of what did not start. */
import { isTspodError, TspodError } from '../../errors.ts'
import type { Bundle } from '../../model.ts'
import type { EngineContext, PodWork } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { type Reconciled, reconcile, removeIdleServices, settleService, tearDown, writeService } from '../run/index.ts'
import type { Lock, Transaction } from '../state/index.ts'
import {
  type ContainerRecord,
  type PodRecord,
  podsMadeBy,
  readPod,
  specNamed,
  updatePod,
  updateSandbox,
} from '../state/index.ts'
import { wakeTimekeeper } from '../timekeeper.ts'
import type { ContainerFailure, DownReport, PlayedPod, PlayOptions, PlayReport, Progress } from '../types/index.ts'
import { removeSecrets, writeSecrets, writeVolumes } from '../volumes/index.ts'
import { loadWork, lockPods, releaseAll, workOn, writePatches } from '../work.ts'
import { type ImageOf, resolveImages } from './images.ts'
import { draftPods, type Intent, writeIntents } from './intents.ts'
import { refuseContainerNames, refuseNamesInUse, refusePortsInUse, refuseRepeatedNames } from './preflight.ts'

/**
 * Plays a bundle. Everything that can be refused is refused before anything is created; then all intents are written
 * in one transaction, and all pods start side by side.
 * @throws NAME_IN_USE, PORT_IN_USE, IMAGE_…, NETWORK_UNKNOWN, RUNTIME_MISSING, USAGE; COMMAND_ABORTED after a signal,
 * with everything undone.
 */
export async function play(
  context: EngineContext,
  bundle: Bundle,
  options: PlayOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<PlayReport> {
  refuseRepeatedNames(bundle, options)
  if (context.store.trouble !== undefined) throw context.store.trouble
  const [drafts, imageOf] = await Promise.all([
    draftPods(context, bundle, options),
    resolveImages(context, bundle, options, progress, signal),
  ])
  // Only now: a pull may take minutes, and an older pod of the same name goes on being looked after meanwhile.
  // Fewer replicas than before leave pods that nobody asks for by name.
  const earlier = options.replace ? await podsMadeBy(context.store, bundle.workloads) : []
  const names = [...new Set([...bundle.pods.map(pod => pod.name), ...earlier])]
  const locks = await lockPods(context, names, 'tspod kube play', { signal, insist: options.replace })
  try {
    const replaced = await makeRoom(context, bundle, options, locks)
    await refusePortsInUse(context, bundle, drafts)
    const runtime = options.service === undefined ? undefined : await context.runtime(undefined)
    const written = await context.store.write(async tx => {
      const secrets = await writeSecrets(tx, context, bundle.secrets)
      await writeVolumes(tx, context, bundle)
      const service =
        options.service && runtime && drafts.length > 0
          ? await writeService(tx, context, options.service, runtime)
          : undefined
      return { secrets, service, intents: await writeIntents(tx, context, drafts, options, service?.pod.id) }
    })
    const works = written.intents.map(intent => prepared(context, intent, imageOf, names, signal))
    const service = written.service && workOn(context, written.service, 'down', signal)
    const pods = await startAll({ service, works }, locks, signal)
    return {
      volumes: bundle.claims.map(claim => claim.name),
      secrets: written.secrets,
      pods,
      ...(written.service !== undefined && { service: written.service.pod.id }),
      ...(replaced !== undefined && { replaced }),
    }
  } catch (error) {
    await forgetLocks(context, locks)
    throw error
  } finally {
    await releaseAll(locks.values())
  }
}

/** A lock file belongs to a pod: a play that was refused leaves none for pods that it did not make. */
async function forgetLocks(context: EngineContext, locks: Map<string, Lock>): Promise<void> {
  for (const [name, lock] of locks) if ((await readPod(context.store, name)) === undefined) await lock.removeFile()
}

function prepared(
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
    if (spec !== undefined) work.images.set(record.id, imageOf(spec))
  }
  return work
}

/** Removes pods of the same names: interrupted ones always, complete ones only when they are to be replaced. */
async function makeRoom(
  context: EngineContext,
  bundle: Bundle,
  options: PlayOptions,
  locks: Map<string, Lock>,
): Promise<DownReport | undefined> {
  const found = (await Promise.all([...locks.keys()].map(name => readPod(context.store, name)))).filter(
    pod => pod !== undefined,
  )
  const complete = found.filter(pod => pod.complete && pod.goal !== 'removed')
  if (!options.replace) refuseNamesInUse(complete)
  await refuseContainerNames(context, bundle, options, [...locks.keys()])
  const report: DownReport = { stopped: [], removed: [], secrets: [], volumes: [], failures: [] }
  // The lock file stays where a pod of that name comes next, which goes on under the same lock.
  const next = new Set<string>(bundle.pods.map(pod => pod.name))
  await Promise.all(found.map(pod => removeOne(context, pod, { locks, keepFile: next.has(pod.name) }, report)))
  for (const message of await removeIdleServices(context))
    report.failures.push({ object: 'service container', message })
  if (report.failures.length > 0) {
    throw new TspodError(
      'PARTIAL_FAILURE',
      report.failures.map(failure => `${failure.object}: ${failure.message}`).join('\n'),
      {
        remedy: 'mend what is named above and run the same command again',
      },
    )
  }
  if (!options.replace) return undefined
  report.secrets = await removeSecrets(
    context,
    bundle.secrets.map(secret => secret.name),
  )
  return report
}

async function removeOne(
  context: EngineContext,
  pod: PodRecord,
  { locks, keepFile }: { locks: Map<string, Lock>; keepFile: boolean },
  report: DownReport,
): Promise<void> {
  const lock = locks.get(pod.name)
  if (lock === undefined) throw new Error(`pod ${pod.name} is not locked`)
  const held = keepFile ? { ...lock, removeFile: async () => undefined } : lock
  const { stopped, failures } = await tearDown(await loadWork(context, pod), held)
  if (stopped) report.stopped.push(pod.id)
  if (failures.length === 0) report.removed.push(pod.id)
  for (const message of failures) report.failures.push({ object: pod.name, message })
}

type Cast = { service: PodWork | undefined; works: readonly PodWork[] }

/** Starts all pods side by side; marks them complete together, so that an interrupted play starts over as a whole. */
async function startAll({ service, works }: Cast, locks: Map<string, Lock>, signal: AbortSignal): Promise<PlayedPod[]> {
  const [first] = works
  if (first === undefined) return []
  const { context } = first
  if (service !== undefined) await startFirst(service, works, locks)
  const outcomes = await Promise.all(works.map(async work => ({ work, outcome: await reconcile(work, true) })))
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
  if (standing.some(({ outcome }) => outcome.againAtMs !== undefined)) await wakeTimekeeper(context)
  if (service !== undefined && standing.some(({ outcome }) => outcome.finished)) {
    await settleService(context, service.pod.id)
  }
  return outcomes.map(({ work, outcome }) => playedPod(work, outcome))
}

/** What a play wrote of a pod while it was incomplete becomes true at once. */
async function settle(tx: Transaction, work: PodWork): Promise<void> {
  const { pod, context } = work
  const started = pod.goal === 'running' ? { startedMs: context.clock.nowMs() } : {}
  noteEvent(work, undefined, { action: 'create', reason: 'Created' })
  if (pod.goal === 'running') noteEvent(work, undefined, { action: 'start', reason: 'Started' })
  await writePatches(tx, work)
  await updateSandbox(tx, pod.id, context.boot, work.sandboxState)
  await updatePod(tx, pod.id, { complete: true, wakeMs: pod.wakeMs ?? null, ...started })
  pod.complete = true
}

/** The service comes before its pods; when it cannot be started, nothing is kept. */
async function startFirst(service: PodWork, works: readonly PodWork[], locks: Map<string, Lock>): Promise<void> {
  const { failures } = await reconcile(service, true)
  if (failures[0] === undefined) return
  await undo(works, locks)
  throw failures[0].error
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

function playedPod(work: PodWork, outcome: Reconciled): PlayedPod {
  const failures = new Map<string, ContainerFailure>()
  for (const { step, error } of outcome.failures) {
    const record = 'container' in step ? work.containers.find(container => container.id === step.container) : undefined
    // An init container may fail once and succeed when it is tried again.
    if (record !== undefined && isWell(record) && !isTspodError(error, 'GAVE_WAY')) continue
    const container = record?.name ?? work.pod.name
    failures.set(container, { container, message: (error as Error).message })
  }
  const regular = work.containers.filter(container => container.kind === 'regular')
  return {
    name: work.pod.name,
    id: work.pod.id,
    containers: regular.map(({ name, id }) => ({ name, id })),
    failures: [...failures.values()],
  }
}

const isWell = ({ state, exitCode }: ContainerRecord): boolean =>
  state === 'running' || (state === 'exited' && exitCode === 0)
