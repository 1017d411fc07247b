/** Another name for a container. */
import { TspodError } from '../../errors.ts'
import type { Id } from '../../model.ts'
import { type EngineContext, patch } from '../context.ts'
import { noteEvent } from '../events/index.ts'
import { commitGoals, withPod } from './batch.ts'

/** What Podman takes as a name. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

/**
 * Renames one container; its name inside the pod, under which its siblings and the manifest know it, stays.
 * Throws USAGE for a word that is no name, NAME_IN_USE in Podman's words, NO_SUCH_OBJECT.
 */
export async function rename(
  context: EngineContext,
  podId: Id,
  id: Id,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  if (!NAME.test(name)) {
    throw new TspodError('USAGE', `names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument "${name}"`, {
      remedy: 'use letters, digits, _, . and -',
    })
  }
  await withPod(context, podId, 'tspod rename', { signal }, async work => {
    const [taken] = await context.store.all(
      'SELECT name FROM container WHERE name = ? UNION SELECT name FROM pod WHERE name = ?',
      [name, name],
    )
    if (taken !== undefined) {
      throw new TspodError('NAME_IN_USE', `name "${name}" is in use: container already exists`, {
        remedy: 'choose another one',
      })
    }
    const record = work.containers.find(container => container.id === id)
    if (record === undefined)
      throw new TspodError('NO_SUCH_OBJECT', `no such container ${id}`, { remedy: 'it was removed meanwhile' })
    noteEvent(work, record, { action: 'rename', reason: '', facts: { oldName: record.name } })
    patch(work, id, { name })
    await commitGoals(work)
  })
}
