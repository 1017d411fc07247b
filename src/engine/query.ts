/** Reading: what there is, by name or id, and everything about one object. Takes no lock and spawns no process. */
import { TspodError } from '../errors.ts'
import type { EnvEntry, PodSpec } from '../model.ts'
import type { EngineContext } from './context.ts'
import { logPath } from './log-path.ts'
import { observe } from './observe.ts'
import type { SandboxState } from './plan/index.ts'
import {
  type ContainerRecord,
  type PodRecord,
  readContainers,
  readPods,
  type SandboxFacts,
  specNamed,
} from './records.ts'
import type { ContainerView, Found, PodView } from './types.ts'
import { viewPod } from './view.ts'

type Loaded = { pod: PodRecord; containers: ContainerRecord[]; sandbox: SandboxFacts | undefined; view: PodView }

/** All pods with their views, oldest first. */
export async function loadAll(context: EngineContext): Promise<Loaded[]> {
  const { store, boot, paths, clock } = context
  const [pods, containers, sandboxes] = await Promise.all([
    readPods(store),
    readContainers(store),
    store.all('SELECT pod, state, boot, facts FROM sandbox'),
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
  return pods.map(pod => {
    const sandbox = facts.get(pod.id)
    const own = containers.filter(container => container.pod === pod.id)
    const seen = own.map(record => ({
      record,
      observed: observe({ paths, boot, runtime: sandbox?.facts.runtime.name }, record),
      logPath: logPath(paths, pod, record),
    }))
    return { pod, containers: own, sandbox: sandbox?.facts, view: viewPod({ pod, seen, sandbox, nowMs }) }
  })
}

type Match = { loaded: Loaded; container?: ContainerView }

/** An id may be shortened to this many digits. */
const ID_PREFIX = /^[0-9a-f]{4,64}$/

/**
 * Finds a pod or container by POD, CONTAINER (its full name), POD/CONTAINER, or an id prefix of either.
 * @throws NO_SUCH_OBJECT in Podman's words when there is none or the prefix fits several.
 */
export async function find(context: EngineContext, nameOrId: string): Promise<Found> {
  const { loaded, container } = await match(context, nameOrId)
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

async function match(context: EngineContext, nameOrId: string): Promise<Match> {
  const all = await loadAll(context)
  const pods = all.filter(({ view }) => view.kind === 'pod')
  const pod = pods.find(loaded => loaded.view.name === nameOrId)
  if (pod !== undefined) return { loaded: pod }
  const containers = all.flatMap(loaded => loaded.view.containers.map((container): Match => ({ loaded, container })))
  const named = containers.find(
    ({ container }) => container?.name === nameOrId || `${container?.pod}/${container?.shortName}` === nameOrId,
  )
  if (named !== undefined) return named
  const byId = ID_PREFIX.test(nameOrId)
    ? [
        ...pods.filter(loaded => loaded.view.id.startsWith(nameOrId)).map((loaded): Match => ({ loaded })),
        ...containers.filter(({ container }) => container?.id.startsWith(nameOrId)),
      ]
    : []
  if (byId[0] !== undefined && byId.length === 1) return byId[0]
  const why =
    byId.length > 1
      ? `more than one object has an id that begins with "${nameOrId}"`
      : `no pod or container with name or ID "${nameOrId}" found: no such object`
  throw new TspodError('NO_SUCH_OBJECT', why, { remedy: 'see what there is: tspod ps -a, tspod pod ps' })
}

/** The full record of a pod or container; values that come from Secrets are left out. */
export async function inspect(context: EngineContext, nameOrId: string): Promise<object> {
  const { loaded, container } = await match(context, nameOrId)
  const spec = redacted(loaded.pod.spec)
  if (container === undefined) {
    const { settings, goal } = loaded.pod
    return { ...loaded.view, goal, settings, sandbox: loaded.sandbox ?? null, spec }
  }
  return { ...container, spec: specNamed(spec, container.shortName) ?? null }
}

const HIDDEN = '(secret)'

/** The spec without anything that came from a Secret. */
export function redacted(spec: PodSpec): PodSpec {
  const hide = (entry: EnvEntry): EnvEntry => (entry.secret && 'text' in entry ? { ...entry, text: HIDDEN } : entry)
  const hideIn = <T extends { env: EnvEntry[] }>(container: T): T => ({ ...container, env: container.env.map(hide) })
  return {
    ...spec,
    initContainers: spec.initContainers.map(hideIn),
    containers: spec.containers.map(hideIn),
    volumes: spec.volumes.map(volume =>
      volume.kind === 'files' && volume.source === 'secret'
        ? { ...volume, files: volume.files.map(file => ({ ...file, base64: HIDDEN })) }
        : volume,
    ),
  }
}
