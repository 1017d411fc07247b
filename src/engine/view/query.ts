/** Reading: what there is, by name or id, and everything about one object. Takes no lock and spawns no process. */
import { TspodError } from '../../errors.ts'
import { containerRunDirectory } from '../../paths.ts'
import type { EngineContext } from '../context.ts'
import type { SandboxState } from '../plan/index.ts'
import { isOom, logPath, observe } from '../run/index.ts'
import {
  amongIds,
  type ContainerRecord,
  type PodRecord,
  readContainers,
  readJobs,
  readPods,
  type SandboxFacts,
  specNamed,
} from '../state/index.ts'
import type { ContainerView, Found, ListedContainer, ListedPod, ObjectKind, PodView } from '../types/index.ts'
import { cgroupOf } from '../unit.ts'
import { type Seen, viewPod } from './view.ts'

export type Loaded = {
  pod: PodRecord
  containers: ContainerRecord[]
  sandbox: SandboxFacts | undefined
  view: ListedPod
}

/** All pods with their views, oldest first; with `ids` those alone, as far as they are there. */
export async function loadAll(context: EngineContext, ids?: readonly string[]): Promise<Loaded[]> {
  const { store, boot, paths, clock } = context
  const [pods, jobs, containers, sandboxes] = await Promise.all([
    readPods(store, ids),
    readJobs(store),
    readContainers(store, ids),
    store.all(`SELECT pod, state, boot, facts FROM sandbox ${amongIds('pod', ids)}`, ids),
  ])
  const facts = new Map(
    sandboxes
      .filter(row => row.boot === boot)
      .map(row => [
        String(row.pod),
        { facts: JSON.parse(String(row.facts)) as SandboxFacts, state: row.state as SandboxState },
      ]),
  )
  const nowMs = clock.nowMs()
  const byPod = Map.groupBy(containers, container => container.pod)
  return pods.map(pod => {
    const sandbox = facts.get(pod.id)
    const own = byPod.get(pod.id) ?? []
    const seen = own.map((record): Seen => {
      const observed = observe({ paths, boot, runtime: sandbox?.facts.runtime.name }, record)
      // Its monitor knows a moment before it is recorded.
      const oom = observed.at === 'exited' && record.reason === '' && isOom(containerRunDirectory(paths, record.id))
      return { record, observed, logPath: logPath(paths, pod, record), oom }
    })
    const job = pod.job === undefined ? undefined : jobs.get(pod.job)
    const view = listed(context, pod, viewPod({ pod, seen, sandbox, nowMs, ...(job && { job }) }))
    return { pod, containers: own, sandbox: sandbox?.facts, view }
  })
}

function listed(context: EngineContext, pod: PodRecord, view: PodView): ListedPod {
  return {
    ...view,
    restartPolicy: pod.spec.restartPolicy,
    networks: pod.settings.attachments.map(({ network }) => network),
    cgroup: cgroupOf(context, pod).path,
    containers: view.containers.map(container => {
      const mounts = (specNamed(pod.spec, container.shortName)?.mounts ?? []).map(({ volume, path }) => ({
        volume,
        path,
      }))
      return { ...container, mounts }
    }),
  }
}

type Match<Of> = { loaded: Of; container?: ListedContainer }

/** An id may be shortened to this many digits. */
const ID_PREFIX = /^[0-9a-f]{4,64}$/

/**
 * Finds a pod or container by POD, CONTAINER (its full name), POD/CONTAINER, or an id prefix of either.
 * @throws NO_SUCH_OBJECT in Podman's words when there is none, AMBIGUOUS_ID when an id prefix fits several.
 */
export async function find(context: EngineContext, nameOrId: string, kind?: ObjectKind): Promise<Found> {
  const found = await lookUp(context, nameOrId, kind)
  if (found === undefined) {
    const what = kind ?? 'pod or container'
    const why = `no ${what} with name or ID "${nameOrId}" found: no such ${kind ?? 'object'}`
    throw new TspodError('NO_SUCH_OBJECT', why, { remedy: 'see what there is: tspod ps -a, tspod pod ps' })
  }
  const { loaded, container } = found
  return container === undefined
    ? { kind: 'pod', pod: loaded.view }
    : { kind: 'container', pod: loaded.view, container }
}

/** The one container that is meant: itself, or the first regular one of a pod, as kubectl has it. Throws as `find`. */
export async function oneContainer(context: EngineContext, nameOrId: string): Promise<ContainerView> {
  const found = await find(context, nameOrId)
  if (found.kind === 'container') return found.container
  const regular = found.pod.containers.find(container => container.kind === 'regular')
  if (regular !== undefined) return regular
  throw new TspodError('NO_SUCH_OBJECT', `pod ${found.pod.name} has no container`, {
    remedy: 'name a container: POD/CONTAINER',
  })
}

/** What `find` finds, with its records; undefined when there is none. Throws AMBIGUOUS_ID. */
export const lookUp = async (
  context: EngineContext,
  nameOrId: string,
  kind: ObjectKind | undefined,
): Promise<Match<Loaded> | undefined> => matchIn(await loadAll(context), nameOrId, kind)

/** The one of `all` that a name or the beginning of an id stands for, if any. Throws AMBIGUOUS_ID. Pure. */
export function matchIn<Of extends { view: ListedPod }>(
  all: readonly Of[],
  nameOrId: string,
  kind: ObjectKind | undefined,
): Match<Of> | undefined {
  const pods = kind === 'container' ? [] : all.filter(({ view }) => view.kind === 'pod')
  const pod = pods.find(loaded => loaded.view.name === nameOrId)
  if (pod !== undefined) return { loaded: pod }
  const containers = (kind === 'pod' ? [] : all).flatMap(loaded =>
    loaded.view.containers.map((container): Match<Of> => ({ loaded, container })),
  )
  const named = containers.find(
    ({ container }) => container?.name === nameOrId || `${container?.pod}/${container?.shortName}` === nameOrId,
  )
  if (named !== undefined) return named
  const byId = ID_PREFIX.test(nameOrId)
    ? [
        ...pods.filter(loaded => loaded.view.id.startsWith(nameOrId)).map((loaded): Match<Of> => ({ loaded })),
        ...containers.filter(({ container }) => container?.id.startsWith(nameOrId)),
      ]
    : []
  if (byId.length < 2) return byId[0]
  throw new TspodError('AMBIGUOUS_ID', `more than one result for ${kind ?? 'object'} name or ID ${nameOrId}`, {
    remedy: 'give more digits of the id: tspod ps -a --no-trunc, tspod pod ps --no-trunc',
  })
}
