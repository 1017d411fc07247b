/** Networks that pods may join: listed with those that have, made and removed. */
import { TspodError } from '../errors.ts'
import {
  createNetwork as define,
  definedNetworks,
  forgetNetwork,
  loadNetwork,
  type NetworkDefinition,
  type NetworkWish,
} from '../oci/index.ts'
import type { EngineContext } from './context.ts'
import { type PodRecord, readPods, takeLock } from './state/index.ts'
import type { NetworkView } from './types/index.ts'

/** All networks by their names. A description that cannot be used is NETWORK_FAILED. */
export async function listNetworks(context: EngineContext): Promise<NetworkView[]> {
  const [names, pods] = await Promise.all([definedNetworks(context.paths), readPods(context.store)])
  return Promise.all(names.map(name => viewOf(context, name, pods)))
}

/** The network of this name. Throws NO_SUCH_OBJECT in Podman's words. */
export async function findNetwork(context: EngineContext, name: string): Promise<NetworkView> {
  const [names, pods] = await Promise.all([definedNetworks(context.paths), readPods(context.store)])
  if (names.includes(name)) return viewOf(context, name, pods)
  throw new TspodError('NO_SUCH_OBJECT', `unable to find network with name or ID ${name}: network not found`, {
    remedy: 'see what there is: tspod network ls',
  })
}

async function viewOf({ paths }: EngineContext, name: string, pods: readonly PodRecord[]): Promise<NetworkView> {
  const definition = await loadNetwork(paths, name)
  const users = pods.filter(({ settings }) => settings.attachments.some(({ network }) => network === definition.name))
  // Another installation's default network has a name of its own for netavark.
  return { definition: { ...definition, name }, pods: users.map(pod => pod.name) }
}

/** Makes a network. Throws NAME_IN_USE, USAGE for addresses that cannot be, NETWORK_FAILED when no subnet is free. */
export async function createNetwork(context: EngineContext, wish: NetworkWish): Promise<NetworkDefinition> {
  await using _lock = await lockDefinitions(context)
  return await define(context.paths, wish)
}

/** Removes a network. Throws NO_SUCH_OBJECT, WRONG_STATE while a pod has it and for the default one. */
export async function removeNetwork(context: EngineContext, name: string): Promise<void> {
  await using _lock = await lockDefinitions(context)
  const { pods } = await findNetwork(context, name)
  if (pods.length > 0) {
    throw new TspodError(
      'WRONG_STATE',
      `network ${name} is being used by pod ${pods.join(', ')}: network is being used`,
      {
        remedy: 'remove these pods first, or with --force',
      },
    )
  }
  await forgetNetwork(context.paths, name)
}

const LOCK_TIMEOUT_MS = 30_000

const lockDefinitions = ({ paths, clock }: EngineContext): Promise<AsyncDisposable> =>
  takeLock({ paths, clock, name: '@networks', command: 'tspod network', timeoutMs: LOCK_TIMEOUT_MS })
