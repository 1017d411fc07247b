/** `stats`: one reading of what containers use. Two of them make a rate, which is the caller's business. */
import type { OciConfig } from '../../oci/index.ts'
import { readUsage, type Usage } from '../../oci/index.ts'
import type { EngineContext } from '../context.ts'
import { configOf } from '../play/index.ts'
import type { ContainerView } from '../types/index.ts'
import { find, loadAll } from '../view/index.ts'
import { processOf, subjectOf } from './subject.ts'
import type { Reading, StatsRequest } from './types.ts'

/**
 * Reads what the wanted containers use now; one that does not run has no numbers. Without names: all that run, with
 * `all` those that do not as well.
 * @throws NO_SUCH_OBJECT.
 */
export async function stats(context: EngineContext, request: StatsRequest): Promise<Reading[]> {
  const wanted = await containersFor(context, request)
  return Promise.all(wanted.map(container => read(context, container)))
}

async function containersFor(context: EngineContext, { names, pods, all }: StatsRequest): Promise<ContainerView[]> {
  if (names.length === 0) {
    const containers = (await loadAll(context)).flatMap(({ view }) => view.containers)
    return containers.filter(container => all || processOf(container) !== undefined)
  }
  const found = await Promise.all(
    names.map(async name =>
      pods ? (await find(context, name)).pod.containers : [(await subjectOf(context, name)).container],
    ),
  )
  return found.flat().filter(container => !pods || processOf(container) !== undefined)
}

async function read(context: EngineContext, container: ContainerView): Promise<Reading> {
  const { id, name, pod, podId, kind, startedMs } = container
  const base = { id, name, pod, podId, kind, atMs: context.clock.monotonicMs() }
  const running = processOf(container) === undefined ? undefined : await configOf(context, id)
  if (running === undefined) return { ...base, usage: {} }
  const age = startedMs === undefined ? {} : { upMs: Math.max(0, context.clock.nowMs() - startedMs) }
  return { ...base, ...age, usage: usageOf(context, container, running) }
}

function usageOf(context: EngineContext, container: ContainerView, config: OciConfig): Usage {
  // The host's own network says nothing about a container.
  const ownNetwork = config.linux.namespaces.some(({ type }) => type === 'network')
  return readUsage(context.hierarchies, config.linux.cgroupsPath, ownNetwork ? processOf(container) : undefined)
}
