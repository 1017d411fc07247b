/**
 * After a reboot nothing runs, whatever the records say. The first command of a boot records that; what starts again
 * is for `system refresh --start`, which the unit tspod-restart.service calls, by the rules of every other restart:
 * a pod whose restartPolicy is Always comes back, of OnFailure what had not succeeded, of Never nothing that ran.
 * Init containers run again, as in the kubelet's new sandbox. Who was stopped by hand stays stopped.
 */
import type { EngineContext } from './context.ts'
import { eventAbout, insertEvents } from './events/index.ts'
import { lookAfter } from './look-after.ts'
import { leadersFirst, placeOf } from './play/index.ts'
import { recordEnd, startService } from './run/index.ts'
import { keepBackup, readPods, updatePod, updateSandbox } from './state/index.ts'
import { wakeTimekeeper } from './timekeeper.ts'
import type { Outcome } from './types/index.ts'
import { loadWork, look, writePatches } from './work.ts'

/**
 * Records what the reboot ended: containers whose exit nobody saw, sandboxes that are gone, times nobody waits for.
 * No lock is taken: nobody else works on a pod before the boot has its key.
 */
export async function recordReboot(context: EngineContext): Promise<void> {
  const { store, boot, clock } = context
  const works = await Promise.all(
    (await readPods(store))
      // What was interrupted is finished by the next play or removal, which look at everything themselves.
      .filter(pod => pod.complete && pod.goal !== 'removed')
      .map(pod => loadWork(context, pod)),
  )
  if (works.length === 0) return
  for (const work of works) {
    for (const record of work.containers) {
      if (record.boot !== undefined && look(work, record).at === 'lost') recordEnd(work, record, undefined)
    }
  }
  await store.write(async tx => {
    const about = { kind: 'system', object: '', name: '', labels: {} } as const
    await insertEvents(tx, [eventAbout(clock.nowMs(), about, { action: 'refresh', reason: 'Rebooted' })])
    await tx.run('UPDATE exec_session SET finished_ms = ? WHERE finished_ms IS NULL', [clock.nowMs()])
    for (const work of works) {
      await writePatches(tx, work)
      await updateSandbox(tx, work.pod.id, boot, 'down')
      await updatePod(tx, work.pod.id, { wakeMs: null })
    }
  })
  await keepBackup(context)
}

/**
 * Brings every pod to its goal that wants to run; answers for each that was looked after what became of it. What a unit
 * has played is for systemd to start again, or not.
 */
export async function startAfterReboot(context: EngineContext): Promise<Outcome[]> {
  const pods = (await readPods(context.store)).filter(
    pod => pod.kind === 'pod' && pod.complete && pod.goal === 'running' && pod.settings.unit === undefined,
  )
  const services = new Set(pods.map(pod => pod.service).filter(id => id !== undefined))
  const failed = new Map<string, Error>()
  for (const id of services) await startService(context, id).catch((error: Error) => failed.set(id, error))
  let waits = false
  const outcomes = await leadersFirst(pods, placeOf, async ({ id, name, service }): Promise<Outcome> => {
    const broken = service === undefined ? undefined : failed.get(service)
    if (broken !== undefined) return { id, name, error: broken }
    try {
      if ((await lookAfter(context, id, 'tspod system refresh')) !== undefined) waits = true
      return { id, name }
    } catch (error) {
      return { id, name, error: error as Error }
    }
  })
  if (waits) await wakeTimekeeper(context)
  return outcomes
}
