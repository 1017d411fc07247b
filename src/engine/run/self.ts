/** What a pod can be told of itself only now that it exists, and the parts of its spec that wait for it. */
import { statfsSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { TspodError } from '../../errors.ts'
import type { ContainerSpec, PodSpec, RuntimeField } from '../../model.ts'
import type { PodWork } from '../context.ts'

/** What only this pod on this host can say; of limits the translator asks only where none is set. */
export function runtimeFact(work: PodWork, field: RuntimeField): string {
  const { host, paths } = work.context
  const addresses = work.sandbox.addresses
  switch (field) {
    case 'metadata.uid':
      return work.pod.id
    case 'status.podIP':
      return addresses[0] ?? hostAddress()
    case 'status.podIPs':
      return addresses.join(',') || hostAddress()
    case 'status.hostIP':
    case 'status.hostIPs':
      return hostAddress()
    case 'spec.nodeName':
      return hostname()
    case 'limits.cpu':
      return String(host.cpus)
    case 'limits.memory':
      return String(host.memoryBytes)
    case 'limits.ephemeral-storage': {
      const { blocks, bsize } = statfsSync(paths.root)
      return String(blocks * bsize)
    }
  }
}

/** The first address of this host that others can reach. */
function hostAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  return all.find(address => address.family === 'IPv4' && !address.internal)?.address ?? '127.0.0.1'
}

/** The spec with the content of files that tell of the pod itself. */
export async function withRuntimeFiles(work: PodWork): Promise<PodSpec> {
  const { spec } = work.pod
  const waits = spec.volumes.some(volume => volume.kind === 'files' && volume.files.some(file => 'runtime' in file))
  if (!waits) return spec
  const { runtimeValue } = await import('../../kube/index.ts')
  const volumes = spec.volumes.map(volume => {
    if (volume.kind !== 'files') return volume
    const files = volume.files.map(file => {
      if (!('runtime' in file)) return file
      const text = runtimeValue(file, field => runtimeFact(work, field))
      return { path: file.path, mode: file.mode, base64: Buffer.from(text, 'utf8').toString('base64') }
    })
    return { ...volume, files }
  })
  return { ...spec, volumes }
}

type Expand = (text: string, lookup: (name: string) => string | undefined) => string

/**
 * The container with its subPathExprs as subPaths, by the rules of `expand` and the variables in `env`.
 * Throws VOLUME_INVALID for one that names no variable of the container, or that leads out of the volume: the message
 * does not say what it came to, since that may be a secret.
 */
export function withSubPaths(container: ContainerSpec, expand: Expand, env: Record<string, string>): ContainerSpec {
  const mounts = container.mounts.map(({ subPathExpr, ...mount }) => {
    if (subPathExpr === undefined) return mount
    const refused = (why: string): TspodError =>
      new TspodError(
        'VOLUME_INVALID',
        `container ${container.name}: subPathExpr ${JSON.stringify(subPathExpr)} ${why}`,
        {
          remedy: 'correct it, or the variables of the container',
        },
      )
    const subPath = expand(subPathExpr, name => {
      if (!Object.hasOwn(env, name)) throw refused(`needs the variable ${name}, and there is none`)
      return env[name]
    })
    if (subPath.startsWith('/')) throw refused('comes to an absolute path')
    const parts = subPath.split('/').filter(part => part !== '' && part !== '.')
    if (parts.includes('..') || subPath.includes('\0')) throw refused('leads out of the volume')
    return { ...mount, subPath: parts.join('/') }
  })
  return { ...container, mounts }
}
