/** User namespaces of a play's pods: whether they can be, and which ids of the host they get. */
import { isTspodError, TspodError } from '../../errors.ts'
import type { PodSpec, UsernsSpec } from '../../model.ts'
import { chooseIds, existingMaps, idPool, idsInUse, mapsOwnersRight, type Runtime } from '../../oci/index.ts'
import type { EngineContext } from '../context.ts'
import { readPods, type Transaction, type UsernsSettings } from '../state/index.ts'
import type { NetworkPlan } from './settings.ts'

/**
 * The runtime of a pod with a user namespace: the one that is wished for, or else the first that may run such a pod.
 * @param choose finds a runtime by name, the usual one without.
 * @throws HOST_LACKS for one that does not keep mounts as they should be in a user namespace.
 */
export async function usernsRuntime(
  pod: PodSpec,
  wanted: string | undefined,
  choose: (name: string | undefined) => Promise<Runtime>,
): Promise<{ runtime: Runtime; wanted?: string }> {
  const runtime = await choose(wanted)
  if (pod.userns === undefined || mapsOwnersRight(runtime)) return { runtime, ...(wanted !== undefined && { wanted }) }
  for (const name of wanted === undefined ? ['crun', 'runc'] : []) {
    const other = await choose(name).catch(error => {
      if (isTspodError(error)) return undefined
      throw error
    })
    if (other !== undefined && mapsOwnersRight(other)) return { runtime: other, wanted: name }
  }
  const message = `pod ${pod.name}: ${runtime.name} ${runtime.version} cannot run a pod with a user namespace of its own`
  throw new TspodError('HOST_LACKS', `${message}: it is not known to keep the options of mounts there`, {
    remedy: 'use runc (--runtime runc), or crun 1.21 or newer; or leave out hostUsers: false',
  })
}

/** A flag may have put together what the manifest alone may not. @throws SECURITY_REFUSED. */
export function refuseHostNamespaces(pod: PodSpec, plan: NetworkPlan): void {
  if (pod.userns === undefined) return
  const shared = [
    ...(plan.mode === 'host' ? ['network'] : []),
    ...(pod.hostPid ? ['PID namespace'] : []),
    ...(pod.hostIpc ? ['IPC namespace'] : []),
  ]
  if (shared.length === 0) return
  throw new TspodError(
    'SECURITY_REFUSED',
    `pod ${pod.name}: a user namespace of its own does not go with the ${shared.join(' and ')} of the host`,
    { remedy: 'leave out one of the two' },
  )
}

/** Gives out ids, one pod after the other; to be used inside the play's one transaction. */
export function idGiver(
  tx: Transaction,
  context: EngineContext,
): (wanted: UsernsSpec | undefined) => Promise<UsernsSettings | undefined> {
  let taken: { outside: number; count: number }[] | undefined
  return async wanted => {
    if (wanted === undefined) return undefined
    if (wanted.mode === 'path') return { ...existingMaps(wanted.path), path: wanted.path }
    taken ??= [
      ...(await readPods(tx)).flatMap(({ settings }) => [
        ...(settings.userns?.uids ?? []),
        ...(settings.userns?.gids ?? []),
      ]),
      // Podman's pods, and those of another installation.
      ...idsInUse(await context.storage()),
    ]
    const maps = chooseIds(wanted, idPool(), taken)
    taken.push(...maps.uids, ...maps.gids)
    return maps
  }
}
