/**
 * The service container: one process that stands for all pods of a play, so that systemd has something to watch. It
 * starts before the first of them, stops when the last one has come to rest, and goes with the last one's removal.
 * It is alone in a pod of its own kind, so that locks, plans, crashes and removal are those of every pod.
 * Source of the behaviour: Podman's service containers.
 */
import { join } from 'node:path'
import type { ContainerName, Id, PodName } from '../../model.ts'
import type { Runtime } from '../../oci/index.ts'
import { podRunDirectory } from '../../paths.ts'
import type { Unit } from '../../systemd/index.ts'
import type { EngineContext, PodWork } from '../context.ts'
import { emptyPodSpec, type Intent, newContainer, newId, writeIntent } from '../play/index.ts'
import { tellStanding } from '../standing.ts'
import type { Transaction } from '../state/index.ts'
import { type PodRecord, readPodById, updateContainer, updatePod } from '../state/index.ts'
import type { ServiceOptions } from '../types/index.ts'
import { loadWork, lockPod, writePatches } from '../work.ts'
import { advance } from './lifecycle.ts'
import { observeEnds, reconcile } from './reconcile.ts'
import { tearDown } from './teardown.ts'

/** Podman's default for containers that say nothing themselves. */
const SERVICE_GRACE_MS = 10_000

/** Writes the service of a play; its pods are written after it, in the same transaction. */
export async function writeService(
  tx: Transaction,
  context: EngineContext,
  options: ServiceOptions,
  unit: Unit | undefined,
  runtime: Runtime,
): Promise<Intent> {
  const id = newId()
  const createdMs = context.clock.nowMs()
  const intent: Intent = {
    pod: {
      id,
      name: options.name as PodName,
      kind: 'service',
      spec: { ...emptyPodSpec(options.name, 'Service container'), restartPolicy: 'Never', graceMs: SERVICE_GRACE_MS },
      settings: {
        network: 'none',
        attachments: [],
        log: { driver: 'none', maxBytes: 0 },
        noHosts: true,
        noHostname: true,
        propagation: options.propagation,
        ...(unit !== undefined && { unit }),
      },
      goal: 'running',
      complete: false,
      counted: false,
      createdMs,
    },
    containers: [
      {
        ...newContainer(id, createdMs, 'running'),
        name: options.name,
        shortName: 'service' as ContainerName,
        kind: 'service',
        ordinal: 0,
      },
    ],
    sandbox: {
      runtime,
      namespaces: join(podRunDirectory(context.paths, id), 'ns'),
      addresses: [],
      dnsServers: [],
    },
  }
  await writeIntent(tx, context, intent)
  return intent
}

/** Starts the service of a pod that is about to start, if it does not run. Called with the pod's lock held. */
export async function startService(context: EngineContext, id: Id): Promise<void> {
  await withService(context, id, 'starting the service', async work => {
    const [container] = work.containers
    observeEnds(work)
    if (container === undefined) return
    // One that somebody has paused stands for the service all the same.
    const isUp = (): boolean => container.state === 'running' || container.state === 'paused'
    if (isUp() && work.pod.goal === 'running') return
    // A stop that was begun cannot be taken back: it is ended first.
    if (container.state === 'stopping') {
      work.stopping = { graceMs: SERVICE_GRACE_MS, signal: await endSignal(context.store, work.pod) }
      await reconcile(work, false)
    }
    work.pod.goal = 'running'
    container.goal = 'running'
    if (container.state !== 'configured' && !isUp()) container.state = advance(container.state, 'reset')
    await context.store.write(async tx => {
      await updatePod(tx, id, { goal: 'running' })
      await writePatches(tx, work)
      await updateContainer(tx, container.id, { goal: 'running', state: container.state })
    })
    const { failures } = await reconcile(work, false)
    if (failures[0] !== undefined) throw failures[0].error
  })
}

/** Starts the service again that a reboot ended, before a pod of it is looked after. Called with the pod's lock held. */
export async function reviveService(context: EngineContext, { service, goal }: PodRecord): Promise<void> {
  if (service === undefined || goal !== 'running') return
  const ended = await context.store.all(
    "SELECT 1 FROM container WHERE pod = ? AND state = 'running' AND boot <> ? LIMIT 1",
    [service, context.boot],
  )
  if (ended.length > 0) await startService(context, service)
}

/**
 * Stops the service once all its pods are at rest, with the exit code that their containers' codes make; has it run as
 * long as one is not, should a stop that failed have wanted it otherwise.
 */
export async function settleService(context: EngineContext, id: Id): Promise<void> {
  if (!(await isIdle(context, id))) {
    const service = await readPodById(context.store, id)
    if (service?.goal === 'stopped') await startService(context, id)
    if (service !== undefined) await tellStanding(context, service)
    return
  }
  await withService(context, id, 'stopping the service', async work => {
    // A pod may have been started while this waited for the lock.
    if (!(await isIdle(context, id)) || work.pod.goal === 'removed') return
    work.pod.goal = 'stopped'
    await context.store.write(async tx => {
      // Decided by what is on record when it is: a Job may be complete since this began to look (seed 5600198).
      work.stopping = { signal: await endSignal(tx, work.pod), graceMs: SERVICE_GRACE_MS }
      await updatePod(tx, id, { goal: 'stopped' })
      await writePatches(tx, work)
    })
    await reconcile(work, false)
  })
}

/**
 * Stops and removes a service ahead of its pods, all of which are being removed: their containers have ended, and the
 * rest of them needs no service. Does nothing where one of them goes on.
 * @param resting pods whose containers have ended, as this process knows before it is on record.
 */
export async function removeService(context: EngineContext, id: Id, resting: readonly Id[]): Promise<void> {
  await withService(context, id, 'removing the service', async (work, lock) => {
    if (!(await isIdle(context, id, resting))) return
    work.stopping = { signal: await endSignal(context.store, work.pod), graceMs: SERVICE_GRACE_MS }
    await context.store.write(tx =>
      tx.run("UPDATE pod SET service = NULL WHERE service = ? AND goal = 'removed'", [id]),
    )
    await tearDown(work, lock)
  })
}

/** Every pod of the service has stopped or finished; one that was created and never started may still be. */
async function isIdle({ store, boot }: EngineContext, id: Id, resting: readonly Id[] = []): Promise<boolean> {
  const busy = await store.all(
    `SELECT pod.id AS id FROM pod JOIN sandbox ON sandbox.pod = pod.id
     WHERE pod.service = ? AND NOT (pod.goal <> 'created' AND (sandbox.state = 'down' OR sandbox.boot <> ?))`,
    [id, boot],
  )
  return busy.every(row => resting.includes(row.id as Id)) && !(await awaitsPods(store, id))
}

/** A Job that has not ended will have more pods, unless somebody holds it up by hand. */
async function awaitsPods(store: EngineContext['store'], service: Id): Promise<boolean> {
  const rows = await store.all(
    `SELECT 1 FROM job JOIN pod ON pod.job = job.id WHERE pod.service = ? AND job.outcome IS NULL
     GROUP BY job.id HAVING sum(pod.goal <> 'running' AND pod.counted = 0) = 0 LIMIT 1`,
    [service],
  )
  return rows.length > 0
}

/** SIGINT ends catatonit with code 0, SIGKILL makes it 137: those are the two that Podman's services end with. */
async function endSignal(records: Pick<Transaction, 'all'>, service: PodRecord): Promise<NodeJS.Signals> {
  const { propagation = 'none' } = service.settings
  if (propagation === 'none') return 'SIGINT'
  // A Job is one thing that succeeds or fails, however many of its pods did.
  const [row] = await records.all(
    `SELECT count(*) AS total, coalesce(sum(failed), 0) AS failed FROM (
       SELECT (container.state = 'exited' AND container.exit_code <> 0) OR pod.failure IS NOT NULL AS failed
       FROM container JOIN pod ON container.pod = pod.id
       WHERE pod.service = ? AND container.kind = 'regular' AND pod.job IS NULL AND pod.goal <> 'removed'
       UNION ALL
       SELECT outcome IS NOT 'Complete' FROM job
       WHERE id IN (SELECT job FROM pod WHERE service = ? AND pod.goal <> 'removed'))`,
    [service.id, service.id],
  )
  const [total, failed] = [Number(row?.total ?? 0), Number(row?.failed ?? 0)]
  // What is gone or about to go, or was stopped on purpose, has not failed: a unit that is stopped must not be failed.
  const fails = propagation === 'any' ? failed > 0 : total > 0 && failed === total
  return fails ? 'SIGKILL' : 'SIGINT'
}

/** Removes services whose last pod is gone, of this installation, whoever left them. Returns what could not be freed. */
export async function removeIdleServices(context: EngineContext): Promise<string[]> {
  // A play writes a service and its pods in one transaction: one without pods is nobody's any more.
  const rows = await context.store.all(
    "SELECT id FROM pod WHERE kind = 'service' AND id NOT IN (SELECT service FROM pod WHERE service IS NOT NULL)",
  )
  const failures: string[] = []
  for (const row of rows) {
    await withService(context, String(row.id) as Id, 'removing the service', async (work, lock) => {
      work.stopping = { graceMs: SERVICE_GRACE_MS, signal: 'SIGINT' }
      failures.push(...(await tearDown(work, lock)).failures)
    })
  }
  return failures
}

type Lock = Awaited<ReturnType<typeof lockPod>>

async function withService(
  context: EngineContext,
  id: Id,
  doing: string,
  act: (work: PodWork, lock: Lock) => Promise<void>,
): Promise<void> {
  const before = await readPodById(context.store, id)
  if (before === undefined) return
  const lock = await lockPod(context, before.name, `tspod, ${doing}`)
  try {
    const service = await readPodById(context.store, id)
    if (service === undefined) return await lock.removeFile()
    await act(await loadWork(context, service), lock)
  } finally {
    await lock[Symbol.asyncDispose]()
  }
}
