/** Pods that a workload makes after its play. */
import type { Bundle, PodSpec } from '../../model.ts'
import type { EngineContext } from '../context.ts'
import { type JobRecord, podsMadeBy, type Transaction } from '../state/index.ts'
import { writeVolumes } from '../volumes/index.ts'
import { lockPods, releaseAll } from '../work.ts'
import { beginAll, forgetLocks, keepCopies, prepared } from './begin.ts'
import { resolveImages, type Wanted } from './images.ts'
import { type Belonging, draftPods, writeIntents } from './intents.ts'
import { refuseContainerNames, refusePortsInUse, refusePortsOnRecord } from './preflight.ts'

/**
 * Makes and starts pods as the play did that their workload came with. Their images are those of the play.
 * @param how.alongside is written in one transaction with the pods.
 * @throws what a play throws before it has created anything; a container that does not start is recorded as failed.
 */
export async function playMore(
  context: EngineContext,
  pods: readonly PodSpec[],
  options: JobRecord['options'],
  how: { ids: Belonging; alongside: (tx: Transaction) => Promise<void> },
): Promise<void> {
  const signal = new AbortController().signal
  const nothing = { manifests: {}, workloads: [], secrets: [], claims: [], configMaps: [] }
  const bundle: Bundle = { ...nothing, pods: [...pods] }
  const full = { ...options, ips: [], macs: [], replace: false, start: true, pull: { quiet: true } }
  const [drafts, imageOf] = await Promise.all([
    draftPods(context, bundle, full),
    resolveImages(context, { ...bundle, pods: pods.map(withLaterPolicy) }, full, () => undefined, signal),
  ])
  const names = bundle.pods.map(pod => pod.name)
  const locks = await lockPods(context, names, 'tspod, making pods of a Job')
  try {
    await refuseContainerNames(context, bundle, full, names)
    // The pods before them have given the ports back; a Job with ports has no two pods at once.
    const siblings = [...how.ids.jobs.keys()].map(name => ({ kind: 'Job', name }))
    const earlier = await podsMadeBy(context.store, siblings)
    await refusePortsInUse(context, bundle, drafts, earlier)
    const intents = await context.store.write(async tx => {
      await refusePortsOnRecord(tx, drafts, earlier)
      await how.alongside(tx)
      await writeVolumes(tx, context, bundle)
      return await writeIntents(tx, context, drafts, bundle.manifests, full, how.ids)
    })
    const works = intents.map(intent =>
      prepared(context, intent, wanted => imageOf(laterPolicy(wanted)), names, signal),
    )
    // An init container may take hours; there are other pods to look after.
    for (const work of works) work.patient = false
    await beginAll({ service: undefined, works }, locks, signal)
    await keepCopies(context, works, bundle.manifests)
  } catch (error) {
    await forgetLocks(context, locks)
    throw error
  } finally {
    await releaseAll(locks.values())
  }
}

/**
 * All pods of a workload run what is here; only what has gone is pulled again, with the credentials of the host: those
 * of the play are not kept.
 */
const laterPolicy = <Of extends Wanted>(wanted: Of): Of => ({
  ...wanted,
  pullPolicy: wanted.pullPolicy === 'Never' ? 'Never' : 'IfNotPresent',
})

function withLaterPolicy(pod: PodSpec): PodSpec {
  return {
    ...pod,
    volumes: pod.volumes.map(volume => (volume.kind === 'image' ? laterPolicy(volume) : volume)),
    initContainers: pod.initContainers.map(laterPolicy),
    containers: pod.containers.map(laterPolicy),
  }
}
