/** Taking away what carries our mark and has no record. */
import { join } from 'node:path'
import { isTspodError } from '../../errors.ts'
import { removeTree } from '../../files.ts'
import { deleteContainer, netavarkInput, removeCgroup, signalContainer, unpinNamespaces } from '../../oci/index.ts'
import { podRunDirectory, runtimeRoot } from '../../paths.ts'
import type { EngineContext } from '../context.ts'
import { definitionOf } from '../play/index.ts'
import { POD_DIGITS, removeVolumes, unmountBelow } from '../volumes/index.ts'
import type { HostObject } from './facts.ts'
import { lookAtNetwork } from './gather-network.ts'

/** Removes one thing; that it is gone already is success. Throws what is in its way. */
export async function removeObject(context: EngineContext, object: HostObject): Promise<void> {
  const id = object.is === 'root file system' ? object.id.slice(0, POD_DIGITS) : object.id
  if ((await hasRecord(context, object.id)) || (await hasRecord(context, id))) return
  const { run, paths, hierarchies, clock } = context
  switch (object.is) {
    case 'runtime state':
      return removeFromRuntime(context, object.runtime, object.id)
    case 'monitor':
      signalContainer(object.pid, object.start, 'SIGKILL')
      return
    case 'root file system':
      return (await context.rootfs()).remove(object.id)
    case 'network':
      return disconnect(context, object)
    case 'cgroup': {
      const keepTop = object.path.endsWith('.scope')
      await removeCgroup(hierarchies, object.path, { force: true, keepTop, clock })
      return
    }
    case 'bound root':
      await unmountBelow([object.path], run)
      return removeTree(object.path)
    case 'namespaces':
      unpinNamespaces(join(object.path, 'ns'))
      await unmountBelow([object.path], run)
      return removeTree(object.path)
    case 'pod directory':
      await removeVolumes(object.id, paths, run)
      return removeTree(object.path)
    case 'run directory':
    case 'exit file':
    case 'notify directory':
    case 'log directory':
    case 'copy of records':
      return removeTree(object.path)
  }
}

/** It may have got one since it was looked at. A cgroup and a notify directory know the beginning of an id only. */
async function hasRecord({ store }: EngineContext, id: string): Promise<boolean> {
  const like = `${id}%`
  const rows = await store.all(
    'SELECT id FROM pod WHERE id LIKE ? UNION ALL SELECT id FROM container WHERE id LIKE ?',
    [like, like],
  )
  return rows.length > 0
}

/** A runtime that is not there any more, or cannot, is done without: what may still run is in the pod's cgroup. */
async function removeFromRuntime(context: EngineContext, name: string, id: HostObject['id']): Promise<void> {
  try {
    const runtime = { ...(await context.runtime(name)), root: runtimeRoot(context.paths, name) }
    await deleteContainer(context.run, runtime, id as Parameters<typeof deleteContainer>[2], { force: true })
  } catch (error) {
    if (!isTspodError(error)) throw error
    context.note(`container ${id} is removed without its runtime: ${error.message}`)
    await removeTree(join(runtimeRoot(context.paths, name), id))
  }
}

/** netavark takes its rules and names back when it is told once more what it was told. */
async function disconnect(context: EngineContext, object: HostObject & { is: 'network' }): Promise<void> {
  const { paths, networks } = context
  const { forwards = [] } = await lookAtNetwork(context)
  const ports = forwards
    .filter(forward => forward.address === object.address)
    .map(({ containerPort, hostPort, protocol }) => ({ containerPort, hostPort, protocol, hostIp: '' }))
  const definition = await definitionOf(paths, object.network)
  const input = netavarkInput(
    { id: object.id, name: object.id.slice(0, 12) },
    [{ definition, address: object.address, aliases: [] }],
    ports,
  )
  await networks.teardown(join(podRunDirectory(paths, object.id), 'ns', 'net'), input)
}
