/** Changing the limits of a container: in the kernel for the run it is in, and on record for later ones. */
import { join } from 'node:path'
import { TspodError } from '../../errors.ts'
import { writeAtomic } from '../../files.ts'
import type { Id } from '../../model.ts'
import { containerCgroup, type Limits, setLimits, withLimits } from '../../oci/index.ts'
import { type EngineContext, type PodWork, placesOf } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { configOf } from '../play/index.ts'
import { type ContainerRecord, readContainer, specNamed, updatePod } from '../state/index.ts'
import { look, writePatches } from '../work.ts'
import { withPod } from './batch.ts'

/**
 * Changes limits of a container, now and for its later runs. Its pod has to exist; the container may be in any state.
 * @throws NO_SUCH_OBJECT, WRONG_STATE for a container that has none of its own, HOST_LACKS and COMMAND_FAILED of
 * `setLimits`: nothing has changed then.
 */
export async function updateLimits(context: EngineContext, id: Id, limits: Limits, signal: AbortSignal): Promise<void> {
  const found = await readContainer(context.store, id)
  if (found === undefined) throw gone(id)
  await withPod(context, found.pod, 'tspod update', { signal }, async work => {
    const record = work.containers.find(container => container.id === id)
    if (record === undefined) throw gone(id)
    if (specNamed(work.pod.spec, record.shortName) === undefined) throw hasNone(record)
    const observed = look(work, record)
    if (observed.at === 'created' || observed.at === 'running' || observed.at === 'unmonitored') {
      setLimits(context.hierarchies, containerCgroup(work.cgroup, record.shortName), limits)
      await rewriteConfig(work, record, limits)
    }
    const all = work.pod.settings.limits ?? {}
    const settings = {
      ...work.pod.settings,
      limits: { ...all, [record.shortName]: { ...all[record.shortName], ...limits } },
    }
    noteEvent(work, record, { action: 'update', reason: 'Updated' })
    await context.store.write(async tx => {
      await updatePod(tx, work.pod.id, { settings })
      await writePatches(tx, work)
    })
  })
}

/** What `inspect` shows is what the container was last given. */
async function rewriteConfig(work: PodWork, record: ContainerRecord, limits: Limits): Promise<void> {
  const config = await configOf(work.context, record.id)
  if (config === undefined) return
  config.linux.resources = withLimits(config.linux.resources, limits)
  const file = join(placesOf(work, record.id).run, 'config.json')
  await writeAtomic(file, JSON.stringify(config), 0o600, { durable: false })
}

const gone = (id: string): TspodError =>
  new TspodError('NO_SUCH_OBJECT', `no container with name or ID "${id}" found: no such container`, {
    remedy: 'see what there is: tspod ps -a',
  })

const hasNone = ({ name }: ContainerRecord): TspodError =>
  new TspodError('WRONG_STATE', `container ${name} only holds others together and has no limits of its own`, {
    remedy: 'name a container of the manifest: tspod ps -a',
  })
