/** Changes of a pod that goes on running: its record, and limits in the kernel. */
import type { ContainerSpec, PodManifest } from '../../model.ts'
import { type Limits, podLimits } from '../../oci/index.ts'
import { type EngineContext, patchPod } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { updateLimits, withPod } from '../operate/index.ts'
import { reconcile } from '../run/index.ts'
import { keepCopy, replaceManifest, specNamed } from '../state/index.ts'
import { writePatches } from '../work.ts'
import { same } from './differences.ts'
import type { PodPlan } from './world.ts'

/** Makes one pod what `plan` says. Throws what setting limits throws; its record says the old thing then. */
export async function changeLive(
  context: EngineContext,
  plan: PodPlan & { do: 'change' },
  manifest: PodManifest | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { standing, spec } = plan
  if (standing === undefined) throw new Error(`pod ${plan.name} is not there`)
  for (const container of [...spec.initContainers, ...spec.containers]) {
    const record = standing.containers.find(({ shortName }) => shortName === container.name)
    const limits = limitsToSet(specNamed(standing.spec, container.name), container, standing.settings.limits)
    if (record !== undefined && limits !== undefined) await updateLimits(context, record.id, limits, signal)
  }
  await withPod(context, standing.record.id, 'tspod apply', { signal }, async work => {
    // What the manifest says holds again: nothing was changed by hand any more.
    const { limits: _, ...settings } = work.pod.settings
    patchPod(work, { spec, settings })
    noteEvent(work, undefined, { action: 'update', reason: 'Updated' })
    await context.store.write(async tx => {
      await writePatches(tx, work)
      if (manifest !== undefined) await replaceManifest(tx, work.pod.id, manifest)
    })
    keepCopy(context.paths, { ...work, ...(manifest !== undefined && { manifest }) })
    // A deadline or a policy may mean something else for what has ended already.
    if (work.pod.goal === 'running') await reconcile(work, false)
  })
}

/** Limits that differ from what the container has; undefined when none does. */
function limitsToSet(
  before: ContainerSpec | undefined,
  after: ContainerSpec,
  changed: Record<string, Limits> | undefined,
): Limits | undefined {
  const isSame = same(before?.resources, after.resources) && changed?.[after.name] === undefined
  return isSame ? undefined : podLimits(after.resources)
}
