/** Plays in which containers have a say in when the service is ready (io.containers.sdnotify), and what comes after. */
import type { Id } from '../../model.ts'
import { waitExit } from '../../oci/index.ts'
import { exitDirectory } from '../../paths.ts'
import type { EngineContext, PodWork } from '../context.ts'
import { watched } from '../run/index.ts'
import { standingText } from '../standing.ts'
import { type ContainerRecord, readContainer, readContainers, specNamed } from '../state/index.ts'
import type { Watch } from '../types/index.ts'

/** A service lives for weeks; each look is that long. */
const LONG_MS = 24 * 3_600_000

/** The containers that say themselves when they are ready. */
const speakers = ({ pod, containers }: PodWork): ContainerRecord[] =>
  containers.filter(({ shortName }) => specNamed(pod.spec, shortName)?.sdnotify === 'container')

/** Listens for what containers are going to say, before they are made. */
export function listenFor(work: PodWork): void {
  for (const { id } of speakers(work)) work.context.proxies.open(id)
}

/**
 * Waits until all that have started and speak for themselves are ready. No lock may be held: until then they are
 * looked after as usual. Throws START_FAILED when one has ended instead, and with the reason of `signal`.
 */
export async function awaitReadiness(works: readonly PodWork[], signal: AbortSignal, watch: Watch): Promise<void> {
  const waiting = new Map(works.flatMap(work => speakers(work).map(record => [record, work.context] as const)))
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
    [...waiting].map(async ([record, { proxies }]) => {
      await proxies.ready(record.id, signal)
      waiting.delete(record)
      tell()
    }),
  )
}

/** True when somebody has to stay for the containers of this play: its process stands for the service. */
export const isResident = (works: readonly PodWork[]): boolean =>
  works.some(({ pod }) => pod.spec.containers.some(({ sdnotify }) => sdnotify !== undefined))

/** Waits until the service has ended, and answers its exit code; 0 for one that was taken away. */
export async function serviceEnd(context: EngineContext, service: Id, signal: AbortSignal): Promise<number> {
  const { store, paths, clock, warn } = context
  const [record] = await readContainers(store, service)
  if (record === undefined || record.exitCode !== undefined) return record?.exitCode ?? 0
  for (;;) {
    const ended = await waitExit(exitDirectory(paths), [watched(record)], LONG_MS, clock, signal, warn)
    const verdict = ended.get(record.id)
    if (verdict?.is === 'exited') return verdict.exit.code
    if (verdict !== undefined) return (await readContainer(store, record.id))?.exitCode ?? 0
  }
}
