/** `play kube`: from a bundle to running pods, all of them or a report of what did not start. */
import { TspodError } from '../../errors.ts'
import type { Bundle } from '../../model.ts'
import type { EngineContext, PodWork } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { removeIdleServices, tearDown, writeService } from '../run/index.ts'
import { type Lock, type PodRecord, podsMadeBy, readPod, specNamed } from '../state/index.ts'
import type { DownReport, PlayOptions, PlayReport, Progress } from '../types/index.ts'
import { removeSecrets, writeSecrets, writeVolumes } from '../volumes/index.ts'
import { loadWork, lockPods, releaseAll, workOn } from '../work.ts'
import { beginAll } from './begin.ts'
import { type ImageOf, resolveImages } from './images.ts'
import { draftPods, type Intent, writeIntents } from './intents.ts'
import { followersFirst, placeOf } from './order.ts'
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
      return {
        secrets,
        service,
        intents: await writeIntents(tx, context, drafts, bundle.manifests, options, service?.pod.id),
      }
    })
    const works = written.intents.map(intent => prepared(context, intent, imageOf, names, signal))
    const service = written.service && workOn(context, written.service, 'down', signal)
    const pods = await beginAll({ service, works }, locks, signal)
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
    if (spec === undefined) continue
    const { image, present } = imageOf(spec)
    work.images.set(record.id, image)
    // The kubelet's words, whose reason is that of a pull; Podman's word for it there is none.
    const message = `Container image "${spec.image}" already present on machine`
    if (present) noteEvent(work, record, { action: 'present', reason: 'Pulled', message })
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
  await followersFirst(found, placeOf, pod => removeOne(context, pod, { locks, keepFile: next.has(pod.name) }, report))
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
