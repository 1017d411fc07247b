/** Everything known about one pod or container, without anything that came from a Secret. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, TspodError } from '../../errors.ts'
import { type OciConfig, wasOomKilled } from '../../oci/index.ts'
import { containerRunDirectory, podRunDirectory } from '../../paths.ts'
import type { EngineContext } from '../context.ts'
import { execSessions } from '../exec/index.ts'
import { redacted, visibleEnv } from '../redact.ts'
import { specNamed } from '../state/index.ts'
import type { Inspected, InspectedContainer, InspectedPod, ListedContainer, ObjectKind } from '../types/index.ts'
import { conditionsOf } from './conditions.ts'
import { type Loaded, lookUp } from './query.ts'

/**
 * The full record of a pod or container, found as `find` does.
 * @throws NO_SUCH_OBJECT in the words of `podman inspect`, AMBIGUOUS_ID.
 */
export async function inspect(context: EngineContext, nameOrId: string, kind?: ObjectKind): Promise<Inspected> {
  const found = await lookUp(context, nameOrId, kind)
  if (found === undefined) {
    const why = kind === undefined ? `no such object: "${nameOrId}"` : `no such ${kind} ${nameOrId}`
    throw new TspodError('NO_SUCH_OBJECT', why, { remedy: 'see what there is: tspod ps -a, tspod pod ps' })
  }
  const { loaded, container } = found
  const pod = inspectedPod(context, loaded)
  return container === undefined ? pod : inspectedContainer(context, loaded, pod, container)
}

function inspectedPod(context: EngineContext, { pod, view, sandbox }: Loaded): InspectedPod {
  return {
    kind: 'pod',
    view,
    conditions: conditionsOf(view),
    goal: pod.goal,
    spec: redacted(pod.spec),
    settings: pod.settings,
    sandbox,
    cgroupManager: context.cgroupPlace.manager === 'systemd' ? 'systemd' : 'cgroupfs',
  }
}

async function inspectedContainer(
  context: EngineContext,
  loaded: Loaded,
  pod: InspectedPod,
  view: ListedContainer,
): Promise<InspectedContainer> {
  const directory = containerRunDirectory(context.paths, view.id)
  const [config, sessions, image] = await Promise.all([
    readConfig(directory),
    execSessions(context, view.id),
    view.imageId === '' ? undefined : context.findImage(view.imageId),
  ])
  // The manifest as it is says which variables hold a secret; what is handed out has been redacted.
  const entries = specNamed(loaded.pod.spec, view.shortName)?.env ?? []
  return {
    kind: 'container',
    view,
    pod,
    spec: specNamed(pod.spec, view.shortName),
    config: config && { ...config, process: { ...config.process, env: visibleEnv(config.process.env, entries) } },
    image,
    oomKilled: config !== undefined && wasOomKilled(directory),
    execSessions: sessions,
    directory,
    podDirectory: podRunDirectory(context.paths, loaded.pod.id),
  }
}

async function readConfig(directory: string): Promise<OciConfig | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, 'config.json'), 'utf8')) as OciConfig
  } catch (error) {
    // A container that is being created or removed meanwhile has none, or half of one.
    if (isMissing(error) || error instanceof SyntaxError) return undefined
    throw error
  }
}
