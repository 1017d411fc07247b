/** `play kube`: from a bundle to running pods, all of them or a report of what did not start. */
import { TspodError } from '../../errors.ts'
import type { Bundle, WorkloadName } from '../../model.ts'
import type { EngineContext, PodWork } from '../context.ts'
import { removeIdleServices, tearDown, writeService } from '../run/index.ts'
import { standingText } from '../standing.ts'
import {
  insertJob,
  type JobRecord,
  keepBackup,
  type Lock,
  type PodRecord,
  podsMadeBy,
  readContainers,
  readPod,
} from '../state/index.ts'
import type { DownReport, PlayOptions, PlayReport, Progress, Watch } from '../types/index.ts'
import { enterUnit } from '../unit.ts'
import { removeSecrets, writeSecrets, writeVolumes } from '../volumes/index.ts'
import { loadWork, lockJobs, lockPods, releaseAll, workOn } from '../work.ts'
import { beginAll, forgetLocks, hasStarted, keepCopies, prepared } from './begin.ts'
import { type ImageOf, resolveImages } from './images.ts'
import { draftPods, newId, writeIntents } from './intents.ts'
import { followersFirst, placeOf } from './order.ts'
import {
  refuseContainerNames,
  refuseNamesInUse,
  refusePortsInUse,
  refusePortsOnRecord,
  refuseRepeatedNames,
} from './preflight.ts'
import { awaitReadiness, isResident, listenFor } from './readiness.ts'

/**
 * Plays a bundle. Everything that can be refused is refused before anything is created; then all intents are written
 * in one transaction, and all pods start side by side.
 * @throws NAME_IN_USE, PORT_IN_USE, IMAGE_…, NETWORK_UNKNOWN, RUNTIME_MISSING, USAGE; COMMAND_ABORTED after a signal,
 * with everything undone; START_FAILED when a container that was to say that it is ready has ended.
 * @param images those of all containers, where they were looked for already.
 */
export async function play(
  context: EngineContext,
  bundle: Bundle,
  options: PlayOptions,
  progress: Progress,
  signal: AbortSignal,
  watch: Watch = {},
  images?: ImageOf,
): Promise<PlayReport> {
  const { report, works } = await playLocked(context, bundle, options, { progress, watch, images }, signal)
  await awaitReadiness(works, signal, watch)
  return report
}

async function playLocked(
  context: EngineContext,
  bundle: Bundle,
  asked: PlayOptions,
  { progress, watch, images }: { progress: Progress; watch: Watch; images: ImageOf | undefined },
  signal: AbortSignal,
): Promise<{ report: PlayReport; works: PodWork[] }> {
  refuseRepeatedNames(bundle, asked)
  if (context.store.trouble !== undefined) throw context.store.trouble
  // Without a service container nothing would keep the unit up, and the pods in it alive.
  const entered = asked.service && enterUnit(context)
  const options = entered === undefined ? asked : { ...asked, unit: entered.unit }
  const [drafts, imageOf] = await Promise.all([
    draftPods(context, bundle, options),
    images ?? resolveImages(context, bundle, options, progress, signal),
  ])
  // Only now: a pull may take minutes, and an older pod of the same name goes on being looked after meanwhile.
  const jobLocks = await lockJobs(context, jobNames(bundle.workloads), 'tspod kube play', { signal })
  await using _jobs = jobLocks
  // Fewer replicas than before leave pods that nobody asks for by name; those of a Job are never all asked for.
  const makers = options.replace ? bundle.workloads : bundle.workloads.filter(({ kind }) => kind === 'Job')
  const earlier = await podsMadeBy(context.store, makers)
  const names = [...new Set([...bundle.pods.map(pod => pod.name), ...earlier])]
  const locks = await lockPods(context, names, 'tspod kube play', { signal, insist: options.replace })
  try {
    if (entered?.reloads) watch.reloading?.()
    const replaced = await makeRoom(context, bundle, options, locks, watch)
    await refusePortsInUse(context, bundle, drafts)
    const runtime = options.service === undefined ? undefined : await context.runtime(undefined)
    await importVolumes(context, bundle, signal)
    const written = await context.store.write(async tx => {
      await refusePortsOnRecord(tx, drafts, [])
      const secrets = await writeSecrets(tx, context, bundle.secrets)
      await writeVolumes(tx, context, bundle)
      const service =
        options.service && runtime && drafts.length > 0
          ? await writeService(tx, context, options.service, options.unit, runtime)
          : undefined
      const jobs = newJobs(context, bundle, options)
      for (const job of jobs) await insertJob(tx, job)
      const ids = {
        jobs: new Map(jobs.map(({ name, id }) => [name, id])),
        ...(service !== undefined && { service: service.pod.id }),
      }
      return { secrets, service, intents: await writeIntents(tx, context, drafts, bundle.manifests, options, ids) }
    })
    // Who takes a Job down must not have to wait for its init containers.
    await jobLocks[Symbol.asyncDispose]()
    const works = written.intents.map(intent => prepared(context, intent, imageOf, names, signal))
    const service = written.service && workOn(context, written.service, 'down', signal)
    const tell = (): void => watch.standing?.(standingText(works.flatMap(work => work.containers)))
    for (const work of works) {
      work.changed = tell
      listenFor(work)
    }
    await entered?.moved
    const pods = await beginAll({ service, works }, locks, signal)
    // By now it may have stopped: what its containers had to do was done in no time.
    const main =
      service && works.some(hasStarted) ? (await readContainers(context.store, [service.pod.id]))[0] : undefined
    await keepBackup(context)
    await keepCopies(context, service === undefined ? works : [service, ...works], bundle.manifests)
    const report: PlayReport = {
      volumes: bundle.claims.map(claim => claim.name),
      secrets: written.secrets,
      pods,
      ...(written.service !== undefined && { service: written.service.pod.id }),
      ...(main !== undefined && { main: main.state === 'running' && main.monitorPid ? main.monitorPid : 'ended' }),
      // A command that reloads a unit has to end.
      ...(main !== undefined && isResident(works) && !entered?.reloads && { resident: true }),
      ...(replaced !== undefined && { replaced }),
    }
    return { report, works }
  } catch (error) {
    await forgetLocks(context, locks)
    throw error
  } finally {
    await releaseAll(locks.values())
  }
}

const jobNames = (workloads: readonly WorkloadName[]): string[] =>
  workloads.filter(({ kind }) => kind === 'Job').map(({ name }) => name)

/** The records of the bundle's Jobs, whose first pods are among its pods. */
function newJobs(
  { clock }: EngineContext,
  bundle: Bundle,
  { pull, build, service, ...options }: PlayOptions,
): JobRecord[] {
  return (bundle.jobs ?? []).map(spec => ({
    id: newId(),
    name: spec.name,
    spec,
    options,
    progress: {
      nextNumber: bundle.pods.filter(pod => pod.job?.name === spec.name).length + 1,
      succeeded: 0,
      failed: 0,
      succeededIndexes: [],
      failedIndexes: [],
      inRow: { count: 0, lastMs: 0 },
      byIndex: {},
    },
    reason: '',
    message: '',
    createdMs: clock.nowMs(),
  }))
}

/** Removes pods of the same names: interrupted ones always, complete ones only when they are to be replaced. */
async function makeRoom(
  context: EngineContext,
  bundle: Bundle,
  options: PlayOptions,
  locks: Map<string, Lock>,
  watch: Watch,
): Promise<DownReport | undefined> {
  const found = (await Promise.all([...locks.keys()].map(name => readPod(context.store, name)))).filter(
    pod => pod !== undefined,
  )
  const complete = found.filter(pod => pod.complete && pod.goal !== 'removed')
  if (options.replace) await watch.replacing?.(complete)
  else refuseNamesInUse(complete)
  await refuseContainerNames(context, bundle, options, [...locks.keys()])
  const report: DownReport = { stopped: [], removed: [], secrets: [], volumes: [], failures: [] }
  // The lock file stays where a pod of that name comes next, which goes on under the same lock.
  const next = new Set<string>(bundle.pods.map(pod => pod.name))
  await followersFirst(found, placeOf, pod => {
    watch.stopping?.(pod.spec.graceMs)
    return removeOne(context, pod, { locks, keepFile: next.has(pod.name) }, report)
  })
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

/** Fills the volumes that are to be made from archives. */
async function importVolumes(context: EngineContext, { claims }: Bundle, signal: AbortSignal): Promise<void> {
  for (const { importSource, ...claim } of claims) {
    if (importSource === undefined) continue
    const { importVolume } = await import('../inside/index.ts')
    await importVolume(context, { ...claim, importSource }, signal)
  }
}
