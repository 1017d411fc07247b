/** Plays in which containers have a say in when the service is ready (io.containers.sdnotify), and what comes after. */
import { TspodError } from '../../errors.ts'
import type { ContainerSpec, Id } from '../../model.ts'
import { waitExit } from '../../oci/index.ts'
import { exitDirectory } from '../../paths.ts'
import type { EngineContext, PodWork } from '../context.ts'
import { watched } from '../run/index.ts'
import { standingText } from '../standing.ts'
import { type ContainerRecord, readContainer, readContainers, specNamed } from '../state/index.ts'
import type { Watch } from '../types/index.ts'

/** A service lives for weeks; each look is that long. */
const LONG_MS = 24 * 3_600_000

/** How soon it is noticed what its probes have found of a container, or that it has ended. */
const LOOK_MS = 250

type Policy = NonNullable<ContainerSpec['sdnotify']>

/** The containers that somebody says of when they are ready: they themselves, or their probes. */
const speakers = ({ pod, containers }: PodWork, policy: Policy): ContainerRecord[] =>
  containers.filter(({ shortName }) => specNamed(pod.spec, shortName)?.sdnotify === policy)

/** Listens for what containers are going to say, before they are made. */
export function listenFor(work: PodWork): void {
  for (const { id } of speakers(work, 'container')) work.context.proxies.open(id)
}

/**
 * Waits until all that have started and have a say are ready. No lock may be held: until then they are
 * looked after as usual. Throws START_FAILED when one has ended instead, and with the reason of `signal`.
 */
export async function awaitReadiness(works: readonly PodWork[], signal: AbortSignal, watch: Watch): Promise<void> {
  const waiting = new Map(
    (['container', 'healthy'] as const).flatMap(policy =>
      works.flatMap(work => speakers(work, policy).map(record => [record, { policy, ...work }] as const)),
    ),
  )
  // What could not be started is told of already.
  for (const record of waiting.keys()) if (record.startedMs === undefined) waiting.delete(record)
  if (waiting.size === 0) return
  const members = works.flatMap(({ containers }) => containers)
  const tell = (): void =>
    watch.standing?.(
      standingText(
        members,
        [...waiting.keys()].map(({ name }) => name),
      ),
    )
  tell()
  await Promise.all(
    [...waiting].map(async ([record, { policy, context }]) => {
      if (policy === 'container') await context.proxies.ready(record.id, signal)
      else await healthy(context, record, signal)
      waiting.delete(record)
      tell()
    }),
  )
}

/**
 * Waits until the liveness probe of a container has succeeded; where it has only a startup or a readiness probe, until
 * that has. Throws START_FAILED when its run has ended before, whether it runs again or not.
 */
async function healthy(
  { store, clock }: EngineContext,
  { id, restarts }: ContainerRecord,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const now = await readContainer(store, id)
    if (now?.state !== 'running' || now.restarts !== restarts) {
      throw new TspodError('START_FAILED', `container stopped running before it was healthy: ${id}`, {
        remedy: 'see what its probes have found: tspod events --stream=false',
      })
    }
    if (now.health === undefined ? now.ready : now.health === 'healthy') return
    await clock.sleep(LOOK_MS, signal)
  }
}

/** True when somebody has to stay for the containers of this play: its process stands for the service. */
export const isResident = (works: readonly PodWork[]): boolean =>
  works.some(({ pod }) => pod.spec.containers.some(({ sdnotify }) => sdnotify !== undefined))

/** Waits until the service has ended, and answers its exit code; 0 for one that was taken away. */
export async function serviceEnd(context: EngineContext, service: Id, signal: AbortSignal): Promise<number> {
  const { store, paths, clock, warn } = context
  const [record] = await readContainers(store, [service])
  if (record === undefined || record.exitCode !== undefined) return record?.exitCode ?? 0
  for (;;) {
    const ended = await waitExit(exitDirectory(paths), [watched(record)], LONG_MS, clock, signal, warn)
    const verdict = ended.get(record.id)
    if (verdict?.is === 'exited') return verdict.exit.code
    if (verdict !== undefined) return (await readContainer(store, record.id))?.exitCode ?? 0
  }
}
